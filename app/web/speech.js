/* One speech: asked for, received, and what is known about it. */

import { events } from "./events.js";
import { Broken } from "./failures.js";
import { streamed } from "./server.js";
import { Sound } from "./sound.js";
import { Words } from "./words.js";

export class Speech {
  #leaving = new AbortController();

  constructor(request, rate_hz) {
    /** The seed is in it once the server has begun. */
    this.request = request;
    this.sound = new Sound(rate_hz);
    this.words = new Words(request.input);
    /** Seconds from asking to the first audio, and to the last; null until then. */
    this.firstAudio_s = null;
    this.made_s = null;
  }

  /**
   * Ask for it and take it in; calls `came()` after every event.
   *
   * Throws a Refusal or Unreachable before it began, Broken after.
   */
  async receive(key, came) {
    const asked_ms = performance.now();
    const elapsed_s = () => (performance.now() - asked_ms) / 1000;
    try {
      const response = await streamed(this.request, this.sound.rate_hz, key, this.#leaving.signal);
      this.request = { ...this.request, seed: response.headers.get("X-Seed") };
      for await (const event of this.#unbroken(response)) {
        this.#take(event);
        if (this.sound.samples) this.firstAudio_s ??= elapsed_s();
        came();
      }
      this.made_s = elapsed_s();
    } finally {
      this.sound.isComplete = true;
    }
  }

  /** Leave. The server notices and stops its work; what has come stays. */
  leave() {
    this.#leaving.abort();
  }

  get hasLeft() {
    return this.#leaving.signal.aborted;
  }

  /** Pass events on up to the last. The end of the stream alone is none: it may have been cut. */
  async *#unbroken(response) {
    try {
      for await (const event of events(response.body)) {
        if (event.type === "error") throw new Broken(event.error.message, this.sound.duration_s);
        yield event;
        if (event.type === "speech.audio.done") return;
      }
    } catch (error) {
      if (error instanceof Broken || this.hasLeft) throw error;
    }
    throw new Broken("The connection was lost", this.sound.duration_s);
  }

  #take(event) {
    if (event.type === "speech.audio.marks") this.words.add(event);
    if (event.type === "speech.audio.delta") {
      this.sound.append(Uint8Array.from(atob(event.audio), (character) => character.charCodeAt(0)));
    }
  }
}
