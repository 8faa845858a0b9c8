"""Taiwanese (Hokkien): sentences read by one speaker, with toneless romanisation. Needs soundfile.

    python recipes/corpora/taiwanese.py --corpus DIR --out data [--minutes 1 10 60] [--seed 1]
        [--tables utt2lang,utt2dom]

Licence: none is stated, so it serves experiments, and no weights that were trained on it should be given away. Get it:
clone the git repository ``312511050/s5`` from GitHub.

Layout: ``data/train/text_normal.txt`` and audio beside it, found by stem (.wav, .flac or .sph). Its first line is a
header; the others are a number and, without a space between, syllables in Tâi-lô without tones. The ``text`` and
``text.txt`` of the repository hold an error message, and the recordings in ``data/test`` have no text.

Written below ``--out``:

    train, dev, test  every eighth utterance is for test, and every eighth for dev: 2.3, 0.4 and 0.4 h
    train_1min, train_10min, train_60min
                      so many minutes of train, drawn with the seed; the longer ones contain the shorter ones
    lexicon.txt       the syllables that occur, with their phones (IPA without tones): commonvoice_spelling.py has the
                      initials, finals and checked finals

Left out: recordings over 15 s (94 of 3119), and those of whose words some are no Tâi-lô syllables (321: names such as
Obama, letters, several syllables without a space between, bytes that are no text). What remains are 2704 utterances,
3.2 h, with 913 syllables. A sentence that is said twice, mostly an interjection such as "eh", may be both in train and
in test.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from commonvoice_spelling import taiwanese_phones
from data_dirs import (
    SUFFIXES,
    Utterance,
    by_utterance,
    command_line,
    fail_if_any,
    find_audio,
    need,
    parse,
    write_lines,
    write_parts,
)
from durations import nested_parts, seconds_of

HOW_TO_GET_IT = (
    "It can be read by all: clone the git repository 312511050/s5 from GitHub and give its folder with --corpus"
)
TEXTS = Path("data", "train", "text_normal.txt")
LONGEST = 15.0  # seconds
MINUTES = (1, 10, 60)


def read_texts(path: Path, problems: list[str]) -> dict[str, list[str]]:
    """Return the syllables of each recording, by its number."""
    texts: dict[str, list[str]] = {}
    # A few lines have bytes that are no UTF-8; what becomes of them is no syllable.
    for number, line in enumerate(path.read_bytes().decode("utf-8", errors="replace").split("\n"), 1):
        match = re.fullmatch(r"(\d+)(.*)", line.strip())
        if match is None:
            if line.strip() and number > 1:
                problems.append(f"{path}:{number}: expected a number and syllables (got '{line}')")
        elif match[1] in texts:
            problems.append(f"{path}:{number}: {match[1]} has a text already")
        else:
            texts[match[1]] = match[2].split()
    return texts


def why_not(syllables: list[str], seconds: float) -> str:
    """Say why a recording is left out; empty if it is kept."""
    if seconds > LONGEST:
        return f"over {LONGEST:g} s"
    if not syllables or not all(map(taiwanese_phones, syllables)):
        return "with words that are no Tâi-lô syllables"
    return ""


def prepare(
    corpus: Path, out: Path, minutes: Sequence[int] = MINUTES, seed: int = 1, tables: Sequence[str] = ()
) -> None:
    """Write the data directories and the lexicon."""
    need(corpus, [str(TEXTS)], "Taiwanese", HOW_TO_GET_IT)
    problems: list[str] = []
    kept, left_out = [], Counter[str]()
    for number, syllables in read_texts(corpus / TEXTS, problems).items():
        stem = corpus / TEXTS.parent / number
        audio = find_audio(stem)
        if audio is None:
            problems.append(f"{corpus / TEXTS}: no audio file {stem} with ending {', '.join(SUFFIXES)}")
        elif reason := why_not(syllables, seconds_of(audio)):
            left_out[reason] += 1
        else:
            name = f"taiwanese-{int(number):04}"
            kept.append(Utterance(name, "taiwanese", audio, " ".join(syllables), "nan", "taiwanese"))
    fail_if_any(problems, corpus)
    for reason, count in left_out.items():
        print(f"left out: {count} recordings {reason}")
    parts = by_utterance(kept)
    write_parts(out, parts | nested_parts(parts["train"], minutes, seed), tables)
    spoken = sorted({syllable for utterance in kept for syllable in utterance.text.split()})
    write_lines(out / "lexicon.txt", [f"{syllable} {' '.join(taiwanese_phones(syllable))}" for syllable in spoken])


def main() -> None:
    parser = command_line("the Taiwanese corpus")
    parser.add_argument("--minutes", type=int, nargs="*", default=MINUTES, help="how long the small parts of train are")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the small parts of train")
    arguments = parse(parser, HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.minutes, arguments.seed, arguments.tables)


if __name__ == "__main__":
    main()
