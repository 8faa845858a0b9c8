"""Fish Fillets: the dialogues of a game in Czech and in Dutch, by two main speakers each. Needs soundfile.

    python recipes/corpora/fillets.py --corpus DIR --out data [--tables utt2lang,utt2dom]

Licence: GPL, version 2 or later. Get it: unpack the Debian packages ``fillets-ng-data`` (the texts),
``fillets-ng-data-cs`` and ``fillets-ng-data-nl`` (speech) into one folder (``apt-get download``, ``dpkg -x``).

Layout, below ``usr/share/games/fillets-ng`` or DIR itself: ``script/<level>/dialogs_<language>.lua`` with
``dialogId("id", "font", "English")`` and ``dialogStr("text")``; ``sound/<level>/<language>/<id>`` with .ogg, .wav,
.flac or .sph. Each character has a font, which tells the speakers apart.

Written below ``--out``, for each language:

    train, dev, test  every eighth utterance is for test, and every eighth for dev; the same speakers are in all
    words.txt         the words that need a pronunciation (README.md)

Left out: 94 recordings without words or with digits or numbers that the game puts in, 2 that are shorter than 0.15 s,
and those that no script names. What remains are 3200 recordings: Czech 1.6 h, of 26 characters, two of which have most;
Dutch 1.5 h, of two.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from commonvoice_spelling import has_digits, words_of
from data_dirs import SUFFIXES, Utterance, command_line, fail, find_audio, parse, write_languages
from durations import seconds_of

HOW_TO_GET_IT = (
    "It is free: unpack the Debian packages fillets-ng-data, fillets-ng-data-cs and fillets-ng-data-nl into one folder"
    " (apt-get download; dpkg -x) and give it with --corpus"
)
INSIDE = Path("usr", "share", "games", "fillets-ng")
LANGUAGES = ("cs", "nl")
SHORTEST = 0.15  # seconds; shorter files are placeholders
STRING = r'"((?:[^"\\]|\\.)*)"'
DIALOGUE = re.compile(rf"dialogId\(\s*{STRING}\s*,\s*{STRING}\s*,\s*{STRING}\s*\)\s*dialogStr\(\s*{STRING}\s*\)")


def read_dialogues(path: Path) -> dict[str, tuple[str, str]]:
    """Return font and text by id; entries that the game makes of variables are not read."""
    found = {}
    for name, font, _, text in DIALOGUE.findall(path.read_text(encoding="utf-8")):
        found[name] = (font.removeprefix("font_") or "other", re.sub(r"\\(.)", r"\1", text))
    return found


def why_not(text: str, words: list[str], seconds: float) -> str:
    """Say why a recording is left out; empty if it is kept."""
    if seconds < SHORTEST:
        return f"shorter than {SHORTEST:g} s"
    if not words or has_digits(words) or "%" in text:
        return "without words, or with digits"
    return ""


def prepare(corpus: Path, out: Path, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the lists of words."""
    folder = corpus / INSIDE if (corpus / INSIDE).is_dir() else corpus
    kept, left_out = [], Counter[str]()
    for language in LANGUAGES:
        for dialogues in sorted(folder.glob(f"script/*/dialogs_{language}.lua")):
            level = dialogues.parent.name
            for name, (font, text) in read_dialogues(dialogues).items():
                audio = find_audio(folder / "sound" / level / language / name, (".ogg", *SUFFIXES))
                if audio is None:
                    continue
                words = words_of(text, "words")
                if reason := why_not(text, words, seconds_of(audio)):
                    left_out[reason] += 1
                    continue
                speaker = f"{language}-{font}"
                kept.append(
                    Utterance(f"{speaker}-{level}-{name}", speaker, audio, " ".join(words), language, "fillets")
                )
    for reason, number in left_out.items():
        print(f"left out: {number} recordings {reason}")
    if not kept:
        fail(f"{corpus} has no dialogues with speech. {HOW_TO_GET_IT}")
    write_languages(out, kept, tables)


def main() -> None:
    arguments = parse(command_line("the dialogues of Fish Fillets"), HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.tables)


if __name__ == "__main__":
    main()
