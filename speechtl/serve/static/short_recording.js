// One short recording: it begins at once, and ends by itself after a pause, or when asked to.

import { Microphone } from "./microphone.js";
import { Recording } from "./recording.js";

const PAUSE = 0.8;
const SILENCE = 8;

export class ShortRecording {
  // longest: seconds. pauses: whether a pause ends it.
  constructor(meter, longest, pauses) {
    this.longest = longest;
    this.pauses = pauses;
    this.quiet = 0;
    this.spoken = 0;
    this.floor = Infinity;
    this.microphone = new Microphone((block) => this.take(block), meter);
  }

  // Resolves to the recording when it has ended.
  async record() {
    await this.microphone.open();
    this.recording = new Recording(this.microphone.rate);
    await new Promise((resolve) => {
      this.end = resolve;
    });
    await this.microphone.close();
    return this.recording;
  }

  take(block) {
    if (!this.recording) return;
    this.recording.append(block);
    let power = 0;
    for (const value of block) power += value * value;
    const level = 10 * Math.log10(power / block.length + 1);
    // The quietest block so far is the room.
    this.floor = Math.min(this.floor, Math.max(level, 20));
    const seconds = block.length / this.recording.rate;
    if (level > this.floor + 12) {
      this.spoken += seconds;
      this.quiet = 0;
    } else {
      this.quiet += seconds;
    }
    const paused = this.spoken > 0.15 ? this.quiet > PAUSE : this.quiet > SILENCE;
    if ((this.pauses && paused) || this.recording.seconds >= this.longest) this.end?.();
  }
}
