"""Turn DSPSpeech-20 into Kaldi data directories. Needs numpy and soundfile.

    python local/prepare.py --corpus DIR --lexicon conf/lexicon.txt --out data [--seed 1] [--folds 4]

DIR has ``speech_data/<speaker>/<speaker>-<word>-<take>`` with .wav, .flac or .sph, or is that ``speech_data``. Written
below ``--out``:

    train, dev, test   all words, by speaker: a quarter of the speakers is for the test, an eighth for dev, the rest for
                       training, drawn with the seed from their sorted names. The clips are mostly silence, so
                       ``segments`` keeps what is louder than the background, and a margin.
    fold<N>            unseen_words: the words that training fold N never has; every word is in one of these lists.

The folds: words of each kind (Chinese, English) are divided evenly. Of 2000 random divisions the first is taken that
leaves the fewest phones of unseen words without any training word, tones aside.
"""

import argparse
import os
import random
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

SUFFIXES = (".wav", ".flac", ".sph")
WORDS = (
    "数字 语音 语言 识别 中国 总工 北京 背景 上海 商行 复旦 饭店 Speech Speaker Signal Process Print Open Close Project"
)
HOW_TO_GET_IT = (
    "it is free: clone the git repository zhongyuchen/DSPSpeech-20 from GitHub, give its folder with --corpus"
)
TONES = "˥˦˧˨˩"
DIVISIONS = 2000

# Of each clip is kept what is at most LOUD dB below its loudest 10 ms and at least QUIET dB above its background, from
# the first to the last such moment, with MARGIN seconds on both sides.
LOUD, QUIET, MARGIN = 40.0, 8.0, 0.2


@dataclass(frozen=True)
class Clip:
    id: str
    speaker: str
    word: str
    audio: Path


def fail(message: str) -> None:
    sys.exit(f"error: {message}")


def find_clips(corpus: Path) -> list[Clip]:
    words = WORDS.split()
    folder = corpus / "speech_data" if (corpus / "speech_data").is_dir() else corpus
    clips, problems = {}, []
    for path in sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES):
        match = re.fullmatch(r"(.+)-(\d+)-(\d+)", path.stem)
        if match is None or int(match[2]) >= len(words) or match[1] != path.parent.name:
            problems.append(f"{path}: expected a name <speaker>-<word 00 to {len(words) - 1}>-<take> in <speaker>/")
        else:
            clips.setdefault(path.stem, Clip(path.stem, match[1], words[int(match[2])], path))
    if problems:
        more = f"\n  ... and {len(problems) - 50} more" if len(problems) > 50 else ""
        fail(f"{folder}: {len(problems)} problems\n  " + "\n  ".join(problems[:50]) + more)
    if not clips:
        fail(f"{corpus} has no speech_data/<speaker>/<speaker>-<word>-<take>.wav; {HOW_TO_GET_IT}")
    return list(clips.values())


def read_lexicon(path: Path) -> dict[str, list[str]]:
    """Return the first pronunciation of each word, without tones."""
    lexicon: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *phones = line.split()
        lexicon.setdefault(word, [phone.rstrip(TONES) for phone in phones])
    return lexicon


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
    kinds = [sorted(word for word in words if word.isascii() == ascii) for ascii in (False, True)]
    rng = random.Random(seed)
    best: list[list[str]] = []
    fewest = sys.maxsize
    for _ in range(DIVISIONS):
        # One kind after the other, so that folds differ by at most one word.
        order = [word for kind in kinds for word in rng.sample(kind, len(kind))]
        division = [order[fold::folds] for fold in range(folds)]
        number = sum(len(uncovered(unseen, words, lexicon)) for unseen in division)
        if number < fewest:
            best, fewest = division, number
    return best


def speech_in(path: Path) -> tuple[float, float]:
    """Return where the speech of a clip begins and ends, in seconds."""
    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    size = rate // 100
    pieces = samples.mean(axis=1)[: len(samples) // size * size].reshape(-1, size)
    if not len(pieces):
        fail(f"{path}: shorter than 10 ms; leave it out of the corpus")
    # Without its mean: some sound cards add a constant.
    level = 10 * np.log10(pieces.var(axis=1) + 1e-10)
    threshold = max(level.max() - LOUD, np.percentile(level, 10) + QUIET)
    loud = np.flatnonzero(level >= min(threshold, level.max()))
    seconds = len(samples) / rate
    return max(0.0, loud[0] / 100 - MARGIN), min(seconds, (loud[-1] + 1) / 100 + MARGIN)


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def write_data_dir(folder: Path, clips: list[Clip]) -> None:
    clips = sorted(clips, key=lambda clip: clip.id)
    speakers = sorted({clip.speaker for clip in clips})
    ids = {speaker: [clip.id for clip in clips if clip.speaker == speaker] for speaker in speakers}
    segments = {clip.id: speech_in(clip.audio) for clip in clips}
    write_lines(folder / "wav.scp", [f"{clip.id} {clip.audio}" for clip in clips])
    write_lines(folder / "segments", [f"{key} {key} {start:.2f} {end:.2f}" for key, (start, end) in segments.items()])
    write_lines(folder / "text", [f"{clip.id} {clip.word}" for clip in clips])
    write_lines(folder / "utt2spk", [f"{clip.id} {clip.speaker}" for clip in clips])
    write_lines(folder / "spk2utt", [f"{speaker} {' '.join(ids[speaker])}" for speaker in speakers])
    minutes = sum(end - start for start, end in segments.values()) / 60
    print(f"{folder}: {len(clips)} clips, {minutes:.1f} minutes, speakers {' '.join(speakers)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare DSPSpeech-20.")
    parser.add_argument("--corpus", type=Path, required=True, help="checkout of zhongyuchen/DSPSpeech-20")
    parser.add_argument("--lexicon", type=Path, required=True, help="pronunciations of the words, IPA")
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder of the data directories")
    parser.add_argument("--seed", type=int, default=1, help="of the division of speakers and words")
    parser.add_argument("--folds", type=int, default=4, help="parts of the words; each is unseen once")
    arguments = parser.parse_args()

    clips = find_clips(arguments.corpus.resolve())
    lexicon = read_lexicon(arguments.lexicon)
    words = sorted({clip.word for clip in clips})
    missing = [word for word in words if word not in lexicon]
    if missing:
        fail(f"{arguments.lexicon}: no pronunciation of {' '.join(missing)}")
    if not 2 <= arguments.folds <= len(words):
        fail(f"--folds {arguments.folds}: expected 2 to {len(words)}, the number of words")
    takes = Counter(clip.word for clip in clips)
    print(f"{len(clips)} clips of {len(words)} words, {min(takes.values())} to {max(takes.values())} of each")
    for part, speakers in divide_speakers(list({clip.speaker for clip in clips}), arguments.seed).items():
        write_data_dir(arguments.out / part, [clip for clip in clips if clip.speaker in speakers])
    for fold, unseen in enumerate(divide_words(words, lexicon, arguments.folds, arguments.seed), 1):
        write_lines(arguments.out / f"fold{fold}" / "unseen_words", sorted(unseen))
        phones = uncovered(unseen, words, lexicon)
        print(f"fold {fold}: unseen {' '.join(unseen)}; phones in no training word: {' '.join(phones) or 'none'}")


if __name__ == "__main__":
    main()
