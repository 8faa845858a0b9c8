"""Training from shards, whose features are computed meanwhile, against training from stored features: speed.

    python tests/benchmarks/shards.py [--utterances N] [--rounds N] [--threads N] [--folder DIR]

The audio is made up: noise with the spectrum and the pauses of speech, FLAC of 2 to 6 s at 16 kHz. The model is the
default TDNN. Both sides train an epoch in turn, in one process, with the same weights and updates. Prints seconds of
each, and ``ratio training_from_shards``: how much of the speed from stored features is left.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

RATE = 16000


def make(folder: Path, utterances: int) -> None:
    """Write ``data`` with features in ``feats``, and ``shards`` of 8 MB."""
    import numpy as np
    import scipy.signal
    import soundfile

    from speechtl.data.datadir import DataDir
    from speechtl.data.shard import shard
    from speechtl.features.compute import compute_features
    from speechtl.features.config import FeatureConfig

    rng = np.random.default_rng(0)
    data = DataDir(folder / "data")
    (folder / "audio").mkdir(parents=True)
    for number in range(utterances):
        name, path = f"s{number % 8}-{number:05d}", folder / "audio" / f"{number:05d}.flac"
        noise = rng.normal(0, 0.02, round(rng.uniform(2, 6) * RATE))
        # Pauses are never digital silence, which is filled and takes time.
        voiced = 0.05 + np.repeat(rng.random(len(noise) // 1600 + 1), 1600)[: len(noise)] ** 3
        soundfile.write(path, scipy.signal.lfilter([1], [1, -1.6, 0.8], noise) * voiced, RATE)
        data.wav_scp[name], data.utt2spk[name] = str(path), f"s{number % 8}"
        data.text[name] = " ".join(rng.choice(list("aeiouptkmns"), 25))
    data.save(data.path)
    compute_features(DataDir.load(data.path), FeatureConfig(), folder / "feats")
    shard(data, folder / "shards", megabytes=8)


def measure(folder: Path, rounds: int) -> None:
    import numpy as np
    import tensorflow as tf

    from speechtl.batches.config import AugmentationConfig, BatchConfig, DataConfig, NormalisationConfig
    from speechtl.batches.labelling import Labelling
    from speechtl.batches.source import Normaliser, Source
    from speechtl.features.config import FeatureConfig
    from speechtl.lang.phone_inventory import PhoneInventory
    from speechtl.models.acoustic_model import AcousticModel
    from speechtl.models.config import ModelConfig
    from speechtl.training.config import TrainingConfig
    from speechtl.training.trainer import Trainer
    from speechtl.training.training_data import TrainingData

    features, inventory = FeatureConfig(), PhoneInventory(list("aeiouptkmns"))
    model = AcousticModel(ModelConfig(), features.dimension, {"und": inventory}, {"und": "und"})
    normaliser = Normaliser(NormalisationConfig(kind="utterance"))
    speech, trainer = {}, None
    for name in ("data", "shards"):
        source = Source([folder / name], DataConfig(), normaliser, features, Labelling(inventory, None))
        speech[name] = TrainingData([source], [], BatchConfig(), AugmentationConfig(), 1)
        trainer = trainer or Trainer(model, [], speech[name], TrainingConfig(), folder / "exp")
    strategy, taken = tf.distribute.get_strategy(), {name: list[tuple[float, float]]() for name in speech}
    readers = {name: data.reader(0, features.dimension, strategy) for name, data in speech.items()}
    step = 0
    for turn in range(rounds + 1):  # One to warm up.
        for name in list(speech)[:: 1 if turn % 2 else -1]:
            data = speech[name]
            plan = data.plan(turn)
            wall, processor = time.perf_counter(), time.process_time()
            for batch in readers[name](plan, turn):
                trainer.update(batch, "und", step, 0.1)
                step += 1
            if turn:
                taken[name].append((time.perf_counter() - wall, time.process_time() - processor))
    frames = int(np.sum(speech["data"].train[0].frames))
    for name, seconds in taken.items():
        wall, processor = (statistics.median(column) for column in zip(*seconds))
        title = {"data": "stored features", "shards": "shards"}[name]
        print(f"{title:16} {wall:8.2f} s {processor:8.2f} s cpu {frames / wall:10,.0f} frames/s")
    for place, suffix in ((0, ""), (1, "_cpu")):
        pairs = zip(taken["data"], taken["shards"], strict=True)
        print(
            f"ratio training_from_shards{suffix} {statistics.median(one[place] / two[place] for one, two in pairs):.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the corpus is made, and kept for the next run")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or Path(made) / "corpus"
        if not folder.exists():
            make(folder, arguments.utterances)
        measure(folder, arguments.rounds)


if __name__ == "__main__":
    main()
