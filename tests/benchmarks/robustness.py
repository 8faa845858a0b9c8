"""The same recordings at other levels and rates, in other containers and on other channels: are the words the same?

    python tests/benchmarks/robustness.py [--model base] [--data FOLDER ...] [--count N] [--phones] [--change NAME ...]

Takes the recordings of recipes/base/audio and ``--count`` of each folder of audio, drawn with a seed, changes each in
the ways of `changed_recordings.py` and transcribes all. A row says of how many recordings the words are those of the
recording as it is, of how many others speechtl said what is remarkable, how many it changed without a word, and the
distance from the unchanged words in % of them. A codec that loses something may change a word without anybody's fault;
whatever else is in the last but one column is a fault. Ends with code 1 if there is one.
"""

import argparse
import logging
import os
import random
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

import soundfile  # noqa: E402
from changed_recordings import CHANGES  # noqa: E402
from rapidfuzz.distance import Levenshtein  # noqa: E402

import speechtl  # noqa: E402
from speechtl.audio.stream import find_audio  # noqa: E402


class Said(logging.Handler):
    """What was logged."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base")
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phones", action="store_true", help="compare phones, of any language")
    parser.add_argument("--change", action="append", choices=CHANGES)
    parser.add_argument("--examples", type=int, default=3)
    arguments = parser.parse_args()
    logging.getLogger("speechtl").addHandler(said := Said())
    logging.getLogger("speechtl").propagate = False
    draw, files = random.Random(arguments.seed), []
    for folder in [TESTS.parent / "recipes" / "base" / "audio", *arguments.data]:
        found = find_audio(folder)
        files += draw.sample(found, min(arguments.count, len(found)))
    recogniser = speechtl.load(arguments.model, words=False if arguments.phones else None)
    recordings = [soundfile.read(path, always_2d=True) for path in files]
    recordings = [(samples[:, 0], rate) for samples, rate in recordings]

    def found(path):
        transcript = recogniser.transcribe(path)
        return transcript.text.split()

    with tempfile.TemporaryDirectory() as folder:
        clean = [found(path) for path in files]
        total = max(sum(map(len, clean)), 1)
        print(f"{len(files)} recordings, {total} {'phones' if arguments.phones else 'words'}")
        print("| change | same | said | changed without a word | distance % |\n|---|---|---|---|---|")
        faults = 0
        for name in arguments.change or CHANGES:
            change, same, told, distance, silent = CHANGES[name], 0, 0, 0, []
            for path, (samples, rate), words in zip(files, recordings, clean, strict=True):
                said.lines.clear()
                changed = change.write(Path(folder) / "x", samples, rate)
                now = found(changed)
                changed.unlink()
                same += now == words
                distance += Levenshtein.distance(words, now)
                if now != words and said.lines:
                    told += 1
                elif now != words:
                    silent.append((path.name, " ".join(words), " ".join(now)))
            row = f"{same} | {told} | {len(silent)} | {100 * distance / total:.1f}"
            print(f"| {name}{' (lossy)' if change.lossy else ''} | {row} |", flush=True)
            for one in silent[: 0 if change.lossy else arguments.examples]:
                print("    " + " / ".join(one))
            faults += 0 if change.lossy else len(silent)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
