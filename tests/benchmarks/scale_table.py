"""What a thousand, ten thousand and a hundred thousand hours cost, from what is measured here: docs/scale.md.

    python tests/benchmarks/scale_table.py [--utterances 1000] [--cores 32] [--gbit 10] [--seconds 10]

Each stage runs in a process of its own with one thread, on the recording in ``recipes/base/audio`` over and over, with
the model ``base``; what counts is processor time, which other programs change little. The cost of tables is that of
`scale.py`, from 10,000 to 100,000 utterances. What is stated and not measured are the arguments: cores of a machine,
the network of the file server, and seconds of an utterance. Then it is checked how far the constants hold for five
times as much speech: the lines ``check``. Prints markdown.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import scale
from cluster_rows import make

from speechtl.pieces import ONE_THREAD, Here

HOURS = (1_000, 10_000, 100_000)
TEXT = "ENTER NINE ONE SIX NINE"
STEPS = 6
# Features are quick: to tell what they cost takes more of them.
TIMES = {"features": 10}
DISK_BYTES = 256 << 20


def prepare(folder: Path, utterances: int) -> None:
    """Write a data directory with features, a lexicon and transcripts."""
    from speechtl.data.datadir import DataDir
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.features.compute import compute_features
    from speechtl.features.config import FeatureConfig
    from speechtl.pretrained.model_path import recogniser_path

    make(folder / "data", utterances)
    directory = ExperimentDirectory(recogniser_path("base"))
    lexicon = directory.own_lexicon("en")
    lexicon.save(folder / "words.txt")
    data = DataDir.load(folder / "data")
    words = " ".join(word if word in lexicon else word.lower() for word in TEXT.split())
    data.text = dict.fromkeys(data.utterance_ids, words)
    data.save(data.path)
    compute_features(data, directory.section(FeatureConfig, "features"), folder / "feats", workers=Here())


def of_data(folder: Path, part: str, count: int) -> float:
    """Write the first utterances as ``part``; return their hours."""
    from speechtl.data.datadir import DataDir

    data = DataDir.load(folder / "data")
    chosen = data.select(data.utterance_ids[:count])
    chosen.save(folder / part)
    return sum(chosen.utt2dur.values()) / 3600


def features(folder: Path, part: str) -> dict[str, float]:
    from speechtl.data.datadir import DataDir
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.features.compute import compute_features
    from speechtl.features.config import FeatureConfig
    from speechtl.pretrained.model_path import recogniser_path

    config = ExperimentDirectory(recogniser_path("base")).section(FeatureConfig, "features")
    data, out = DataDir.load(folder / part), folder / f"feats_{part}"
    compute_features(data, config, out, workers=Here(), overwrite=True)
    audio = sum(os.path.getsize(path) for path in data.wav_scp.values())
    return {"audio": audio, "features": sum(path.stat().st_size for path in out.iterdir())}


def decoding(folder: Path, part: str) -> dict[str, float]:
    from cluster_rows import decoding as decode

    decode(folder, Here(), 1, part)
    return {}


def alignment(folder: Path, part: str) -> dict[str, float]:
    from speechtl.pretrained.model_path import recogniser_path
    from speechtl.recognition.forced_alignment import AlignRequest, align_data
    from speechtl.recognition.vocabulary import Vocabulary

    words = Vocabulary(lexicon=folder / "words.txt")
    align_data(AlignRequest(recogniser_path("base"), folder / part, folder / "ali", words, language="en"))
    return {}


STAGES = {"features": features, "decoding": decoding, "alignment": alignment}


def child(name: str, folder: Path, count: int) -> dict[str, float]:
    """Return what a stage costs: processor seconds for each hour of speech, once everything is loaded."""
    if name == "training":
        from training import FRAMES, UTTERANCES, make_batch, our_side

        step = our_side(folder, 1)["step"]
        step()
        started = time.process_time()
        for _ in range(count):
            step()
        hours = count * int(make_batch()["lengths"].sum()) / 360_000
        return {"seconds": (time.process_time() - started) / hours, "hours": hours, "batch": UTTERANCES * FRAMES}
    of_data(folder, "few", 70)
    STAGES[name](folder, "few")
    hours = of_data(folder, "part", count * TIMES.get(name, 1))
    started = time.process_time()
    more = STAGES[name](folder, "part")
    seconds = time.process_time() - started
    return {"seconds": seconds / hours, "hours": hours} | {key: value / hours for key, value in more.items()}


def ask(name: str, folder: Path, count: int) -> dict[str, float]:
    environment = {**os.environ, **ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, __file__, "--child", name, str(folder), str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def disk_speed(folder: Path) -> tuple[float, float]:
    """Return bytes a second of writing to the disk, and of reading what is not in memory."""
    path, block = folder / "disk", os.urandom(1 << 22)
    started = time.perf_counter()
    with open(path, "wb") as file:
        for _ in range(DISK_BYTES >> 22):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        wrote = time.perf_counter() - started
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    started = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 22):
            pass
    return DISK_BYTES / wrote, DISK_BYTES / (time.perf_counter() - started)


def piece_overhead() -> float:
    """Return the seconds that a piece of work costs the scheduler and the client of a local cluster."""
    from speechtl.cluster.open_workers import open_workers

    with open_workers("local:1") as workers:
        list(workers.run(abs, range(20)))
        started = time.perf_counter()
        list(workers.run(abs, range(400)))
        return (time.perf_counter() - started) / 400


def tables(folder: Path, size: int) -> tuple[float, float]:
    """Return the processor seconds and bytes of memory of the start of a training."""
    if not (folder / "broken").exists():
        scale.make(folder, size)
    command = [sys.executable, scale.__file__, "--child", "train", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    _, processor, most, before, _ = json.loads(done.stdout.splitlines()[-1])
    return processor, (most - before) * 2**20


def report(costs: dict[str, dict[str, float]], table: tuple[float, float], arguments: argparse.Namespace) -> None:
    """Print the tables of docs/scale.md."""
    per_hour = {"audio": costs["features"]["audio"], "features": costs["features"]["features"]}
    reads = {"features": "audio", "decoding": "features", "alignment": "features", "training": "features"}
    server = arguments.gbit * 1e9 / 8
    print("\n| stage | processor seconds for an hour of speech | reads, MB an hour | cores that the network feeds |")
    print("|---|---|---|---|")
    for name, cost in costs.items():
        size = per_hour[reads[name]]
        print(f"| {name} | {cost['seconds']:.1f} | {size / 1e6:.0f} | {server * cost['seconds'] / size:,.0f} |")
    print("\n| | " + " | ".join(f"{hours:,} h" for hours in HOURS) + " |\n|---|" + "---|" * len(HOURS))
    utterances = [hours * 3600 / arguments.seconds for hours in HOURS]
    rows = {
        "utterances": [f"{count / 1e6:.2f} million" for count in utterances],
        "audio (FLAC), TB": [f"{hours * per_hour['audio'] / 1e12:.2f}" for hours in HOURS],
        "features, TB": [f"{hours * per_hour['features'] / 1e12:.2f}" for hours in HOURS],
    }
    for name, cost in costs.items():
        every = [hours * cost["seconds"] / 3600 for hours in HOURS]
        label = f"{name}{', one epoch' if name == 'training' else ''}: core hours (machines for a day)"
        rows[label] = [f"{hours:,.0f} ({hours / 24 / arguments.cores:.2g})" for hours in every]
    rows["tables of a training: seconds to read"] = [f"{count * table[0]:,.0f}" for count in utterances]
    rows["tables of a training: GB of memory"] = [f"{count * table[1] / 1e9:.1f}" for count in utterances]
    rows["audio once over the network, hours"] = [f"{h * per_hour['audio'] / server / 3600:.2f}" for h in HOURS]
    for label, values in rows.items():
        print(f"| {label} | {' | '.join(values)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=1000, help="that constants are measured on")
    parser.add_argument("--cores", type=int, default=32, help="of a machine")
    parser.add_argument("--gbit", type=float, default=10, help="a second, that the file server sends")
    parser.add_argument("--seconds", type=float, default=10, help="of an utterance")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        name, folder, count = arguments.child
        print(json.dumps(child(name, Path(folder), int(count))))
        return
    with tempfile.TemporaryDirectory(prefix="scale-") as place:
        folder, most = Path(place), arguments.utterances
        prepare(folder, most * max(TIMES.values()))
        wrote, read = disk_speed(folder)
        piece = piece_overhead()
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {most} utterances of 2.5 s")
        print(f"disk: {wrote / 1e6:.0f} MB/s written, {read / 1e6:.0f} MB/s read; a piece costs {1000 * piece:.1f} ms")
        few, many = (tables(folder / str(size), size) for size in (10_000, 100_000))
        # The difference leaves out what does not grow, such as the lexicon.
        table = (many[0] - few[0]) / 90_000, (many[1] - few[1]) / 90_000
        costs = {name: ask(name, folder, most // 5) for name in STAGES}
        costs["training"] = ask("training", folder, STEPS)
        report(costs, table, arguments)
        print(flush=True)
        for name in STAGES:
            ratio = ask(name, folder, most)["seconds"] / costs[name]["seconds"]
            print(f"check {name}, 5 times as much speech: {ratio:.2f} of the cost for an hour", flush=True)


if __name__ == "__main__":
    main()
