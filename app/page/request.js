/* What is asked of POST /v1/audio/speech: as JSON, and as a command.
 *
 * A request is {input, voice, speaker, language, speed, seed}; null is the server's default.
 * The seed is a string of digits, as half of them are beyond what a Number holds.
 */

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

/** Return a command for a POSIX shell that saves `request` as a file. */
export function curl(request, format, wantsKey) {
  const words = [`curl --fail -o speech.${format} ${address("v1/audio/speech")}`];
  // The key itself stays out of what people paste into chats.
  if (wantsKey) words.push(`-H "Authorization: Bearer $CHORUS_API_KEY"`);
  words.push("-H 'Content-Type: application/json'", `-d ${quoted(body(request, { response_format: format }))}`);
  return words.join(" \\\n  ");
}

/** Relative to the page, so that a proxy may put both anywhere. */
export function address(path) {
  return new URL(path, document.baseURI).href;
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
