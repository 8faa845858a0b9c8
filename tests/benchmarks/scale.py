"""Tables of many utterances: seconds and memory of what reads them, and how both grow.

    python tests/benchmarks/scale.py [--sizes 10000,100000,1000000] [--only validate,train] [--folder DIR]

The corpus is made up: 50 utterances of a speaker in one recording, which is a hard link of one file of noise, with
transcripts of a lexicon of 50,000 words, and features of 256 utterances in an archive, all of them links of one. Each
verb runs in a process of its own. Prints a table, and lines ``ratio <name> <value>``: how many times the processor time
of the last size but one the last size takes. Further ones are those of ``shards.py`` and ``cluster_rows.py``, which say
more about them.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

OF_A_SPEAKER, OF_AN_ARCHIVE, WORDS = 50, 256, 50_000
SECONDS = 4.0  # Of an utterance.


def make(folder: Path, size: int, stored: bool) -> None:
    """Write ``data``, ``broken`` and ``lexicon.txt``; and if features are to be ``stored``, as `features` does."""
    import numpy as np
    import soundfile

    from speechtl.data.datadir import DataDir, Segment
    from speechtl.features.archives import append_matrix
    from speechtl.features.cmvn import accumulate
    from speechtl.features.compute_parts import describe
    from speechtl.features.config import FeatureConfig
    from speechtl.features.parts import Stored, write_journal

    drawn, noise, config = random.Random(size), np.random.default_rng(0), FeatureConfig()
    audio, feats = folder / "audio", folder / "feats"
    audio.mkdir(parents=True)
    feats.mkdir()
    whole = noise.normal(0, 0.1, round(OF_A_SPEAKER * SECONDS * 8000))
    soundfile.write(folder / "noise.wav", whole, 8000)
    matrix = noise.normal(0, 1, (round(SECONDS * 100) - 2, config.dimension)).astype(np.float32)
    with open(folder / "one.ark", "wb") as file:
        place = append_matrix(file, "u", matrix)
    with open(folder / "one.stats.ark", "wb") as file:
        stats = append_matrix(file, "u", accumulate(matrix))
    letters = "abdefhijklmnoprstuvz"
    words = sorted({"".join(drawn.choices(letters, k=drawn.randint(3, 9))) for _ in range(WORDS)})
    (folder / "lexicon.txt").write_text("".join(f"{word} {' '.join(word)}\n" for word in words))
    data = DataDir(folder / "data")
    for number in range(size):
        speaker = f"spk{number // OF_A_SPEAKER:06d}"
        name, inside = f"{speaker}-{number:07d}", number % OF_A_SPEAKER
        data.utt2spk[name], data.utt2lang[name] = speaker, "en"
        data.text[name] = " ".join(drawn.choices(words, k=8))
        data.segments[name] = Segment(speaker, inside * SECONDS, (inside + 1) * SECONDS)
        data.utt2num_frames[name], data.utt2dur[name] = len(matrix), SECONDS
        if speaker not in data.wav_scp:
            data.wav_scp[speaker] = str(audio / f"{speaker}.wav")
            _link(folder / "noise.wav", audio / f"{speaker}.wav")
            data.cmvn_scp[speaker] = f"{folder}/one.stats.ark:{stats}"
            data.reco2dur[speaker] = OF_A_SPEAKER * SECONDS
    names = data.utterance_ids
    if not stored:
        data.feats_scp = dict.fromkeys(names, f"{folder}/one.ark:{place}")
    for number, first in enumerate(range(0, size if stored else 0, OF_AN_ARCHIVE)):
        stem = feats / f"{config.kind}.{number:06d}-abc123"
        _link(folder / "one.ark", Path(f"{stem}.ark"))
        _link(folder / "one.stats.ark", Path(f"{stem}.stats.ark"))
        entries = {
            name: Stored(
                f"{stem}.ark:{place}",
                f"{stem}.stats.ark:{stats}",
                len(matrix),
                SECONDS,
                False,
                describe(data.utterance(name)).origin,
            )
            for name in names[first : first + OF_AN_ARCHIVE]
        }
        write_journal(stem, number, config, entries)
        data.feats_scp.update((name, one.features) for name, one in entries.items())
    data.save(folder / "data")
    # Not sorted, and every tenth transcript is missing.
    shutil.copytree(folder / "data", folder / "broken")
    lines = (folder / "broken" / "text").read_text().splitlines(keepends=True)
    drawn.shuffle(lines)
    (folder / "broken" / "text").write_text("".join(lines[: size - size // 10]))


def _link(file: Path, path: Path) -> None:
    """Link, or where a file has too many links already, go on with a copy."""
    try:
        os.link(file, path)
    except OSError:
        fresh = file.with_name(f".{file.name}")
        shutil.copyfile(file, fresh)
        os.replace(fresh, file)
        os.link(file, path)


def validate(folder: Path) -> str:
    from speechtl.data.tables import problem_lines
    from speechtl.data.validate import validate

    report = validate(folder / "data")
    return f"{report.summary()} {len(list(problem_lines(report.problems)))} lines"


def validate_broken(folder: Path) -> str:
    from speechtl.data.tables import problem_lines
    from speechtl.data.validate import validate

    report = validate(folder / "broken")
    return f"{report.summary()} {len(list(problem_lines(report.problems)))} lines"


def fix(folder: Path) -> str:
    from speechtl.data.fix import fix

    repair = fix(folder / "broken", dry_run=True)
    return f"{repair.after} of {repair.before} kept, {len(repair.actions)} actions"


def subset(folder: Path) -> str:
    from speechtl.data.datadir import DataDir
    from speechtl.data.subset import subset

    chosen = subset(DataDir.load(folder / "data"), seconds_per_speaker=20.0)
    chosen.save(folder / "subset")
    return f"{len(chosen)}"


def split(folder: Path) -> str:
    from speechtl.data.datadir import DataDir
    from speechtl.data.split import split

    parts = split(DataDir.load(folder / "data"), fraction=0.5)
    for name, part in zip(("rest", "held"), parts, strict=True):
        part.save(folder / name)
    return " ".join(str(len(part)) for part in parts)


def combine(folder: Path) -> str:
    from speechtl.data.combine import combine
    from speechtl.data.datadir import DataDir

    joined, notes = combine([DataDir.load(folder / name) for name in ("rest", "held")])
    joined.save(folder / "joined")
    return f"{len(joined)} {notes}"


def features(folder: Path) -> str:
    from speechtl.data.datadir import DataDir
    from speechtl.features.compute import compute_features
    from speechtl.features.config import FeatureConfig

    summary = compute_features(DataDir.load(folder / "data"), FeatureConfig(), folder / "feats")
    return f"{summary.computed} computed, {summary.reused} reused"


def train(folder: Path) -> str:
    from speechtl.batches.config import AugmentationConfig, BatchConfig, DataConfig, NormalisationConfig
    from speechtl.batches.labelling import Labelling
    from speechtl.batches.source import Normaliser, Source
    from speechtl.features.config import FeatureConfig
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.phone_inventory import PhoneInventory
    from speechtl.training.training_data import TrainingData

    lexicon = Lexicon.load(folder / "lexicon.txt")
    config = DataConfig(language="en", train=[str(folder / "data")], lexicon=str(folder / "lexicon.txt"))
    inventory = PhoneInventory(sorted(lexicon.phones()))
    source = Source(
        config.train, config, Normaliser(NormalisationConfig()), FeatureConfig(), Labelling(inventory, lexicon)
    )
    data = TrainingData([source], [], BatchConfig(), AugmentationConfig(), 1)
    return f"{len(source)} utterances, {len(data.plan(0))} batches"


VERBS: dict[str, Callable[[Path], str]] = {
    one.__name__: one for one in (validate, validate_broken, fix, subset, split, combine, features, train)
}


def child(name: str, folder: Path) -> None:
    """Run one verb, and print its seconds and memory; importing TensorFlow is not among its seconds."""
    if name in ("train", "features"):
        import speechtl.training.training_data  # noqa: F401
    before = most_memory()
    wall, processor = time.perf_counter(), time.process_time()
    told = VERBS[name](folder)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(json.dumps([wall, processor, most_memory(), before, told]))


def most_memory() -> float:
    """Return the most memory that this process has had, in MiB; ``getrusage`` would count the parent's."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="utterances, separated by commas")
    everything = ",".join([*VERBS, "shards", "cluster"])
    parser.add_argument("--only", default=everything, help="verbs, separated by commas; combine needs split")
    parser.add_argument("--folder", type=Path, help="where corpora are made, and kept for the next run")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child[0], Path(arguments.child[1]))
        return
    root = arguments.folder or Path(tempfile.mkdtemp(prefix="scale-"))
    verbs = [name for name in arguments.only.split(",") if name in VERBS]
    sizes = [int(size) for size in arguments.sizes.split(",")]
    times: dict[str, list[float]] = {}
    print(f"{'verb':<16} {'utterances':>10} {'wall s':>8} {'cpu s':>8} {'MiB':>7} {'before':>7}")
    try:
        for size in sizes if verbs else ():
            folder = root / str(size)
            whole = "features" in verbs
            if not (folder / "broken").exists() or (whole and not any((folder / "feats").iterdir())):
                shutil.rmtree(folder, ignore_errors=True)
                make(folder, size, whole)
            for name in verbs:
                command = [sys.executable, __file__, "--child", name, str(folder)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                wall, processor, most, before, told = json.loads(done.stdout.splitlines()[-1])
                times.setdefault(name, []).append(processor)
                print(
                    f"{name:<16} {size:>10} {wall:>8.2f} {processor:>8.2f} {most:>7.0f} {before:>7.0f}  {told}",
                    flush=True,
                )
    finally:
        if arguments.folder is None:
            shutil.rmtree(root)
    if len(sizes) > 1:
        for name, seconds in times.items():
            print(f"ratio {name} {seconds[-1] / seconds[-2]:.2f}", flush=True)
    for name in ("shards", "cluster_rows"):
        if name.partition("_")[0] in arguments.only.split(","):
            subprocess.run([sys.executable, Path(__file__).with_name(f"{name}.py")], check=True)


if __name__ == "__main__":
    main()
