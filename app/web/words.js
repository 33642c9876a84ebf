/* Where in the typed text each spoken word stands, and when it is heard. */

/** How long a word stays lit after its end, so that short gaps do not flicker. */
const AFTERGLOW_S = 0.25;

export class Words {
  #text;
  #words = []; // {start, end: in UTF-16 units of the text; start_s, end_s}, in order
  #cursor = 0;
  #until_s = 0;

  constructor(text) {
    this.#text = text;
  }

  get length() {
    return this.#words.length;
  }

  word(index) {
    return this.#words[index];
  }

  /** Take in one event of marks: an utterance, the words of which follow those before. */
  add(marks) {
    const utterance = this.#placed(marks.text);
    // A word that is not there as written, such as one a cleaner made, must not be found pages later.
    const limit = utterance ? utterance.end : this.#cursor + 2 * marks.text.length;
    const words = marks.words?.length ? marks.words : [marks];
    for (const { text, start_s, end_s } of words) {
      const place = this.#placed(text);
      if (!place || place.end > limit) continue;
      this.#words.push({ ...place, start_s, end_s });
      this.#cursor = place.end;
    }
    if (utterance) this.#cursor = utterance.end;
    this.#until_s = marks.end_s;
  }

  /** Guess how long all of the text will last, by how far the marks have come. */
  estimated_s() {
    return this.#cursor ? (this.#until_s * this.#text.trimEnd().length) / this.#cursor : 0;
  }

  /** The number of the last word that had begun by then, -1 before the first. */
  before(time_s) {
    return this.#last((word) => word.start_s <= time_s);
  }

  /** The word heard at that time, or undefined. */
  at(time_s) {
    const word = this.#words[this.before(time_s)];
    return word && time_s < word.end_s + AFTERGLOW_S ? word : undefined;
  }

  /** The word that the character at `offset` is in or follows, or undefined. */
  around(offset) {
    return this.#words[this.#last((word) => word.start <= offset)];
  }

  #placed(text) {
    const start = this.#text.indexOf(text, this.#cursor);
    return start < 0 ? null : { start, end: start + text.length };
  }

  #last(holds) {
    let low = -1;
    let high = this.#words.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (holds(this.#words[middle])) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
