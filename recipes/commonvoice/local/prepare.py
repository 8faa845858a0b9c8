"""Turn one language of Common Voice into Kaldi data directories. Needs soundfile for MP3.

    python local/prepare.py --corpus DIR --language zh-TW --out data/zh-TW [--lexicon FILE | --letters] [--units words]

DIR has ``train.tsv dev.tsv test.tsv`` and ``clips/``, as a download of Common Voice has in its folder of a language;
with ``validated.tsv`` alone, a quarter of the speakers is for the test and an eighth for dev. Written below ``--out``:

    train, dev, test  clips that have a sentence without digits (whose spelling depends on the language)
    words.txt         the words of all three
    syllables.txt     for romanised Taiwanese, a lexicon: the phones of its syllables

With ``--lexicon``, sentences with words that it lacks are left out, and languages without spaces are cut into the
longest words that it has. With ``--letters``, ``text`` holds the letters of the words, which then stand for phones; of
romanised Taiwanese, whose syllables have phones, it holds the syllables all the same.
"""

import argparse
import csv
import hashlib
import os
import random
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from spelling import UNITS, has_digits, letters, taiwanese_phones, units_of, words_of

HOW_TO_GET_IT = (
    "Common Voice is free: download a language from its site, unpack it, and give the folder that has clips/ and *.tsv"
)
PARTS = ("train", "dev", "test")
MIXED = 16  # letters of a speaker's name; the corpus has 128


@dataclass(frozen=True)
class Clip:
    id: str
    speaker: str
    audio: Path
    words: tuple[str, ...]


def fail(message: str) -> None:
    sys.exit(f"error: {message}")


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    lacking = [name for name in ("client_id", "path", "sentence") if rows and rows[0].get(name) is None]
    if lacking:
        fail(f"{path}:1: no column {', '.join(lacking)}; expected the columns of Common Voice. {HOW_TO_GET_IT}")
    return rows


