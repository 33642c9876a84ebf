/* The API key: asked for only where the server wants one, kept until the tab is closed. */

import { keep, recall } from "./memory.js";

const STORE = "sessionStorage";

export class ApiKey {
  #input;

  /** `changed()` is called when another key was entered. */
  constructor(input, changed) {
    this.#input = input;
    input.value = recall(STORE, "key", "");
    if (input.value) this.#show();
    input.addEventListener("change", () => {
      keep(STORE, "key", input.value);
      changed();
    });
  }

  get value() {
    return this.#input.value;
  }

  /** Whether the server wants one, as far as is known. */
  get isWanted() {
    return !this.#input.closest(".field").hidden;
  }

  ask() {
    this.#show();
    this.#input.focus();
  }

  #show() {
    this.#input.closest(".field").hidden = false;
  }
}
