"""Turn DSPSpeech-20 into Kaldi data directories: English words, Mandarin words, both. Needs numpy and soundfile.

    python local/dspspeech.py --corpus DIR --lexicon conf/dspspeech_lexicon.txt --out data

DIR has ``speech_data/<speaker>/<speaker>-<word>-<take>``. Written below ``--out``: dspspeech (all 20 words),
dspspeech_en (language ``en-dsp``) and dspspeech_zh (``zh``), each with train, dev, test by speaker and lexicon.txt. The
clips are mostly silence, so ``segments`` keeps what is louder than the background, and a margin.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import soundfile
from data_dirs import (
    SUFFIXES,
    Utterance,
    divide_speakers,
    fail,
    fail_if_any,
    read_lines,
    write_lines,
    write_parts,
)

WORDS = (
    "数字 语音 语言 识别 中国 总工 北京 背景 上海 商行 复旦 饭店 Speech Speaker Signal Process Print Open Close Project"
)
HOW_TO_GET_IT = "it is free: clone the git repository zhongyuchen/DSPSpeech-20 from GitHub"
# Of each clip is kept what is at most LOUD dB below its loudest 10 ms and at least QUIET dB above its background, from
# the first to the last such moment, with MARGIN seconds on both sides.
LOUD, QUIET, MARGIN = 40.0, 8.0, 0.2


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
    return max(0.0, loud[0] / 100 - MARGIN), min(len(samples) / rate, (loud[-1] + 1) / 100 + MARGIN)


def find_clips(corpus: Path) -> list[Utterance]:
    words = WORDS.split()
    folder = corpus / "speech_data" if (corpus / "speech_data").is_dir() else corpus
    clips, problems = {}, []
    for path in sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES):
        match = re.fullmatch(r"(.+)-(\d+)-(\d+)", path.stem)
        if match is None or int(match[2]) >= len(words) or match[1] != path.parent.name:
            problems.append(f"{path}: expected a name <speaker>-<word 00 to {len(words) - 1}>-<take> in <speaker>/")
        else:
            word = words[int(match[2])]
            language = "en-dsp" if word.isascii() else "zh"
            clips[path.stem] = Utterance(path.stem, match[1], path, word, language, speech_in(path))
    fail_if_any(problems, corpus)
    if not clips:
        fail(f"{corpus} has no speech_data/<speaker>/<speaker>-<word>-<take>.wav; {HOW_TO_GET_IT}")
    return list(clips.values())


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare DSPSpeech-20.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--lexicon", type=Path, required=True, help="pronunciations of the words, IPA")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1, help="of the division of speakers")
    arguments = parser.parse_args()
    clips = find_clips(arguments.corpus.resolve())
    lexicon = read_lines(arguments.lexicon)
    speakers = divide_speakers((clip.speaker for clip in clips), arguments.seed)
    for name, languages in {"": ("en-dsp", "zh"), "_en": ("en-dsp",), "_zh": ("zh",)}.items():
        kept = [clip for clip in clips if clip.language in languages]
        parts = {part: [clip for clip in kept if clip.speaker in chosen] for part, chosen in speakers.items()}
        out = arguments.out / f"dspspeech{name}"
        write_parts(out, parts, "dspspeech")
        words = {clip.text for clip in kept}
        write_lines(out / "lexicon.txt", [line for line in lexicon if line.split()[0] in words])


if __name__ == "__main__":
    main()