def read_parts(corpus: Path, seed: int) -> dict[str, list[dict[str, str]]]:
    if all((corpus / f"{part}.tsv").is_file() for part in PARTS):
        return {part: read_table(corpus / f"{part}.tsv") for part in PARTS}
    if not (corpus / "validated.tsv").is_file():
        fail(f"{corpus} has neither train.tsv, dev.tsv and test.tsv nor validated.tsv. {HOW_TO_GET_IT}")
    rows = read_table(corpus / "validated.tsv")
    names = sorted({row["client_id"] for row in rows})
    shuffled = random.Random(seed).sample(names, len(names))
    tests, devs = max(1, len(names) // 4), max(1, len(names) // 8)
    if len(names) <= tests + devs:
        fail(f"{corpus}/validated.tsv: {len(names)} speakers are too few for training, dev and test")
    part_of = {name: "test" if n < tests else "dev" if n < tests + devs else "train" for n, name in enumerate(shuffled)}
    return {part: [row for row in rows if part_of[row["client_id"]] == part] for part in PARTS}


def check_mp3(clips: list[Clip]) -> None:
    if not any(clip.audio.suffix.lower() == ".mp3" for clip in clips):
        return
    import soundfile

    if "MP3" not in soundfile.available_formats():
        fail(
            f"the clips are MP3, which libsndfile reads from 1.1 on (got {soundfile.__libsndfile_version__}); run "
            "pip install -U soundfile, which brings a new one, or convert clips/*.mp3 to .flac"
        )


def find_audio(clips: Path, name: str) -> Path | None:
    """Return a clip; older tables leave the ending out, and clips may have been converted."""
    path = clips / name
    candidates = [path, *(path.with_suffix(suffix) for suffix in (".mp3", ".wav", ".flac", ".ogg"))]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def write_data_dir(folder: Path, clips: list[Clip], language: str) -> None:
    clips = sorted(clips, key=lambda clip: clip.id)
    speakers = defaultdict(list)
    for clip in clips:
        speakers[clip.speaker].append(clip.id)
    write_lines(folder / "wav.scp", [f"{clip.id} {clip.audio}" for clip in clips])
    write_lines(folder / "text", [f"{clip.id} {' '.join(clip.words)}" for clip in clips])
    write_lines(folder / "utt2spk", [f"{clip.id} {clip.speaker}" for clip in clips])
    write_lines(folder / "spk2utt", [f"{name} {' '.join(ids)}" for name, ids in sorted(speakers.items())])
    write_lines(folder / "utt2lang", [f"{clip.id} {language}" for clip in clips])
    print(f"{folder}: {len(clips)} clips, {len(speakers)} speakers")


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare one language of Common Voice.")
    parser.add_argument("--corpus", type=Path, required=True, help="folder with clips/ and *.tsv")
    parser.add_argument("--language", required=True, help="code of the language, such as zh-TW")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lexicon", type=Path, help="pronunciations; sentences with other words are left out")
    parser.add_argument("--letters", action="store_true", help="write letters instead of words")
    parser.add_argument("--units", choices=UNITS, help="what a word is; by default the language says")
    parser.add_argument("--seed", type=int, default=1, help="of the division of validated.tsv")
    arguments = parser.parse_args()
    corpus = arguments.corpus.resolve()
    units = arguments.units or units_of(arguments.language)
    known: frozenset[str] = frozenset()
    if arguments.lexicon:
        known = frozenset(
            line.split()[0] for line in arguments.lexicon.read_text(encoding="utf-8").splitlines() if line
        )
    if arguments.lexicon and arguments.letters:
        fail("--lexicon and --letters are two ways to write what is said; give one of them")
    parts: dict[str, list[Clip]] = {part: [] for part in PARTS}
    left_out: Counter[str] = Counter()
    problems, syllables = [], {}
    for part, rows in read_parts(corpus, arguments.seed).items():
        for row in rows:
            words = words_of(row["sentence"], units, known)
            audio = find_audio(corpus / "clips", row["path"])
            if units == "romanised":
                syllables.update({word: taiwanese_phones(word) for word in words})
            if audio is None:
                problems.append(f"{corpus}/clips/{row['path']}: missing, {part}.tsv has it")
            elif not words:
                left_out["no words" if units != "romanised" else "no romanisation"] += 1
            elif has_digits(words):
                left_out["digits"] += 1
            elif known and not known.issuperset(words):
                left_out[f"words that {arguments.lexicon} lacks"] += 1
            elif not known and not all(syllables.get(word, True) for word in words):
                left_out["syllables that are not Tâi-lô"] += 1
            else:
                speaker = hashlib.sha256(row["client_id"].encode()).hexdigest()[:MIXED]
                if arguments.letters and units != "romanised":
                    words = [letter for word in words for letter in letters(word)]
                parts[part].append(Clip(f"{speaker}-{audio.stem}", speaker, audio, tuple(words)))
    if problems:
        more = f"\n  ... and {len(problems) - 50} more" if len(problems) > 50 else ""
        fail(f"{corpus}: {len(problems)} problems\n  " + "\n  ".join(problems[:50]) + more)
    for reason, number in left_out.items():
        print(f"left out: {number} clips with {reason}")
    empty = [part for part, clips in parts.items() if not clips]
    if empty:
        fail(f"{corpus}: nothing is left for {', '.join(empty)}; other --units or another lexicon may help")
    check_mp3([clip for clips in parts.values() for clip in clips])
    for part, clips in parts.items():
        write_data_dir(arguments.out / part, clips, arguments.language)
    words = sorted({word for clips in parts.values() for clip in clips for word in clip.words})
    write_lines(arguments.out / "words.txt", words)
    if units == "romanised":
        write_lines(arguments.out / "syllables.txt", [f"{word} {' '.join(syllables[word])}" for word in words])


if __name__ == "__main__":
    main()
