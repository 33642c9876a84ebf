/* What the server does: asked every second while somebody can see it, and only then. */

import { Looks } from "./pace.js";
import { address } from "./request.js";
import { StatusView } from "./status-view.js";

const EVERY_MS = 1000;
/** How long an answer may take, and the wait after a failure. */
const PATIENCE_MS = 5000;

export class Status {
  #panel;
  #view;
  #looks = new Looks();
  #isAsking = false;
  #timer;

  /** Shows in `panel` whatever is seen while the panel and the page are. */
  constructor(panel) {
    this.#panel = panel;
    this.#view = new StatusView(panel);
    document.addEventListener("visibilitychange", () => this.#ask());
    new MutationObserver(() => this.#ask()).observe(panel, { attributeFilter: ["hidden"] });
    this.#ask();
  }

  get #isSeen() {
    return !this.#panel.hidden && document.visibilityState === "visible";
  }

  async #ask() {
    clearTimeout(this.#timer);
    if (this.#isAsking || !this.#isSeen) return;
    this.#isAsking = true;
    let wait_ms = EVERY_MS;
    try {
      this.#looks.add(await seen());
      this.#view.show(this.#looks);
    } catch (error) {
      this.#view.fail(error.message);
      wait_ms = PATIENCE_MS;
    }
    this.#isAsking = false;
    if (this.#isSeen) this.#timer = setTimeout(() => this.#ask(), wait_ms);
  }
}

/** Return what GET /status tells. Throws an error with sentences for people. */
async function seen() {
  const answer = await fetch(address("status"), { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => {
    throw new Error("The server does not answer. What is shown is what was last seen; it is asked again every few seconds.");
  });
  if (!answer.ok) throw new Error(refused(answer.status));
  const told = await answer.json().catch(() => null);
  if (!Array.isArray(told?.workers) || !told.totals?.histograms) {
    throw new Error("What answers at /status is no server of this version; a proxy may answer in its place.");
  }
  return told;
}

function refused(status) {
  if ([401, 403, 404].includes(status)) {
    return `A proxy between here and the server does not show /status (it answers ${status}). Open this page at the server's own address.`;
  }
  if (status >= 500) return `The server cannot be reached behind its proxy, or is still starting (it answers ${status}).`;
  return `The server does not tell what it does (it answers ${status}).`;
}
