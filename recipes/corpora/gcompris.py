"""GCompris: words, numbers, colours, countries and instructions for children in 43 languages. Standard library only.

    python recipes/corpora/gcompris.py --corpus DIR --out data [--texts lang.rcc] [--public-domain]
        [--tables utt2lang,utt2dom]

Licence: of each recording, in LICENSE; most are GPL, the words of Spanish, English and German partly CC BY-SA, 1034
recordings (all of Scottish Gaelic among them) in the public domain, which alone are taken with ``--public-domain``.
Get it: clone the git repository ``gcompris/GCompris-voices`` from GitHub. The texts: unpack the Debian package
``gcompris-qt-data``, which has ``usr/share/gcompris-qt/rcc/lang.rcc``.

Layout: ``<language>/<subject>/<name>`` with .ogg, .wav, .flac or .sph; ``LICENSE`` with a section for every folder, and
of every file name, speaker and licence. In the texts, ``content-<language>.json`` has the words by file name.

Written below ``--out``, for each language:

    train, dev, test  with --texts, the recordings of words, numbers and colours: every eighth is for test, every eighth
                      for dev; the same speakers are in all
    unlabelled        the others, without ``text``: letters (called by their names), countries (of which there is no
                      text in the package, and CLDR's names need not be what is said), instructions
    words.txt         the words that need a pronunciation (README.md)

A text is what a child reads on the screen, and not always what is said; forced alignment shows it
(left_out_by_alignment.py).

Left out: nothing but second formats of a few recordings. There are 5514 recordings with a text, 1.7 h, of 29 languages
(most of French, German, English, Spanish, Romanian, Gaelic, Portuguese and Catalan), and 8482 without, 4.9 h, of 41;
79 speakers by LICENSE and language, which does not name all. Scottish Gaelic has 0.5 h.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from commonvoice_spelling import has_digits, units_of, words_of
from data_dirs import SUFFIXES, Utterance, command_line, fail, need, parse, write_languages
from qt_resources import read_resources

HOW_TO_GET_IT = (
    "It is free: clone the git repository gcompris/GCompris-voices from GitHub and give its folder with --corpus"
)
NOBODY = ("Public Domain", "Smart4Kids.com", "http", "GPL")
NUMBERS = re.compile(r"U003[0-9]|[12][0-9]")


def read_licences(path: Path) -> dict[str, str]:
    """Return what LICENSE says of each recording, by its path."""
    folder, found = "", {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("./"):
            folder = line.strip().strip("./:")
        elif folder and len(fields := line.split(maxsplit=1)) == 2:
            found[f"{folder}/{Path(fields[0]).stem}"] = " ".join(fields[1].split())
    return found


def speaker_of(licence: str) -> str:
    """Return who is named before the licence, without years; empty if nobody is."""
    if "/" not in licence or licence.startswith(NOBODY):
        return ""
    return re.sub(r"[\s(]*\d{4}\)?$", "", licence.partition("/")[0].strip()).strip()


def read_texts(path: Path) -> dict[str, dict[str, str]]:
    """Return the words of each language, by the stem of the recording."""
    texts = {}
    for name, content in read_resources(path).items():
        match = re.fullmatch(r"content-([\w@]+)\.json", Path(name).name)
        if match is not None:
            texts[match[1]] = {Path(file).stem: text for file, text in json.loads(content).items()}
    if not texts:
        fail(f"{path}: no content-<language>.json in it; it is not the lang.rcc of gcompris-qt-data")
    return texts


def text_of(subject: str, stem: str, texts: dict[str, str], language: str) -> str:
    """Return the text of a recording; empty where there is none that can be trusted."""
    said = subject == "words" or (subject == "alphabet" and NUMBERS.fullmatch(stem))
    # The words have the fruit.
    said = said or (subject == "colors" and stem != "orange")
    text = texts.get(stem, "") if said else ""
    words = words_of(text, units_of(language))
    return "" if has_digits(words) or re.search(r"[/(]", text) else " ".join(words)


def prepare(
    corpus: Path, out: Path, texts: Path | None = None, public_domain: bool = False, tables: Sequence[str] = ()
) -> None:
    """Write the data directories and the lists of words."""
    need(corpus, ["LICENSE"], "GCompris-voices", HOW_TO_GET_IT)
    licences = read_licences(corpus / "LICENSE")
    written = read_texts(texts) if texts else {}
    utterances: dict[str, Utterance] = {}
    people: dict[str, dict[str, int]] = {}
    unlisted = 0
    for path in sorted(path for path in corpus.glob("*/*/**/*") if path.suffix.lower() in (".ogg", *SUFFIXES)):
        inside = path.relative_to(corpus)
        place, subject = inside.parts[:2]
        licence = licences.get(str(inside.with_suffix("")))
        unlisted += licence is None
        if public_domain and licence != "Public Domain":
            continue
        # People are numbered, as names may hold spaces.
        own = people.setdefault(place, {})
        number = own.setdefault(speaker_of(licence or ""), len(own))
        speaker = f"gcompris-{place}-{number}"
        language = place.split("_")[0]
        text = text_of(subject, path.stem, written.get(place, {}), language)
        name = f"{speaker}-{'-'.join(inside.with_suffix('').parts[1:])}"
        # A few recordings are there in two formats.
        utterances.setdefault(name, Utterance(name, speaker, path, text, language, "gcompris"))
    if not utterances:
        fail(f"{corpus} has no <language>/<subject>/<name>.ogg. {HOW_TO_GET_IT}")
    print(f"{unlisted} recordings are not in LICENSE, so that their speakers are not known")
    write_languages(out, utterances.values(), tables)


def main() -> None:
    parser = command_line("GCompris' voices")
    parser.add_argument("--texts", type=Path, metavar="FILE", help="lang.rcc of the package gcompris-qt-data")
    parser.add_argument("--public-domain", action="store_true", help="take only what is in the public domain")
    arguments = parse(parser, HOW_TO_GET_IT)
    if arguments.texts and not arguments.texts.is_file():
        fail(f"{arguments.texts}: no such file")
    prepare(arguments.corpus, arguments.out, arguments.texts, arguments.public_domain, arguments.tables)


if __name__ == "__main__":
    main()
