/* The player at the foot of the page: buttons, waveform, figures, and the highlighted word. */

import { Player } from "./player.js";
import { Waveform } from "./waveform.js";

/** Steps of the arrow keys without word times, and of Page Up and Page Down. */
const ARROW_S = 1;
const PAGE_S = 5;

export class Transport {
  #elements;
  #text;
  #waveform;
  #speech = null;
  #player = null;
  #haltedStatus = ""; // "Paused." or "Stopped." if the user did it
  #lastWord;
  #isFrameRequested = false;

  constructor(elements, text) {
    this.#elements = elements;
    this.#text = text;
    this.#waveform = new Waveform(elements.waveform, {
      seek: (time_s) => this.#seek(time_s),
      pressKey: (key) => this.#pressKey(key),
    });
    elements.play.addEventListener("click", () => this.#toggle());
    elements.stop.addEventListener("click", () => this.stop());
    new ResizeObserver(() => this.#requestFrame()).observe(elements.waveform);
    const { style } = document.documentElement;
    new ResizeObserver(() => style.setProperty("--player-height", `${elements.player.offsetHeight}px`)).observe(elements.player);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#requestFrame());
  }

  /** Play `speech` from its start, while it arrives. */
  start(speech, context) {
    this.stop();
    this.#haltedStatus = "";
    this.#speech = speech;
    this.#player = new Player(speech.audio, context, () => this.#show());
    this.#text.startHighlights();
    this.#waveform.reset();
    this.#player.play();
  }

  /** Update after audio arrived or the stream ended. */
  update() {
    this.#player.fill();
    this.#show();
  }

  /** Stop playback and cancel an unfinished request. */
  stop() {
    if (!this.#speech) return;
    if (this.#player.isPlaying || this.#haltedStatus || !this.#speech.audio.isComplete) this.#haltedStatus = "Stopped.";
    this.#speech.cancel();
    this.#player.pause();
    this.#player.seek(0);
    this.#show();
  }

  /** Go to the word at a text offset. */
  seekToOffset(offset) {
    const word = this.#speech?.words.wordAtOffset(offset);
    if (word) this.#seek(word.start_s);
  }

  #toggle() {
    if (!this.#speech?.audio.samples) return;
    this.#haltedStatus = this.#player.isPlaying ? "Paused." : "";
    if (this.#haltedStatus) this.#player.pause();
    else this.#player.play();
  }

  #seek(time_s) {
    if (!this.#speech?.audio.samples) return;
    this.#player.seek(time_s);
    if (!this.#player.isPlaying && this.#player.position_s > 0) this.#haltedStatus = "Paused.";
    this.#show();
    this.#describePosition();
  }

  /** Handle a key on the waveform; returns whether the key has a meaning. */
  #pressKey(key) {
    const here_s = this.#player?.position_s ?? 0;
    const actions = {
      ArrowRight: () => this.#step(1),
      ArrowUp: () => this.#step(1),
      ArrowLeft: () => this.#step(-1),
      ArrowDown: () => this.#step(-1),
      PageUp: () => this.#seek(here_s + PAGE_S),
      PageDown: () => this.#seek(here_s - PAGE_S),
      Home: () => this.#seek(0),
      End: () => this.#seek(Infinity),
      " ": () => this.#toggle(),
    };
    actions[key]?.();
    return key in actions;
  }

  #step(by) {
    const { words } = this.#speech ?? {};
    if (!words) return;
    const word = words.get(Math.max(0, words.indexAt(this.#player.position_s) + by));
    if (words.length) this.#seek(word ? word.start_s : Infinity);
    else this.#seek(this.#player.position_s + by * ARROW_S);
  }

  #show() {
    const { play, stop, status, figures, firstAudio, duration, generated, pace } = this.#elements;
    const { isPlaying } = this.#player;
    const { audio, firstAudio_s, total_s } = this.#speech;
    play.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    play.setAttribute("aria-disabled", audio.samples === 0);
    stop.setAttribute("aria-disabled", audio.isComplete && !isPlaying);
    const message = this.#status();
    if (status.textContent !== message) status.textContent = message; // screen readers announce each change
    figures.hidden = firstAudio_s === null;
    firstAudio.textContent = firstAudio_s === null ? "" : `${firstAudio_s.toFixed(2)} s`;
    duration.textContent = formatDuration(audio.duration_s);
    generated.hidden = total_s === null;
    pace.textContent = total_s === null ? "" : formatPace(audio.duration_s / total_s);
    this.#requestFrame();
  }

  #status() {
    const { audio, total_s } = this.#speech;
    if (this.#player.isPlaying && !audio.samples) return "Waiting for audio …";
    if (this.#player.isPlaying) return audio.isComplete ? "Playing." : "Playing while the rest is generated.";
    if (this.#haltedStatus) return this.#haltedStatus;
    if (!audio.samples) return "No audio.";
    return total_s === null ? "Incomplete." : "Finished.";
  }

  #describePosition() {
    const { request, audio, words } = this.#speech;
    const { position_s } = this.#player;
    const current = words.wordAt(position_s);
    const word = current ? request.input.slice(current.start, current.end) : "";
    this.#waveform.describe({ position_s, duration_s: audio.duration_s, word });
  }

  /** Draw in the next frame, and in each one after it while anything moves. */
  #requestFrame() {
    if (this.#isFrameRequested) return;
    this.#isFrameRequested = true;
    requestAnimationFrame(() => {
      this.#isFrameRequested = false;
      this.#draw();
      if (this.#player?.isPlaying || this.#waveform.isAnimating) this.#requestFrame();
    });
  }

  #draw() {
    if (!this.#speech) {
      this.#waveform.draw({ peaks: [], duration_s: 0, expected_s: 0, position_s: 0 });
      return;
    }
    const { audio, words } = this.#speech;
    const { position_s } = this.#player;
    const expected_s = audio.isComplete ? audio.duration_s : words.estimateDuration_s();
    this.#waveform.draw({ peaks: audio.peaks, duration_s: audio.duration_s, expected_s, position_s });
    this.#highlight(position_s);
  }

  #highlight(position_s) {
    const { words, request } = this.#speech;
    const isStarted = this.#player.isPlaying || position_s > 0;
    const word = isStarted ? words.wordAt(position_s) : undefined;
    const heardUntil = isStarted ? (words.get(words.indexAt(position_s))?.end ?? 0) : request.input.length;
    this.#text.highlight(word, heardUntil);
    const isNew = word !== this.#lastWord;
    this.#lastWord = word;
    // With the focus on the slider a screen reader would read every word over the voice.
    if (isNew && document.activeElement !== this.#elements.waveform) this.#describePosition();
  }
}

/** Format seconds of audio generated per second. */
function formatPace(pace) {
  if (pace < 0.95) return `${(1 / pace).toFixed(1)}× slower than real time`;
  if (pace < 1.05) return "in real time";
  return `${pace.toFixed(pace < 9.5 ? 1 : 0)}× faster than real time`;
}

function formatDuration(time_s) {
  return time_s < 120 ? `${time_s.toFixed(1)} s` : `${Math.floor(time_s / 60)} min ${Math.floor(time_s % 60)} s`;
}
