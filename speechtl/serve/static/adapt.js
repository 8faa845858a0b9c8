// Adapt the model to somebody: sentences, their recordings, the training, and what it brought.

import { outcome } from "./outcome.js";
import { play, stop } from "./recording.js";
import { ShortRecording } from "./short_recording.js";

const POLL = 1000;
const FEWEST = 3;

export class AdaptPanel {
  constructor(page) {
    this.page = page;
    this.speakers = [];
    this.current = null;
    this.number = 0;
    // What was recorded in this tab, to be played: by speaker and number.
    this.recordings = new Map();
    const { byId } = page;
    const on = (id, work) => byId(id).addEventListener("click", () => page.attempt(work));
    byId("speaker-form").addEventListener("submit", (event) => {
      event.preventDefault();
      page.attempt(() => this.begin());
    });
    on("record", () => (this.recorder ? this.recorder.end?.() : this.record()));
    on("play-take", () => this.playTake());
    on("previous", () => this.go(this.number - 1));
    on("next", () => this.go(this.number + 1));
    on("train", () => this.train());
    on("stop-training", () => this.ask("DELETE", "/adaptation"));
    on("remove-speaker", () => this.remove());
  }

  showWhy(reason) {
    const { byId } = this.page;
    byId("not-adaptable").textContent = reason;
    byId("not-adaptable").hidden = !reason;
    byId("adaptable").hidden = Boolean(reason);
  }

  show(speakers) {
    this.speakers = speakers;
    this.current = speakers.find((one) => one.speaker === this.current?.speaker) ?? null;
    this.showSpeakers();
    this.showReading();
    if (this.busy(this.current)) this.watch();
  }

  busy(speaker) {
    return ["waiting", "running"].includes(speaker?.adaptation?.state);
  }

  ask(method, path, body) {
    return this.page.server.inSession(method, `/speakers/${this.current.speaker}${path}`, body);
  }

  showSpeakers() {
    const { byId } = this.page;
    const buttons = this.speakers.map((one) => this.tab(one.name + (one.ready ? " (adapted)" : ""), one));
    if (buttons.length) buttons.push(this.tab("New speaker", null));
    byId("speakers").replaceChildren(...buttons);
    byId("speaker-form").hidden = Boolean(this.current);
  }

