/* The request form: voice, speaker, language, speed, seed, format and API key. Stored in the browser. */

const LOCAL = "localStorage"; // names: reading window.localStorage throws where storage is blocked
const SESSION = "sessionStorage";
const FORMATS = {
  mp3: "MP3", opus: "Opus", aac: "AAC", flac: "FLAC", wav: "WAV", pcm: "raw PCM",
  srt: "SRT captions", vtt: "VTT captions",
};

export class Form {
  #fields;
  #voices = [];

  /** `changed()` is called when the request or the format changes. */
  constructor(fields, changed) {
    this.#fields = fields;
    fields.format.replaceChildren(...Object.entries(FORMATS).map(([name, label]) => new Option(label, name)));
    fields.voice.addEventListener("change", () => this.#updateLists()); // before `update` reads them
    fields.seed.addEventListener("input", () => (fields.fixed.checked = fields.seed.value !== ""));
    const update = () => {
      this.#showSpeed();
      this.#save();
      changed();
    };
    for (const field of Object.values(fields)) field.addEventListener("change", update);
    for (const field of [fields.speed, fields.seed]) field.addEventListener("input", update);
    const settings = { format: "mp3", speed: "0", seed: "", ...this.#saved };
    for (const name of ["format", "speed", "seed"]) fields[name].value = settings[name];
    fields.fixed.checked = fields.seed.value !== "";
    this.#showSpeed();
  }

  /** Fill the lists with the voices of GET /v1/audio/voices. */
  setVoices(voices) {
    this.#voices = voices;
    fillList(this.#fields.voice, voices.map(({ id, name }) => [id, name]), this.#saved.voice);
    this.#updateLists();
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

  /** Return the request for `input`, with the seed if it is to be reused. */
  request(input) {
    const { voice, speaker, language, seed, fixed } = this.#fields;
    const isDefault = language.value === (this.voice?.language ?? "");
    return {
      input,
      voice: voice.value || null,
      speaker: speaker.value || null,
      language: isDefault ? null : language.value || null,
      speed: this.#speed === 1 ? null : this.#speed,
      seed: fixed.checked && this.isSeedValid && seed.value ? seed.value : null,
    };
  }

  get isSeedValid() {
    return this.#fields.seed.validity.valid;
  }

  /** Show the seed that the server drew. */
  showSeed(seed) {
    this.#fields.seed.value = seed;
    this.#save();
  }

  /** The slider is logarithmic: half speed is as far from 1 as double speed. */
  get #speed() {
    return Number((2 ** this.#fields.speed.valueAsNumber).toFixed(2));
  }

  #updateLists() {
    const { speaker, language } = this.#fields;
    const { speakers = [], languages = [], language: own } = this.voice ?? {};
    fillList(speaker, [["", "default"], ...speakers.map((name) => [name, name])], this.#saved.speaker);
    fillList(language, languages.filter(Boolean).map((tag) => [tag, languageName(tag)]), this.#saved.language ?? own);
    speaker.closest(".field").hidden = speakers.length < 2;
    language.closest(".field").hidden = languages.length < 2;
  }

  #showSpeed() {
    document.getElementById("speed-value").value = `${this.#speed}×`;
    this.#fields.speed.setAttribute("aria-valuetext", `${this.#speed} times`);
  }

  #save() {
    const { fixed, seed, ...fields } = this.#fields;
    const isFilled = ([, field]) => field.value !== ""; // a list without entries has no choice to save
    const chosen = Object.entries(fields).filter(isFilled).map(([name, field]) => [name, field.value]);
    save(LOCAL, "settings", { ...this.#saved, ...Object.fromEntries(chosen), seed: fixed.checked ? seed.value : "" });
  }

  get #saved() {
    return load(LOCAL, "settings", {});
  }
}

/** The API key field: shown if the server requires a key, stored until the tab is closed. */
export class ApiKey {
  #input;

  /** `changed()` is called when the user entered another key. */
  constructor(input, changed) {
    this.#input = input;
    input.value = load(SESSION, "key", "");
    this.#field.hidden = !input.value;
    input.addEventListener("change", () => {
      save(SESSION, "key", input.value);
      changed();
    });
  }

  get value() {
    return this.#input.value;
  }

  /** Whether the server requires a key, as far as is known. */
  get isRequired() {
    return !this.#field.hidden;
  }

  request() {
    this.#field.hidden = false;
    this.#input.focus();
  }

  get #field() {
    return this.#input.closest(".field");
  }
}

/** The text, stored until the tab is closed. */
export function loadText(otherwise) {
  return load(SESSION, "text", otherwise);
}

export function saveText(text) {
  save(SESSION, "text", text);
}

function load(storage, name, otherwise) {
  try {
    return JSON.parse(window[storage].getItem(`chorus.${name}`)) ?? otherwise;
  } catch {
    return otherwise; // storage is blocked, or the value is not JSON
  }
}

function save(storage, name, value) {
  try {
    window[storage].setItem(`chorus.${name}`, JSON.stringify(value));
  } catch {
    // Storage is blocked; the page works without it.
  }
}

/** Fill a list with [value, label] pairs and select `value`, or the first if it is missing. */
function fillList(list, options, value) {
  list.replaceChildren(...options.map(([name, label]) => new Option(label, name)));
  list.value = options.some(([name]) => name === value) ? value : (options[0]?.[0] ?? "");
}

/** Return a language's English name if the browser knows it. */
function languageName(tag) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(tag);
  } catch {
    return tag; // such as espeak's en-gb-x-rp
  }
}
