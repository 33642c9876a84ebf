/* The waveform slider: received audio as bars, expected audio as dots. */

import { PEAKS_HZ } from "./player.js";

const BAR_PX = 2;
const STEP_PX = 4;
/** Speech rarely reaches full scale: scale all levels up, quiet ones most. */
const GAIN = 1.6;
const EXPONENT = 0.65;

export class Waveform {
  #canvas;
  #slider;
  #shown_s = 0; // duration of the full width; moves smoothly to the estimate

  /** `seek(time_s)` is called for pointers, `pressKey(key)` for keys; it returns whether it used the key. */
  constructor(slider, { seek, pressKey }) {
    this.#slider = slider;
    this.#canvas = slider.querySelector("canvas");
    slider.addEventListener("pointerdown", (event) => {
      slider.setPointerCapture(event.pointerId);
      seek(this.#timeAt(event));
    });
    slider.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.altKey && !event.metaKey && pressKey(event.key)) event.preventDefault();
    });
  }

  /** Whether the duration of the width still changes. */
  isAnimating = false;

  reset() {
    this.#shown_s = 0;
  }

  /** Set the position for screen readers. */
  describe({ position_s, duration_s, word }) {
    const set = (name, value) => this.#slider.setAttribute(name, value);
    set("aria-valuemax", duration_s.toFixed(3));
    set("aria-valuenow", position_s.toFixed(3));
    set("aria-valuetext", `${position_s.toFixed(1)} of ${duration_s.toFixed(1)} seconds${word ? `, ${word}` : ""}`);
    set("aria-disabled", duration_s === 0);
  }

  /** Draw the peaks of AudioData; `expected_s` is the estimated duration of all audio. */
  draw({ peaks, duration_s, expected_s, position_s }) {
    const { width, height, pen, colour } = this.#clear();
    this.#animateTo(Math.max(expected_s, duration_s));
    const middle = height / 2;
    const perPixel_s = this.#shown_s / width;
    for (let x = 0; x < width; x += STEP_PX) {
      const from_s = x * perPixel_s;
      const isReceived = perPixel_s > 0 && from_s < duration_s;
      pen.fillStyle = colour(!isReceived ? "--faint" : from_s < position_s ? "--rubric" : "--quiet");
      const level = isReceived ? (GAIN * loudness(peaks, from_s, from_s + STEP_PX * perPixel_s)) ** EXPONENT : 0;
      const half = Math.max(BAR_PX / 2, Math.min(1, level) * middle);
      pen.beginPath();
      pen.roundRect(x, middle - half, BAR_PX, 2 * half, BAR_PX / 2);
      pen.fill();
    }
    if (!duration_s || !perPixel_s) return;
    pen.fillStyle = colour("--rubric");
    pen.fillRect(Math.min(position_s / perPixel_s, width - 1.5), 0, 1.5, height);
  }

  #clear() {
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

  #animateTo(whole_s) {
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const share = isStill || !this.#shown_s ? 1 : 0.12;
    this.#shown_s += (whole_s - this.#shown_s) * share;
    if (Math.abs(whole_s - this.#shown_s) < 0.01) this.#shown_s = whole_s;
    this.isAnimating = this.#shown_s !== whole_s;
  }

  #timeAt(event) {
    const box = this.#canvas.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.#shown_s;
  }
}

/** Root mean square of the peaks between two times: every long span has one loud peak, so the maximum shows nothing. */
function loudness(peaks, from_s, to_s) {
  const from = Math.floor(from_s * PEAKS_HZ);
  const to = Math.max(from + 1, Math.ceil(to_s * PEAKS_HZ));
  let squares = 0;
  for (let i = from; i < to; i++) squares += (peaks[i] ?? 0) ** 2;
  return Math.sqrt(squares / (to - from));
}
