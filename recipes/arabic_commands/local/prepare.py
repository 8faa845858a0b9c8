"""Turn the Arabic Speech Commands dataset into Kaldi data directories and a lexicon. Standard library only.

    python local/prepare.py --corpus DIR --words conf/words.tsv --out data [--seed 1] [--folds 4]

DIR has ``dataset/<word>/<speaker>_NO_<take>`` with .wav, .flac or .sph, or is that ``dataset``. Written below
``--out``:

    train, dev, test   all words, by speaker: a quarter of the speakers is for the test, an eighth for dev, the rest for
                       training, drawn with the seed from their sorted names
    lang               lexicon.txt, from the list of words
    fold<N>            unseen_words: the words that training fold N never has; every word is in one of these lists

The folds divide the words evenly. Of 2000 random divisions the first is taken that leaves the fewest phones of unseen
words without any training word.
"""

import argparse
import os
import random
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".wav", ".flac", ".sph")
HOW_TO_GET_IT = (
    "it is free: clone the git repository abdulkaderghandoura/arabic-speech-commands-dataset from GitHub, give its"
    " folder with --corpus"
)
DIVISIONS = 2000


@dataclass(frozen=True)
class Clip:
    id: str
    speaker: str
    word: str
    audio: Path


@dataclass(frozen=True)
class Word:
    """A word of the corpus, spelled and in phones."""

    text: str
    phones: list[str]


def fail(message: str) -> None:
    sys.exit(f"error: {message}")


def read_words(path: Path) -> dict[str, Word]:
    """Return the words by their folder."""
    words, problems = {}, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != 3 or not all(field.split() for field in fields):
            problems.append(f"{path}:{number}: expected folder, word and phones with tabs between (got '{line}')")
        else:
            words[fields[0]] = Word(fields[1].strip(), fields[2].split())
    if problems:
        fail("\n".join(problems))
    return words


def find_clips(corpus: Path, words: dict[str, Word]) -> list[Clip]:
    folder = corpus / "dataset" if (corpus / "dataset").is_dir() else corpus
    clips, problems = {}, []
    for path in sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES):
        match = re.fullmatch(r"(\w+)_NO_(\d+)", path.stem)
        if match is None:
            problems.append(f"{path}: expected a name <speaker>_NO_<take>")
        elif path.parent.name not in words:
            problems.append(f"{path}: the folder is no word of the list")
        else:
            name = f"{match[1]}-{path.parent.name.replace(' ', '_')}-{match[2]}"
            clips.setdefault(name, Clip(name, match[1], words[path.parent.name].text, path))
    if problems:
        more = f"\n  ... and {len(problems) - 50} more" if len(problems) > 50 else ""
        fail(f"{folder}: {len(problems)} problems\n  " + "\n  ".join(problems[:50]) + more)
    if not clips:
        fail(f"{corpus} has no dataset/<word>/<speaker>_NO_<take>.wav; {HOW_TO_GET_IT}")
    return list(clips.values())


def divide_speakers(speakers: list[str], seed: int) -> dict[str, list[str]]:
    shuffled = random.Random(seed).sample(sorted(speakers), len(speakers))
    tests, devs = max(1, len(speakers) // 4), max(1, len(speakers) // 8)
    parts = {"test": shuffled[:tests], "dev": shuffled[tests : tests + devs], "train": shuffled[tests + devs :]}
    if not parts["train"]:
        fail(f"{len(speakers)} speakers are too few for training, dev and test; give the whole corpus")
    return {part: sorted(names) for part, names in parts.items()}


def uncovered(unseen: list[str], words: list[str], lexicon: dict[str, list[str]]) -> list[str]:
    """Return the phones of unseen words that no other word has."""
    covered = {phone for word in words if word not in unseen for phone in lexicon[word]}
    return sorted({phone for word in unseen for phone in lexicon[word]} - covered)


def divide_words(words: list[str], lexicon: dict[str, list[str]], folds: int, seed: int) -> list[list[str]]:
    """Return the unseen words of each fold."""
    rng = random.Random(seed)
    best: list[list[str]] = []
    fewest = sys.maxsize
    for _ in range(DIVISIONS):
        order = rng.sample(sorted(words), len(words))
        division = [order[fold::folds] for fold in range(folds)]
        number = sum(len(uncovered(unseen, words, lexicon)) for unseen in division)
        if number < fewest:
            best, fewest = division, number
    return best


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def write_data_dir(folder: Path, clips: list[Clip]) -> None:
    clips = sorted(clips, key=lambda clip: clip.id)
    speakers = sorted({clip.speaker for clip in clips})
    ids = {speaker: [clip.id for clip in clips if clip.speaker == speaker] for speaker in speakers}
    write_lines(folder / "wav.scp", [f"{clip.id} {clip.audio}" for clip in clips])
    write_lines(folder / "text", [f"{clip.id} {clip.word}" for clip in clips])
    write_lines(folder / "utt2spk", [f"{clip.id} {clip.speaker}" for clip in clips])
    write_lines(folder / "spk2utt", [f"{speaker} {' '.join(ids[speaker])}" for speaker in speakers])
    print(f"{folder}: {len(clips)} clips, speakers {' '.join(speakers)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare the Arabic Speech Commands dataset.")
    parser.add_argument("--corpus", type=Path, required=True, help="checkout of the dataset's repository")
    parser.add_argument("--words", type=Path, required=True, help="folders, words and their phones")
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder of the data directories")
    parser.add_argument("--seed", type=int, default=1, help="of the division of speakers and words")
    parser.add_argument("--folds", type=int, default=4, help="parts of the words; each is unseen once")
    arguments = parser.parse_args()

    listed = read_words(arguments.words)
    clips = find_clips(arguments.corpus.resolve(), listed)
    words = sorted({clip.word for clip in clips})
    lexicon = {word.text: word.phones for word in listed.values() if word.text in words}
    if not 2 <= arguments.folds <= len(words):
        fail(f"--folds {arguments.folds}: expected 2 to {len(words)}, the number of words")
    takes = Counter(clip.word for clip in clips)
    print(f"{len(clips)} clips of {len(words)} words, {min(takes.values())} to {max(takes.values())} of each")
    write_lines(arguments.out / "lang" / "lexicon.txt", [f"{word} {' '.join(lexicon[word])}" for word in words])
    for part, speakers in divide_speakers(list({clip.speaker for clip in clips}), arguments.seed).items():
        write_data_dir(arguments.out / part, [clip for clip in clips if clip.speaker in speakers])
    for fold, unseen in enumerate(divide_words(words, lexicon, arguments.folds, arguments.seed), 1):
        write_lines(arguments.out / f"fold{fold}" / "unseen_words", sorted(unseen))
        phones = uncovered(unseen, words, lexicon)
        print(f"fold {fold}: unseen {' '.join(unseen)}; phones in no training word: {' '.join(phones) or 'none'}")


if __name__ == "__main__":
    main()
