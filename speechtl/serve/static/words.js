// Add a word: written, and pronounced by guess, by hand or by voice.

import { ShortRecording } from "./short_recording.js";

const TIMES = 3;

export class WordsPanel {
  constructor(page) {
    this.page = page;
    const { byId } = page;
    this.heard = [];
    byId("word").addEventListener("input", () => {
      this.heard = [];
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.guess(), 350);
    });
    byId("word-language").addEventListener("change", () => {
      this.showPalette();
      this.guess();
    });
    byId("phones").addEventListener("input", ({ target }) => this.choose(target.value));
    byId("say").addEventListener("click", () => (this.recorder ? this.recorder.end?.() : page.attempt(() => this.say())));
    byId("word-form").addEventListener("submit", (event) => {
      event.preventDefault();
      page.attempt(() => this.add());
    });
  }

  get language() {
    return this.page.about.languages.length > 1 ? this.page.byId("word-language").value : null;
  }

  showPalette() {
    const { byId, about } = this.page;
    const phones = about.phones[this.language ?? about.languages[0]] ?? [];
    byId("palette").replaceChildren(
      ...phones.map((phone) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = phone;
        button.addEventListener("click", () => {
          const field = byId("phones");
          field.value = `${field.value.trim()} ${phone}`.trim();
          this.choose(null);
        });
        return button;
      }),
    );
  }

  async guess() {
    const { byId, server } = this.page;
    const word = byId("word").value.trim();
    this.offer([]);
    byId("word-notes").textContent = "";
    if (!word) return;
    byId("word-notes").textContent = "Guessing …";
    try {
      const answer = await server.inSession("POST", "/pronunciations", { word, language: this.language });
      if (byId("word").value.trim() !== word) return;
      this.offer(answer.pronunciations);
      byId("word-notes").textContent = answer.notes.join(" ");
    } catch (error) {
      // While a word is being written, what cannot be guessed yet is no mistake.
      if (byId("word").value.trim() !== word) return;
      byId("word-notes").textContent = "";
      if (error.status !== 422) this.page.attempt(() => Promise.reject(error));
      else byId("word-notes").textContent = "Nothing can guess how this is pronounced: write its phones, or say it.";
    }
  }

  offer(pronunciations) {
    const { byId } = this.page;
    byId("guesses").hidden = !pronunciations.length;
    byId("guesses").querySelector(".choices").replaceChildren(
      ...pronunciations.map((said, number) => {
        const label = document.createElement("label");
        const radio = document.createElement("input");
        radio.type = "radio";
        radio.name = "guess";
        radio.value = said;
        radio.checked = number === 0;
        radio.addEventListener("change", () => (byId("phones").value = said));
        label.append(radio, said);
        return label;
      }),
    );
    byId("phones").value = pronunciations[0] ?? "";
  }

  choose(said) {
    for (const radio of document.querySelectorAll("input[name=guess]")) radio.checked = radio.value === said;
  }

  async say() {
    const { byId, server } = this.page;
    const word = byId("word").value.trim();
    if (!word) {
      byId("word").focus();
      throw new Error("Write the word first.");
    }
    const state = byId("say-state");
    const heard = [];
    byId("say").textContent = "Done";
    try {
      while (heard.length < TIMES) {
        state.textContent = `Say "${word}" now (${heard.length + 1} of ${TIMES}) …`;
        this.recorder = new ShortRecording(byId("word-level"), 6, true);
        const recording = await this.recorder.record();
        state.textContent = "Listening to it …";
        const answer = await server.inSession("POST", "/heard", recording.wav());
        if (!answer.phones.length) throw new Error("Nothing was heard; say it again, a little louder.");
        heard.push(answer.phones);
      }
      const ranked = await server.inSession("POST", "/pronunciations", { word, heard, language: this.language });
      this.offer(ranked.pronunciations);
      state.textContent = `Heard ${TIMES} times; the best is chosen.`;
      byId("word-notes").textContent = "";
    } catch (error) {
      state.textContent = "";
      throw error;
    } finally {
      this.recorder = null;
      byId("say").textContent = "Say it";
    }
  }

  async add() {
    const { byId, server } = this.page;
    const word = byId("word").value.trim();
    const added = await server.inSession("POST", "/words", {
      word,
      phones: byId("phones").value.trim() || null,
      language: this.language,
    });
    const { words } = await server.inSession("GET", "/words");
    this.show(words);
    byId("word-form").reset();
    this.offer([]);
    byId("word-notes").textContent = [`"${word}" is in use: ${added.pronunciations.join(", ")}.`, ...added.notes].join(" ");
    byId("word").focus();
  }

  show(words) {
    const { byId } = this.page;
    byId("no-words").hidden = words.length > 0;
    byId("word-list").replaceChildren(
      ...words.map((word) => {
        const item = document.createElement("li");
        const text = document.createElement("span");
        const name = document.createElement("strong");
        name.textContent = word.word;
        const said = document.createElement("span");
        said.className = "ipa";
        said.textContent = ` ${word.pronunciations.join(", ")}${word.language ? ` (${word.language})` : ""}`;
        text.append(name, said);
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = "Remove";
        button.setAttribute("aria-label", `Remove ${word.word}`);
        button.addEventListener("click", () => this.page.attempt(() => this.remove(word.word)));
        item.append(text, button);
        return item;
      }),
    );
  }

  async remove(word) {
    const { server } = this.page;
    await server.inSession("DELETE", `/words/${encodeURIComponent(word)}`);
    this.show((await server.inSession("GET", "/words")).words);
  }
}
