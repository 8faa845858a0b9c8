"""A stream of speech against the same speech as a whole recording: how late words are, and what it costs.

A TDNN of the default size (3.3 million weights, 80 mel bins, 16 kHz) is trained for a minute on whistled speech, in
which every phone is a tone, and decodes it with 5 words that occur and 10,000 that do not. Samples come in blocks of
50 ms, as from a microphone, but as fast as they are taken. A word's delay is the audio that was heard until it was in a
result with all words before it for the first time, less the time at which it ended.

Prints a table, and lines ``ratio NAME VALUE``: above 1 is better than the aim (words final half a second after they end
and the pause, partial results half a second after, 5 % of a core), or better than the peer, ``transcribe`` of the whole
recording.

    python tests/benchmarks/streaming.py [--minutes N] [--model DIR]
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from whistled_speech import WORDS, whistle

import speechtl
from speechtl.audio.voice_activity import SegmentationConfig
from speechtl.data.datadir import DataDir
from speechtl.experiment.config import load_config
from speechtl.experiment.train import train
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig
from speechtl.recognition.recogniser import Recogniser

RATE = 16000
PAUSE = 1.3  # Seconds between utterances.
BLOCK = RATE // 20


def train_model(folder: Path) -> Path:
    rng = np.random.default_rng(5)
    text, wav, speaker = {}, {}, {}
    for number in range(60):
        name = f"s{number % 2}-{number:02d}"
        text[name] = " ".join(rng.choice(sorted(WORDS), rng.integers(1, 5)))
        wav[name], speaker[name] = str(folder / f"{name}.wav"), f"s{number % 2}"
        soundfile.write(wav[name], whistle(text[name], number, RATE, rng.uniform(0.05, 0.4))[0], RATE)
    DataDir(path=folder / "data", wav_scp=wav, text=text, utt2spk=speaker).save(folder / "data")
    compute_features(DataDir.load(folder / "data"), FeatureConfig(), folder / "data" / "feats")
    lexicon = folder / "lexicon.txt"
    lexicon.write_text("".join(f"{word} {said}\n" for word, variants in sorted(WORDS.items()) for said in variants))
    (folder / "conf.toml").write_text(
        f'[[data]]\nlanguage = "xx"\ntrain = "{folder}/data"\nlexicon = "{lexicon}"\n[model.encoder]\nkind = "tdnn"\n'
        "[batches]\nframes = 4000\n[training]\nepochs = 10\nlearning_rate = 0.001\naverage = 1\n"
        "[augmentation]\ntime_masks = 0\nfrequency_masks = 0\n"
    )
    train(load_config(folder / "conf.toml"), folder / "exp")
    return folder / "exp"


def large_lexicon(folder: Path) -> Path:
    """Write the words that occur and 10,000 that do not, of five to ten phones, half of them the rarest one."""
    rng = np.random.default_rng(1)
    lines = [f"{word} {said}\n" for word, variants in WORDS.items() for said in variants]
    phones = [*"aikst", *"uuuuu"]
    lines += [f"w{number} {' '.join(rng.choice(phones, rng.integers(5, 11)))}\n" for number in range(10000)]
    path = folder / "large.txt"
    path.write_text("".join(lines))
    return path


def make_speech(minutes: float) -> tuple[np.ndarray, list[list[tuple[str, float]]]]:
    """Return samples, and the words of each utterance with their ends."""
    rng = np.random.default_rng(2)
    parts, utterances, place, number = [], [], 0.0, 0
    while place < 60 * minutes:
        words = rng.choice(sorted(WORDS), rng.integers(3, 15))
        samples, times = whistle(" ".join(words), 1000 + number, RATE, gap=0.12)
        utterances.append([(str(word), place + end) for word, (_, end) in zip(words, times, strict=True)])
        parts += [samples, np.random.default_rng(number).normal(0, 0.001, round(PAUSE * RATE))]
        place += (len(samples) + len(parts[-1])) / RATE
        number += 1
    return np.concatenate(parts).astype(np.float32), utterances


def memory() -> float:
    """Return the largest memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--model", type=Path, help="an experiment that this script trained before")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or train_model(Path(folder))
        recogniser = speechtl.load(model, lexicon=large_lexicon(Path(folder)))
        samples, utterances = make_speech(arguments.minutes)
        measure(recogniser, samples, utterances)


def measure(recogniser: Recogniser, samples: np.ndarray, utterances: list[list[tuple[str, float]]]) -> None:
    seconds = len(samples) / RATE
    recogniser.transcribe(samples[: 20 * RATE], RATE)  # Compiled and traced.
    warm = recogniser.stream(RATE)
    warm.feed(samples[: 20 * RATE])
    warm.finish()
    started, wall = time.process_time(), time.perf_counter()
    stream = recogniser.stream(RATE)
    updates, worst, early = [], 0.0, 0.0
    for place in range(0, len(samples), BLOCK):
        before = time.perf_counter()
        updates += [(stream.seconds, update) for update in stream.feed(samples[place : place + BLOCK])]
        worst = max(worst, time.perf_counter() - before)
        if stream.seconds < 60:
            early = memory()
    updates += [(stream.seconds, update) for update in stream.finish()]
    share, wall_share = (time.process_time() - started) / seconds, (time.perf_counter() - wall) / seconds
    late = memory()
    started = time.process_time()
    whole = recogniser.transcribe(samples, RATE)
    offline = (time.process_time() - started) / seconds

    finals = [(when, update.segment) for when, update in updates if update.final]
    reference = [word for utterance in utterances for word, _ in utterance]
    right = [word.label for _, segment in finals for word in segment.words] == reference
    partial_delays, final_delays = [], []
    for (when, segment), utterance in zip(finals, utterances, strict=False):
        final_delays += [when - utterance[-1][1]]
        for number, (_, end) in enumerate(utterance):
            said = [word for word, _ in utterance[: number + 1]]
            first = [
                at
                for at, update in updates
                if update.segment.start == segment.start
                and [word.label for word in update.segment.words[: number + 1]] == said
            ]
            partial_delays += [min(first) - end] if first else []
    pause = SegmentationConfig().pause
    print(f"{seconds:.0f} s of speech, {len(reference)} words, {len(finals)} segments; words right: {right};", end=" ")
    print(f"words of the whole recording right: {[word.label for word in whole.words] == reference}")
    print(f"posteriors are computed {stream.latency:.2f} s late at most")
    print(f"partial result with a word after its end: median {statistics.median(partial_delays):.2f} s,", end=" ")
    print(f"95th percentile {np.percentile(partial_delays, 95):.2f} s")
    print(f"final result after the end of the last word: median {statistics.median(final_delays):.2f} s,", end=" ")
    print(f"95th percentile {np.percentile(final_delays, 95):.2f} s (a pause of {pause:g} s)")
    print(f"share of a core: {share:.3f} (wall {wall_share:.3f}); whole recording at once: {offline:.3f}")
    print(f"slowest block: {1000 * worst:.0f} ms; memory after a minute {early:.0f} MiB, at the end {late:.0f} MiB")
    print(f"ratio stream_share_of_a_core {0.05 / share:.2f}")
    print(f"ratio stream_against_whole {offline / share:.2f}")
    print(f"ratio stream_final_delay {(pause + 0.5) / statistics.median(final_delays):.2f}")
    print(f"ratio stream_partial_delay {0.5 / statistics.median(partial_delays):.2f}")
    print(f"ratio stream_memory {early / late:.3f}")


if __name__ == "__main__":
    main()
