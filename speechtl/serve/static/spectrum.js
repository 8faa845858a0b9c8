// Spectra of a recording for the picture: 100 a second, in dB, computed when they come into view.

const PER_SECOND = 100;
const HIGHEST = 8000;

export class Spectra {
  constructor(recording) {
    this.recording = recording;
    this.size = 2 ** Math.round(Math.log2(0.026 * recording.rate));
    this.bins = Math.min(this.size / 2, Math.round((HIGHEST * this.size) / recording.rate));
    this.frames = new Map();
    this.window = Float64Array.from({ length: this.size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / this.size));
    this.real = new Float64Array(this.size);
    this.imaginary = new Float64Array(this.size);
  }

  get perSecond() {
    return PER_SECOND;
  }

  // Values from 0 to 1, lowest frequency first; null beyond the end.
  frame(number) {
    const known = this.frames.get(number);
    if (known) return known;
    const { recording, size } = this;
    const middle = Math.round((number * recording.rate) / PER_SECOND);
    if (middle >= recording.length) return null;
    const first = middle - size / 2;
    let before = 0;
    for (let n = 0; n < size; n++) {
      const place = first + n;
      const value = place >= 0 && place < recording.length ? recording.room[place] / 32768 : 0;
      // Pre-emphasis: high frequencies are weak in speech.
      this.real[n] = (value - 0.95 * before) * this.window[n];
      this.imaginary[n] = 0;
      before = value;
    }
    transform(this.real, this.imaginary);
    const values = new Float32Array(this.bins);
    for (let bin = 0; bin < this.bins; bin++) {
      const power = (this.real[bin] ** 2 + this.imaginary[bin] ** 2) / size;
      values[bin] = Math.max(0, Math.min(1, (10 * Math.log10(power + 1e-12) + 75) / 70));
    }
    // Near the end of a recording that still grows, the window is not full yet.
    if (first + size <= recording.length) this.frames.set(number, values);
    return values;
  }
}

// Fast Fourier transform in place, radix 2 (Cooley and Tukey 1965).
function transform(real, imaginary) {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let length = 2; length <= size; length <<= 1) {
    const half = length >> 1;
    const angle = (-2 * Math.PI) / length;
    for (let k = 0; k < half; k++) {
      const c = Math.cos(angle * k);
      const s = Math.sin(angle * k);
      for (let start = k; start < size; start += length) {
        const other = start + half;
        const r = real[other] * c - imaginary[other] * s;
        const m = real[other] * s + imaginary[other] * c;
        real[other] = real[start] - r;
        imaginary[other] = imaginary[start] - m;
        real[start] += r;
        imaginary[start] += m;
      }
    }
  }
}
