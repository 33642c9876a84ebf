/* A Sound made audible while it grows.
 *
 * Pieces are put on the audio clock one after the other, each starting on the sample after
 * the last one's. The context runs at the sound's own rate: at another rate every piece
 * would be resampled by itself, and be heard to begin.
 */

/** How far ahead of the clock pieces are scheduled. Enough for a tab that is not looked at. */
const AHEAD_S = 10;
const PIECE_S = 1;
/** From the decision to play to the first sample. */
const LEAD_S = 0.04;
const FADE_S = 0.008;

/** Return a running context of that rate, the given one where it fits. To be called on a click or a key press. */
export function contextFor(rate_hz, old) {
  if (old && old.sampleRate !== rate_hz) old.close();
  const context = old?.sampleRate === rate_hz ? old : new AudioContext({ sampleRate: rate_hz });
  context.resume(); // not awaited: where sound is forbidden it never comes true
  return context;
}

export class Player {
  #sound;
  #context;
  #changed;
  #run = null; // what is being played: a volume, its sources, and which sample is due when
  #held = 0; // the position while nothing is

  /** `changed` is called whenever playing begins or ends. */
  constructor(sound, context, changed) {
    this.#sound = sound;
    this.#context = context;
    this.#changed = changed;
  }

  get isPlaying() {
    return this.#run !== null;
  }

  /** The second being heard, not the one being handed to the sound card. */
  get position_s() {
    const run = this.#run;
    if (!run) return this.#held / this.#sound.rate_hz;
    const heard_s = this.#context.currentTime - (this.#context.outputLatency || 0) - run.due_s;
    return Math.min(run.sample / this.#sound.rate_hz + Math.max(0, heard_s), this.#sound.duration_s);
  }

  play(from_s = this.position_s) {
    this.#end();
    const asked = this.#sampleAt(from_s);
    const sample = this.#sound.isComplete && asked === this.#sound.samples ? 0 : asked; // from the end, from the start
    const volume = this.#context.createGain();
    volume.connect(this.#context.destination);
    this.#run = { volume, sources: new Set(), sample, next: sample, due_s: this.#soon() };
    this.fill();
    this.#changed();
  }

  pause() {
    this.seek(this.position_s);
    if (!this.#run) return;
    this.#end();
    this.#changed();
  }

  /** Go to a second, playing or not. */
  seek(to_s) {
    this.#held = this.#sampleAt(to_s);
    if (this.#run) this.play(to_s);
  }

  /** Schedule what has come and is due soon. To be called when more has come, or when all has. */
  fill() {
    const run = this.#run;
    if (!run) return;
    while (run.next < this.#sound.samples && this.#due(run) < this.#context.currentTime + AHEAD_S) this.#schedule(run);
    if (this.#sound.isComplete && !run.sources.size) this.#finish();
  }

  /** The first sample that is not before that second: who asks for a word's start must not get the word before. */
  #sampleAt(time_s) {
    return Math.min(Math.ceil(Math.max(0, time_s) * this.#sound.rate_hz), this.#sound.samples);
  }

  #schedule(run) {
    const samples = this.#sound.read(run.next, PIECE_S * this.#sound.rate_hz);
    if (this.#due(run) < this.#context.currentTime) {
      // The voice was slower than its listener: go on from here, a moment from now.
      run.sample = run.next;
      run.due_s = this.#soon();
    }
    const buffer = this.#context.createBuffer(1, samples.length, this.#sound.rate_hz);
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(run.volume);
    source.start(this.#due(run));
    run.next += samples.length;
    run.sources.add(source);
    source.onended = () => {
      run.sources.delete(source);
      if (run === this.#run) this.fill();
    };
  }

  #due(run) {
    return run.due_s + (run.next - run.sample) / this.#sound.rate_hz;
  }

  /** A moment from now, on a whole sample: between two, every piece would be interpolated. */
  #soon() {
    const rate_hz = this.#context.sampleRate;
    return Math.ceil((this.#context.currentTime + LEAD_S) * rate_hz) / rate_hz;
  }

  #finish() {
    this.#held = 0;
    this.#end();
    this.#changed();
  }

  /** Fall silent without a click. */
  #end() {
    const run = this.#run;
    this.#run = null;
    if (!run) return;
    const now_s = this.#context.currentTime;
    run.volume.gain.setTargetAtTime(0, now_s, FADE_S / 4);
    for (const source of run.sources) source.stop(now_s + FADE_S);
  }
}
