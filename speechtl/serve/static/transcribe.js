// Speak or drop a file, see the words; hear each of them; take them away as a file.

import { Microphone } from "./microphone.js";
import { Recording, play, stop } from "./recording.js";
import { Timeline } from "./timeline.js";

export class TranscribePanel {
  constructor(page) {
    this.page = page;
    const { byId } = page;
    this.panel = byId("transcribe");
    this.text = byId("text");
    this.timeline = new Timeline(byId("timeline"), (word) => this.playWord(word));
    this.clear();
    byId("speak").addEventListener("click", () => page.attempt(() => (this.microphone ? this.finish() : this.speak())));
    byId("open").addEventListener("click", () => byId("file").click());
    byId("file").addEventListener("change", ({ target }) => {
      if (target.files.length) page.attempt(() => this.read(target.files[0]));
      target.value = "";
    });
    byId("show-phones").addEventListener("change", ({ target }) => this.text.classList.toggle("with-phones", target.checked));
    byId("play").addEventListener("click", () => this.playAll());
    byId("zoom-in").addEventListener("click", () => this.timeline.zoomBy(1));
    byId("zoom-out").addEventListener("click", () => this.timeline.zoomBy(-1));
    for (const button of byId("downloads").querySelectorAll("button")) {
      button.addEventListener("click", () => page.attempt(() => this.download(button.dataset)));
    }
    this.takeDrops();
  }

  takeDrops() {
    const over = (event, yes) => {
      event.preventDefault();
      this.panel.classList.toggle("dropping", yes);
    };
    this.panel.addEventListener("dragover", (event) => over(event, true));
    this.panel.addEventListener("dragleave", (event) => over(event, false));
    this.panel.addEventListener("drop", (event) => {
      over(event, false);
      const [file] = event.dataTransfer.files;
      if (file) this.page.attempt(() => this.read(file));
    });
  }

  clear() {
    this.segments = [];
    this.partial = null;
    this.transcript = null;
    this.recording = null;
    this.text.replaceChildren();
    this.page.byId("result").hidden = true;
    this.say("");
  }

  say(state) {
    this.page.byId("state").textContent = state;
  }

  begin(recording) {
    stop();
    this.clear();
    this.recording = recording;
    const { byId } = this.page;
    byId("result").hidden = false;
    byId("player").hidden = byId("timeline").hidden = !recording;
    byId("downloads").hidden = true;
    if (recording) this.timeline.show(recording);
  }