  tab(text, speaker) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.setAttribute("aria-pressed", speaker?.speaker === this.current?.speaker);
    button.addEventListener("click", () => {
      this.current = speaker;
      this.number = 0;
      this.showSpeakers();
      this.showReading();
      if (this.busy(speaker)) this.watch();
    });
    return button;
  }

  async begin() {
    const { byId, server, about } = this.page;
    const speaker = await server.inSession("POST", "/speakers", {
      name: byId("speaker-name").value.trim(),
      language: about.languages.length > 1 ? byId("speaker-language").value : null,
      text: byId("source-text").value,
    });
    this.speakers.push(speaker);
    this.current = speaker;
    this.number = 0;
    byId("speaker-form").reset();
    this.showSpeakers();
    this.showReading();
    byId("record").focus();
  }

  showReading() {
    const { byId } = this.page;
    const speaker = this.current;
    byId("reading").hidden = !speaker;
    if (!speaker) return;
    byId("reading-title").textContent = `${speaker.name} reads`;
    byId("coverage").textContent = this.coverage(speaker.coverage);
    const items = speaker.sentences.map((sentence, number) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const take = speaker.takes[number];
      const mark = take ? (take.problems.length ? "!" : "✓") : "·";
      button.type = "button";
      button.textContent = `${mark} ${number + 1}. ${sentence}`;
      button.addEventListener("click", () => this.go(number));
      if (number === this.number) item.setAttribute("aria-current", "true");
      item.append(button);
      return item;
    });
    byId("sentences").replaceChildren(...items);
    this.showSentence();
    this.showAdaptation();
  }

  coverage(coverage) {
    if (!coverage) return "";
    const parts = [`${coverage.covered} of the model's ${coverage.phones} phones occur in them.`];
    if (coverage.lacking.length) parts.push(`Not among them: ${coverage.lacking.join(" ")}.`);
    if (!coverage.of_text) parts.push("They are made of words of the lexicon, without a meaning.");
    else if (coverage.of_text < this.current.sentences.length) parts.push(`${coverage.of_text} are from the text.`);
    if (coverage.unknown.length) parts.push(`Words that the model does not know: ${coverage.unknown.join(", ")}; add them first to use their sentences.`);
    return parts.join(" ");
  }

  go(number) {
    if (!this.current || this.recorder) return;
    this.number = Math.max(0, Math.min(this.current.sentences.length - 1, number));
    this.showReading();
  }

  showSentence() {
    const { byId } = this.page;
    const { sentences, takes } = this.current;
    const recorded = Object.keys(takes).length;
    byId("place").textContent = `Sentence ${this.number + 1} of ${sentences.length}; ${recorded} recorded`;
    byId("sentence").textContent = sentences[this.number];
    byId("previous").disabled = this.number === 0;
    byId("next").disabled = this.number === sentences.length - 1;
    byId("record").textContent = takes[this.number] ? "Record again" : "Record";
    byId("record").disabled = this.busy(this.current);
    byId("play-take").disabled = !this.recordings.has(`${this.current.speaker} ${this.number}`);
    byId("take").replaceChildren(...this.describe(takes[this.number]));
    byId("train").disabled = recorded < FEWEST || this.busy(this.current);
  }

  describe(take) {
    if (!take) return [];
    const line = (text, kind) => {
      const element = document.createElement("p");
      element.textContent = text;
      element.className = kind;
      return element;
    };
    const snr = take.snr === null ? "" : `, ${Math.round(take.snr)} dB above the noise`;
    const measured = `${take.seconds.toFixed(1)} s, level ${Math.round(take.level)} dB${snr}`;
    const lines = take.problems.length
      ? [...take.problems.map((problem) => line(problem, "problem")), line(measured, "hint")]
      : [line(`Good: ${measured}.`, "good")];
    lines.push(line(`The model heard: ${take.heard || "nothing"}`, "hint"));
    return lines;
  }

  async record() {
    const { byId } = this.page;
    const { speaker, takes } = this.current;
    stop();
    this.recorder = new ShortRecording(byId("take-level"), 30, false);
    byId("record").textContent = "Stop";
    byId("record").setAttribute("aria-pressed", "true");
    try {
      const recording = await this.recorder.record();
      byId("record").disabled = true;
      this.recordings.set(`${speaker} ${this.number}`, recording);
      takes[this.number] = await this.ask("PUT", `/takes/${this.number}`, recording.wav());
    } finally {
      this.recorder = null;
      byId("record").setAttribute("aria-pressed", "false");
      this.showReading();
    }
    // On to the next one where all is well; what is to be done again stays.
    if (!takes[this.number].problems.length && this.number + 1 < this.current.sentences.length) byId("next").focus();
  }

  async playTake() {
    if (stop()) return;
    await play(this.recordings.get(`${this.current.speaker} ${this.number}`));
  }

  async train() {
    this.current.adaptation = await this.ask("POST", "/adaptation");
    this.showReading();
    this.watch();
  }

  async watch() {
    if (this.watching) return;
    this.watching = true;
    const watched = this.current;
    try {
      while (this.busy(watched)) {
        await new Promise((resolve) => setTimeout(resolve, POLL));
        const path = `/speakers/${watched.speaker}`;
        const { coverage, ...now } = { ...(await this.page.server.inSession("GET", path)) };
        Object.assign(watched, now);
        if (this.current === watched) this.showAdaptation();
      }
      this.showSpeakers();
      if (this.current === watched) this.showReading();
      if (watched.ready) this.page.showSpeakers(this.speakers, watched.speaker);
    } catch (error) {
      this.page.tell(error.message);
    } finally {
      this.watching = false;
    }
  }

  showAdaptation() {
    const { byId } = this.page;
    const { adaptation } = this.current;
    const busy = this.busy(this.current);
    byId("stop-training").hidden = !busy;
    byId("progress").hidden = !busy;
    if (busy) {
      const bar = byId("progress").querySelector("progress");
      if (adaptation.progress === null) bar.removeAttribute("value");
      else bar.value = adaptation.progress;
      byId("progress").querySelector("span").textContent = adaptation.stage;
    }
    byId("train").textContent = adaptation && !busy ? "Adapt again" : "Adapt the model";
    byId("outcome").replaceChildren(...outcome(adaptation));
  }

  async remove() {
    await this.ask("DELETE", "");
    const session = await this.page.server.resume();
    this.current = null;
    this.show(session.speakers);
    this.page.showSpeakers(session.speakers, session.speaker);
  }
}
