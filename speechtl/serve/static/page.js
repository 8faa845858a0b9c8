// The page: its tabs, its session, and what its parts share.

import { AdaptPanel } from "./adapt.js";
import { Server } from "./server.js";
import { TranscribePanel } from "./transcribe.js";
import { WordsPanel } from "./words.js";

const byId = (id) => document.getElementById(id);
const server = new Server();
const tabs = [...document.querySelectorAll("[role=tab]")];

// What parts of the page tell each other.
const page = {
  server,
  about: null,
  byId,

  // Run something that may fail; what went wrong is shown until the next thing is done.
  async attempt(work) {
    byId("notice").hidden = true;
    try {
      return await work();
    } catch (error) {
      if (error.status === 401) {
        await askForToken();
        return page.attempt(work);
      }
      if (error.status === 404 && /session has ended/.test(error.message)) {
        show(await server.begin());
        page.tell("The session had ended; a new one has begun.");
        return undefined;
      }
      page.tell(error.message);
      return undefined;
    }
  },

  tell(message) {
    byId("notice").textContent = message;
    byId("notice").hidden = !message;
  },

  showSpeakers(speakers, current) {
    const select = byId("speaker");
    const options = [new Option("anyone", "")];
    for (const one of speakers) if (one.ready) options.push(new Option(one.name, one.speaker));
    select.replaceChildren(...options);
    select.value = current ?? "";
  },
};

const transcribe = new TranscribePanel(page);
const words = new WordsPanel(page);
const adapt = new AdaptPanel(page);

function show(session) {
  words.show(session.words);
  adapt.show(session.speakers);
  page.showSpeakers(session.speakers, session.speaker);
}

function choose(tab, focus) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", chosen);
    one.tabIndex = chosen ? 0 : -1;
    byId(one.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (focus) tab.focus();
}

function askForToken() {
  const dialog = byId("token-dialog");
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        server.token = byId("token").value.trim();
        resolve();
      },
      { once: true },
    );
  });
}

async function start() {
  const about = await server.json("GET", "/api/about");
  page.about = about;
  byId("model").textContent = about.model;
  document.title = `speechtl: ${about.model}`;
  byId("promise").textContent = about.keeps_audio
    ? "What is recorded here is kept on the server."
    : `Recordings are deleted when the session ends: with the button, or ${about.limits.idle_minutes} minutes after it was used last.`;
  for (const element of document.querySelectorAll(".of-languages")) {
    element.hidden = about.languages.length < 2;
    element.querySelector("select").replaceChildren(...about.languages.map((name) => new Option(name, name)));
  }
  words.showPalette();
  adapt.showWhy(about.why_not_adaptable);
  show(await server.resume());
}

for (const [number, tab] of tabs.entries()) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) choose(tabs[(number + step + tabs.length) % tabs.length], true);
    if (event.key === "Home") choose(tabs[0], true);
    if (event.key === "End") choose(tabs.at(-1), true);
  });
}
byId("speaker").addEventListener("change", () =>
  page.attempt(async () => {
    await server.inSession("PUT", "/speaker", { speaker: byId("speaker").value || null });
  }),
);
byId("end").addEventListener("click", () =>
  page.attempt(async () => {
    await transcribe.abandon();
    await server.end();
    transcribe.clear();
    show(await server.begin());
    page.tell(
      page.about.keeps_audio ? "The session has ended; a new one has begun." : "The session has ended, and its recordings are deleted. A new one has begun.",
    );
  }),
);
page.attempt(start);
