/* The Explain tab: what the voice reads for each written word, and why. Loaded when it is first selected. */

import { describeError, explain } from "./api.js";

/** Titles, and the nodes or texts of a word's cell. */
const COLUMNS = [
  ["Written", ({ written }) => [written], { dir: "auto" }],
  ["Spoken", ({ spoken }) => [spoken], { dir: "auto" }],
  ["From", ({ source }) => [source], {}],
  ["Phonemes", ({ phonemes }) => parts(phonemes), { dir: "ltr" }],
  ["Ids", ({ ids }) => [ids.join(" ")], { dir: "ltr" }],
];

export class Explanation {
  #speech;
  #abort = new AbortController();
  #shown = null; // the request that the table is for, as JSON

  /** `speech` has the text, and makes requests with the voice that is selected; both tabs show one text. */
  constructor(speech) {
    this.#speech = speech;
    element("explain-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#run();
    });
    element("explain-text").addEventListener("input", ({ target }) => {
      speech.text = target.value;
      this.#alert("");
      this.#report(this.#shown === null ? "" : "The text has changed.");
    });
    element("explain").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#run();
    });
  }

  /** Show the text of the other tab, and explain it if it is not what the table is for. */
  enter() {
    const area = element("explain-text");
    area.value = this.#speech.text;
    area.lang = this.#speech.language;
    if (area.value.trim() && this.#shown !== JSON.stringify(this.#speech.request())) this.#run();
  }

  async #run() {
    const request = this.#speech.request();
    this.#alert("");
    this.#report("");
    this.#abort.abort();
    if (!request.input.trim()) {
      this.#alert("There is no text to explain. Enter some text first.");
      element("explain-text").focus();
      return;
    }
    const abort = (this.#abort = new AbortController());
    element("explain-result").setAttribute("aria-busy", "true");
    try {
      this.#show(await explain(request, this.#speech.key, abort.signal));
      this.#shown = JSON.stringify(request);
    } catch (error) {
      if (abort.signal.aborted) return; // a newer request replaced it
      const isRefused = error.status === 401;
      this.#alert(describeError(error, this.#speech.key !== "") + (isRefused ? " Enter one on the Speech tab." : ""));
      if (isRefused) this.#speech.requestKey();
    }
    element("explain-result").removeAttribute("aria-busy");
  }

  #show({ voice, language, sentences }) {
    const words = sentences.flatMap((sentence) => sentence.words);
    const changed = words.filter(({ source }) => source !== "voice").length;
    this.#report(`${count(words.length, "row")} read by ${voice}, ${changed || "none"} changed.`);
    const table = create("table", { role: "table" });
    table.setAttribute("aria-label", "What is read for each word");
    const head = create("thead", { role: "rowgroup" });
    head.append(row(COLUMNS.map(([title]) => create("th", { textContent: title, role: "columnheader", scope: "col" }))));
    table.append(head, ...sentences.map((sentence) => group(sentence, language)));
    element("explain-result").replaceChildren(...(words.length ? [table] : []));
  }

  #alert(message) {
    element("explain-alert").textContent = message;
  }

  #report(message) {
    element("explain-status").textContent = message;
  }
}

/** Return the rows of a sentence, below the sentence itself. */
function group({ written, normalized, words }, language) {
  const body = create("tbody", { role: "rowgroup" });
  const title = create("th", { role: "rowheader", scope: "rowgroup", colSpan: COLUMNS.length });
  const texts = [[written, "written"], [normalized, "normalized"]].slice(0, normalized === written ? 1 : 2);
  title.append(...texts.map(([textContent, className]) => create("span", { textContent, className, dir: "auto", lang: language })));
  body.append(Object.assign(row([title]), { className: "sentence" }));
  for (const word of words) {
    const cells = COLUMNS.map(([label, value, properties]) => {
      const cell = create("td", { role: "cell", ...properties });
      cell.append(...value(word).filter((part) => part !== ""));
      cell.dataset.title = label;
      return cell;
    });
    for (const cell of cells.slice(0, 2)) cell.lang = language;
    body.append(Object.assign(row(cells), { className: word.source === "voice" ? "" : "changed" }));
  }
  return body;
}

function row(cells) {
  const made = create("tr", { role: "row" });
  made.append(...cells);
  return made;
}

/** Return the phonemes with an element for each word, apart by spaces. */
function parts(phonemes) {
  const words = phonemes.split(" ").filter(Boolean).map((textContent) => create("span", { textContent }));
  return words.flatMap((word, i) => (i ? [" ", word] : [word]));
}

function count(number, noun) {
  return number === 1 ? `1 ${noun}` : `${number} ${noun}s`;
}

function create(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

function element(id) {
  return document.getElementById(id);
}
