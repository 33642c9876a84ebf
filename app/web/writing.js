/* The text: typed into a textarea, lit on a copy of it that lies exactly below.
 *
 * While text and speech belong together the textarea's own letters are transparent and the
 * copy's are seen; ranges of its one text node are coloured, so no element is ever made.
 */

const HEARD = "heard";
const WORD = "word";
/** Holds open the line that a text ending in a newline is about to get. */
const LINE_HOLDER = " ";
/** How long a browser may take for a smooth scroll. */
const GLIDE_MS = 1000;

export class Writing {
  #area;
  #score;
  #heard = new Range();
  #word = new Range();
  #last = new Range(); // the word lit last, though none may be now
  #scrolled_ms = -Infinity;

  /** `picked(offset)` is called for a click on lit text, `edited()` for every change. */
  constructor(area, score, { picked, edited }) {
    this.#area = area;
    this.#score = score;
    for (const sign of ["input", "change"]) {
      area.addEventListener(sign, () => {
        if (this.#isCopied) return; // a change is also told of after its input, by then perhaps while it is spoken
        this.#copy();
        this.part();
        edited();
      });
    }
    area.addEventListener("click", () => {
      if (this.#isLit && area.selectionStart === area.selectionEnd) picked(area.selectionStart);
    });
    this.#copy();
  }

  get text() {
    return this.#area.value;
  }

  set text(text) {
    this.#area.value = text;
    this.#copy();
  }

  set language(tag) {
    this.#area.lang = this.#score.lang = tag;
  }

  /** Text and speech belong together from now on. */
  join() {
    this.#area.parentElement.classList.add("lit");
    this.#last.setStart(this.#score.firstChild, 0);
    this.#last.collapse(true);
    CSS.highlights?.set(HEARD, new Highlight(this.#heard));
    CSS.highlights?.set(WORD, new Highlight(this.#word));
    this.light(undefined, 0);
  }

  /** They no longer do. */
  part() {
    this.#area.parentElement.classList.remove("lit");
    CSS.highlights?.clear();
  }

  /** Show all up to `heardUntil` as heard, and `word`, if any, as being heard. */
  light(word, heardUntil) {
    if (!this.#isLit) return;
    const node = this.#score.firstChild;
    this.#heard.setStart(node, 0);
    this.#heard.setEnd(node, heardUntil);
    this.#word.setStart(node, word?.start ?? 0);
    this.#word.setEnd(node, word?.end ?? 0);
    if (word && word.start !== this.#last.startOffset) this.#follow();
    if (word) this.#last = this.#word.cloneRange();
  }

  get #isLit() {
    return this.#area.parentElement.classList.contains("lit");
  }

  /** Scroll the word into view, if the one before was: who has scrolled away is left alone. */
  #follow() {
    const now_ms = performance.now();
    const isGliding = now_ms - this.#scrolled_ms < GLIDE_MS;
    const seen = this.#seen();
    if (isIn(seen, this.#word) || !(isIn(seen, this.#last) || isGliding)) return;
    this.#scrolled_ms = now_ms;
    this.#scrollTo(this.#word.getBoundingClientRect(), seen);
  }

  /** Bring a box to the upper third of what is seen: within the text as far as it goes, and by the page the rest. */
  #scrollTo(box, { top, bottom }) {
    const frame = this.#area.parentElement;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
    const wanted = box.top - top - (bottom - top) / 3;
    const room = frame.scrollHeight - frame.clientHeight - frame.scrollTop;
    const within = Math.max(-frame.scrollTop, Math.min(wanted, room));
    frame.scrollBy({ top: within, behavior });
    if (box.bottom - within > bottom || box.top - within < top) scrollBy({ top: wanted - within, behavior });
  }

  /** The part of the text's frame that is on the screen, and not covered by the desk at its foot. */
  #seen() {
    const frame = this.#area.parentElement.getBoundingClientRect();
    const desk = document.getElementById("desk").getBoundingClientRect();
    return { top: Math.max(0, frame.top), bottom: Math.min(frame.bottom, desk.top) };
  }

  #copy() {
    this.#score.textContent = this.#area.value + LINE_HOLDER;
  }

  get #isCopied() {
    return this.#score.textContent === this.#area.value + LINE_HOLDER;
  }
}

function isIn({ top, bottom }, range) {
  const box = range.getBoundingClientRect();
  return box.top >= top && box.bottom <= bottom;
}
