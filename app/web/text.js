/* The text: edited in a textarea, highlighted in a copy of it exactly below.
 *
 * During playback the textarea's letters are transparent and the copy's are visible. Highlights
 * are ranges of the copy's one text node (CSS Custom Highlights), so no element is created.
 */

/** A text that ends in a newline needs a character to keep its last line open. */
const LAST_LINE = " ";
/** How long a browser may take for a smooth scroll. */
const SCROLL_MS = 1000;

export class TextView {
  #area;
  #copy;
  #heard = new Range();
  #word = new Range();
  #lastWord = new Range(); // stays when no word is highlighted
  #scrolled_ms = -Infinity;

  /** `clicked(offset)` is called for a click on highlighted text, `edited()` for each edit. */
  constructor(area, copy, { clicked, edited }) {
    this.#area = area;
    this.#copy = copy;
    for (const type of ["input", "change"]) {
      area.addEventListener(type, () => {
        if (copy.textContent === area.value + LAST_LINE) return; // a change event repeats its input event, maybe during playback
        this.#update();
        this.clearHighlights();
        edited();
      });
    }
    area.addEventListener("click", () => {
      if (this.#isHighlighted && area.selectionStart === area.selectionEnd) clicked(area.selectionStart);
    });
    this.#update();
  }

  get text() {
    return this.#area.value;
  }

  set text(text) {
    this.#area.value = text;
    this.#update();
  }

  set language(tag) {
    this.#area.lang = this.#copy.lang = tag;
  }

  /** Show the copy, until the text is edited. */
  startHighlights() {
    this.#area.parentElement.classList.add("highlighted");
    this.#lastWord.setStart(this.#copy.firstChild, 0);
    this.#lastWord.collapse(true);
    CSS.highlights?.set("heard", new Highlight(this.#heard));
    CSS.highlights?.set("word", new Highlight(this.#word));
    this.highlight(undefined, 0);
  }

  clearHighlights() {
    this.#area.parentElement.classList.remove("highlighted");
    CSS.highlights?.clear();
  }

  /** Mark the text up to `heardUntil` as heard, and `word`, if any, as the current one. */
  highlight(word, heardUntil) {
    if (!this.#isHighlighted) return;
    const node = this.#copy.firstChild;
    this.#heard.setStart(node, 0);
    this.#heard.setEnd(node, heardUntil);
    this.#word.setStart(node, word?.start ?? 0);
    this.#word.setEnd(node, word?.end ?? 0);
    if (word && word.start !== this.#lastWord.startOffset) this.#follow();
    if (word) this.#lastWord = this.#word.cloneRange();
  }

  get #isHighlighted() {
    return this.#area.parentElement.classList.contains("highlighted");
  }

  /** Scroll to the word if the previous one was visible: a user who scrolled away stays there. */
  #follow() {
    const now_ms = performance.now();
    const isScrolling = now_ms - this.#scrolled_ms < SCROLL_MS;
    const visible = this.#visible();
    if (isWithin(visible, this.#word) || !(isWithin(visible, this.#lastWord) || isScrolling)) return;
    this.#scrolled_ms = now_ms;
    this.#scrollTo(this.#word.getBoundingClientRect(), visible);
  }

  /** Scroll a box to the upper third of the visible part: first the text's frame, then the page for the rest. */
  #scrollTo(box, { top, bottom }) {
    const frame = this.#area.parentElement;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
    const distance = box.top - top - (bottom - top) / 3;
    const left = frame.scrollHeight - frame.clientHeight - frame.scrollTop;
    const within = Math.max(-frame.scrollTop, Math.min(distance, left));
    frame.scrollBy({ top: within, behavior });
    if (box.bottom - within > bottom || box.top - within < top) scrollBy({ top: distance - within, behavior });
  }

  /** The part of the text's frame that is on the screen and above the player. */
  #visible() {
    const frame = this.#area.parentElement.getBoundingClientRect();
    const player = document.getElementById("player").getBoundingClientRect();
    return { top: Math.max(0, frame.top), bottom: Math.min(frame.bottom, player.top) };
  }

  #update() {
    this.#copy.textContent = this.#area.value + LAST_LINE;
  }
}

function isWithin({ top, bottom }, range) {
  const box = range.getBoundingClientRect();
  return box.top >= top && box.bottom <= bottom;
}
