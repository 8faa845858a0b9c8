"""Training of a head on stored outputs of Whisper base, against a TDNN of the same size on filter bank features.

python tests/benchmarks/frozen_outputs.py [--threads N] [--utterances N] [--processor]

Both are whole runs of `speechtl train` on the same invented speech: reading, batches, CTC, AdamW. Whisper base has
random weights here: what it puts out makes no difference to the time. Both see 50 frames a second after their first
layer. Then come the stored outputs of Whisper base themselves: how long they take, and how long reading them takes.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

SIZE, EPOCHS = 384, 4


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--utterances", type=int, default=96)
    arguments.add_argument("--processor", action="store_true", help="processor time instead of wall time")
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
    from speechtl.training.trainer import Trainer

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    spent: dict[str, list[float]] = {"computing": [], "epoch": []}

    def time_every(owner: type, name: str, row: str) -> None:
        plain = getattr(owner, name)

        def timed(*arguments: object) -> None:
            started, processor = time.perf_counter(), time.process_time()
            plain(*arguments)
            spent[row].append(time.process_time() - processor if options.processor else time.perf_counter() - started)

        setattr(owner, name, timed)

    time_every(FrozenOutputs, "compute", "computing")
    time_every(Trainer, "_train_epoch", "epoch")
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
        rates: dict[str, list[float]] = {"head": [], "tdnn": []}
        frames = sum(int(line.split()[1]) for line in (data / "utt2num_frames").read_text().splitlines())
        for number in range(3):
            for name, one in (("head", head), ("tdnn", fbank)):
                spent["epoch"] = []
                train(parse(ExperimentConfig, one, name), root / f"{name}{number}")
                # The first epoch compiles.
                rates[name].append(frames / statistics.median(spent["epoch"][1:]))
    seconds, again = frames / 100, statistics.median(spent["computing"][1:])
    print(f"| frames a second: a head on stored outputs | {statistics.median(rates['head']):,.0f} |")
    print(f"| a TDNN of that size on filter bank features | {statistics.median(rates['tdnn']):,.0f} |")
    print(f"| computing the outputs, share of real time | {spent['computing'][0] / seconds:.4f} |")
    print(f"| finding them again | {again / seconds:.5f} |")
    print(f"ratio frozen_head {statistics.median(rates['head']) / statistics.median(rates['tdnn']):.2f}")
    print(f"ratio frozen_outputs_found {spent['computing'][0] / again:.1f}")


if __name__ == "__main__":
    main()
