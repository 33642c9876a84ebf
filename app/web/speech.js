/* One request for speech: its event stream, its audio, and the times of its words. */

import { IncompleteError, streamSpeech } from "./api.js";
import { AudioData } from "./player.js";

/** How long a word stays highlighted after its end; short gaps would flicker. */
const HOLD_S = 0.25;

export class Speech {
  #abort = new AbortController();

  constructor(request, rate_hz) {
    this.request = request; // includes the seed after the server's response headers
    this.audio = new AudioData(rate_hz);
    this.words = new WordTimes(request.input);
    this.firstAudio_s = null; // seconds from the request to the first audio
    this.total_s = null; // and to the end of the stream
  }

  /**
   * Send the request and read the stream; calls `received()` after each event.
   *
   * Throws HttpError or ConnectionError before the stream begins, IncompleteError after.
   */
  async receive(key, received) {
    const sent_ms = performance.now();
    const elapsed_s = () => (performance.now() - sent_ms) / 1000;
    try {
      const response = await streamSpeech(this.request, this.audio.rate_hz, key, this.#abort.signal);
      this.request = { ...this.request, seed: response.headers.get("X-Seed") };
      for await (const event of this.#completeEvents(response)) {
        if (event.type === "speech.audio.marks") this.words.add(event);
        if (event.type === "speech.audio.delta") {
          this.audio.append(Uint8Array.from(atob(event.audio), (character) => character.charCodeAt(0)));
        }
        if (this.audio.samples) this.firstAudio_s ??= elapsed_s();
        received();
      }
      this.total_s = elapsed_s();
    } finally {
      this.audio.isComplete = true;
    }
  }

  /** Disconnect: the server stops synthesis. Received audio stays. */
  cancel() {
    this.#abort.abort();
  }

  get isCancelled() {
    return this.#abort.signal.aborted;
  }

  /** Yield events up to speech.audio.done; a stream that ends without it was cut. */
  async *#completeEvents(response) {
    try {
      for await (const event of parseEvents(response.body)) {
        if (event.type === "error") throw new IncompleteError(event.error.message, this.audio.duration_s);
        yield event;
        if (event.type === "speech.audio.done") return;
      }
    } catch (error) {
      if (error instanceof IncompleteError || this.isCancelled) throw error;
    }
    throw new IncompleteError("The connection was lost", this.audio.duration_s);
  }
}

/** Word times: where in the text each spoken word is, and when it is heard. */
class WordTimes {
  #text;
  #words = []; // {start, end: UTF-16 offsets in the text; start_s, end_s}, in order
  #cursor = 0;
  #until_s = 0;

  constructor(text) {
    this.#text = text;
  }

  get length() {
    return this.#words.length;
  }

  get(index) {
    return this.#words[index];
  }

  /** Add the words of one speech.audio.marks event: one segment, or the segment itself if it has no word times. */
  add(marks) {
    const segment = this.#find(marks.text);
    // A cleaner may have changed a word; its text must not match pages later.
    const limit = segment ? segment.end : this.#cursor + 2 * marks.text.length;
    for (const { text, start_s, end_s } of marks.words?.length ? marks.words : [marks]) {
      const place = this.#find(text);
      if (!place || place.end > limit) continue;
      this.#words.push({ ...place, start_s, end_s });
      this.#cursor = place.end;
    }
    if (segment) this.#cursor = segment.end;
    this.#until_s = marks.end_s;
  }

  /** Estimate the duration of the whole text from the part that has times. */
  estimateDuration_s() {
    return this.#cursor ? (this.#until_s * this.#text.trimEnd().length) / this.#cursor : 0;
  }

  /** Index of the last word that starts at or before that time; -1 if none does. */
  indexAt(time_s) {
    return this.#findLast((word) => word.start_s <= time_s);
  }

  /** The word heard at that time, or undefined. */
  wordAt(time_s) {
    const word = this.#words[this.indexAt(time_s)];
    return word && time_s < word.end_s + HOLD_S ? word : undefined;
  }

  /** The word at or before a text offset, or undefined. */
  wordAtOffset(offset) {
    return this.#words[this.#findLast((word) => word.start <= offset)];
  }

  #find(text) {
    const start = this.#text.indexOf(text, this.#cursor);
    return start < 0 ? null : { start, end: start + text.length };
  }

  #findLast(matches) {
    let low = -1;
    let high = this.#words.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (matches(this.#words[middle])) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Yield the JSON of each server-sent event that ends with a blank line. EventSource cannot POST. */
async function* parseEvents(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (buffer + value).split(/\r?\n\r?\n/);
      buffer = blocks.pop();
      for (const block of blocks) {
        const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
        const data = lines.map((line) => line.slice(5).trimStart()).join("\n");
        if (data) yield JSON.parse(data);
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // disconnects, so the server stops
  }
}
