/* The page of the HTTP API: paths, fields and errors of /openapi.json. */

const MEDIA_TYPE = "application/json";

/** Return an element with attributes and children; nothing is parsed as HTML. */
function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Return the schema of a field without null, and without its reference. */
function resolve(schema, schemas) {
  const inner = schema.anyOf?.length === 2 && schema.anyOf[1].type === "null" ? schema.anyOf[0] : schema;
  return inner.$ref ? schemas[inner.$ref.split("/").pop()] : inner;
}

/** Return what a field takes, in words. */
function kind(schema) {
  if (schema.enum) return schema.enum.join(", ");
  if (schema.anyOf) return schema.anyOf.map((each) => each.type ?? "object").join(" or ");
  const bounds = schema.minimum === undefined ? "" : ` ${schema.minimum} to ${schema.maximum}`;
  return `${schema.type ?? "any"}${bounds}`;
}

/** Return the nodes of a text in which backticks surround code. */
function words(text) {
  return text.split("`").map((part, index) => (index % 2 ? node("code", {}, part) : part));
}

function row(name, schema, isRequired) {
  const example = schema.examples ? node("code", {}, JSON.stringify(schema.examples[0])) : null;
  return node(
    "tr", {},
    node("th", { scope: "row" }, name, isRequired ? " *" : ""),
    node("td", {}, ...words(schema.description ?? ""), node("div", { class: "kind" }, kind(schema), example ? ", such as " : "", example)),
  );
}

/** Return the table of an operation's fields or parameters; null if it has none. */
function fields(operation, schemas) {
  const rows = [];
  for (const { name, required, description, schema, content } of operation.parameters ?? []) {
    const found = resolve(schema ?? content[MEDIA_TYPE].schema, schemas);
    rows.push(row(name, description ? { description, ...found } : found, required));
  }
  const body = operation.requestBody && resolve(operation.requestBody.content[MEDIA_TYPE].schema, schemas);
  for (const [name, schema] of Object.entries(body?.properties ?? {})) {
    rows.push(row(name, resolve(schema, schemas), body.required.includes(name)));
  }
  return rows.length ? node("table", {}, node("tbody", {}, ...rows)) : null;
}

function answers(operation) {
  const rows = Object.entries(operation.responses).map(([status, { description, content }]) => node(
    "tr", {},
    node("th", { scope: "row" }, status),
    node("td", {}, ...description.split("\n").map((line) => node("div", {}, ...words(line))),
      status === "200" ? node("div", { class: "kind" }, Object.keys(content).join(", ")) : null),
  ));
  return node("details", {}, node("summary", {}, "Answers"), node("table", {}, node("tbody", {}, ...rows)));
}

function section(path, method, operation, schemas) {
  const title = node("h2", { id: operation.operationId }, node("span", { class: "method" }, method), ` ${path}`);
  return node("section", { "aria-labelledby": operation.operationId }, title, node("p", {}, operation.summary),
    fields(operation, schemas), answers(operation));
}

async function show() {
  const main = document.getElementById("reference");
  try {
    const response = await fetch("openapi.json");
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    const { paths, components } = await response.json();
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(methods)) main.append(section(path, method, operation, components.schemas));
    }
  } catch (error) {
    document.getElementById("problem").textContent = `openapi.json cannot be read: ${error.message}`;
  }
  main.removeAttribute("aria-busy");
}

show();
