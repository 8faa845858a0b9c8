"""Tux Paint's stamps: descriptions of pictures, sentences of ten languages and more. Needs soundfile.

    python recipes/corpora/tuxpaint.py --corpus DIR --out data [--tables utt2lang,utt2dom]

Licence: GPL, version 2. Get it: unpack the Debian package ``tuxpaint-stamps-default`` (``apt-get download``,
``dpkg -x``).

Layout: ``<stamp>_desc_<language>`` with .ogg, .wav, .flac or .sph in any folder, without the language for English, and
``<stamp>.txt``, whose first line is English and the others ``<language>.utf8=<text>``.

Written below ``--out``, for each language:

    train, dev, test  every eighth clip is for test, and every eighth for dev
    words.txt         the words that need a pronunciation (README.md)

Who speaks is not said, so each language counts as one speaker; several have more.

Left out: 344 clips with fewer than 3 or more than 20 letters a second, 329 with digits, 128 without a text in their
language (all of Lithuanian), and sounds that are no descriptions. What remains are 6631 clips, 2.6 h: Romanian 0.5,
Spanish, Russian 0.4, French, Bulgarian 0.3, Greek, Belarusian, Catalan 0.2, Danish 0.1, few of English, Dutch,
Portuguese and Malayalam. Several voices are clipped or begin within a word.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from commonvoice_spelling import has_digits, words_of
from data_dirs import SUFFIXES, Utterance, command_line, fail, parse, write_languages
from durations import seconds_of

HOW_TO_GET_IT = (
    "It is free: unpack the Debian package tuxpaint-stamps-default (apt-get download; dpkg -x) and give the folder with"
    " --corpus"
)
NAME = re.compile(r"(?P<stamp>.+)_desc(?:_(?P<language>[a-z]{2,3}(?:_[A-Z]{2})?))?")
# Who speaks faster or more slowly than so many letters a second says something else.
SLOWEST, FASTEST = 3.0, 20.0


def read_texts(path: Path) -> dict[str, str]:
    """Return the text of each language; it is English where a line does not say."""
    first, *others = [*path.read_text(encoding="utf-8").splitlines(), ""]
    texts = {"en": first}
    for line in others:
        language, _, text = line.partition(".utf8=")
        texts[language] = text
    return texts


def why_not(words: list[str], seconds: float) -> str:
    """Say why a clip is left out; empty if it is kept."""
    if not words:
        return "without a text"
    if has_digits(words):
        return "with digits"
    letters = sum(map(len, words))
    if not SLOWEST * seconds <= letters <= FASTEST * seconds:
        return f"with fewer than {SLOWEST:g} or more than {FASTEST:g} letters a second"
    return ""


def prepare(corpus: Path, out: Path, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the lists of words."""
    kept, left_out, texts = [], Counter[str](), {}
    names = Counter[str]()
    for path in sorted(corpus.rglob("*_desc*")):
        match = NAME.fullmatch(path.stem)
        if match is None or path.suffix.lower() not in (".ogg", *SUFFIXES):
            continue
        written = path.with_name(f"{match['stamp']}.txt")
        if written not in texts:
            texts[written] = read_texts(written) if written.exists() else {}
        place = match["language"] or "en"
        language = place.split("_")[0]
        words = words_of(texts[written].get(place, ""), "words")
        if reason := why_not(words, seconds_of(path)):
            left_out[reason] += 1
            continue
        speaker = f"tuxpaint-{place}"
        name = f"{speaker}-{path.parent.name}-{match['stamp']}"
        names[name] += 1
        # Folders of different places may have the same name.
        name += f"-{names[name]}" if names[name] > 1 else ""
        kept.append(Utterance(name, speaker, path, " ".join(words), language, "tuxpaint"))
    for reason, number in left_out.items():
        print(f"left out: {number} clips {reason}")
    if not kept:
        fail(f"{corpus} has no <stamp>_desc_<language>.ogg with a text. {HOW_TO_GET_IT}")
    write_languages(out, kept, tables)


def main() -> None:
    arguments = parse(command_line("the stamps of Tux Paint"), HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.tables)


if __name__ == "__main__":
    main()