  async speak() {
    const { byId, server } = this.page;
    if (!server.session) await server.begin();
    const early = [];
    let socket = null;
    const microphone = new Microphone((block) => {
      this.recording?.append(block);
      this.timeline.grow(true);
      if (socket?.readyState === WebSocket.OPEN) socket.send(block);
      else early.push(block);
    }, byId("level"));
    byId("speak").disabled = true;
    try {
      // The recording is there before its first block.
      await microphone.open();
      this.begin(new Recording(microphone.rate));
      socket = server.stream(microphone.rate, this.page.about.languages.length > 1 && byId("spoken-language").value);
      this.microphone = microphone;
      this.socket = socket;
    } finally {
      byId("speak").disabled = false;
    }
    byId("speak").textContent = "Stop";
    byId("speak").setAttribute("aria-pressed", "true");
    this.say("Listening …");
    this.ended = new Promise((resolve) => {
      let told = false;
      socket.onopen = () => early.splice(0).forEach((block) => socket.send(block));
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "end" && message.reason === "too long") this.page.tell("The longest recording that this server takes has been reached.");
        if (message.type === "error") {
          told = true;
          this.page.tell(message.message);
        }
        this.take(message);
      };
      socket.onclose = ({ code, reason }) => {
        if (code !== 1000 && !told) this.page.tell(reason || "The connection to the server was lost.");
        resolve();
        if (this.microphone === microphone) this.finish();
      };
    });
  }

  async finish() {
    const { byId } = this.page;
    const { microphone, socket } = this;
    this.microphone = null;
    byId("speak").disabled = true;
    await microphone.close();
    if (socket.readyState === WebSocket.OPEN) socket.send('{"type": "end"}');
    this.say("The last words …");
    await this.ended;
    byId("speak").disabled = false;
    byId("speak").textContent = "Speak";
    byId("speak").setAttribute("aria-pressed", "false");
    this.partial = null;
    this.done();
  }

  // Stop without waiting for words.
  async abandon() {
    if (this.microphone) await this.finish();
  }

  take(message) {
    if (message.type === "ready") this.transcript = message.transcript;
    if (message.type === "partial") this.partial = message.segment;
    if (message.type === "final") {
      this.partial = null;
      this.segments.push(message.segment);
      this.text.insertBefore(this.paragraph(message.segment), this.text.querySelector(".partial"));
      this.timeline.setSegments(this.segments);
    }
    this.showPartial();
    this.text.scrollTop = this.text.scrollHeight;
  }

  showPartial() {
    this.text.querySelector(".partial")?.remove();
    if (!this.partial) return;
    const span = document.createElement("span");
    span.className = "partial";
    span.textContent = this.partial.text || this.partial.phones.map((one) => one.phone).join(" ");
    this.text.append(span);
  }

  async read(file) {
    const { byId, server } = this.page;
    const { megabytes } = this.page.about.limits;
    if (file.size > megabytes * 1e6) throw new Error(`The file is larger than ${megabytes} MB, the most that this server takes.`);
    await this.abandon();
    this.begin(null);
    this.say("Transcribing …");
    byId("open").disabled = true;
    try {
      // What the browser cannot decode has words, but no picture and no sound.
      const decoded = Recording.decode(file).catch(() => null);
      const transcript = await server.inSession("POST", "/transcripts", file);
      this.begin(await decoded);
      this.transcript = transcript.transcript;
      this.segments = transcript.segments;
      this.text.replaceChildren(...this.segments.map((segment) => this.paragraph(segment)));
      if (this.recording) this.timeline.setSegments(this.segments);
      this.done();
      if (!this.recording) this.say("This browser cannot decode the file, so there is no picture of it.");
    } catch (error) {
      this.clear();
      throw error;
    } finally {
      byId("open").disabled = false;
    }
  }

  done() {
    const { byId } = this.page;
    const words = this.segments.some((segment) => segment.words.length);
    byId("downloads").hidden = !this.transcript;
    for (const form of ["srt", "vtt"]) byId("downloads").querySelector(`[data-format=${form}]`).hidden = !words;
    byId("clock").textContent = this.recording ? `${this.recording.seconds.toFixed(1)} s` : "";
    this.say(this.segments.length ? "" : "No speech was heard.");
  }

  paragraph(segment) {
    const line = document.createElement("span");
    const items = segment.words.length
      ? segment.words
      : segment.phones.map((phone) => ({ ...phone, word: phone.phone, phones: [] }));
    for (const word of items) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "word";
      button.textContent = word.word;
      const sure = word.confidence == null ? "" : `, ${Math.round(100 * word.confidence)} % sure`;
      button.title = `${word.phones.join(" ")}${sure}`;
      button.setAttribute("aria-label", `${word.word}${sure}; play`);
      if (word.confidence != null) button.style.setProperty("--doubtful", 1 - word.confidence);
      const phones = document.createElement("small");
      phones.className = "ipa";
      phones.textContent = word.phones.join(" ") || " ";
      button.append(phones);
      button.addEventListener("click", () => this.playWord(word));
      word.button = button;
      line.append(button, " ");
    }
    return line;
  }

  async playWord(word) {
    if (!this.recording || this.microphone) return;
    this.mark(word);
    await play(this.recording, word.start - 0.03, word.end + 0.03, (seconds) => this.timeline.setPlayhead(seconds));
    this.mark(null);
  }

  async playAll() {
    const { byId } = this.page;
    if (!this.recording || this.microphone || stop()) return;
    byId("play").textContent = "Stop";
    const words = this.segments.flatMap((segment) => segment.words);
    await play(this.recording, 0, this.recording.seconds, (seconds) => {
      this.timeline.setPlayhead(seconds);
      this.mark(words.find((word) => word.start <= seconds && seconds < word.end) ?? null, true);
    });
    byId("play").textContent = "Play";
    this.mark(null);
  }

  mark(word, playing = false) {
    for (const element of this.panel.querySelectorAll(".now")) element.classList.remove("now");
    word?.button?.classList.add("now");
    word?.label?.classList.add("now");
    if (!word && !playing) this.timeline.setPlayhead(null);
  }

  async download({ format, name }) {
    const { server } = this.page;
    const answer = await server.ask("GET", `/api/sessions/${server.session}/transcripts/${this.transcript}?format=${format}`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
}
