/* Entry point: connects text, form, player and downloads, and switches between the tabs. */

import { HttpError, address, describeError, isSameExceptSeed, listVoices } from "./api.js";
import { Download } from "./download.js";
import { ApiKey, Form, loadText, saveText } from "./form.js";
import { audioContext } from "./player.js";
import { Speech } from "./speech.js";
import { TextView } from "./text.js";
import { Transport } from "./transport.js";

/** Used until the voices are listed. */
const DEFAULT_RATE_HZ = 22050;
/** The longest wait before the voices are requested again from a server that is starting. */
const MAX_RETRY_S = 10;

class SpeechTab {
  #context = null;
  #speech = null;
  #shownSeed = null;
  #voicesAlert = ""; // the alert because of the last failed voice request
  #key = new ApiKey(element("key"), () => this.loadVoices());
  #text = new TextView(element("text"), element("highlights"), {
    clicked: (offset) => this.#transport.seekToOffset(offset),
    edited: () => this.#edited(),
  });
  #transport = new Transport(
    elements("player", "play", "stop", "status", "waveform", "figures", "first-audio", "duration", "generated", "pace"), this.#text,
  );
  #form = new Form(elements("voice", "speaker", "language", "speed", "seed", "fixed", "format"), () => this.#edited());
  #download = new Download(elements("download", "copy", "curl"), {
    current: () => this.#current(),
    report: (message) => (element("save-status").textContent = message),
    failed: (error) => this.#fail(error),
  });

  constructor() {
    const example = this.#text.text;
    this.#text.text = loadText(matchMedia("(pointer: coarse)").matches ? example.replace("click", "tap") : example);
    element("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.speak();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !element("speech").hidden) this.speak();
      if (event.key === "Escape") this.#transport.stop();
    });
    this.#update();
  }

  /** List the voices; repeat while the server is starting. */
  async loadVoices() {
    try {
      this.#form.setVoices(await listVoices(this.#key.value));
      // Enter in the key field also submits a request for speech: keep the alert of that one.
      if (element("alert").textContent === this.#voicesAlert) this.#alert("");
      this.#update();
    } catch (error) {
      this.#fail(error);
      this.#voicesAlert = element("alert").textContent;
      if (error.status === 503) setTimeout(() => this.loadVoices(), Math.min(error.retryAfter_s ?? 1, MAX_RETRY_S) * 1000);
    }
  }

  /** The text, and with `language` and `request` what it is spoken by; `key` is the API key. */
  get text() {
    return this.#text.text;
  }

  set text(text) {
    this.#text.clearHighlights();
    this.#text.text = text;
    this.#edited();
  }

  get language() {
    return this.#form.language;
  }

  get key() {
    return this.#key.value;
  }

  request() {
    return this.#form.request(this.#text.text);
  }

  requestKey() {
    this.#key.request();
  }

  async speak() {
    this.#alert("");
    const request = this.#form.request(this.#text.text);
    if (!request.input.trim()) return this.#alert("There is no text to speak. Enter some text first.", "text");
    if (!this.#form.isSeedValid) return this.#alert("A seed is a whole number, such as 42.", "seed");
    this.#context = audioContext(this.#form.voice?.sample_rate ?? DEFAULT_RATE_HZ, this.#context);
    const speech = (this.#speech = new Speech(request, this.#context.sampleRate));
    this.#transport.start(speech, this.#context);
    try {
      await speech.receive(this.#key.value, () => this.#received(speech));
    } catch (error) {
      if (!speech.isCancelled) this.#fail(error);
    }
    this.#received(speech);
  }

  #received(speech) {
    if (speech !== this.#speech) return; // a newer request replaced it
    this.#transport.update();
    const { seed } = speech.request;
    if (!seed || seed === this.#shownSeed) return;
    this.#shownSeed = seed;
    this.#form.showSeed(seed);
    this.#download.show();
  }

  #edited() {
    this.#alert("");
    this.#update();
  }

  #update() {
    saveText(this.#text.text);
    this.#text.language = this.#form.language;
    this.#download.show();
  }

  /** What a file or command is for: the speech that was played, with its seed, unless the form changed since. */
  #current() {
    const wanted = this.#form.request(this.#text.text);
    const played = this.#speech?.request;
    const request = played?.seed && wanted.seed === null && isSameExceptSeed(wanted, played) ? played : wanted;
    return { request, format: this.#form.format, key: this.#key.value, needsKey: this.#key.isRequired };
  }

  #fail(error) {
    this.#alert(describeError(error, this.#key.value !== ""));
    if (error instanceof HttpError && error.status === 401) this.#key.request();
  }

  /** Show an error, and focus the field that can correct it. */
  #alert(message, field) {
    element("alert").textContent = message;
    if (field) element(field).focus();
  }
}

/** The tab bar. Code and style of the tabs but the first load when they are first selected. */
class Tabs {
  #tabs = [...document.querySelectorAll('#tabs [role="tab"]')];
  #loaders;
  #loaded = {}; // promises, by the id of the panel

  /** `loaders` return a promise of a panel's object, by its id; its `enter`, if any, is called each time it is selected. */
  constructor(loaders) {
    this.#loaders = loaders;
    for (const tab of this.#tabs) {
      tab.addEventListener("click", () => this.#select(tab));
      tab.addEventListener("keydown", (event) => this.#pressKey(event));
    }
    addEventListener("hashchange", () => this.#followHash());
    this.#followHash();
  }

  #select(selected) {
    for (const tab of this.#tabs) {
      tab.setAttribute("aria-selected", tab === selected);
      tab.tabIndex = tab === selected ? 0 : -1;
      panelOf(tab).hidden = tab !== selected;
    }
    const { id } = panelOf(selected);
    const isFirst = selected === this.#tabs[0];
    history.replaceState(null, "", isFirst ? location.pathname + location.search : `#${id}`);
    if (isFirst) return;
    this.#loaded[id] ??= this.#loaders[id]();
    this.#loaded[id].then((panel) => panel.enter?.());
  }

  #pressKey(event) {
    const at = this.#tabs.indexOf(event.target);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const tab = this.#tabs.at(to % this.#tabs.length);
    tab.focus();
    this.#select(tab);
  }

  #followHash() {
    const tab = this.#tabs.find((each) => location.hash === `#${panelOf(each).id}`) ?? this.#tabs[0];
    if (tab.getAttribute("aria-selected") !== "true") this.#select(tab);
  }
}

async function loadStatus() {
  const [{ Status }] = await Promise.all([import("./status.js"), loadStyle("page/status.css")]);
  return new Status(element("server"));
}

async function loadExplanation(speech) {
  const [{ Explanation }] = await Promise.all([import("./explain.js"), loadStyle("page/explain.css")]);
  return new Explanation(speech);
}

/** Return a promise that is kept even if the style does not load: the panel works without. */
function loadStyle(path) {
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: address(path) });
  const isLoaded = new Promise((resolve) => (style.onload = style.onerror = resolve));
  document.head.append(style);
  return isLoaded;
}

function panelOf(tab) {
  return element(tab.getAttribute("aria-controls"));
}

function element(id) {
  return document.getElementById(id);
}

/** Return elements by their ids in camel case: `first-audio` as `firstAudio`. */
function elements(...ids) {
  return Object.fromEntries(ids.map((id) => [id.replace(/-(.)/g, (_, letter) => letter.toUpperCase()), element(id)]));
}

const speech = new SpeechTab();
speech.loadVoices();
new Tabs({ explain: () => loadExplanation(speech), server: loadStatus });
