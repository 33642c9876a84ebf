/* Audio playback while it streams in.
 *
 * Chunks are scheduled on the audio clock, each starting on the sample after the last one's.
 * The AudioContext runs at the audio's own rate: at another rate each chunk would be resampled
 * on its own, with an audible seam.
 */

/** Peaks per second of audio. */
export const PEAKS_HZ = 100;
/** How far ahead of the clock chunks are scheduled: background tabs run timers rarely. */
const SCHEDULE_AHEAD_S = 10;
const CHUNK_S = 1;
/** From play() to the first sample. */
const LEAD_S = 0.04;
const FADE_S = 0.008;

/** Return a running context of that rate, reusing `old` if it fits. Call it in a click or key handler. */
export function audioContext(rate_hz, old) {
  if (old && old.sampleRate !== rate_hz) old.close();
  const context = old?.sampleRate === rate_hz ? old : new AudioContext({ sampleRate: rate_hz });
  context.resume(); // not awaited: it never resolves where audio is blocked
  return context;
}

/** Mono samples as they arrive, and their peaks. */
export class AudioData {
  #chunks = [];
  #starts = []; // the first sample of each chunk
  #oddByte = null; // half a sample, if a chunk was cut inside one
  #samplesPerPeak;

  constructor(rate_hz) {
    this.rate_hz = rate_hz;
    this.samples = 0;
    this.isComplete = false; // no more audio will arrive, whether it ended well or not
    this.peaks = []; // the largest absolute sample per hundredth of a second, 0 to 1
    this.#samplesPerPeak = rate_hz / PEAKS_HZ;
  }

  get duration_s() {
    return this.samples / this.rate_hz;
  }

  /** Append PCM: 16 bits, little-endian, cut at any byte. */
  append(bytes) {
    const whole = this.#oddByte === null ? bytes : new Uint8Array([...this.#oddByte, ...bytes]);
    this.#oddByte = whole.length % 2 ? whole.slice(-1) : null;
    const view = new DataView(whole.buffer, whole.byteOffset);
    const chunk = new Int16Array(whole.length >> 1);
    for (let i = 0; i < chunk.length; i++) chunk[i] = view.getInt16(2 * i, true);
    if (!chunk.length) return;
    this.#updatePeaks(chunk);
    this.#chunks.push(chunk);
    this.#starts.push(this.samples);
    this.samples += chunk.length;
  }

  /** Return at most `count` samples from `start` on, -1 to 1; never more than one chunk. */
  read(start, count) {
    const index = this.#starts.findLastIndex((first) => first <= start);
    const from = start - this.#starts[index];
    return Float32Array.from(this.#chunks[index].subarray(from, from + count), (sample) => sample / 32768);
  }

  #updatePeaks(chunk) {
    for (let i = 0; i < chunk.length; i++) {
      const at = Math.floor((this.samples + i) / this.#samplesPerPeak);
      const level = Math.abs(chunk[i]) / 32768;
      if (!(this.peaks[at] >= level)) this.peaks[at] = level;
    }
  }
}

/** Plays AudioData from any position while it grows. */
export class Player {
  #audio;
  #context;
  #changed;
  #playback = null; // gain node, scheduled sources, and which sample is due when
  #pausedAt = 0; // sample

  /** `changed` is called when playback starts or ends. */
  constructor(audio, context, changed) {
    this.#audio = audio;
    this.#context = context;
    this.#changed = changed;
  }

  get isPlaying() {
    return this.#playback !== null;
  }

  /** The second that is audible now: the output latency is subtracted. */
  get position_s() {
    const playback = this.#playback;
    if (!playback) return this.#pausedAt / this.#audio.rate_hz;
    const played_s = this.#context.currentTime - (this.#context.outputLatency || 0) - playback.due_s;
    return Math.min(playback.sample / this.#audio.rate_hz + Math.max(0, played_s), this.#audio.duration_s);
  }

  play(from_s = this.position_s) {
    this.#stop();
    const from = this.#sampleAt(from_s);
    const sample = this.#audio.isComplete && from === this.#audio.samples ? 0 : from; // at the end, restart
    const volume = this.#context.createGain();
    volume.connect(this.#context.destination);
    this.#playback = { volume, sources: new Set(), sample, next: sample, due_s: this.#soon_s() };
    this.fill();
    this.#changed();
  }

  pause() {
    this.seek(this.position_s);
    if (!this.#playback) return;
    this.#stop();
    this.#changed();
  }

  /** Go to a second, playing or not. */
  seek(to_s) {
    this.#pausedAt = this.#sampleAt(to_s);
    if (this.#playback) this.play(to_s);
  }

  /** Schedule the chunks that are due soon. Call it when audio arrived or is complete. */
  fill() {
    const playback = this.#playback;
    if (!playback) return;
    const end_s = this.#context.currentTime + SCHEDULE_AHEAD_S;
    while (playback.next < this.#audio.samples && this.#due_s(playback) < end_s) this.#schedule(playback);
    if (!this.#audio.isComplete || playback.sources.size) return;
    this.#pausedAt = 0;
    this.#stop();
    this.#changed();
  }

  /** The first sample at or after that second: rounding down would play the end of the previous word. */
  #sampleAt(time_s) {
    return Math.min(Math.ceil(Math.max(0, time_s) * this.#audio.rate_hz), this.#audio.samples);
  }

  #schedule(playback) {
    const samples = this.#audio.read(playback.next, CHUNK_S * this.#audio.rate_hz);
    if (this.#due_s(playback) < this.#context.currentTime) {
      // Underrun: the audio came later than it was due. Restart the clock from here.
      playback.sample = playback.next;
      playback.due_s = this.#soon_s();
    }
    const buffer = this.#context.createBuffer(1, samples.length, this.#audio.rate_hz);
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(playback.volume);
    source.start(this.#due_s(playback));
    playback.next += samples.length;
    playback.sources.add(source);
    source.onended = () => {
      playback.sources.delete(source);
      if (playback === this.#playback) this.fill();
    };
  }

  #due_s(playback) {
    return playback.due_s + (playback.next - playback.sample) / this.#audio.rate_hz;
  }

  /** LEAD_S from now, rounded up to a whole sample: between two samples each chunk would be interpolated. */
  #soon_s() {
    const rate_hz = this.#context.sampleRate;
    return Math.ceil((this.#context.currentTime + LEAD_S) * rate_hz) / rate_hz;
  }

  /** Stop with a fade: a hard cut clicks. */
  #stop() {
    const playback = this.#playback;
    this.#playback = null;
    if (!playback) return;
    const now_s = this.#context.currentTime;
    playback.volume.gain.setTargetAtTime(0, now_s, FADE_S / 4);
    for (const source of playback.sources) source.stop(now_s + FADE_S);
  }
}
