// Samples of 16 bits that grow while somebody speaks; parts of them are played, and become WAV files.

export class Recording {
  constructor(rate) {
    this.rate = rate;
    this.room = new Int16Array(rate * 10);
    this.length = 0;
  }

  get seconds() {
    return this.length / this.rate;
  }

  get samples() {
    return this.room.subarray(0, this.length);
  }

  append(block) {
    if (this.length + block.length > this.room.length) {
      const larger = new Int16Array(2 * (this.length + block.length));
      larger.set(this.samples);
      this.room = larger;
    }
    this.room.set(block, this.length);
    this.length += block.length;
  }

  // Of a file that the browser can decode, at 16 kHz; throws if it cannot.
  static async decode(file) {
    const context = new OfflineAudioContext(1, 1, 16000);
    const buffer = await context.decodeAudioData(await file.arrayBuffer());
    const recording = new Recording(buffer.sampleRate);
    recording.room = new Int16Array(buffer.length);
    recording.length = buffer.length;
    const channels = Array.from({ length: buffer.numberOfChannels }, (_, number) => buffer.getChannelData(number));
    for (let place = 0; place < buffer.length; place++) {
      let sum = 0;
      for (const channel of channels) sum += channel[place];
      recording.room[place] = Math.max(-32768, Math.min(32767, Math.round((sum / channels.length) * 32767)));
    }
    return recording;
  }

  wav() {
    const header = new DataView(new ArrayBuffer(44));
    const text = (place, letters) => [...letters].forEach((one, at) => header.setUint8(place + at, one.charCodeAt(0)));
    const bytes = this.length * 2;
    text(0, "RIFF");
    header.setUint32(4, 36 + bytes, true);
    text(8, "WAVEfmt ");
    header.setUint32(16, 16, true);
    header.setUint16(20, 1, true);
    header.setUint16(22, 1, true);
    header.setUint32(24, this.rate, true);
    header.setUint32(28, this.rate * 2, true);
    header.setUint16(32, 2, true);
    header.setUint16(34, 16, true);
    text(36, "data");
    header.setUint32(40, bytes, true);
    return new Blob([header, this.samples], { type: "audio/wav" });
  }
}

let context = null;
let playing = null;

// Play some seconds of a recording; resolves at their end or when something else is played. onTime(seconds) is told
// where it is.
export async function play(recording, start = 0, end = recording.seconds, onTime = () => {}) {
  stop();
  context ??= new AudioContext();
  await context.resume();
  const first = Math.max(0, Math.floor(start * recording.rate));
  const last = Math.min(recording.length, Math.ceil(end * recording.rate));
  if (last <= first) return;
  const buffer = context.createBuffer(1, last - first, recording.rate);
  const floats = buffer.getChannelData(0);
  for (let place = first; place < last; place++) floats[place - first] = recording.room[place] / 32768;
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  const begun = context.currentTime;
  await new Promise((resolve) => {
    playing = { source, resolve };
    source.onended = resolve;
    source.start();
    const tick = () => {
      if (playing?.source !== source) return;
      onTime(start + context.currentTime - begun);
      requestAnimationFrame(tick);
    };
    tick();
  });
  if (playing?.source === source) playing = null;
}

export function stop() {
  if (!playing) return false;
  const { source, resolve } = playing;
  playing = null;
  source.stop();
  resolve();
  return true;
}
