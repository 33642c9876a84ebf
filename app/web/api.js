/* The server's HTTP API: voices, streamed speech, files, and its errors in words.
 *
 * A request is {input, voice, speaker, language, speed, seed}; null means the server's default.
 * The seed is a string of digits: half of all seeds exceed what a Number holds.
 */

const CAPTION_FORMATS = ["srt", "vtt"];

/** A response other than 2xx, with the server's message. */
export class HttpError extends Error {
  constructor(status, message, retryAfter_s) {
    super(message);
    this.status = status;
    this.retryAfter_s = retryAfter_s; // null without a Retry-After header
  }
}

/** The server cannot be reached. */
export class ConnectionError extends Error {}

/** The stream ended early: why, and how many seconds of audio had arrived. */
export class IncompleteError extends Error {
  constructor(message, received_s) {
    super(message);
    this.received_s = received_s;
  }
}

/** Return the voices of GET /v1/audio/voices. Throws HttpError or ConnectionError. */
export async function listVoices(key) {
  const response = await accepted(fetch(address("v1/audio/voices"), { headers: headers(key) }));
  return (await response.json()).voices;
}

/** Request speech as server-sent events of PCM and word times. Throws like `listVoices`. */
export function streamSpeech(request, rate_hz, key, signal) {
  const fields = {
    stream_format: "sse",
    response_format: "pcm",
    sample_rate: rate_hz,
    timestamp_granularities: ["sentence", "word"],
  };
  return post("v1/audio/speech", body(request, fields), key, signal);
}

/** Request a whole file of audio or captions. Throws like `listVoices`. */
export function fetchFile(request, format, key) {
  const { path, fields } = endpoint(format);
  return post(path, body(request, fields), key);
}

/** Return what is read for each word: {voice, language, sentences}. Throws like `listVoices`. */
export async function explain(request, key, signal) {
  const response = await post("v1/audio/explain", body(request), key, signal);
  return response.json();
}

/** Return a POSIX shell command that saves `request` as a file. */
export function curlCommand(request, format, needsKey) {
  const { path, fields } = endpoint(format);
  const lines = [`curl --fail -o speech.${format} ${address(path)}`];
  // A variable instead of the key: people paste commands into chats.
  if (needsKey) lines.push(`-H "Authorization: Bearer $CHORUS_API_KEY"`);
  lines.push("-H 'Content-Type: application/json'", `-d '${body(request, fields).replaceAll("'", "'\\''")}'`);
  return lines.join(" \\\n  ");
}

/** Whether two requests differ at most in their seeds. */
export function isSameExceptSeed(one, other) {
  return body({ ...one, seed: null }) === body({ ...other, seed: null });
}

/** Resolve a path against the page's URL: a proxy may serve both under a prefix. */
export function address(path) {
  return new URL(path, document.baseURI).href;
}

/** Return the message that the page shows for `error`. */
export function describeError(error, hadKey) {
  if (error instanceof HttpError) return describeStatus(error, hadKey);
  if (error instanceof ConnectionError) return "The server cannot be reached. Check that it is running and that you are online.";
  if (!(error instanceof IncompleteError)) return `This page failed: ${sentence(error.message)}`;
  if (!error.received_s) return sentence(error.message);
  return `${sentence(error.message)} You can play the ${error.received_s.toFixed(1)} seconds of audio that arrived.`;
}

function describeStatus({ status, message, retryAfter_s }, hadKey) {
  const retry = retryAfter_s === null ? "Try again later." : `Try again in ${formatDuration(retryAfter_s)}.`;
  if (status === 401) return hadKey ? "The server does not accept this API key." : "This server requires an API key.";
  if (status === 413) return `The text is too long: ${sentence(message)}`;
  if (status === 429) return `You have reached the request limit. ${retry}`;
  if (status === 503) return `The server is busy or still starting. ${retry}`;
  if (status >= 500) return `The server failed: ${sentence(message)}`;
  return `The server cannot speak this: ${sentence(message)}`;
}

function formatDuration(time_s) {
  if (time_s >= 5400) return `${Math.round(time_s / 3600)} hours`;
  if (time_s >= 90) return `${Math.round(time_s / 60)} minutes`;
  return time_s === 1 ? "1 second" : `${time_s} seconds`;
}

function sentence(message) {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}

function body({ seed, ...request }, fields = {}) {
  const given = Object.entries({ ...request, ...fields }).filter(([, value]) => value !== null);
  const json = JSON.stringify(Object.fromEntries(given));
  return seed === null ? json : `${json.slice(0, -1)},"seed":${BigInt(seed)}}`;
}

/** Return the endpoint for files of that format, and the fields that select the format. */
function endpoint(format) {
  if (!CAPTION_FORMATS.includes(format)) return { path: "v1/audio/speech", fields: { response_format: format } };
  // Some codecs add silence at the start; these are the times in the PCM stream that was played.
  return { path: "v1/audio/captions", fields: { response_format: "pcm", stream: true, caption_format: format } };
}

function post(path, json, key, signal) {
  const options = { method: "POST", body: json, headers: headers(key, { "Content-Type": "application/json" }), signal };
  return accepted(fetch(address(path), options));
}

function headers(key, others = {}) {
  return key ? { ...others, Authorization: `Bearer ${key}` } : others;
}

async function accepted(pending) {
  const response = await pending.catch((error) => {
    throw error.name === "AbortError" ? error : new ConnectionError();
  });
  if (response.ok) return response;
  const message = await response.json().then((json) => json.error.message, () => response.statusText);
  const retryAfter_s = parseInt(response.headers.get("Retry-After"), 10);
  throw new HttpError(response.status, message, Number.isNaN(retryAfter_s) ? null : retryAfter_s);
}
