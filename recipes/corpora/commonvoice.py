"""Common Voice: sentences read by volunteers, one language of the many. Standard library; soundfile for MP3.

    python recipes/corpora/commonvoice.py --corpus DIR --language zh-TW --out data [--lexicon FILE | --letters]
        [--units words|characters|romanised] [--seed 1] [--tables utt2lang]

Licence: CC0. Get it: download a language from Common Voice's site, which asks for an e-mail address, and unpack it.

Layout: ``train.tsv dev.tsv test.tsv`` and ``clips/``, as a download has in its folder of a language; with
``validated.tsv`` alone, a quarter of the speakers is for test and an eighth for dev.

Written below ``--out``:

    train, dev, test  the clips
    words.txt         the words of all three
    syllables.txt     for romanised Taiwanese, a lexicon: the phones of its syllables

Left out: sentences with digits, whose spelling depends on the language; with ``--lexicon``, sentences with words that
it lacks (languages without spaces are cut into the longest words that it has); for Taiwanese, sentences without
romanisation. With ``--letters``, ``text`` holds the letters of the words, which then stand for phones; of romanised
Taiwanese, whose syllables have phones, it holds the syllables all the same.
"""

import csv
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from commonvoice_spelling import UNITS, has_digits, letters, taiwanese_phones, units_of, words_of
from data_dirs import (
    Utterance,
    command_line,
    fail,
    fail_if_any,
    find_audio,
    parse,
    read_lines,
    write_lines,
    write_parts,
)

HOW_TO_GET_IT = (
    "Common Voice is free: download a language from its site, unpack it, and give the folder that has clips/ and *.tsv"
    " with --corpus"
)
PARTS = ("train", "dev", "test")
MIXED = 16  # letters of a speaker's name; the corpus has 128
AUDIO = (".mp3", ".wav", ".flac", ".ogg")  # clips may have been converted


@dataclass(frozen=True)
class Writing:
    """How sentences are written in ``text``: the kind of words, the words that are known, letters instead of words."""

    units: str
    known: frozenset[str] = frozenset()
    lexicon: Path | None = None
    letters: bool = False


