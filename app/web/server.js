/* The server's answers: what there is to choose, speech as it is made, and a file. */

import { address, body, source } from "./request.js";

/** An answer other than 200, with what the server said about it. */
export class Refusal extends Error {
  constructor(status, message, retryAfter_s) {
    super(message);
    this.status = status;
    /** Null where the server does not know. */
    this.retryAfter_s = retryAfter_s;
  }
}

/** Nobody answered. */
export class Unreachable extends Error {}

/** Return what GET /v1/audio/voices lists. Throws a Refusal, or Unreachable. */
export async function voices(key) {
  const response = await accepted(fetch(address("v1/audio/voices"), { headers: headers(key) }));
  return (await response.json()).voices;
}

/** Ask for speech as events of PCM and marks. Throws as `voices`. */
export function streamed(request, rate_hz, key, signal) {
  const fields = {
    stream_format: "sse",
    response_format: "pcm",
    sample_rate: rate_hz,
    timestamp_granularities: ["sentence", "word"],
  };
  return post("v1/audio/speech", body(request, fields), key, signal);
}

/** Ask for a whole file, of sound or of captions. Throws as `voices`. */
export function file(request, format, key) {
  const { path, fields } = source(format);
  return post(path, body(request, fields), key);
}

function post(path, json, key, signal) {
  const sent = { method: "POST", body: json, headers: headers(key, { "Content-Type": "application/json" }), signal };
  return accepted(fetch(address(path), sent));
}

function headers(key, further = {}) {
  return key ? { ...further, Authorization: `Bearer ${key}` } : further;
}

async function accepted(answer) {
  const response = await answer.catch((error) => {
    throw error.name === "AbortError" ? error : new Unreachable();
  });
  if (response.ok) return response;
  const message = await response.json().then((json) => json.error.message, () => response.statusText);
  const after_s = parseInt(response.headers.get("Retry-After"), 10);
  throw new Refusal(response.status, message, Number.isNaN(after_s) ? null : after_s);
}
