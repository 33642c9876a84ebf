/* Speech as it arrives: mono samples in the pieces they came in, and how loud it is where. */

/** Peaks of one second. */
export const PEAKS_HZ = 100;

export class Sound {
  #pieces = [];
  #starts = []; // the first sample of each piece
  #odd = null; // half a sample, where a piece was cut in the middle of one
  #peakSamples;

  constructor(rate_hz) {
    this.rate_hz = rate_hz;
    this.samples = 0;
    /** Nothing more will come, for good or ill. */
    this.isComplete = false;
    /** The largest of each hundredth of a second, 0 to 1. */
    this.peaks = [];
    this.#peakSamples = rate_hz / PEAKS_HZ;
  }

  get duration_s() {
    return this.samples / this.rate_hz;
  }

  /** Take in more PCM: 16 bits, little-endian, cut anywhere. */
  append(bytes) {
    const whole = this.#odd === null ? bytes : joined(this.#odd, bytes);
    this.#odd = whole.length % 2 ? whole.slice(-1) : null;
    const view = new DataView(whole.buffer, whole.byteOffset);
    const piece = new Int16Array(whole.length >> 1);
    for (let i = 0; i < piece.length; i++) piece[i] = view.getInt16(2 * i, true);
    if (!piece.length) return;
    this.#measure(piece);
    this.#pieces.push(piece);
    this.#starts.push(this.samples);
    this.samples += piece.length;
  }

  /** Return at most `count` samples from `start` on, -1 to 1; never more than one piece's. */
  read(start, count) {
    const which = this.#pieceOf(start);
    const from = start - this.#starts[which];
    return Float32Array.from(this.#pieces[which].subarray(from, from + count), (sample) => sample / 32768);
  }

  #measure(piece) {
    for (let i = 0; i < piece.length; i++) {
      const at = Math.floor((this.samples + i) / this.#peakSamples);
      const level = Math.abs(piece[i]) / 32768;
      if (!(this.peaks[at] >= level)) this.peaks[at] = level;
    }
  }

  #pieceOf(sample) {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle] <= sample) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function joined(head, tail) {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}
