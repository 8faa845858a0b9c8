"""Training steps of the default TDNN with CTC against the same network and step in PyTorch, two threads each.

python tests/benchmarks/training.py [--torch-python PYTHON] [--rounds N] [--threads N]

Each side runs in a process of its own, both on the same processors, and they take turns. First it is checked that both
networks have as many weights and, with the same weights, the same losses and gradient norm. PyTorch may live in another
environment than speechtl: name its interpreter with --torch-python.

Run it on a quiet machine: threads that wait for each other lose more to other programs than threads that do not, and
the frameworks differ in that. With one thread, the processor time (columns cpu) hardly depends on what else runs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sides import Side, pin, serve

UTTERANCES, FRAMES, BINS, LABELS, UNITS = 16, 400, 80, 35, 40
RATE, DECAY, CLIP, BETAS, EPSILON = 1e-3, 0.01, 5.0, (0.9, 0.98), 1e-7
MISSING = (
    "PyTorch is missing: pip install torch==2.13.0 numpy (a CPU build does), in any environment, --torch-python names"
)


def make_batch() -> dict:
    """Utterances of similar lengths, as they meet in a bucket, with random features and labels."""
    import numpy as np

    generator = np.random.default_rng(0)
    lengths = np.sort(generator.integers(FRAMES * 85 // 100, FRAMES + 1, UTTERANCES)).astype(np.int32)
    lengths[-1] = FRAMES
    features = generator.normal(size=(UTTERANCES, FRAMES, BINS)).astype(np.float32)
    features *= np.arange(FRAMES)[None, :, None] < lengths[:, None, None]
    labels = generator.integers(1, UNITS, (UTTERANCES, LABELS)).astype(np.int32)
    return {"features": features, "lengths": lengths, "labels": labels}


def our_side(folder: Path, threads: int) -> dict[str, Callable[[], object]]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import keras
    import numpy as np
    import tensorflow as tf

    from speechtl.batches.config import AugmentationConfig, BatchConfig
    from speechtl.batches.pipeline import Batch
    from speechtl.models.acoustic_model import AcousticModel
    from speechtl.models.config import ModelConfig
    from speechtl.models.weights import arrays_of
    from speechtl.training.config import TrainingConfig
    from speechtl.training.objective import ctc_losses
    from speechtl.training.trainer import Trainer
    from speechtl.training.training_data import TrainingData

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()  # As training does by default.
    keras.utils.set_random_seed(1)

    class Utterances:  # What the trainer asks of its data before the first step.
        language, weight, utterance_ids = "und", 1.0, [f"utterance{number}" for number in range(UTTERANCES)]
        frames, labels = np.full(UTTERANCES, FRAMES), [[1]] * UTTERANCES
        feature_frames, shards, targets = frames, None, {}

        def __len__(self) -> int:
            return UTTERANCES

    model = AcousticModel(ModelConfig(), BINS, {"und": UNITS})
    # No warm-up: every step updates the weights at the peak rate, as the peer does.
    config = TrainingConfig(epochs=10_000, warmup=0, learning_rate=RATE, weight_decay=DECAY, clip_norm=CLIP)
    data = TrainingData([Utterances()], [], BatchConfig(), AugmentationConfig(), 0)  # type: ignore[list-item]
    trainer = Trainer(model, [], data, config, folder)
    np.savez(folder / "weights.npz", **arrays_of(model.variables()))

    arrays = {name: tf.constant(array) for name, array in make_batch().items()}
    counts, unused = tf.fill([UTTERANCES], LABELS), tf.zeros([UTTERANCES], tf.int32)
    order = arrays["features"], arrays["lengths"], arrays["labels"], counts
    batch = Batch(*order, unused, unused, unused, tf.constant(UTTERANCES), tf.constant(UTTERANCES))
    step_function = trainer.update.compiled("und")
    variables = [variable.value for variable in trainer.variables.values()]
    number = 0

    def step() -> list[float]:
        nonlocal number
        number += 1
        terms, norm = step_function((batch,), tf.constant(number, tf.int32), tf.constant(0.1))
        return [float(terms["ctc"]), float(norm)]

    def logits_of(seed: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        encoded = model.encode(batch.features, batch.lengths, seed)
        return model.logits(encoded, "und", seed), encoded.lengths[encoded.last]

    @tf.function(autograph=False)
    def forward(seed: tf.Tensor) -> tf.Tensor:
        return logits_of(seed)[0]

    @tf.function(autograph=False)
    def both_ways(seed: tf.Tensor, direction: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = logits_of(seed)[0]
        return tape.gradient(logits, variables, output_gradients=direction)

    @tf.function(autograph=False)
    def ctc(logits: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            losses = ctc_losses(logits, lengths, batch.labels, batch.label_lengths)
            loss = tf.reduce_mean(losses)
        return losses, tape.gradient(loss, logits)

    @tf.function(autograph=False)
    def update(gradients: list[tf.Tensor]) -> None:
        clipped, _ = tf.clip_by_global_norm(gradients, CLIP)
        trainer.optimizer.apply(clipped, list(trainer.variables.values()))

    logits, lengths = logits_of(None)
    losses, direction = ctc(logits, lengths)
    gradients = [tf.convert_to_tensor(gradient) for gradient in both_ways(tf.constant([1, 2]), direction)]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(ctc_losses(*logits_of(None), batch.labels, batch.label_lengths))
    norm = float(tf.linalg.global_norm(tape.gradient(loss, variables)))
    facts = {"weights": model.parameter_count(), "norm": norm, "losses": losses.numpy().tolist()}
    return {
        "facts": lambda: facts,
        "step": step,
        "forward": lambda: forward(tf.constant([1, 2])).numpy(),
        "both_ways": lambda: both_ways(tf.constant([1, 2]), direction)[0].numpy(),
        "ctc": lambda: ctc(logits, lengths)[1].numpy(),
        "optimizer": lambda: update(gradients),
    }


def peer_side(folder: Path, threads: int) -> dict[str, Callable[[], object]]:
    import numpy as np
    import torch
    from torch import nn
    from torch_tdnn import Tdnn, make_optimizer

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = Tdnn(BINS, 384, UNITS, (1, 1, 2, 2, 3, 3, 4), kernel=5, stride=3)
    model.copy({name: torch.from_numpy(array) for name, array in np.load(folder / "weights.npz").items()})

    arrays = {name: torch.from_numpy(array) for name, array in make_batch().items()}
    features, labels = arrays["features"], arrays["labels"].long()
    lengths, counts = (arrays["lengths"].long() + 2) // 3, torch.full((UTTERANCES,), LABELS)
    parameters = list(model.parameters())
    optimizer = make_optimizer(parameters, RATE, DECAY, BETAS, EPSILON)
    criterion = nn.CTCLoss(blank=0, reduction="none")

    def losses_of(logits: torch.Tensor) -> torch.Tensor:
        return criterion(logits.log_softmax(-1).transpose(0, 1), labels, lengths, counts)

    def update() -> torch.Tensor:
        norm = torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        return norm

    def step() -> list[float]:
        optimizer.zero_grad()
        loss = losses_of(model(features, lengths)).mean()
        loss.backward()
        return [loss.item(), update().item()]

    def both_ways() -> None:
        model.zero_grad()
        model(features, lengths).backward(direction)

    def ctc() -> torch.Tensor:
        leaf = logits.detach().requires_grad_()
        losses_of(leaf).mean().backward()
        return leaf.grad

    model.eval()
    logits = model(features, lengths)
    losses = losses_of(logits)
    losses.mean().backward()
    norm = float(torch.nn.utils.get_total_norm([p.grad for p in parameters]))
    facts = {"weights": sum(p.numel() for p in parameters), "norm": norm, "losses": losses.tolist()}
    model.train()
    direction = ctc()
    return {
        "facts": lambda: facts,
        "step": step,
        "forward": lambda: model(features, lengths),
        "both_ways": both_ways,
        "ctc": ctc,
        "optimizer": update,
    }


def check(ours: dict, peers: dict) -> None:
    if ours["weights"] != peers["weights"]:
        raise SystemExit(f"{ours['weights']} weights here, {peers['weights']} there: not the same network")
    pairs = list(zip([*ours["losses"], ours["norm"]], [*peers["losses"], peers["norm"]], strict=True))
    worst = max(abs(first - second) / abs(second) for first, second in pairs)
    if worst > 1e-3:
        raise SystemExit(f"losses or gradient norm differ by {worst:.2g} with the same weights: not the same step")
    print(f"{ours['weights']} weights on both sides; losses and gradient norm agree to {worst:.1g}")


def measure(sides: dict[str, Side], rounds: int) -> None:
    seconds: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for turn in range(rounds + 2):  # Two to warm up.
        for part in ("step", "forward", "both_ways", "ctc", "optimizer"):
            # Turn and turn about, and who begins changes, so that a busy spell of the machine meets both alike.
            for name in list(sides)[:: 1 if turn % 2 else -1]:
                for _ in range(3 if part == "step" else 1):
                    _, wall, processor = sides[name].ask(part)
                    if turn >= 2:
                        seconds.setdefault((part, name), []).append((wall, processor))
    medians = {key: [1000 * statistics.median(column) for column in zip(*rows)] for key, rows in seconds.items()}
    for name in sides:
        there_and_back, there = medians["both_ways", name], medians["forward", name]
        medians["backward", name] = [whole - part for whole, part in zip(there_and_back, there, strict=True)]
    print(f"{f'milliseconds, median of {rounds} rounds':32}" + "".join(f"{name:>10} {'cpu':>8}" for name in sides))
    rows = {"training": "step", "forward": "forward", "backward": "backward", "ctc": "ctc", "optimizer": "optimizer"}
    for title, part in rows.items():
        print(
            f"{title:32}" + "".join(f"{medians[part, name][0]:10.1f} {medians[part, name][1]:8.1f}" for name in sides)
        )
    for title, part in rows.items():
        print(f"ratio {title} {medians[part, 'torch'][0] / medians[part, 'speechtl'][0]:.2f}")
    print(f"ratio training_cpu {medians['step', 'torch'][1] / medians['step', 'speechtl'][1]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2, help="of each side")
    parser.add_argument("--worker", choices=["speechtl", "torch"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        pin(arguments.threads)
        make_side = our_side if arguments.worker == "speechtl" else peer_side
        return serve(make_side(arguments.folder, arguments.threads))
    if subprocess.run([arguments.torch_python, "-c", "import torch, numpy"], capture_output=True).returncode:
        raise SystemExit(MISSING)
    others = f", load average before {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{UTTERANCES} utterances of up to {FRAMES} frames, {arguments.threads} threads each{others}")
    with tempfile.TemporaryDirectory() as folder:
        pythons = {"speechtl": sys.executable, "torch": arguments.torch_python}
        shared = ["--folder", folder, "--threads", str(arguments.threads)]
        sides = {name: Side([python, __file__, "--worker", name, *shared]) for name, python in pythons.items()}
        try:
            check(sides["speechtl"].ask("facts")[0], sides["torch"].ask("facts")[0])
            measure(sides, arguments.rounds)
        finally:
            for side in sides.values():
                side.end()


if __name__ == "__main__":
    main()
