"""Features and decoding on two Dask workers against one, and against ``--nj 2``.

    python tests/benchmarks/cluster_rows.py [--utterances 30000] [--rounds 3] [--folder DIR]

The speech is that of ``recipes/base/audio``, over and over, as many utterances as are asked for; a fiftieth of them
is decoded with the model ``base`` and its English words. Clusters are started before, and everything has decoded
something before, so that what is measured goes on as long as the work does; workers and the processes of ``--nj`` load
TensorFlow anew for the features, which is counted. Rounds alternate; prints the median seconds of each, and lines
``ratio <name> <value>``: the seconds of one worker over those of two (at least 1.8), and those of two over ``--nj 2``
(at most 1.05).
"""

import argparse
import logging
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from speechtl.cluster.open_workers import open_workers
from speechtl.pieces import Here, Workers

AUDIO = Path(__file__).resolve().parents[2] / "recipes" / "base" / "audio"
OF_A_SPEAKER = 50


def make(folder: Path, utterances: int) -> None:
    """Write a data directory of the same few recordings again and again."""
    from speechtl.data.datadir import DataDir

    recordings = sorted(AUDIO.glob("*.flac")) or sorted(AUDIO.glob("*.wav"))
    data = DataDir(folder)
    for number in range(utterances):
        speaker = f"s{number // OF_A_SPEAKER:06d}"
        name = f"{speaker}-{number:07d}"
        data.utt2spk[name], data.wav_scp[name] = speaker, str(recordings[number % len(recordings)])
    data.save(folder)


def features(folder: Path, workers: Workers) -> None:
    """Compute the features of ``data``, all of them anew."""
    from speechtl.data.datadir import DataDir
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.features.compute import compute_features
    from speechtl.features.config import FeatureConfig
    from speechtl.pretrained.model_path import recogniser_path

    config = ExperimentDirectory(recogniser_path("base")).section(FeatureConfig, "features", None, ())
    summary = compute_features(DataDir.load(folder / "data"), config, folder / "feats", workers=workers, overwrite=True)
    if summary.broken:
        raise SystemExit(f"{len(summary.broken)} utterances could not be read")


def decoding(folder: Path, workers: Workers, jobs: int = 1, data: str = "some") -> None:
    """Decode ``some`` of the utterances."""
    from speechtl.pretrained.model_path import recogniser_path
    from speechtl.recognition.corpus_decoder import decode_corpus
    from speechtl.recognition.decode_request import DecodeRequest
    from speechtl.recognition.vocabulary import Vocabulary

    model = recogniser_path("base")
    words = Vocabulary(lexicon=folder / "words.txt")
    decode_corpus(DecodeRequest(model, folder / data, folder / "out", words, language="en", jobs=jobs), workers)


def measure(what: str, ways: dict[str, Callable[[], float]], rounds: int) -> None:
    """Let each way tell its seconds as often as asked for, in turn, and print what came out."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            times[name].append(run())
    for name, seconds in times.items():
        print(f"{what:<10} {name:<10} {statistics.median(seconds):>8.2f} s  {min(seconds):.2f} to {max(seconds):.2f}")
    one, two, processes = (statistics.median(times[name]) for name in ("1 worker", "2 workers", "--nj 2"))
    print(f"ratio {what}_2_workers_over_1 {one / two:.3f}")
    print(f"ratio {what}_2_workers_to_nj_2 {two / processes:.3f}", flush=True)


def seconds_of(run: Callable[..., None], *arguments: object) -> float:
    started = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - started


def fresh_features(folder: Path, cluster: str | None, processes: int) -> float:
    """Return the seconds of features on workers that have computed nothing yet."""
    with open_workers(cluster, processes) as workers:
        return seconds_of(features, folder, workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the corpus is made, and kept")
    arguments = parser.parse_args()
    logging.getLogger("speechtl").setLevel(logging.ERROR)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="cluster-"))
    folder = folder.absolute()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors", flush=True)
    try:
        make(folder / "data", arguments.utterances)
        run_all(folder, arguments.utterances // 50, arguments.rounds)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


def run_all(folder: Path, decoded: int, rounds: int) -> None:
    from speechtl.data.datadir import DataDir
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.pretrained.model_path import recogniser_path

    ways = {
        "1 worker": lambda: fresh_features(folder, "local:1", 1),
        "2 workers": lambda: fresh_features(folder, "local:2", 1),
        "--nj 2": lambda: fresh_features(folder, None, 2),
    }
    measure("features", ways, rounds)
    ExperimentDirectory(recogniser_path("base")).own_lexicon("en").save(folder / "words.txt")
    every = DataDir.load(folder / "data")
    for name, count in (("some", decoded), ("few", 4)):
        every.select(every.utterance_ids[:count]).save(folder / name)
    with open_workers("local:1") as one, open_workers("local:2") as two:
        for workers, jobs in ((one, 1), (two, 1), (Here(), 2)):
            decoding(folder, workers, jobs, "few")
        ways = {
            "1 worker": lambda: seconds_of(decoding, folder, one),
            "2 workers": lambda: seconds_of(decoding, folder, two),
            "--nj 2": lambda: seconds_of(decoding, folder, Here(), 2),
        }
        measure("decoding", ways, rounds)


if __name__ == "__main__":
    main()
