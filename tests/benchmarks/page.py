"""The page of ``speechtl serve`` in a real browser: speak, see the words, add a word and see it found, adapt.

    recipes/quickstart/run.sh --stop-stage 2
    python tests/benchmarks/page.py recipes/quickstart/exp/base recipes/quickstart/data --out FOLDER

Needs the extra ``browser`` and Chromium (Debian's package; ``--chromium`` says where it is). Chromium's fake
microphone plays recordings of the quickstart; each check prints a line, the first that fails ends the run. Pictures of
the page go into ``--out``: each panel in light and dark, 1280 and 360 pixels wide.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import Page, expect, sync_playwright

WIDTHS = (1280, 360)
# Spoken, but not in the lexicon until it is added.
NEW_WORD = "hundred"


def table(path: Path) -> dict[str, str]:
    """Read a table of a data directory."""
    return dict(line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())


class Bench:
    """A server, and browsers whose microphones play files."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.out = options, Path(options.out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.data = Path(options.data)

    @contextlib.contextmanager
    def server(self, *more: str) -> Iterator[str]:
        """Start a server whose lexicon lacks the new word; yield its address."""
        lexicon = self.out / "lexicon.txt"
        lines = (self.data / "lang" / "en.txt").read_text(encoding="utf-8").splitlines(keepends=True)
        self.phones = next(line.split(maxsplit=1)[1].strip() for line in lines if line.split()[0] == NEW_WORD)
        lexicon.write_text("".join(line for line in lines if line.split()[0] != NEW_WORD), encoding="utf-8")
        command = [sys.executable, "-m", "speechtl.cli.main", "serve", self.options.model, "--port", "0"]
        command += ["--lexicon", str(lexicon), "--language", "en", *more]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            for line in process.stdout:
                if found := re.search(r"http://\S+", line):
                    yield found[0]
                    break
            else:
                sys.exit("the server did not start")
        finally:
            process.terminate()
            process.wait()

    def microphone(self, recordings: list[Path], pause: float = 1.2) -> Path:
        """Write a file with recordings one after the other, each after a pause."""
        pieces, rate = [], 0
        for recording in recordings:
            samples, rate = soundfile.read(recording, dtype="float32")
            quiet = np.random.default_rng(0).normal(0, 1e-3, round(pause * rate)).astype(np.float32)
            pieces += [quiet, samples]
        pieces.append(np.zeros(round(0.5 * rate), np.float32))
        path = self.out / "microphone.wav"
        soundfile.write(path, np.concatenate(pieces), rate, "PCM_16")
        return path

    def path(self, part: str, name: str) -> Path:
        """Return the recording of an utterance."""
        place = Path(table(self.data / part / "wav.scp")[name])
        return place if place.is_absolute() else self.data.parent / place

    @contextlib.contextmanager
    def page(self, address: str, microphone: Path, session: str | None = None, *, ready: bool = True) -> Iterator[Page]:
        """Open the page in a new browser; errors on it end the run, unless it is not to be ready at once."""
        arguments = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        arguments.append(f"--use-file-for-fake-audio-capture={microphone.absolute()}%noloop")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=self.options.chromium, args=arguments)
            page = browser.new_context(permissions=["microphone"]).new_page()
            page.set_default_timeout(60_000)
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
            if session:
                page.add_init_script(f"sessionStorage.setItem('speechtl.session', '{session}')")
            page.goto(address)
            if ready:
                expect(page.locator("#model")).not_to_be_empty()
            yield page
            browser.close()
            if problems and ready:
                sys.exit("on the page: " + "; ".join(problems))

    def picture(self, page: Page, name: str) -> None:
        """Take pictures in both widths and both schemes, and see that nothing is wider than the page."""
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.wait_for_timeout(300)
                page.screenshot(path=self.out / f"{name}_{width}_{scheme}.png", full_page=True)
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                sys.exit(f"{name}: {wide} pixels wide on a page of {width}")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.emulate_media(color_scheme="light")


def said(message: str) -> None:
    """Print a check that has passed."""
    print(f"ok: {message}", flush=True)


