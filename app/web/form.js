/* Who is to speak and how: the form's fields, filled from the server's list and remembered. */

import { keep, recall } from "./memory.js";

const STORE = "localStorage";
const FORMATS = {
  mp3: "MP3", opus: "Opus", aac: "AAC", flac: "FLAC", wav: "WAV", pcm: "raw PCM",
  srt: "SRT captions", vtt: "VTT captions",
};

export class Form {
  #fields;
  #voices = [];

  /** `changed()` is called whenever the request or the format would be another. */
  constructor(fields, changed) {
    this.#fields = fields;
    fields.format.replaceChildren(...Object.entries(FORMATS).map(([name, label]) => new Option(label, name)));
    fields.voice.addEventListener("change", () => this.#offer()); // before the others hear of it
    fields.seed.addEventListener("input", () => (fields.fixed.checked = fields.seed.value !== ""));
    const heard = () => {
      this.#show();
      this.#remember();
      changed();
    };
    for (const field of Object.values(fields)) field.addEventListener("change", heard);
    for (const field of [fields.speed, fields.seed]) field.addEventListener("input", heard);
    this.#recall();
    this.#show();
  }

  /** Offer what GET /v1/audio/voices listed. */
  offer(voices) {
    this.#voices = voices;
    choose(this.#fields.voice, voices.map(({ id, name }) => [id, name]), this.#remembered.voice);
    this.#offer();
  }

  get voice() {
    return this.#voices.find(({ id }) => id === this.#fields.voice.value) ?? this.#voices[0];
  }

  get language() {
    return this.#fields.language.value || this.voice?.language || "";
  }

  get format() {
    return this.#fields.format.value;
  }

  /** What the form asks for, for `input`; a seed only where it is to be kept. */
  request(input) {
    const { voice, speaker, language, seed, fixed } = this.#fields;
    const isOwn = language.value === (this.voice?.language ?? "");
    return {
      input,
      voice: voice.value || null,
      speaker: speaker.value || null,
      language: isOwn ? null : language.value || null,
      speed: this.#speed === 1 ? null : this.#speed,
      seed: fixed.checked && this.isSeedValid && seed.value ? seed.value : null,
    };
  }

  /** Whether the seed can be sent. */
  get isSeedValid() {
    return this.#fields.seed.validity.valid;
  }

  /** Show the seed that was drawn, for those who want to keep it. */
  showSeed(seed) {
    this.#fields.seed.value = seed;
    this.#remember();
  }

  /** Equal steps sound equal: half as fast is as far from 1 as twice as fast. */
  get #speed() {
    return Number((2 ** this.#fields.speed.valueAsNumber).toFixed(2));
  }

  #offer() {
    const { speaker, language } = this.#fields;
    const { speakers = [], languages = [], language: own } = this.voice ?? {};
    choose(speaker, [["", "the voice’s own"], ...speakers.map((name) => [name, name])], this.#remembered.speaker);
    choose(language, languages.filter(Boolean).map((tag) => [tag, called(tag)]), this.#remembered.language ?? own);
    speaker.closest(".field").hidden = speakers.length < 2;
    language.closest(".field").hidden = languages.length < 2;
  }

  #show() {
    const { speed } = this.#fields;
    document.getElementById("speed-value").value = `${this.#speed}×`;
    speed.setAttribute("aria-valuetext", `${this.#speed} times`);
  }

  #remember() {
    const { fixed, seed, ...fields } = this.#fields;
    const isThere = ([, field]) => field.value !== ""; // nothing to choose from yet is no choice
    const chosen = Object.entries(fields).filter(isThere).map(([name, field]) => [name, field.value]);
    const settings = { ...this.#remembered, ...Object.fromEntries(chosen), seed: fixed.checked ? seed.value : "" };
    keep(STORE, "settings", settings);
  }

  #recall() {
    const { format, speed, seed, fixed } = this.#fields;
    const settings = { format: "mp3", speed: "0", seed: "", ...this.#remembered };
    format.value = settings.format;
    speed.value = settings.speed;
    seed.value = settings.seed;
    fixed.checked = seed.value !== "";
  }

  get #remembered() {
    return recall(STORE, "settings", {});
  }
}

/** Fill a list with [value, label] pairs, and choose `value` where it is there, else the first. */
function choose(list, options, value) {
  list.replaceChildren(...options.map(([name, label]) => new Option(label, name)));
  list.value = options.some(([name]) => name === value) ? value : (options[0]?.[0] ?? "");
}

/** Return a language's name in English where the browser knows it. */
function called(tag) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(tag);
  } catch {
    return tag; // such as espeak's en-gb-x-rp, or a name that somebody gave it
  }
}
