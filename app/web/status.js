/* The Server tab: polls /status each second while it is visible, and shows rates, a table of workers and errors. */

import { address } from "./api.js";

const INTERVAL_MS = 1000;
/** Request timeout, and the wait after a failure. */
const TIMEOUT_MS = 5000;
/** Window of quantiles and charts. */
const RECENT_S = 60;
const MAX_FAILURES = 5;
const SPEECH_ROUTES = ["speech", "captions", "explain", "coqui", "marytts"];
const SVG = "http://www.w3.org/2000/svg";
/** Short facts in a grid, then long ones on lines of their own: status.css counts eight of the first. */
const FACTS = [
  ["Uptime", ({ now }) => formatDuration(now.up_s)],
  ["Master", ({ now }) => now.master],
  ["Cores", ({ now }) => now.cores],
  ["Workers", ({ now }) => `${now.workers.length} × ${now.places} requests`],
  ["Queue", ({ now }) => `${sum(now.workers, "waiting")} of ${now.queue}`],
  ["Requests", ({ rates }) => (rates ? `${rates.requests.toFixed(1)} per second` : "–")],
  ["Audio", ({ rates }) => (rates ? `${rates.audio.toFixed(1)} s per second` : "–")],
  ["Completed", ({ now }) => now.totals.outcomes.done],
  ["Request time", (history) => quantiles(history, "request_s")],
  ["First audio", (history) => quantiles(history, "first_audio_s")],
  ["Queue time", (history) => quantiles(history, "queue_s")],
  ["Real-time factor", (history) => quantiles(history, "rtf", "")],
  ["Refused", ({ now }) => formatCounts(now.totals.refusals)],
  ["Workers ended", ({ now }) => formatCounts(now.totals.endings)],
  ["Readers ended", ({ now }) => now.totals.reader_ends || "none"], // processes that read texts,
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
  ["Parked", ({ parked }) => parked], // answers that wait for slow clients
  ["Oldest chunk", (worker) => oldestChunk(worker)],
  ["Request time", ({ service_s }) => (service_s ? `${service_s.toFixed(2)} s` : "–")],
  ["Audio per s", ({ slot }, rates) => (rates ? `${rates.audioBySlot.get(slot).toFixed(1)} s` : "–")],
  ["Private memory", ({ memory }) => megabytes(memory.uss_bytes)],
  ["Heap in use", ({ memory }) => megabytes(memory.live_bytes)],
  ["Open files", ({ memory }) => memory.descriptors ?? "–"],
  ["Threads", ({ memory }) => memory.threads ?? "–"],
];

/** Polls and shows /status while `panel` and the page are visible. */
export class Status {
  #panel;
  #view;
  #history = new History();
  #isRequested = false;
  #timer;

