"""Features and decoding on two Dask workers against one, and against ``--nj 2``.

    python tests/benchmarks/cluster_rows.py [--utterances 30000] [--rounds 3] [--decoded N] [--folder DIR]

The speech is that of ``recipes/base/audio``, over and over, as many utterances as are asked for; a fiftieth of them
(``--decoded``) is decoded with the model ``base`` and its English words. Features are computed by clusters and
processes that are started for it, which is counted: each of them loads TensorFlow. For decoding, clusters are there,
and everything has decoded something before.

Prints for each way medians: seconds of the clock; processor seconds of this process, in which Dask's client and
scheduler are; and those of all workers and of the busiest one. Rounds alternate. Then lines ``ratio <name> <value>``:

* ``..._2_workers_over_1``: seconds of one worker over those of two (at least 1.8); ``_cpu``: likewise of this process
  and the busiest worker, as if one waited for the other;
* ``..._2_workers_to_nj_2``: seconds of two workers over those of ``--nj 2`` (at most 1.05); ``_cpu``: processor
  seconds of all processes;
* ``..._client``: processor seconds of this process as a share of the workers'; ``..._dask``: what of that is more than
  with ``--nj 2`` (not for decoding, since ``decode --nj 2`` computes in this process).
"""

import argparse
import logging
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from speechtl.cluster.dask_workers import DaskWorkers
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


class Cost(NamedTuple):
    """What one way took: seconds of the clock, processor seconds of this process, and of each worker."""

    wall: float
    own: float
    workers: list[float]

    @property
    def processor(self) -> float:
        return self.own + sum(self.workers)


def measure(what: str, ways: dict[str, Callable[[], Cost]], rounds: int) -> None:
    """Run each way as often as asked for, in turn, and print what it took."""
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            costs[name].append(run())

    def median(name: str, of: Callable[[Cost], float]) -> float:
        return statistics.median(of(cost) for cost in costs[name])

    for name in costs:
        columns = [median(name, of) for of in (_wall, _own, lambda cost: sum(cost.workers), _busiest)]
        print(f"{what:<10} {name:<10} {' '.join(f'{column:>8.2f}' for column in columns)}")
    for suffix, of, alone in (
        ("", _wall, _wall),
        ("_cpu", lambda cost: cost.processor, lambda cost: cost.own + _busiest(cost)),
    ):
        print(f"ratio {what}_2_workers_over_1{suffix} {median('1 worker', alone) / median('2 workers', alone):.3f}")
        print(f"ratio {what}_2_workers_to_nj_2{suffix} {median('2 workers', of) / median('--nj 2', of):.3f}")
    client = median("2 workers", lambda cost: cost.own / sum(cost.workers))
    print(f"ratio {what}_client {client:.4f}")
    if any(cost.workers for cost in costs["--nj 2"]):
        more = median("2 workers", _own) - median("--nj 2", _own)
        print(f"ratio {what}_dask {more / median('2 workers', lambda cost: sum(cost.workers)):.4f}")
    print(end="", flush=True)


def _wall(cost: Cost) -> float:
    return cost.wall


def _own(cost: Cost) -> float:
    return cost.own


def _busiest(cost: Cost) -> float:
    return max(cost.workers, default=0.0)


def processor_seconds(workers: Workers) -> dict[str, float]:
    """Return what each worker of a cluster has used since it was started."""
    return workers.client.run(time.process_time) if isinstance(workers, DaskWorkers) else {}


def cost_of(workers: Workers, run: Callable[..., None], *arguments: object) -> Cost:
    """Run something on workers that are there."""
    before = processor_seconds(workers)
    wall, own = time.perf_counter(), time.process_time()
    run(*arguments)
    wall, own = time.perf_counter() - wall, time.process_time() - own
    return Cost(wall, own, [now - before[name] for name, now in processor_seconds(workers).items()])


def fresh_features(folder: Path, cluster: str | None, processes: int) -> Cost:
    """Compute features with workers that are started for it, and stopped."""
    wall, own, ended = time.perf_counter(), time.process_time(), _ended()
    with open_workers(cluster, processes) as workers:
        features(folder, workers)
        used = list(processor_seconds(workers).values())
    if not used:
        used = [(_ended() - ended) / processes] * processes  # Nobody knows of each.
    return Cost(time.perf_counter() - wall, time.process_time() - own, used)


def _ended() -> float:
    """Return the processor seconds of processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--decoded", type=int, help="utterances to decode; by default a fiftieth")
    parser.add_argument("--only", choices=["features", "decoding"], help="by default both")
    parser.add_argument("--folder", type=Path, help="where the corpus is made, and kept")
    arguments = parser.parse_args()
    logging.getLogger("speechtl").setLevel(logging.ERROR)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="cluster-"))
    folder = folder.absolute()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    print(f"{'':<21} {'wall':>8} {'own':>8} {'workers':>8} {'busiest':>8}", flush=True)
    try:
        make(folder / "data", arguments.utterances)
        if arguments.only != "decoding":
            compare_features(folder, arguments.rounds)
        if arguments.only != "features":
            compare_decoding(folder, arguments.decoded or arguments.utterances // 50, arguments.rounds)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


def compare_features(folder: Path, rounds: int) -> None:
    ways = {
        "1 worker": lambda: fresh_features(folder, "local:1", 1),
        "2 workers": lambda: fresh_features(folder, "local:2", 1),
        "--nj 2": lambda: fresh_features(folder, None, 2),
    }
    measure("features", ways, rounds)


def compare_decoding(folder: Path, decoded: int, rounds: int) -> None:
    from speechtl.data.datadir import DataDir
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.pretrained.model_path import recogniser_path

    model = ExperimentDirectory(recogniser_path("base"))
    model.own_lexicon("en").save(folder / "words.txt")
    if not (folder / "data" / "feats.scp").exists():
        features(folder, Here())
    every = DataDir.load(folder / "data")
    for name, count in (("some", decoded), ("few", 4)):
        every.select(every.utterance_ids[:count]).save(folder / name)
    with open_workers("local:1") as one, open_workers("local:2") as two:
        for workers, jobs in ((one, 1), (two, 1), (Here(), 2)):
            decoding(folder, workers, jobs, "few")
        ways = {
            "1 worker": lambda: cost_of(one, decoding, folder, one),
            "2 workers": lambda: cost_of(two, decoding, folder, two),
            "--nj 2": lambda: cost_of(Here(), decoding, folder, Here(), 2),
        }
        measure("decoding", ways, rounds)


if __name__ == "__main__":
    main()