def words_of(page: Page) -> str:
    """Return the words that are final, in one line."""
    return " ".join(page.locator("#text .word").evaluate_all("all => all.map(one => one.firstChild.textContent)"))


def speak(page: Page, seconds: float) -> list[str]:
    """Speak for a while; return what was shown meanwhile."""
    page.get_by_role("button", name="Speak", exact=True).click()
    shown, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        page.wait_for_timeout(150)
        text = page.locator("#text").inner_text().strip()
        if text and (not shown or shown[-1] != text):
            shown.append(text)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Speak", exact=True)).to_be_enabled(timeout=120_000)
    return shown


def transcribe_and_add(bench: Bench, address: str) -> None:
    """Speak; add the word that was not found; speak again."""
    text = table(bench.data / "test_en" / "text")
    spoken = [f"m4-en-test-{number:03}" for number in range(5, 9)]
    name = next(name for name in spoken if NEW_WORD in text[name].split())
    microphone = bench.microphone([bench.path("test_en", one) for one in spoken])
    seconds = soundfile.info(microphone).duration + 2
    expected = " ".join(text[one] for one in spoken)
    with bench.page(address, microphone) as page:
        bench.picture(page, "1_begin")
        shown = speak(page, seconds)
        first = words_of(page)
        print(f"   said:  {expected}\n   heard: {first}\n   shown on the way: {len(shown)} states, first {shown[:3]}")
        if len(shown) < 3 or len(first.split()) < 5 or NEW_WORD in first.split():
            sys.exit("words did not appear as they were said, or a word was found that is not in the lexicon")
        said("words appear while one speaks, and the new word is not among them")
        page.get_by_label("Phones", exact=True).check()
        page.locator("#text .word").nth(1).click()
        bench.picture(page, "2_transcribed")
        with page.expect_download() as download:
            page.get_by_role("button", name="TextGrid").click()
        grid = Path(download.value.path()).read_text(encoding="utf-8")
        if "IntervalTier" not in grid or first.split()[0] not in grid:
            sys.exit("the TextGrid lacks words")
        said("the transcript is downloaded as a TextGrid")
        page.get_by_role("tab", name="Add a word").click()
        page.get_by_label("Word", exact=True).fill(NEW_WORD)
        expect(page.locator("#guesses label").first).to_be_visible()
        page.get_by_label("Phones, in IPA").fill(bench.phones)
        bench.picture(page, "3_word")
        page.get_by_role("button", name="Add the word").click()
        expect(page.locator("#word-list li")).to_have_count(1)
        bench.picture(page, "4_words")
        page.get_by_role("tab", name="Transcribe").click()
        speak(page, seconds)
        second = words_of(page)
        print(f"   heard: {second}")
        if NEW_WORD not in second.split():
            sys.exit("the word that was added was not found")
        said("the word is found after it was added, with nothing trained")
        page.locator("#file").set_input_files(bench.path("test_en", name))
        expect(page.locator("#downloads")).to_be_visible()
        if words_of(page) != text[name]:
            print(f"   of the file: {words_of(page)}, said: {text[name]}")
        said("a file is transcribed")
        # By keyboard alone.
        page.get_by_role("tab", name="Transcribe").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#words")).to_be_visible()
        page.keyboard.press("End")
        expect(page.locator("#adapt")).to_be_visible()
        said("tabs change by keyboard")


def token(bench: Bench, address: str) -> None:
    """Open the page of a server that requires a token: with its address, and with the token by hand."""
    with bench.server("--token") as whole:
        place, _, secret = whole.partition("#token=")
        microphone = bench.microphone([bench.path("test_en", "m4-en-test-005")])
        with bench.page(whole, microphone) as page:
            if "token" in page.url:
                sys.exit("the token stays in the address")
            page.reload()
            expect(page.locator("#model")).not_to_be_empty()
            speak(page, 5)
            expect(page.locator("#text .word").first).to_be_visible()
        said("the address with the token opens the page, and its streams")
        with bench.page(place, microphone, ready=False) as page:
            expect(page.get_by_role("dialog")).to_be_visible()
            bench.picture(page, "11_token")
            page.get_by_label("It was printed when the server started").fill(secret)
            page.get_by_role("button", name="Go on").click()
            expect(page.locator("#model")).not_to_be_empty()
        said("without it, the page asks for the token")


