// In the audio thread: what the microphone hears, as 16-bit samples, in pieces of 80 ms.

const RATE = 16000, PIECE = 1280;

registerProcessor("pcm", class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Int16Array(PIECE), this.filled = 0;
    this.step = sampleRate / RATE; // 1 where the browser hears at 16 kHz itself, as nearly all do
    this.sum = 0, this.count = 0, this.due = this.step;
    this.port.onmessage = () => { this.flush(); this.ended = true; };
  }

  process([[heard]]) {
    for (const sample of heard ?? []) {
      this.sum += sample, this.count++;
      if (this.count < this.due) continue;
      this.add(this.sum / this.count); // the mean of the samples that become one
      this.due += this.step - this.count, this.sum = this.count = 0;
    }
    return !this.ended;
  }

  add(sample) {
    this.piece[this.filled++] = Math.round(32767 * Math.max(-1, Math.min(1, sample)));
    if (this.filled === PIECE) this.flush();
  }

  flush() {
    this.port.postMessage(this.piece.slice(0, this.filled));
    this.filled = 0;
  }
});
