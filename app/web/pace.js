/* How fast the server works: the difference of two looks at /status. */

/** How long looks are kept: quantiles and lines are of this long. */
const RECENT_S = 60;
const SPEAKING = ["speech", "captions", "coqui", "marytts"];

export class Looks {
  #kept = [];

  /** Keep a look; what was seen of another server at this address is forgotten. */
  add(look) {
    if (this.now && (look.master !== this.now.master || look.up_s < this.now.up_s)) this.#kept = [];
    this.#kept.push(look);
    this.#kept = this.#kept.filter(({ up_s }) => look.up_s - up_s <= RECENT_S);
  }

  get now() {
    return this.#kept.at(-1);
  }

  /** What was done from the look before to this one, per second; null where there is none. */
  get pace() {
    const [before, now] = this.#kept.slice(-2);
    return now ? pace(before, now) : null;
  }

  /** How many requests waited, and the seconds of audio per second, at each look. */
  get lines() {
    const paces = this.#kept.slice(1).map((look, i) => pace(this.#kept[i], look));
    return { waiting: this.#kept.map(waiting), audio: paces.map(({ audio }) => audio) };
  }

  /** A histogram of what ended in the last minute, or where nothing did, since the server began. */
  histogram(name) {
    const [first, last] = [this.#kept[0], this.now].map((look) => look.totals.histograms[name]);
    const counts = last.counts.map((count, i) => count - first.counts[i]);
    const isRecent = counts.some((count) => count > 0);
    return { bounds: last.bounds, counts: isRecent ? counts : last.counts, isRecent };
  }
}

/** Requests that wait for their turn. */
export function waiting({ workers }) {
  return workers.reduce((sum, worker) => sum + worker.waiting, 0);
}

/** Return in words below what that share of the values is. */
export function quantile({ bounds, counts }, share, unit = " s") {
  const whole = counts.reduce((sum, count) => sum + count, 0);
  if (!whole) return "–";
  let sum = 0;
  const place = counts.findIndex((count) => (sum += count) >= share * whole);
  return place < bounds.length ? `≤ ${bounds[place]}${unit}` : `> ${bounds.at(-1)}${unit}`;
}

function pace(before, now) {
  const over_s = Math.max(now.up_s - before.up_s, 1e-6);
  const spoken = new Map(before.workers.map(({ slot, audio_s }) => [slot, audio_s]));
  return {
    requests: (requests(now) - requests(before)) / over_s,
    audio: (now.totals.audio_s - before.totals.audio_s) / over_s,
    bySlot: new Map(now.workers.map(({ slot, audio_s }) => [slot, (audio_s - (spoken.get(slot) ?? audio_s)) / over_s])),
  };
}

function requests({ totals }) {
  const counted = SPEAKING.flatMap((route) => Object.values(totals.answers[route] ?? {}));
  return counted.reduce((sum, count) => sum + count, 0);
}