def say_a_word(bench: Bench, address: str) -> None:
    """Say a word three times, and take what was heard."""
    text = table(bench.data / "test_en" / "text")
    name = next(iter(text))
    microphone = bench.microphone([bench.path("test_en", name)])
    with bench.page(address, microphone) as page:
        page.get_by_role("tab", name="Add a word").click()
        page.get_by_label("Word", exact=True).fill("sample")
        page.get_by_role("button", name="Say it").click()
        expect(page.locator("#say-state")).to_contain_text("Heard 3 times", timeout=180_000)
        heard = page.locator("#phones").input_value()
        print(f"   said: {text[name]}; heard: {heard}")
        if len(heard.split()) < 4:
            sys.exit("hardly any phones were heard")
        bench.picture(page, "5_said")
        said("a word that is said three times has phones")


def adapt(bench: Bench, address: str) -> None:
    """Read ten sentences in a voice that the model has not heard, and adapt to it."""
    text = table(bench.data / "adapt_en" / "text")
    by_text = {line: name for name, line in text.items()}
    quiet = bench.microphone([bench.path("adapt_en", next(iter(text)))])
    with bench.page(address, quiet) as page:
        page.get_by_role("tab", name="Adapt").click()
        page.get_by_label("Name").fill("Whisperer")
        page.get_by_label("A text to choose sentences from").fill("\n".join(text.values()))
        bench.picture(page, "6_speaker")
        page.get_by_role("button", name="Show the sentences").click()
        expect(page.locator("#sentences li")).to_have_count(10)
        session = page.evaluate("sessionStorage.getItem('speechtl.session')")
        sentences = page.locator("#sentences button").all_inner_texts()
    for number, line in enumerate(sentences):
        sentence = line.split(". ", 1)[1]
        microphone = bench.microphone([bench.path("adapt_en", by_text[sentence])], pause=0.7)
        with bench.page(address, microphone, session) as page:
            page.get_by_role("tab", name="Adapt").click()
            page.get_by_role("button", name="Whisperer").click()
            page.locator("#sentences button").nth(number).click()
            page.get_by_role("button", name="Record", exact=True).click()
            page.wait_for_timeout(1000 * soundfile.info(microphone).duration)
            if number == 0:
                page.screenshot(path=bench.out / "7_recording.png")
            page.get_by_role("button", name="Stop", exact=True).click()
            expect(page.locator("#take p").first).to_be_visible()
            print(f"   {sentence}: {page.locator('#take').inner_text()!r}")
            if number == len(sentences) - 1:
                bench.picture(page, "8_recorded")
    said("ten sentences are recorded and checked")
    with bench.page(address, quiet, session) as page:
        page.get_by_role("tab", name="Adapt").click()
        page.get_by_role("button", name="Whisperer").click()
        page.get_by_role("button", name="Adapt the model").click()
        expect(page.locator("#progress")).to_be_visible()
        page.wait_for_timeout(8000)
        bench.picture(page, "9_adapting")
        expect(page.locator("#outcome table")).to_be_visible(timeout=900_000)
        print("   " + page.locator("#outcome").inner_text().replace("\n", "\n   "))
        bench.picture(page, "10_adapted")
        expect(page.locator("#speaker option")).to_have_count(2)
        said(f"the model is adapted, and in use for {page.locator('#speaker option:checked').inner_text()}")


def main() -> None:
    """Run all, or what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="experiment directory of the quickstart")
    parser.add_argument("data", help="its data")
    parser.add_argument("--out", required=True, help="folder of the pictures")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--only", choices=["transcribe", "say", "adapt", "token"], action="append")
    parser.add_argument("--server", action="append", default=[], help="more options of speechtl serve")
    options = parser.parse_args()
    expect.set_options(timeout=60_000)
    bench = Bench(options)
    parts = {"transcribe": transcribe_and_add, "say": say_a_word, "adapt": adapt, "token": token}
    with bench.server(*options.server) as address:
        for name in options.only or parts:
            parts[name](bench, address)


if __name__ == "__main__":
    main()