@dataclass
class Selection:
    """The clips that are kept, by part, and why others are not."""

    parts: dict[str, list[Utterance]] = field(default_factory=lambda: {part: [] for part in PARTS})
    syllables: dict[str, list[str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read one of the corpus's tables."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    lacking = [name for name in ("client_id", "path", "sentence") if rows and rows[0].get(name) is None]
    if lacking:
        fail(f"{path}:1: no column {', '.join(lacking)}; expected the columns of Common Voice. {HOW_TO_GET_IT}")
    return rows


def read_parts(corpus: Path, seed: int) -> dict[str, list[dict[str, str]]]:
    """Read the official parts, or divide ``validated.tsv`` by speaker."""
    if all((corpus / f"{part}.tsv").is_file() for part in PARTS):
        return {part: read_rows(corpus / f"{part}.tsv") for part in PARTS}
    if not (corpus / "validated.tsv").is_file():
        fail(f"{corpus} has neither train.tsv, dev.tsv and test.tsv nor validated.tsv. {HOW_TO_GET_IT}")
    rows = read_rows(corpus / "validated.tsv")
    names = sorted({row["client_id"] for row in rows})
    shuffled = random.Random(seed).sample(names, len(names))
    tests, devs = max(1, len(names) // 4), max(1, len(names) // 8)
    if len(names) <= tests + devs:
        fail(f"{corpus}/validated.tsv: {len(names)} speakers are too few for training, dev and test")
    part_of = {name: "test" if n < tests else "dev" if n < tests + devs else "train" for n, name in enumerate(shuffled)}
    return {part: [row for row in rows if part_of[row["client_id"]] == part] for part in PARTS}


def check_mp3(audio: Sequence[Path]) -> None:
    """End the program if there is MP3 that this libsndfile cannot read."""
    if not any(path.suffix.lower() == ".mp3" for path in audio):
        return
    import soundfile

    if "MP3" not in soundfile.available_formats():
        fail(
            f"the clips are MP3, which libsndfile reads from 1.1 on (got {soundfile.__libsndfile_version__}); run "
            "pip install -U soundfile, which brings a new one, or convert clips/*.mp3 to .flac"
        )


def find_clip(clips: Path, name: str) -> Path | None:
    """Return a clip; older tables leave the suffix out."""
    path = clips / name
    return path if path.is_file() else find_audio(path.with_suffix(""), AUDIO)


def why_not(words: list[str], writing: Writing, syllables: dict[str, list[str]]) -> str:
    """Say why a sentence is left out; empty if it is kept."""
    if not words:
        return "no romanisation" if writing.units == "romanised" else "no words"
    if has_digits(words):
        return "digits"
    if writing.known and not writing.known.issuperset(words):
        return f"words that {writing.lexicon} lacks"
    if not writing.known and not all(syllables.get(word, True) for word in words):
        return "syllables that are not Tâi-lô"
    return ""


def select(corpus: Path, language: str, writing: Writing, seed: int) -> Selection:
    """Read the tables and keep the clips whose sentences can be written so."""
    found = Selection()
    for part, rows in read_parts(corpus, seed).items():
        for row in rows:
            words = words_of(row["sentence"], writing.units, writing.known)
            audio = find_clip(corpus / "clips", row["path"])
            if writing.units == "romanised":
                found.syllables.update({word: taiwanese_phones(word) for word in words})
            if audio is None:
                found.problems.append(f"{corpus}/clips/{row['path']}: missing, {part}.tsv has it")
            elif reason := why_not(words, writing, found.syllables):
                found.left_out[reason] += 1
            else:
                speaker = hashlib.sha256(row["client_id"].encode()).hexdigest()[:MIXED]
                if writing.letters and writing.units != "romanised":
                    words = [letter for word in words for letter in letters(word)]
                name = f"{speaker}-{audio.stem}"
                found.parts[part].append(Utterance(name, speaker, audio, " ".join(words), language, "commonvoice"))
    return found


def prepare(
    corpus: Path, out: Path, language: str, writing: Writing, seed: int = 1, tables: Sequence[str] = ()
) -> None:
    """Write the data directories and the lists of words."""
    found = select(corpus, language, writing, seed)
    fail_if_any(found.problems, corpus)
    for reason, number in found.left_out.items():
        print(f"left out: {number} clips with {reason}")
    empty = [part for part, clips in found.parts.items() if not clips]
    if empty:
        fail(f"{corpus}: nothing is left for {', '.join(empty)}; other --units or another lexicon may help")
    check_mp3([clip.audio for clips in found.parts.values() for clip in clips])
    write_parts(out, found.parts, tables)
    words = sorted({word for clips in found.parts.values() for clip in clips for word in clip.text.split()})
    write_lines(out / "words.txt", words)
    if writing.units == "romanised":
        write_lines(out / "syllables.txt", [f"{word} {' '.join(found.syllables[word])}" for word in words])


def main() -> None:
    parser = command_line("one language of Common Voice")
    parser.add_argument("--language", required=True, help="code of the language, such as zh-TW")
    parser.add_argument("--lexicon", type=Path, help="pronunciations; sentences with other words are left out")
    parser.add_argument("--letters", action="store_true", help="write letters instead of words")
    parser.add_argument("--units", choices=UNITS, help="what a word is; by default the language says")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the division of validated.tsv")
    arguments = parse(parser, HOW_TO_GET_IT)
    if arguments.lexicon and arguments.letters:
        fail("--lexicon and --letters are two ways to write what is spoken; give one of them")
    units = arguments.units or units_of(arguments.language)
    known = frozenset(line.split()[0] for line in read_lines(arguments.lexicon)) if arguments.lexicon else frozenset()
    writing = Writing(units, known, arguments.lexicon, arguments.letters)
    prepare(arguments.corpus, arguments.out, arguments.language, writing, arguments.seed, arguments.tables)


if __name__ == "__main__":
    main()
