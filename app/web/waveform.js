/* The sound as far as it has come, drawn from left to right; what is to come, as a line of dots. */

import { PEAKS_HZ } from "./sound.js";

const BAR = 2;
const STEP = 4;
/** Speech seldom comes near full scale; all of it is lifted to be seen, the quiet parts most. */
const LIFT = 1.6;
const SHAPE = 0.65;

export class Waveform {
  #canvas;
  #slider;
  #shown_s = 0; // what the whole width stands for; glides towards the estimate

  /** `seek(share)` is called with how much of the width was pointed at, `turn(key)` for keys. */
  constructor(slider, { seek, turn }) {
    this.#slider = slider;
    this.#canvas = slider.querySelector("canvas");
    slider.addEventListener("pointerdown", (event) => {
      slider.setPointerCapture(event.pointerId);
      seek(this.#second(event));
    });
    slider.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.altKey && !event.metaKey && turn(event.key)) event.preventDefault();
    });
  }

  /** Whether the width is still on its way to what it is to stand for. */
  isGliding = false;

  /** Begin with an empty line. */
  clear() {
    this.#shown_s = 0;
  }

  /** Say in words and numbers where the position is. */
  describe({ position_s, duration_s, word }) {
    const set = (name, value) => this.#slider.setAttribute(name, value);
    set("aria-valuemax", duration_s.toFixed(3));
    set("aria-valuenow", position_s.toFixed(3));
    set("aria-valuetext", `${position_s.toFixed(1)} of ${duration_s.toFixed(1)} seconds${word ? `, ${word}` : ""}`);
    set("aria-disabled", duration_s === 0);
  }

  /** Draw; `peaks` are of hundredths of a second, `whole_s` how long all of it may become. */
  draw({ peaks, duration_s, whole_s, position_s }) {
    const { width, height, pen, colour } = this.#prepared();
    this.#glide(Math.max(whole_s, duration_s));
    const middle = height / 2;
    const perPixel_s = this.#shown_s / width;
    for (let x = 0; x < width; x += STEP) {
      const from_s = x * perPixel_s;
      const isThere = perPixel_s > 0 && from_s < duration_s;
      pen.fillStyle = colour(!isThere ? "--faint" : from_s < position_s ? "--rubric" : "--quiet");
      const level = isThere ? (LIFT * loudness(peaks, from_s, from_s + STEP * perPixel_s)) ** SHAPE : 0;
      const half = Math.max(BAR / 2, Math.min(1, level) * middle);
      pen.beginPath();
      pen.roundRect(x, middle - half, BAR, 2 * half, BAR / 2);
      pen.fill();
    }
    if (!duration_s || !perPixel_s) return;
    pen.fillStyle = colour("--rubric");
    pen.fillRect(Math.min(position_s / perPixel_s, width - 1.5), 0, 1.5, height);
  }

  #prepared() {
    const canvas = this.#canvas;
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = devicePixelRatio;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const colours = new Map(["--faint", "--rubric", "--quiet"].map((name) => [name, style.getPropertyValue(name)]));
    return { width, height, pen, colour: (name) => colours.get(name) };
  }

  #glide(whole_s) {
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const share = isStill || !this.#shown_s ? 1 : 0.12;
    this.#shown_s += (whole_s - this.#shown_s) * share;
    if (Math.abs(whole_s - this.#shown_s) < 0.01) this.#shown_s = whole_s;
    this.isGliding = this.#shown_s !== whole_s;
  }

  #second(event) {
    const box = this.#canvas.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.#shown_s;
  }
}

/** How loud it is between two seconds: neither the one loudest moment, which every long stretch has, nor the mean. */
function loudness(peaks, from_s, to_s) {
  const from = Math.floor(from_s * PEAKS_HZ);
  const to = Math.max(from + 1, Math.ceil(to_s * PEAKS_HZ));
  let squares = 0;
  for (let i = from; i < to; i++) squares += (peaks[i] ?? 0) ** 2;
  return Math.sqrt(squares / (to - from));
}
