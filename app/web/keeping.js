/* What can be taken away: the speech as a file, and the command that makes it. */

import { curl } from "./request.js";
import { file } from "./server.js";

export class Keeping {
  #elements;
  #wanted;

  /**
   * `wanted()` returns {request, format, key, wantsKey} as of now; `said(words)` is told what was done, `failed(error)` what was not.
   */
  constructor(elements, { wanted, said, failed }) {
    this.#elements = elements;
    this.#wanted = wanted;
    elements.download.addEventListener("click", async () => {
      await this.#download(said).catch((error) => {
        said("");
        failed(error);
      });
    });
    elements.copy.addEventListener("click", () => this.#copy(said));
  }

  /** Show the command for what is wanted now. */
  show() {
    const { request, format, wantsKey } = this.#wanted();
    this.#elements.curl.textContent = curl(request, format, wantsKey);
  }

  async #download(said) {
    const { request, format, key } = this.#wanted();
    said("Making the file …");
    const made = await (await file(request, format, key)).blob();
    const name = `speech.${format}`;
    save(made, name);
    said(`Saved ${name}, ${size(made.size)}.`);
  }

  async #copy(said) {
    const { curl: command } = this.#elements;
    try {
      await navigator.clipboard.writeText(command.textContent);
      said("The command is in the clipboard.");
    } catch {
      // Browsers give the clipboard to https and localhost only.
      getSelection().selectAllChildren(command);
      command.focus();
      said("The command is selected; copy it with Ctrl C.");
    }
  }
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be asking where to
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
