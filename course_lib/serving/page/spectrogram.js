// Which frequencies are in a sound, and when: 25 ms windows every 10 ms, as lesson 07 has them.

export const RATE = 16000, WINDOW = 400, HOP = 160, SIZE = 512;
const ROWS = 128; // rows of the picture, of two frequencies each
const QUIET = -45, LOUD = 30; // dB that are black and bright
const LIVE = 600; // columns that are shown while somebody speaks: 6 s

const hann = Float32Array.from({ length: WINDOW }, (_, n) => 0.5 - 0.5 * Math.cos(2 * Math.PI * n / WINDOW));
const cosines = Float64Array.from({ length: SIZE / 2 }, (_, k) => Math.cos(2 * Math.PI * k / SIZE));
const sines = Float64Array.from({ length: SIZE / 2 }, (_, k) => -Math.sin(2 * Math.PI * k / SIZE));
const reversed = Uint16Array.from({ length: SIZE }, (_, k) =>
  parseInt(k.toString(2).padStart(Math.log2(SIZE), "0").split("").reverse().join(""), 2));

/** The power |X|² of 400 samples at 0, 31.25, ... 8,000 Hz: a fast Fourier transform, radix 2, in place. */
export function power(samples) {
  const real = new Float64Array(SIZE), imaginary = new Float64Array(SIZE);
  for (let n = 0; n < WINDOW; n++) real[reversed[n]] = samples[n] * hann[n];
  for (let half = 1; half < SIZE; half *= 2) {
    const stride = SIZE / (2 * half);
    for (let start = 0; start < SIZE; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const a = start + k, b = a + half, c = cosines[k * stride], s = sines[k * stride];
        const re = real[b] * c - imaginary[b] * s, im = real[b] * s + imaginary[b] * c;
        real[b] = real[a] - re, imaginary[b] = imaginary[a] - im;
        real[a] += re, imaginary[a] += im;
      }
    }
  }
  return Float64Array.from({ length: SIZE / 2 + 1 }, (_, k) => real[k] ** 2 + imaginary[k] ** 2);
}

/** Dark blue over magenta and orange to pale yellow; brightness rises steadily, so it reads without color, too. */
const STOPS = [[11, 7, 36], [60, 15, 112], [140, 41, 129], [221, 73, 104], [254, 159, 109], [252, 253, 191]];
const colors = Array.from({ length: 256 }, (_, level) => {
  const place = level / 255 * (STOPS.length - 1), low = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[low].map((from, channel) => from + (place - low) * (STOPS[low + 1][channel] - from));
});

export class Spectrogram {
  constructor(canvas) {
    this.canvas = canvas, this.brush = canvas.getContext("2d");
    this.store = new OffscreenCanvas(3200, ROWS); // half a minute, and a little
    this.storeBrush = this.store.getContext("2d");
    this.clear();
  }

  clear() {
    this.rest = new Float32Array(0), this.columns = 0, this.whole = false;
    this.canvas.parentElement.classList.remove("used");
    this.paint();
  }

  /** Samples, as 16-bit numbers. */
  push(samples) {
    const joined = new Float32Array(this.rest.length + samples.length);
    joined.set(this.rest);
    joined.set(Float32Array.from(samples, each => each / 32768), this.rest.length);
    this.canvas.parentElement.classList.add("used");
    let start = 0;
    for (; start + WINDOW <= joined.length && this.columns < this.store.width; start += HOP) {
      this.add(power(joined.subarray(start, start + WINDOW)));
    }
    this.rest = joined.slice(start);
    if (!this.asked) this.asked = requestAnimationFrame(() => { this.asked = null; this.paint(); });
  }

  add(powers) {
    const column = this.storeBrush.createImageData(1, ROWS);
    for (let row = 0; row < ROWS; row++) {
      const bin = SIZE / 2 - 2 * row, loudest = Math.max(powers[bin], powers[bin - 1]);
      const level = (10 * Math.log10(loudest + 1e-9) - QUIET) / (LOUD - QUIET);
      column.data.set([...colors[Math.round(255 * Math.min(1, Math.max(0, level)))], 255], 4 * row);
    }
    this.storeBrush.putImageData(column, this.columns++, 0);
  }

  /** Show all of it, from edge to edge; until then the last six seconds are shown. */
  showWhole() {
    this.whole = true;
    this.paint();
  }

  paint() {
    const { width, height } = this.canvas, from = this.whole ? 0 : Math.max(0, this.columns - LIVE);
    const count = this.columns - from, wide = this.whole ? width : width * count / LIVE;
    this.brush.fillStyle = `rgb(${STOPS[0]})`;
    this.brush.fillRect(0, 0, width, height);
    if (count) this.brush.drawImage(this.store, from, 0, count, ROWS, width - wide, 0, wide, height);
  }
}
