"""Training of a head on stored outputs of Whisper base, against a TDNN of the same size on filter bank features.

python tests/benchmarks/frozen_outputs.py [--threads N] [--utterances N]

Both are whole runs of `speechtl train` on the same invented speech: reading, batches, CTC, AdamW. Whisper base has
random weights here: what it puts out makes no difference to the time. Both see 50 frames a second after their first
layer. Then come the stored outputs of Whisper base themselves: how long they take, and how long reading them takes.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

SIZE, EPOCHS = 384, 12


def frames_per_second(directory: Path) -> float:
    """The median of what the training log says, without the first entry, which compiles."""
    events = map(json.loads, (directory / "log.jsonl").read_text().splitlines())
    return statistics.median([event["frames_per_second"] for event in events if event["event"] == "step"][1:])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--utterances", type=int, default=160)
    options = arguments.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import tensorflow as tf
    from invented_corpus import corpus_maker, write_lexicon

    from speechtl.config import parse
    from speechtl.experiment.config import ExperimentConfig
    from speechtl.experiment.train import train
    from speechtl.training.frozen_outputs import FrozenOutputs

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    spent: list[float] = []
    compute = FrozenOutputs.compute

    def timed(self: FrozenOutputs) -> None:
        started = time.perf_counter()
        compute(self)
        spent.append(time.perf_counter() - started)

    FrozenOutputs.compute = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["SPEECHTL_CACHE"] = str(root / "cache")
        data = corpus_maker(root)("train", utterances=options.utterances, bins=80, frames_per_phone=90)
        table = {
            "data": [{"language": "xx", "train": str(data), "lexicon": str(write_lexicon(root / "lexicon.txt"))}],
            "augmentation": {"frequency_masks": 0, "time_masks": 0},
            "training": {"epochs": 1, "average": 1, "checkpoint_minutes": 60},
            "normalisation": {"kind": "none"},
        }
        tdnn = {"kind": "tdnn", "size": SIZE, "dilations": [1, 1]}
        whisper = {**table, "features": {"kind": "whisper"}, "model": {"encoder": {"kind": "whisper"}}}
        train(parse(ExperimentConfig, whisper | {"training": {"epochs": 1, "learning_rate": 1e-9}}, "w"), root / "base")
        table["training"]["epochs"] = EPOCHS
        top = {**tdnn, "subsampling": {"factor": 1, "kernel": 1}}
        method = {"method": "layer_transfer", "source": str(root / "base"), "blocks": "encoder"}
        head = {**table, **{key: whisper[key] for key in ("features",)}, "transfer": [method]}
        head["model"] = {"encoder": {"kind": "whisper"}, "top": top}
        fbank = {**table, "model": {"encoder": {**tdnn, "subsampling": {"factor": 2}}}}
        rates = {"head": [], "tdnn": []}
        for number in range(3):
            for name, one in (("head", head), ("tdnn", fbank)):
                train(parse(ExperimentConfig, one, name), root / f"{name}{number}")
                rates[name].append(frames_per_second(root / f"{name}{number}"))
        frames = sum(int(line.split()[1]) for line in (data / "utt2num_frames").read_text().splitlines())
    seconds = frames / 100
    print(f"| frames a second: a head on stored outputs | {statistics.median(rates['head']):,.0f} |")
    print(f"| a TDNN of that size on filter bank features | {statistics.median(rates['tdnn']):,.0f} |")
    print(f"| computing the outputs, share of real time ({seconds:.0f} s of speech) | {spent[0] / seconds:.4f} |")
    print(f"| finding them again | {statistics.median(spent[1:]) / seconds:.5f} |")
    print(f"ratio frozen_head {statistics.median(rates['head']) / statistics.median(rates['tdnn']):.2f}")
    print(f"ratio frozen_outputs_found {spent[0] / statistics.median(spent[1:]):.1f}")


if __name__ == "__main__":
    main()
