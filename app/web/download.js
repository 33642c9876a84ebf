/* The Save section: download the speech as a file, or copy the curl command for it. */

import { curlCommand, fetchFile } from "./api.js";

export class Download {
  #elements;
  #current;
  #report;

  /**
   * `current()` returns {request, format, key, needsKey}; `report(message)` shows progress, `failed(error)` an error.
   */
  constructor(elements, { current, report, failed }) {
    this.#elements = elements;
    this.#current = current;
    this.#report = report;
    elements.download.addEventListener("click", () => this.#download().catch((error) => {
      report("");
      failed(error);
    }));
    elements.copy.addEventListener("click", () => this.#copy());
  }

  /** Show the command for the current request. */
  show() {
    const { request, format, needsKey } = this.#current();
    this.#elements.curl.textContent = curlCommand(request, format, needsKey);
  }

  async #download() {
    const { request, format, key } = this.#current();
    this.#report("Preparing the file …");
    const blob = await (await fetchFile(request, format, key)).blob();
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `speech.${format}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still ask the user for a folder
    this.#report(`Saved ${link.download}, ${formatSize(blob.size)}.`);
  }

  async #copy() {
    const { curl } = this.#elements;
    try {
      await navigator.clipboard.writeText(curl.textContent);
      this.#report("Copied the command.");
    } catch {
      // Browsers allow the clipboard only on https and localhost.
      getSelection().selectAllChildren(curl);
      curl.focus();
      this.#report("The command is selected; press Ctrl+C to copy it.");
    }
  }
}

function formatSize(size_bytes) {
  return size_bytes < 1e6 ? `${Math.ceil(size_bytes / 1e3)} kB` : `${(size_bytes / 1e6).toFixed(1)} MB`;
}
