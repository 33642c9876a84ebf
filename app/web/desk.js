/* The desk at the foot of the page: buttons, waveform and figures of the speech under way, and the light on its words. */

import { Player } from "./player.js";
import { Waveform } from "./waveform.js";

/** What an arrow key moves by where the voice does not know its words. */
const ARROW_S = 1;
const PAGE_S = 5;

export class Desk {
  #elements;
  #writing;
  #waveform;
  #speech = null;
  #player = null;
  #halted = ""; // why it is silent, where its listener made it so
  #lit; // the word last lit
  #isAwake = false;

  constructor(elements, writing) {
    this.#elements = elements;
    this.#writing = writing;
    this.#waveform = new Waveform(elements.waveform, {
      seek: (time_s) => this.#seek(time_s),
      turn: (key) => this.#turn(key),
    });
    elements.play.addEventListener("click", () => this.#toggle());
    elements.stop.addEventListener("click", () => this.stop());
    new ResizeObserver(() => this.#wake()).observe(elements.waveform);
    const page = document.documentElement;
    new ResizeObserver(() => page.style.setProperty("--desk-height", `${elements.desk.offsetHeight}px`)).observe(elements.desk);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#wake());
  }

  /** Play `speech` from its first sample on, as it comes. */
  begin(speech, context) {
    this.stop();
    this.#halted = "";
    this.#speech = speech;
    this.#player = new Player(speech.sound, context, () => this.#show());
    this.#writing.join();
    this.#waveform.clear();
    this.#player.play();
  }

  /** More of the speech has come, or all of it. */
  came() {
    this.#player.fill();
    this.#show();
  }

  /** Fall silent, and leave a speech that is still being made. */
  stop() {
    if (!this.#speech) return;
    if (this.#player.isPlaying || this.#halted || !this.#speech.sound.isComplete) this.#halted = "Stopped.";
    this.#speech.leave();
    this.#player.pause();
    this.#player.seek(0);
    this.#show();
  }

  /** Go to the word at that place of the text. */
  goTo(offset) {
    const word = this.#speech?.words.around(offset);
    if (word) this.#seek(word.start_s);
  }

  #toggle() {
    if (!this.#speech?.sound.samples) return;
    this.#halted = this.#player.isPlaying ? "Paused." : "";
    if (this.#halted) this.#player.pause();
    else this.#player.play();
  }

  #seek(time_s) {
    if (!this.#speech?.sound.samples) return;
    this.#player.seek(time_s);
    if (!this.#player.isPlaying && this.#player.position_s > 0) this.#halted = "Paused.";
    this.#show();
    this.#describe();
  }

  /** Obey a key on the waveform; returns whether it means anything. */
  #turn(key) {
    const here_s = this.#player?.position_s ?? 0;
    const moves = {
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
    moves[key]?.();
    return key in moves;
  }

  #step(by) {
    const { words } = this.#speech ?? {};
    if (!words) return;
    const word = words.word(Math.max(0, words.before(this.#player.position_s) + by));
    if (words.length) this.#seek(word ? word.start_s : Infinity);
    else this.#seek(this.#player.position_s + by * ARROW_S);
  }

  #show() {
    const { play, stop, status } = this.#elements;
    const { isPlaying } = this.#player;
    const { sound } = this.#speech;
    play.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    play.setAttribute("aria-disabled", sound.samples === 0);
    stop.setAttribute("aria-disabled", sound.isComplete && !isPlaying);
    const words = this.#inWords();
    if (status.textContent !== words) status.textContent = words; // said once, not with every piece
    this.#showFigures();
    this.#wake();
  }

  #inWords() {
    const { sound, made_s } = this.#speech;
    if (this.#player.isPlaying && !sound.samples) return "Asking …";
    if (this.#player.isPlaying) return sound.isComplete ? "Speaking." : "Speaking, while the rest is being made.";
    if (this.#halted) return this.#halted;
    if (!sound.samples) return "Nothing was spoken.";
    return made_s === null ? "Not spoken to its end." : "Spoken.";
  }

  #showFigures() {
    const { figures, firstAudio, audio, made, factor } = this.#elements;
    const { firstAudio_s, made_s, sound } = this.#speech;
    figures.hidden = firstAudio_s === null;
    firstAudio.textContent = firstAudio_s === null ? "" : `${firstAudio_s.toFixed(2)} s`;
    audio.textContent = length(sound.duration_s);
    made.hidden = made_s === null;
    factor.textContent = made_s === null ? "" : pace(sound.duration_s / made_s);
  }

  #describe() {
    const { request, sound, words } = this.#speech;
    const { position_s } = this.#player;
    const here = words.at(position_s);
    const word = here ? request.input.slice(here.start, here.end) : "";
    this.#waveform.describe({ position_s, duration_s: sound.duration_s, word });
  }

  /** Draw with the screen's next frame, and go on while anything moves. */
  #wake() {
    if (this.#isAwake) return;
    this.#isAwake = true;
    requestAnimationFrame(() => {
      this.#isAwake = false;
      this.#draw();
      if (this.#player?.isPlaying || this.#waveform.isGliding) this.#wake();
    });
  }

  #draw() {
    if (!this.#speech) {
      this.#waveform.draw({ peaks: [], duration_s: 0, whole_s: 0, position_s: 0 });
      return;
    }
    const { sound, words } = this.#speech;
    const { position_s } = this.#player;
    const whole_s = sound.isComplete ? sound.duration_s : words.estimated_s();
    this.#waveform.draw({ peaks: sound.peaks, duration_s: sound.duration_s, whole_s, position_s });
    this.#light(position_s);
  }

  #light(position_s) {
    const { words, request } = this.#speech;
    const isUnderWay = this.#player.isPlaying || position_s > 0;
    const word = isUnderWay ? words.at(position_s) : undefined;
    const heard = isUnderWay ? (words.word(words.before(position_s))?.end ?? 0) : request.input.length;
    this.#writing.light(word, heard);
    const isNew = word !== this.#lit;
    this.#lit = word;
    // A screen reader on the slider would read every word over the voice.
    if (isNew && document.activeElement !== this.#elements.waveform) this.#describe();
  }
}

/** Say how many seconds of audio were made in each second. */
function pace(speed) {
  if (speed < 0.95) return `${(1 / speed).toFixed(1)}× slower than real time`;
  if (speed < 1.05) return "in real time";
  return `${speed.toFixed(speed < 9.5 ? 1 : 0)}× faster than real time`;
}

function length(time_s) {
  return time_s < 120 ? `${time_s.toFixed(1)} s` : `${Math.floor(time_s / 60)} min ${Math.floor(time_s % 60)} s`;
}
