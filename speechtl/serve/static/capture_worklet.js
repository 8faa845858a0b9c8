// In the audio thread: gather samples into blocks of 16 bits, and hand them to the page.

const BLOCK = 4096;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
    this.port.onmessage = () => {
      this.port.postMessage(this.block.slice(0, this.filled));
      this.port.postMessage(null);
      this.filled = 0;
    };
  }

  process(inputs) {
    const channels = inputs[0];
    if (!channels.length) return true;
    for (let place = 0; place < channels[0].length; place++) {
      let sum = 0;
      for (const channel of channels) sum += channel[place];
      const value = Math.max(-1, Math.min(1, sum / channels.length));
      this.block[this.filled++] = Math.round(value * 32767);
      if (this.filled === BLOCK) {
        this.port.postMessage(this.block.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
