/* What is seen of the server, as facts, lines, a table and a list. */

import { quantile, waiting } from "./pace.js";

const SVG = "http://www.w3.org/2000/svg";
const FACTS = [
  ["Up", ({ now }) => duration(now.up_s)],
  ["Master", ({ now }) => now.master],
  ["Cores", ({ now }) => now.cores],
  ["Workers", ({ now }) => `${now.workers.length} × ${now.places} places`],
  ["Queue", ({ now }) => `${waiting(now)} of ${now.queue}`],
  ["Requests", ({ pace }) => (pace ? `${pace.requests.toFixed(1)} per second` : "–")],
  ["Audio", ({ pace }) => (pace ? `${pace.audio.toFixed(1)} s per second` : "–")],
  ["Speeches", ({ now }) => now.totals.outcomes.done],
  ["A request takes", (looks) => quantiles(looks, "request_s")],
  ["First audio after", (looks) => quantiles(looks, "first_audio_s")],
  ["Waits for its turn", (looks) => quantiles(looks, "queue_s")],
  ["Real-time factor", (looks) => quantiles(looks, "rtf", "")],
  ["Refused", ({ now }) => counts(now.totals.refusals)],
  ["Workers ended", ({ now }) => counts(now.totals.endings)],
];
const COLUMNS = [
  ["Slot", ({ slot }) => slot],
  ["Process", ({ pid }) => pid],
  ["State", ({ state }) => state],
  ["Generation", ({ generation }) => generation],
  ["Connections", ({ connections }) => connections],
  ["Active", ({ active }) => active],
  ["Waiting", ({ waiting }) => waiting],
  ["Speaking", ({ speaking }) => speaking],
  ["Oldest piece", (worker) => oldest(worker)],
  ["A request takes", ({ service_s }) => (service_s ? `${service_s.toFixed(2)} s` : "–")],
  ["Audio per s", ({ slot }, pace) => (pace ? `${pace.bySlot.get(slot).toFixed(1)} s` : "–")],
  ["Own memory", ({ memory }) => megabytes(memory.uss_bytes)],
  ["Heap in use", ({ memory }) => megabytes(memory.live_bytes)],
  ["Open files", ({ memory }) => memory.descriptors ?? "–"],
  ["Threads", ({ memory }) => memory.threads ?? "–"],
];

export class StatusView {
  #panel;
  #facts;
  #rows;

  constructor(panel) {
    this.#panel = panel;
    this.#facts = FACTS.map(([title]) => {
      const [group, value] = [made("div"), made("dd")];
      group.append(made("dt", title), value);
      this.#element("server-facts").append(group);
      return value;
    });
    const head = made("tr");
    head.append(...COLUMNS.map(([title]) => Object.assign(made("th", title), { scope: "col" })));
    const table = panel.querySelector("table");
    table.createTHead().append(head);
    this.#rows = table.createTBody();
  }

  /** Show what was seen, and that nothing is wrong. */
  show(looks) {
    this.#say("");
    this.#element("server-seen").hidden = false;
    FACTS.forEach(([, value], i) => fill(this.#facts[i], value(looks)));
    const { waiting: waited, audio } = looks.lines;
    draw(this.#element("waiting-line"), waited);
    draw(this.#element("audio-line"), audio);
    this.#showWorkers(looks.now.workers, looks.pace);
    this.#showFailures(looks.now.failures.slice(0, 5));
  }

  /** Say what is wrong; what was seen before stays, and is seen to be old. */
  fail(words) {
    this.#say(words);
  }

  #say(words) {
    fill(this.#element("server-alert"), words);
    this.#panel.classList.toggle("old", words !== "");
  }

  #showWorkers(workers, pace) {
    const rows = this.#rows;
    while (rows.rows.length > workers.length) rows.deleteRow(-1);
    while (rows.rows.length < workers.length) rows.insertRow().append(...COLUMNS.map(() => made("td")));
    workers.forEach((worker, i) => COLUMNS.forEach(([, value], j) => fill(rows.rows[i].cells[j], value(worker, pace))));
    workers.forEach((worker, i) => rows.rows[i].classList.toggle("late", isLate(worker)));
  }

  #showFailures(failures) {
    const list = this.#element("server-failures");
    const lines = failures.map(({ at_s, slot, what }) => `${new Date(at_s * 1000).toLocaleTimeString()}, slot ${slot}: ${what}`);
    if (!lines.length) lines.push("None.");
    while (list.children.length > lines.length) list.lastChild.remove();
    while (list.children.length < lines.length) list.append(made("li"));
    lines.forEach((line, i) => fill(list.children[i], line));
  }

  #element(id) {
    return document.getElementById(id);
  }
}

function made(tag, text = "") {
  return Object.assign(document.createElement(tag), { textContent: text });
}

/** Leave alone what is the same: somebody may be selecting it, or listening to it. */
function fill(element, value) {
  if (element.textContent !== String(value)) element.textContent = value;
}

/** Draw values from left to right, the highest at the top. */
function draw(svg, values) {
  svg.setAttribute("viewBox", "0 0 60 20");
  svg.setAttribute("preserveAspectRatio", "none");
  const top = Math.max(1, ...values);
  const points = values.map((value, i) => `${60 - (values.length - 1 - i)},${(19 - (18 * value) / top).toFixed(2)}`);
  if (!svg.firstChild) svg.append(document.createElementNS(SVG, "polyline"));
  svg.firstChild.setAttribute("points", points.join(" "));
}

function quantiles(looks, name, unit) {
  const values = looks.histogram(name);
  const since = values.isRecent ? "last minute" : "since the start";
  return `half ${quantile(values, 0.5, unit)}, 95 of 100 ${quantile(values, 0.95, unit)}, ${since}`;
}

function oldest({ speaking_for_s, stalls_in_s }) {
  if (speaking_for_s === null || stalls_in_s === null) return "–";
  return `${speaking_for_s.toFixed(1)} of ${(speaking_for_s + stalls_in_s).toFixed(0)} s`;
}

/** Whether its oldest piece has taken most of the time it may. */
function isLate({ speaking_for_s, stalls_in_s }) {
  return speaking_for_s !== null && stalls_in_s !== null && stalls_in_s < speaking_for_s;
}

function counts(counted) {
  const words = Object.entries(counted).filter(([, count]) => count).map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`);
  return words.join(", ") || "none";
}

function megabytes(size) {
  return size === undefined ? "–" : `${(size / 1e6).toFixed(0)} MB`;
}

function duration(time_s) {
  const [days, hours, minutes] = [86400, 3600, 60].map((unit) => Math.floor(time_s / unit));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${Math.floor(time_s % 60)} s` : `${Math.floor(time_s)} s`;
}
