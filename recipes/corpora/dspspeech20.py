"""DSPSpeech-20: 12 Mandarin and 8 English isolated words by the same speakers. Needs numpy and soundfile.

    python recipes/corpora/dspspeech20.py --corpus DIR --out data [--languages zh] [--seed 1]
        [--tables utt2lang,utt2dom]

Licence: MIT. Get it: clone the git repository ``zhongyuchen/DSPSpeech-20`` from GitHub.

Layout: ``speech_data/<speaker>/<speaker>-<word>-<take>`` with .wav, .flac or .sph, words numbered from 00 to 19; DIR
may also be that ``speech_data``. Some speakers or takes of the corpus will do.

Written below ``--out``:

    train, dev, test  by speaker: a quarter of the speakers is for test, an eighth for dev, the rest for training, drawn
                      with the seed from their sorted names
    lexicon.txt       the words that occur, with the phones of dspspeech20_lexicon.txt (IPA with tones)

Left out: the silence of the clips, two seconds long and mostly silent. ``segments`` keeps what is louder than the
background, and a margin; for this the audio is read, which takes more than the standard library. With ``--languages``,
the words of the others: ``zh``, ``en-dsp`` (English with a Mandarin accent).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from data_dirs import (
    Utterance,
    clips_below,
    command_line,
    divide_speakers,
    fail,
    fail_if_any,
    parse,
    read_lines,
    write_data_dir,
    write_lines,
)

HOW_TO_GET_IT = (
    "It is free: clone the git repository zhongyuchen/DSPSpeech-20 from GitHub and give its folder with --corpus"
)
LEXICON = Path(__file__).with_name("dspspeech20_lexicon.txt")
LANGUAGES = ("zh", "en-dsp")
WORDS = (
    *("数字", "语音", "语言", "识别", "中国", "总工", "北京", "背景", "上海", "商行", "复旦", "饭店"),
    *("Speech", "Speaker", "Signal", "Process", "Print", "Open", "Close", "Project"),
)
# Of each clip is kept what is at most LOUD dB below its loudest 10 ms and at least QUIET dB above its background, from
# the first to the last such moment, with MARGIN seconds on both sides.
LOUD, QUIET, MARGIN = 40.0, 8.0, 0.2


def find_clips(corpus: Path) -> list[Utterance]:
    """Return the clips of the corpus, not cut yet; a clip in two formats counts once."""
    folder = corpus / "speech_data" if (corpus / "speech_data").is_dir() else corpus
    clips: dict[str, Utterance] = {}
    problems = []
    for path in clips_below(folder):
        match = re.fullmatch(r"(.+)-(\d+)-(\d+)", path.stem)
        if match is None or int(match[2]) >= len(WORDS) or match[1] != path.parent.name:
            problems.append(f"{path}: expected a name <speaker>-<word 00 to {len(WORDS) - 1}>-<take> in <speaker>/")
        else:
            word = WORDS[int(match[2])]
            language = "en-dsp" if word.isascii() else "zh"
            clips.setdefault(path.stem, Utterance(path.stem, match[1], path, word, language, "dspspeech"))
    fail_if_any(problems, folder)
    if not clips:
        fail(f"{corpus} has no speech_data/<speaker>/<speaker>-<word>-<take>.wav. {HOW_TO_GET_IT}")
    return list(clips.values())


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


def prepare(
    corpus: Path,
    out: Path,
    lexicon: Path = LEXICON,
    languages: Sequence[str] = LANGUAGES,
    seed: int = 1,
    tables: Sequence[str] = (),
) -> None:
    """Write the data directories and the lexicon."""
    clips = find_clips(corpus)
    # The same division whatever the languages.
    speakers = divide_speakers((clip.speaker for clip in clips), seed)
    clips = [clip for clip in clips if clip.language in languages]
    spoken = {clip.text for clip in clips}
    entries = [line for line in read_lines(lexicon) if line.split()[0] in spoken]
    missing = sorted(spoken - {line.split()[0] for line in entries})
    if missing:
        fail(f"{lexicon}: no pronunciation of {' '.join(missing)}")
    for part, names in speakers.items():
        cut = [replace(clip, stretch=speech_in(clip.audio)) for clip in clips if clip.speaker in names]
        write_data_dir(out / part, cut, tables)
    write_lines(out / "lexicon.txt", entries)


def main() -> None:
    parser = command_line("DSPSpeech-20")
    parser.add_argument("--lexicon", type=Path, default=LEXICON, help="pronunciations of the words, IPA")
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES, help="words that are kept")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the division into speakers")
    arguments = parse(parser, HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.lexicon, arguments.languages, arguments.seed, arguments.tables)


if __name__ == "__main__":
    main()
