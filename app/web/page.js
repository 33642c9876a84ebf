/* The page: brings text, form, speech and desk together. */

import { Desk } from "./desk.js";
import { inWords } from "./failures.js";
import { Form } from "./form.js";
import { Keeping } from "./keeping.js";
import { ApiKey } from "./key.js";
import { keep, recall } from "./memory.js";
import { contextFor } from "./player.js";
import { saysTheSame } from "./request.js";
import { Refusal, voices } from "./server.js";
import { Speech } from "./speech.js";
import { Writing } from "./writing.js";

/** Until the server has said at what rate its voice speaks. */
const USUAL_RATE_HZ = 22050;
/** The longest wait before a server that is starting is asked again. */
const PATIENCE_S = 10;

class Page {
  #context = null;
  #speech = null;
  #shownSeed = null;
  #listingFailed = ""; // what was said because of it
  #key = new ApiKey(element("key"), () => this.listVoices());
  #writing = new Writing(element("text"), element("score"), {
    picked: (offset) => this.#desk.goTo(offset),
    edited: () => this.#edit(),
  });
  #desk = new Desk(elements("desk", "play", "stop", "status", "waveform", "figures", "first-audio", "audio", "made", "factor"), this.#writing);
  #form = new Form(elements("voice", "speaker", "language", "speed", "seed", "fixed", "format"), () => this.#edit());
  #keeping = new Keeping(elements("download", "copy", "curl"), {
    wanted: () => this.#wanted(),
    said: (words) => (element("kept").textContent = words),
    failed: (error) => this.#fail(error),
  });

  constructor() {
    const example = this.#writing.text;
    const isTouched = matchMedia("(pointer: coarse)").matches;
    this.#writing.text = recall("sessionStorage", "text", isTouched ? example.replace("click", "tap") : example);
    element("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.speak();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !element("speech").hidden) this.speak();
      if (event.key === "Escape") this.#desk.stop();
    });
    this.#changed();
  }

  /** Ask what there is to choose, until the server is ready to say. */
  async listVoices() {
    try {
      this.#form.offer(await voices(this.#key.value));
      // Enter in the field of the key speaks as well: what that request was refused for stays.
      if (element("alert").textContent === this.#listingFailed) this.#say("");
      this.#changed();
    } catch (error) {
      this.#fail(error);
      this.#listingFailed = element("alert").textContent;
      if (error.status === 503) setTimeout(() => this.listVoices(), Math.min(error.retryAfter_s ?? 1, PATIENCE_S) * 1000);
    }
  }

  async speak() {
    this.#say("");
    const request = this.#form.request(this.#writing.text);
    if (!request.input.trim()) return this.#say("There is nothing to speak yet. Write something first.", "text");
    if (!this.#form.isSeedValid) return this.#say("A seed is a whole number, such as 42.", "seed");
    this.#context = contextFor(this.#form.voice?.sample_rate ?? USUAL_RATE_HZ, this.#context);
    const speech = (this.#speech = new Speech(request, this.#context.sampleRate));
    this.#desk.begin(speech, this.#context);
    try {
      await speech.receive(this.#key.value, () => this.#came(speech));
    } catch (error) {
      if (!speech.hasLeft) this.#fail(error);
    }
    this.#came(speech);
  }

  #came(speech) {
    if (speech !== this.#speech) return; // another was asked for meanwhile
    this.#desk.came();
    const { seed } = speech.request;
    if (!seed || seed === this.#shownSeed) return;
    this.#shownSeed = seed;
    this.#form.showSeed(seed);
    this.#keeping.show();
  }

  /** Somebody changes the text or a choice: what was wrong before may be no longer. */
  #edit() {
    this.#say("");
    this.#changed();
  }

  /** The text or a choice is another than before. */
  #changed() {
    keep("sessionStorage", "text", this.#writing.text);
    this.#writing.language = this.#form.language;
    this.#keeping.show();
  }

  /** What a file or a command would be of: the speech that was heard, while the form still says the same. */
  #wanted() {
    const asked = this.#form.request(this.#writing.text);
    const heard = this.#speech?.request;
    const request = heard?.seed && asked.seed === null && saysTheSame(asked, heard) ? heard : asked;
    return { request, format: this.#form.format, key: this.#key.value, wantsKey: this.#key.isWanted };
  }

  #fail(error) {
    this.#say(inWords(error, this.#key.value !== ""));
    if (error instanceof Refusal && error.status === 401) this.#key.ask();
  }

  /** Say what is wrong, and go to the field where it can be put right. */
  #say(words, field) {
    element("alert").textContent = words;
    if (field) element(field).focus();
  }
}

function element(id) {
  return document.getElementById(id);
}

/** Return elements by the names of their ids, `first-audio` as `firstAudio`. */
function elements(...ids) {
  return Object.fromEntries(ids.map((id) => [id.replace(/-(.)/g, (_, letter) => letter.toUpperCase()), element(id)]));
}

new Page().listVoices();
