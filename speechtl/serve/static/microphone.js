// The microphone: blocks of 16-bit samples as they are spoken, without what browsers do to voices for calls.

export class Microphone {
  // onBlock(Int16Array), and meter: an element that shows the level.
  constructor(onBlock, meter) {
    this.onBlock = onBlock;
    this.meter = meter;
    this.peak = 0;
  }

  async open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("Browsers give the microphone only to pages from this machine (localhost) or from https.");
    }
    try {
      this.media = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
    } catch (error) {
      throw new Error(
        error.name === "NotAllowedError"
          ? "The browser does not let this page use the microphone; allow it in the browser's settings of this page."
          : "No microphone was found.",
      );
    }
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("/static/capture_worklet.js");
    this.rate = this.context.sampleRate;
    this.node = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => {
      if (data === null) this.flushed?.();
      else if (data.length) this.take(data);
    };
    this.source = this.context.createMediaStreamSource(this.media);
    this.source.connect(this.node);
    await this.context.resume();
    if (this.meter) this.meter.hidden = false;
  }

  take(block) {
    let peak = 0;
    for (const value of block) peak = Math.max(peak, Math.abs(value));
    this.peak = Math.max(peak / 32768, this.peak * 0.7);
    // 50 dB from one end of the meter to the other.
    if (this.meter) this.meter.value = Math.max(0, 1 + Math.log10(Math.max(this.peak, 1e-5)) / 2.5);
    this.onBlock(block);
  }

  // Resolves when the last sample has been handed over.
  async close() {
    if (this.meter) this.meter.hidden = true;
    if (this.node) {
      const flushed = new Promise((resolve) => (this.flushed = resolve));
      this.source.disconnect();
      this.node.port.postMessage("flush");
      await flushed;
    }
    this.media?.getTracks().forEach((track) => track.stop());
    await this.context?.close();
  }
}
