"""KLettres: letters and syllables of twenty languages, by about one speaker each. Standard library only.

    python recipes/corpora/klettres.py --corpus DIR --out data [--tables utt2lang,utt2dom]

Licence: GPL, version 2 or later. Get it: unpack the Debian package ``klettres-data`` (``apt-get download``,
``dpkg -x``).

Layout: ``<language>/sounds.xml`` below ``usr/share/klettres`` or DIR itself, with the sounds of ``alphabet`` and
``syllables`` and their files.

Written below ``--out``, for each language:

    train, dev, test  syllables: every eighth is for test, and every eighth for dev
    unlabelled        letters, without ``text``: what they are called is not what they are spoken like in a word
    words.txt         the syllables, which need a pronunciation (README.md)

Who speaks is not said; each language counts as one speaker.

Left out: 141 sounds that have no file, among them all of Indonesian and of Nynorsk. What remains are 1835 sounds of 20
languages, 0.9 h: 1247 syllables (0.6 h, half of it Malayalam) and 588 letters. The Danish letters are mostly
digital silence.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from commonvoice_spelling import words_of
from data_dirs import SUFFIXES, Utterance, command_line, fail, find_audio, parse, write_languages

HOW_TO_GET_IT = (
    "It is free: unpack the Debian package klettres-data (apt-get download; dpkg -x) and give the folder with --corpus"
)
INSIDE = Path("usr", "share", "klettres")


def read_sounds(folder: Path, listing: Path) -> tuple[list[Utterance], int]:
    """Return the sounds of one list, and how many of them have no file."""
    try:
        root = ElementTree.parse(listing).getroot()
    except ElementTree.ParseError as error:
        fail(f"{listing}: not XML ({error}); unpack the package again")
    found, absent, place = [], 0, listing.parent.name
    for kind in ("alphabet", "syllables"):
        for number, sound in enumerate(root.iterfind(f".//{kind}/sound")):
            audio = find_audio((folder / sound.get("file", "")).with_suffix(""), (".ogg", *SUFFIXES))
            if audio is None:
                absent += 1
                continue
            text = " ".join(words_of(sound.get("name", ""), "words")) if kind == "syllables" else ""
            name = f"klettres-{place}-{kind}-{number:03}"
            found.append(Utterance(name, f"klettres-{place}", audio, text, place.split("_")[0], "klettres"))
    return found, absent


def prepare(corpus: Path, out: Path, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the lists of syllables."""
    folder = corpus / INSIDE if (corpus / INSIDE).is_dir() else corpus
    sounds, absent = [], 0
    for listing in sorted(folder.glob("*/sounds.xml")):
        own, missing = read_sounds(folder, listing)
        sounds += own
        absent += missing
    if not sounds:
        fail(f"{corpus} has no <language>/sounds.xml with sounds. {HOW_TO_GET_IT}")
    print(f"left out: {absent} sounds that have no file")
    write_languages(out, sounds, tables)


def main() -> None:
    arguments = parse(command_line("KLettres"), HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.tables)


if __name__ == "__main__":
    main()
