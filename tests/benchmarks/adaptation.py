"""Adapting a model of the usual size to ten recordings of a speaker, from the command line, in a process of its own.

    python tests/benchmarks/adaptation.py [--source EXP --data DATA] [--method NAME] [--cores N] [--rounds N]

Without --source and --data, a source is trained for one epoch on tones that stand for phones (AN4's model: 3.3 million
weights, 80 bins, 33 phones), and adapts to ten WAV files of three seconds with a .txt beside each. The time is wall
time from the start of `speechtl adapt` to its end: imports, loading, features, held-out speech, training, files. Memory
is the largest that the process had; processor time says what of the wall time other programs took. Prints a table, then
lines `ratio <name> <target / value>`: above 1, the target is met.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

SECONDS, MEBIBYTES, KILOBYTES = 20.0, 2048.0, 100.0
RATE, PHONES, WORDS, SPOKEN = 16000, 33, 100, 7
CONFIG = """
[features]
num_mel_bins = 80
[normalisation]
kind = "speaker"
[[data]]
language = "xx"
train = "source"
lexicon = "lexicon.txt"
[training]
epochs = 1
average = 1
"""
# One letter each, so that IPA needs no thought.
LETTERS = list("aeiouybcdfɡhjklmnpqrstvwxzɑəɛɪʃʒŋ")


def run(command: list[str], folder: Path, cores: int) -> tuple[float, float, float]:
    """Run speechtl, in view only if it fails; return wall and processor seconds and the largest memory in MiB."""
    code = f"import os, sys; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{cores}]); "
    code += "from speechtl.cli.main import main; sys.argv[0] = 'speechtl'; main()"
    log = folder / "log"
    start = time.perf_counter()
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen([sys.executable, "-c", code, *command], cwd=folder, stdout=file, stderr=file)
        _, status, usage = os.wait4(process.pid, 0)
    taken = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"speechtl {' '.join(command)}\n{log.read_text(encoding='utf-8')}")
    return taken, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def speak(path: Path, words: list[str], lexicon: dict[str, str], generator: np.random.Generator) -> None:
    """Write words as tones, 0.1 to 0.2 s a phone, in noise."""
    pieces = []
    for phone in " ".join(lexicon[word] for word in words).split():
        moments = np.arange(int(RATE * generator.uniform(0.1, 0.2))) / RATE
        pieces.append(np.sin(2 * np.pi * (200 + 200 * LETTERS.index(phone)) * moments))
    samples = np.concatenate(pieces)
    samples = 6000 * samples + 500 * generator.normal(size=len(samples))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def make_material(folder: Path) -> tuple[Path, Path]:
    """Make a source experiment and ten recordings; return where they are."""
    generator = np.random.default_rng(0)
    lexicon = {f"word{n}": " ".join(generator.choice(LETTERS, 3)) for n in range(WORDS)}
    # All phones come in training, whatever the draw.
    lexicon |= {f"all{n}": " ".join(LETTERS[3 * n : 3 * n + 3]) for n in range(PHONES // 3)}
    (folder / "lexicon.txt").write_text("".join(f"{w} {p}\n" for w, p in lexicon.items()), encoding="utf-8")
    names = list(lexicon)
    tables: dict[str, list[str]] = {"wav.scp": [], "text": [], "utt2spk": []}
    for kind, count in (("source", 20), ("speaker", 10)):
        (folder / kind).mkdir()
        for number in range(count):
            offset = number * SPOKEN % len(names)
            words = (names + names)[offset : offset + SPOKEN] if kind == "source" else None
            words = words or [str(word) for word in generator.choice(names, SPOKEN)]
            path = folder / kind / f"u{number:02}.wav"
            speak(path, words, lexicon, generator)
            if kind == "speaker":
                path.with_suffix(".txt").write_text(" ".join(words) + "\n", encoding="utf-8")
            else:
                key = f"s{number % 4}-u{number:02}"
                tables["wav.scp"].append(f"{key} {path}")
                tables["text"].append(f"{key} {' '.join(words)}")
                tables["utt2spk"].append(f"{key} s{number % 4}")
    for name, lines in tables.items():
        (folder / "source" / name).write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")
    (folder / "conf.toml").write_text(CONFIG, encoding="utf-8")
    cores = os.cpu_count() or 1
    run(["data", "fix", "source"], folder, cores)
    run(["features", "source", "--config", "conf.toml"], folder, cores)
    run(["train", "conf.toml", "exp"], folder, cores)
    return folder / "exp", folder / "speaker"


def main() -> None:
    parser = argparse.ArgumentParser(description="Time, memory and size of an adaptation to ten recordings.")
    parser.add_argument("--source", type=Path, help="experiment directory; by default one that is made")
    parser.add_argument("--data", type=Path, help="ten recordings of one speaker, with --source")
    parser.add_argument("--method", action="append", help="may be repeated; by default the default")
    parser.add_argument("--cores", type=int, default=2, help="that the process may use")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    arguments = parser.parse_args()
    if (arguments.source is None) != (arguments.data is None):
        parser.error("--source and --data go together")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.source is None:
            source, data = make_material(folder)
        else:
            source, data = arguments.source.resolve(), arguments.data.resolve()
        print(f"{'method':<24}{'wall s':>10}{'processor s':>14}{'MiB':>10}{'stored kB':>12}")
        figures = {}
        for method in arguments.method or ["default"]:
            times, busy, memory = [], [], 0.0
            for number in range(arguments.rounds):
                out = folder / f"{method}{number}"
                options = [] if method == "default" else ["--method", method]
                taken, used, largest = run(
                    ["adapt", str(source), str(data), str(out), *options], folder, arguments.cores
                )
                times.append(taken)
                busy.append(used)
                memory = max(memory, largest)
            stored = [file for file in (out / "speaker.h5", out / "weights.h5") if file.exists()]
            size = stored[0].stat().st_size / 1000
            figures[method] = statistics.median(times), memory, size
            print(
                f"{method:<24}{figures[method][0]:>10.1f}{statistics.median(busy):>14.1f}{memory:>10.0f}{size:>12.1f}"
            )
    for method, (taken, memory, size) in figures.items():
        name = "adaptation" if method == "default" else f"adaptation_{method}"
        print(f"ratio {name}_time {SECONDS / taken:.2f}")
        print(f"ratio {name}_memory {MEBIBYTES / memory:.2f}")
        print(f"ratio {name}_stored {KILOBYTES / size:.2f}")


if __name__ == "__main__":
    main()
