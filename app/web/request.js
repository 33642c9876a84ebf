/* What is asked of POST /v1/audio/speech and /captions: as JSON, and as a command.
 *
 * A request is {input, voice, speaker, language, speed, seed}; null is the server's default.
 * The seed is a string of digits, as half of them are beyond what a Number holds.
 */

const CAPTIONS = ["srt", "vtt"];

/** Return the body of `request`, with further fields of the endpoint. */
export function body({ seed, ...request }, fields = {}) {
  const given = Object.entries({ ...request, ...fields }).filter(([, value]) => value !== null);
  const json = JSON.stringify(Object.fromEntries(given));
  return seed === null ? json : `${json.slice(0, -1)},"seed":${BigInt(seed)}}`;
}

/** Whether two requests differ in their seeds at most. */
export function saysTheSame(one, other) {
  return body({ ...one, seed: null }) === body({ ...other, seed: null });
}

/** Return where a file of that format comes from, and the fields that ask for it there. */
export function source(format) {
  if (!CAPTIONS.includes(format)) return { path: "v1/audio/speech", fields: { response_format: format } };
  // Players put silence before some formats; these are the times of what was heard, a stream of PCM.
  return { path: "v1/audio/captions", fields: { response_format: "pcm", stream: true, caption_format: format } };
}

/** Return a command for a POSIX shell that saves `request` as a file. */
export function curl(request, format, wantsKey) {
  const { path, fields } = source(format);
  const words = [`curl --fail -o speech.${format} ${address(path)}`];
  // The key itself stays out of what people paste into chats.
  if (wantsKey) words.push(`-H "Authorization: Bearer $CHORUS_API_KEY"`);
  words.push("-H 'Content-Type: application/json'", `-d ${quoted(body(request, fields))}`);
  return words.join(" \\\n  ");
}

/** Relative to the page, so that a proxy may put both anywhere. */
export function address(path) {
  return new URL(path, document.baseURI).href;
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