  constructor(panel) {
    this.#panel = panel;
    this.#view = new StatusView(panel);
    document.addEventListener("visibilitychange", () => this.#poll());
    new MutationObserver(() => this.#poll()).observe(panel, { attributeFilter: ["hidden"] });
    this.#poll();
  }

  get #isVisible() {
    return !this.#panel.hidden && document.visibilityState === "visible";
  }

  async #poll() {
    clearTimeout(this.#timer);
    if (this.#isRequested || !this.#isVisible) return;
    this.#isRequested = true;
    let wait_ms = INTERVAL_MS;
    try {
      this.#history.add(await fetchStatus());
      this.#view.show(this.#history);
    } catch (error) {
      this.#view.alert(error.message);
      wait_ms = TIMEOUT_MS;
    }
    this.#isRequested = false;
    if (this.#isVisible) this.#timer = setTimeout(() => this.#poll(), wait_ms);
  }
}

/** Return the JSON of GET /status. Throws an error with a message for the user. */
async function fetchStatus() {
  const response = await fetch(address("status"), { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => {
    throw new Error("The server does not answer. These are its last values; the page tries again every few seconds.");
  });
  const { ok, status } = response;
  if ([401, 403, 404].includes(status)) {
    throw new Error(`A proxy does not forward /status (it answers ${status}). Open this page at the server's own address.`);
  }
  if (status >= 500) throw new Error(`The proxy cannot reach the server, or the server is still starting (it answers ${status}).`);
  if (!ok) throw new Error(`The server does not show its status (it answers ${status}).`);
  const snapshot = await response.json().catch(() => null);
  if (!Array.isArray(snapshot?.workers) || !snapshot.totals?.histograms) {
    throw new Error("/status is not from a server of this version; a proxy may have answered.");
  }
  return snapshot;
}

/** The snapshots of the last minute, and the rates between them. */
class History {
  #snapshots = [];

  /** Append a snapshot; snapshots of another server at this address are dropped. */
  add(snapshot) {
    if (this.now && (snapshot.master !== this.now.master || snapshot.up_s < this.now.up_s)) this.#snapshots = [];
    this.#snapshots.push(snapshot);
    this.#snapshots = this.#snapshots.filter(({ up_s }) => snapshot.up_s - up_s <= RECENT_S);
  }

  get now() {
    return this.#snapshots.at(-1);
  }

  /** Rates between the last two snapshots, or null. */
  get rates() {
    const [before, now] = this.#snapshots.slice(-2);
    return now ? ratesBetween(before, now) : null;
  }

  /** Waiting requests, and seconds of audio per second, over time. */
  get charts() {
    const rates = this.#snapshots.slice(1).map((snapshot, i) => ratesBetween(this.#snapshots[i], snapshot));
    return { waiting: this.#snapshots.map(({ workers }) => sum(workers, "waiting")), audio: rates.map(({ audio }) => audio) };
  }

  /** A histogram of the last minute, or since the server's start if the minute has no values. */
  histogram(name) {
    const [first, last] = [this.#snapshots[0], this.now].map((snapshot) => snapshot.totals.histograms[name]);
    const counts = last.counts.map((count, i) => count - first.counts[i]);
    const isRecent = counts.some((count) => count > 0);
    return { bounds: last.bounds, counts: isRecent ? counts : last.counts, isRecent };
  }
}

function ratesBetween(before, now) {
  const elapsed_s = Math.max(now.up_s - before.up_s, 1e-6);
  const earlier = new Map(before.workers.map(({ slot, audio_s }) => [slot, audio_s]));
  const answered = ({ totals }) => SPEECH_ROUTES.flatMap((route) => Object.values(totals.answers[route] ?? {}))
    .reduce((total, count) => total + count, 0);
  return {
    requests: (answered(now) - answered(before)) / elapsed_s,
    audio: (now.totals.audio_s - before.totals.audio_s) / elapsed_s,
    audioBySlot: new Map(now.workers.map(({ slot, audio_s }) => [slot, (audio_s - (earlier.get(slot) ?? audio_s)) / elapsed_s])),
  };
}

/** Draws a History into the panel. */
class StatusView {
  #panel;
  #facts;
  #rows;

  constructor(panel) {
    this.#panel = panel;
    this.#facts = FACTS.map(([title]) => {
      const [group, value] = [create("div"), create("dd")];
      group.append(create("dt", title), value);
      element("server-facts").append(group);
      return value;
    });
    const head = create("tr");
    head.append(...COLUMNS.map(([title]) => Object.assign(create("th", title), { scope: "col" })));
    const table = panel.querySelector("table");
    table.createTHead().append(head);
    this.#rows = table.createTBody();
  }

  show(history) {
    this.alert("");
    element("server-content").hidden = false;
    FACTS.forEach(([, value], i) => setText(this.#facts[i], value(history)));
    drawChart(element("waiting-chart"), history.charts.waiting);
    drawChart(element("audio-chart"), history.charts.audio);
    this.#showWorkers(history.now.workers, history.rates);
    this.#showFailures(history.now.failures.slice(0, MAX_FAILURES));
  }

  /** Show an error and dim the values, which are old; an empty message ends both. */
  alert(message) {
    setText(element("server-alert"), message);
    this.#panel.classList.toggle("stale", message !== "");
  }

  #showWorkers(workers, rates) {
    const { rows } = this.#rows;
    while (rows.length > workers.length) this.#rows.deleteRow(-1);
    while (rows.length < workers.length) this.#rows.insertRow().append(...COLUMNS.map(() => create("td")));
    workers.forEach((worker, i) => {
      COLUMNS.forEach(([, value], j) => setText(rows[i].cells[j], value(worker, rates)));
      rows[i].classList.toggle("late", isLate(worker));
    });
  }

  #showFailures(failures) {
    const list = element("server-failures");
    const lines = failures.map(({ at_s, slot, what }) => `${new Date(at_s * 1000).toLocaleTimeString()}, slot ${slot}: ${what}`);
    if (!lines.length) lines.push("None.");
    while (list.children.length > lines.length) list.lastChild.remove();
    while (list.children.length < lines.length) list.append(create("li"));
    lines.forEach((line, i) => setText(list.children[i], line));
  }
}

function element(id) {
  return document.getElementById(id);
}

function create(tag, text = "") {
  return Object.assign(document.createElement(tag), { textContent: text });
}

/** Set the text if it differs: writing equal text ends selections and repeats announcements. */
function setText(node, value) {
  if (node.textContent !== String(value)) node.textContent = value;
}

/** Draw values from left to right, scaled to the largest. */
function drawChart(svg, values) {
  svg.setAttribute("viewBox", "0 0 60 20");
  svg.setAttribute("preserveAspectRatio", "none");
  const top = Math.max(1, ...values);
  const points = values.map((value, i) => `${60 - (values.length - 1 - i)},${(19 - (18 * value) / top).toFixed(2)}`);
  if (!svg.firstChild) svg.append(document.createElementNS(SVG, "polyline"));
  svg.firstChild.setAttribute("points", points.join(" "));
}

function quantiles(history, name, unit = " s") {
  const { bounds, counts, isRecent } = history.histogram(name);
  const values = [0.5, 0.95].map((share) => quantile(bounds, counts, share, unit));
  return `p50 ${values[0]}, p95 ${values[1]}, ${isRecent ? "last minute" : "since start"}`;
}

/** Return the bound of the bucket that holds the quantile. */
function quantile(bounds, counts, share, unit) {
  const total = counts.reduce((all, count) => all + count, 0);
  if (!total) return "–";
  let below = 0;
  const bucket = counts.findIndex((count) => (below += count) >= share * total);
  return bucket < bounds.length ? `≤ ${bounds[bucket]}${unit}` : `> ${bounds.at(-1)}${unit}`;
}

function sum(workers, name) {
  return workers.reduce((total, worker) => total + worker[name], 0);
}

/** The age of the oldest chunk in synthesis, and the age at which its worker counts as stalled. */
function oldestChunk({ speaking_for_s, stalls_in_s }) {
  if (speaking_for_s === null || stalls_in_s === null) return "–";
  return `${speaking_for_s.toFixed(1)} of ${(speaking_for_s + stalls_in_s).toFixed(0)} s`;
}

/** Whether that chunk has used most of its time. */
function isLate({ speaking_for_s, stalls_in_s }) {
  return speaking_for_s !== null && stalls_in_s !== null && stalls_in_s < speaking_for_s;
}

function formatCounts(counts) {
  const parts = Object.entries(counts).filter(([, count]) => count).map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`);
  return parts.join(", ") || "none";
}

function megabytes(size_bytes) {
  return size_bytes === undefined ? "–" : `${(size_bytes / 1e6).toFixed(0)} MB`;
}

function formatDuration(time_s) {
  const [days, hours, minutes] = [86400, 3600, 60].map((unit) => Math.floor(time_s / unit));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${Math.floor(time_s % 60)} s` : `${Math.floor(time_s)} s`;
}
