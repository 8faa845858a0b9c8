// Waveform, spectrogram and words of a recording, on one axis of time; only what is in view is drawn.

import { Spectra } from "./spectrum.js";

const ZOOMS = [20, 40, 80, 120, 200, 320];
const WAVE = 0.36;

export class Timeline {
  constructor(element, onWord) {
    this.element = element;
    this.strip = element.querySelector(".strip");
    this.canvas = element.querySelector("canvas");
    this.labels = element.querySelector(".labels");
    this.onWord = onWord;
    this.zoom = 3;
    this.segments = [];
    this.playhead = null;
    element.addEventListener("scroll", () => this.later());
    new ResizeObserver(() => this.later()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.later());
  }

  get perSecond() {
    return ZOOMS[this.zoom];
  }

  show(recording) {
    this.recording = recording;
    this.spectra = new Spectra(recording);
    this.segments = [];
    this.element.scrollLeft = 0;
    this.grow(false);
    this.place();
  }

  // The recording has become longer.
  grow(follow) {
    this.strip.style.width = `${Math.ceil(this.recording.seconds * this.perSecond)}px`;
    if (follow) this.element.scrollLeft = this.strip.offsetWidth;
    this.later();
  }

  setSegments(segments) {
    this.segments = segments;
    this.place();
  }

  zoomBy(step) {
    const middle = (this.element.scrollLeft + this.element.clientWidth / 2) / this.perSecond;
    this.zoom = Math.max(0, Math.min(ZOOMS.length - 1, this.zoom + step));
    this.grow(false);
    this.place();
    this.element.scrollLeft = middle * this.perSecond - this.element.clientWidth / 2;
  }

  place() {
    const buttons = [];
    for (const segment of this.segments) {
      const items = segment.words.length
        ? segment.words
        : segment.phones.map((phone) => ({ ...phone, word: phone.phone, phones: [] }));
      for (const word of items) {
        const button = document.createElement("button");
        button.type = "button";
        // The words in the text are the same; one way by keyboard is enough.
        button.tabIndex = -1;
        button.textContent = word.word;
        button.title = `${word.word}: ${word.start.toFixed(2)} to ${word.end.toFixed(2)} s`;
        button.style.left = `${word.start * this.perSecond}px`;
        button.style.width = `${Math.max((word.end - word.start) * this.perSecond - 1, 4)}px`;
        if (word.confidence != null) button.style.setProperty("--doubtful", 1 - word.confidence);
        button.addEventListener("click", () => this.onWord(word));
        buttons.push(button);
        word.label = button;
      }
    }
    this.labels.replaceChildren(...buttons);
    this.later();
  }

  setPlayhead(seconds) {
    this.playhead = seconds;
    if (seconds !== null) {
      const x = seconds * this.perSecond - this.element.scrollLeft;
      if (x < 0 || x > this.element.clientWidth) this.element.scrollLeft = seconds * this.perSecond - 40;
    }
    this.later();
  }

  later() {
    if (this.waiting || !this.recording) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    const { canvas, recording } = this;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const width = this.element.clientWidth;
    const height = canvas.clientHeight || 208;
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
    }
    const colours = getComputedStyle(document.documentElement);
    const context = canvas.getContext("2d");
    const start = this.element.scrollLeft / this.perSecond;
    const pixels = Math.min(canvas.width, Math.ceil((recording.seconds - start) * this.perSecond * ratio));
    context.clearRect(0, 0, canvas.width, canvas.height);
    const wave = Math.round(canvas.height * WAVE);
    this.drawWave(context, start, pixels, wave, this.perSecond * ratio, colours.getPropertyValue("--wave"));
    const colour = colours.getPropertyValue("--spectrum").trim().split(/\s+/).map(Number);
    this.drawSpectra(context, start, pixels, wave + 2, canvas.height - wave - 2, this.perSecond * ratio, colour);
    context.strokeStyle = colours.getPropertyValue("--soft");
    context.globalAlpha = 0.5;
    context.lineWidth = 1;
    for (const { start: from, end } of this.segments.flatMap((segment) => segment.words)) {
      for (const seconds of [from, end]) {
        const x = Math.round((seconds - start) * this.perSecond * ratio) + 0.5;
        if (x < 0 || x > canvas.width) continue;
        context.beginPath();
        context.moveTo(x, 0);
        context.lineTo(x, canvas.height);
        context.stroke();
      }
    }
    context.globalAlpha = 1;
    if (this.playhead !== null) {
      context.fillStyle = colours.getPropertyValue("--bad");
      context.fillRect((this.playhead - start) * this.perSecond * ratio, 0, 2 * ratio, canvas.height);
    }
  }

  drawWave(context, start, pixels, height, perSecond, colour) {
    const { recording } = this;
    context.fillStyle = colour;
    // Quiet recordings are drawn larger, so that there is something to see.
    const gain = height / 2 / Math.max(this.loudest(), 2000);
    for (let x = 0; x < pixels; x++) {
      const first = Math.floor((start + x / perSecond) * recording.rate);
      const last = Math.min(recording.length, Math.floor((start + (x + 1) / perSecond) * recording.rate) + 1);
      let low = 0;
      let high = 0;
      for (let place = Math.max(first, 0); place < last; place++) {
        const value = recording.room[place];
        if (value < low) low = value;
        else if (value > high) high = value;
      }
      context.fillRect(x, height / 2 - high * gain, 1, Math.max((high - low) * gain, 1));
    }
  }

  loudest() {
    const { recording } = this;
    if (this.measured?.recording !== recording) this.measured = { recording, to: 0, peak: 0 };
    for (let place = this.measured.to; place < recording.length; place += 3) {
      this.measured.peak = Math.max(this.measured.peak, Math.abs(recording.room[place]));
    }
    this.measured.to = recording.length;
    return this.measured.peak;
  }

  drawSpectra(context, start, pixels, top, height, perSecond, [red, green, blue]) {
    const { spectra } = this;
    if (pixels <= 0 || height <= 0) return;
    const image = context.createImageData(pixels, height);
    for (let x = 0; x < pixels; x++) {
      const values = spectra.frame(Math.round((start + x / perSecond) * spectra.perSecond));
      if (!values) continue;
      for (let y = 0; y < height; y++) {
        const bin = Math.min(spectra.bins - 1, Math.floor(((height - 1 - y) / height) * spectra.bins));
        const place = 4 * (y * pixels + x);
        image.data[place] = red;
        image.data[place + 1] = green;
        image.data[place + 2] = blue;
        image.data[place + 3] = 255 * values[bin] ** 1.5;
      }
    }
    context.putImageData(image, 0, top);
  }
}
