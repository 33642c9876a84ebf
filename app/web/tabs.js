/* The tabs: one panel is shown at a time. What the server's needs is fetched when somebody first looks. */

import { address } from "./request.js";

const tabs = [...document.querySelectorAll('#tabs [role="tab"]')];
let status = null; // a promise, once somebody has looked

/** Show the panel of `tab`, and say in the address that it is shown. */
function select(tab) {
  for (const each of tabs) {
    const isSelected = each === tab;
    each.setAttribute("aria-selected", isSelected);
    each.tabIndex = isSelected ? 0 : -1;
    panel(each).hidden = !isSelected;
  }
  const isServer = panel(tab).id === "server";
  history.replaceState(null, "", isServer ? "#server" : location.pathname + location.search);
  if (isServer) status ??= begun();
}

async function begun() {
  const [{ Status }] = await Promise.all([import("./status.js"), styled()]);
  return new Status(document.getElementById("server"));
}

function styled() {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: address("page/status.css") });
  const isThere = new Promise((resolve) => (link.onload = link.onerror = resolve));
  document.head.append(link);
  return isThere;
}

function panel(tab) {
  return document.getElementById(tab.getAttribute("aria-controls"));
}

function step(event) {
  const at = tabs.indexOf(event.target);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
  if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  const tab = tabs.at(to % tabs.length);
  tab.focus();
  select(tab);
}

function follow() {
  const id = location.hash === "#server" ? "server" : "speech";
  const tab = tabs.find((each) => panel(each).id === id);
  if (tab.getAttribute("aria-selected") !== "true") select(tab);
}

for (const tab of tabs) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", step);
}
addEventListener("hashchange", follow);
follow();
