"""What each side of `foundation.py` measures: speechtl's, and that of PyTorch, transformers and peft.

The latter runs in an environment of its own, so both find what they need in one folder: ``checkpoint`` as transformers
reads it, ``encoder``, the same as an experiment directory, ``batches.npz`` and ``settings.json``.
"""

import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SIZE, DILATIONS, RANK, EPOCHS = 384, (1, 1), 8, 3
RATE, DECAY, CLIP, BETAS, EPSILON = 1e-4, 0.01, 5.0, (0.9, 0.98), 1e-7
WINDOW = 3000
# Of Whisper's features: as far below the loudest value as silence is, but not below the floor of all logarithms.
RANGE, SILENCE = 2.0, -1.5
LAYERS = {"query": "q_proj", "value": "v_proj"}


def read_batches(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Return the batches of a kind (``encode`` or ``train``): arrays by name."""
    import numpy as np

    batches: dict[str, dict[str, Any]] = {}
    with np.load(folder / "batches.npz") as file:
        for key in file.files:
            number, name = key.split("/")
            if number.startswith(kind):
                batches.setdefault(number, {})[name] = file[key]
    return list(batches.values())


def our_side(part: str, folder: Path, threads: int) -> dict[str, Callable[[], object]]:
    """Return the functions of a part; ``outputs.npz``, what the head reads, is written by the part ``encode``."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()  # As training does by default.
    keras.utils.set_random_seed(1)
    if part == "train":
        return _whole_trainings(folder)
    return _our_encoder(folder) if part == "encode" else _our_steps(part, folder)


def _our_encoder(folder: Path) -> dict[str, Callable[[], object]]:
    import numpy as np
    import tensorflow as tf

    from speechtl.models.acoustic_model import AcousticModel
    from speechtl.models.weights import assign, load_arrays

    arrays, _ = load_arrays(folder / "encoder" / "weights.h5")

    def encoder(pad: bool) -> Callable[[dict[str, Any]], Any]:
        config = _model_config(folder)
        whisper = config.encoder.model_copy(update={"pad": pad})
        model = AcousticModel(config.model_copy(update={"encoder": whisper}), 80, {})
        assign(model.variables(), arrays, "the checkpoint")
        signature = (tf.TensorSpec((None, None, 80)), tf.TensorSpec((None,), tf.int32))

        @tf.function(input_signature=signature, autograph=False)
        def outputs(features: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
            return model.encode(features, lengths).outputs["norm"]

        return lambda batch: outputs(batch["features"], batch["lengths"]).numpy()

    plain, padded = encoder(False), encoder(True)
    batches = read_batches(folder, "encode")
    training = {f"train{number}": plain(batch) for number, batch in enumerate(read_batches(folder, "train"))}
    np.savez(folder / "outputs.npz", **training)
    return {
        "facts": lambda: _sample(batches[0], plain(batches[0])),
        "facts_padded": lambda: _sample(batches[0], padded(batches[0])),
        "encode": lambda: [plain(batch).shape[0] for batch in batches],
        "encode_padded": lambda: [padded(batch).shape[0] for batch in batches],
    }


def _sample(batch: dict[str, Any], outputs: Any) -> list[float]:
    """Return some of the valid outputs, to compare."""
    rows = [row[: -(-length // 2) : 7, ::31] for row, length in zip(outputs, batch["lengths"], strict=True)]
    return [float(value) for row in rows for value in row.ravel()]


def _model_config(folder: Path) -> Any:
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.models.config import ModelConfig

    return ExperimentDirectory(folder / "encoder").section(ModelConfig, "model")


def _our_steps(part: str, folder: Path) -> dict[str, Callable[[], object]]:
    import numpy as np
    import tensorflow as tf

    from speechtl.batches.pipeline import Batch
    from speechtl.models.acoustic_model import AcousticModel
    from speechtl.models.tdnn import TdnnConfig
    from speechtl.models.weights import arrays_of
    from speechtl.training.objective import Objective
    from speechtl.training.optimizer import make_optimizer
    from speechtl.training.update import Update
    from speechtl.transfer.layer_transfer import LayerTransfer
    from speechtl.transfer.lora import Lora

    units = json.loads((folder / "settings.json").read_text())["units"]
    top = TdnnConfig(size=SIZE, dilations=DILATIONS, subsampling={"factor": 1, "kernel": 1})  # type: ignore[arg-type]
    model = AcousticModel(_model_config(folder).model_copy(update={"top": top}), 80, {"xx": units})
    source = str(folder / "encoder")
    model = LayerTransfer(source=source, blocks="encoder", trainable=part == "whole").prepare(model)
    if part == "lora":
        model = Lora(blocks="encoder", layers=tuple(LAYERS), rank=RANK).prepare(model)
        for path, variable in model.trainable_variables().items():
            if path.endswith("/up"):  # As if after some steps, so that both factors have a gradient.
                variable.assign(tf.random.normal(variable.shape, stddev=0.01))
    variables = model.trainable_variables()
    np.savez(folder / f"{part}.npz", **arrays_of(model.variables()))
    batches = read_batches(folder, "train")
    if part == "head":
        model = model.after_frozen(["norm"])
        with np.load(folder / "outputs.npz") as file:
            for number, batch in enumerate(batches):
                batch |= {"features": file[f"train{number}"], "lengths": -(-batch["lengths"] // 2)}
    made = []
    for batch in batches:
        count = len(batch["lengths"])
        order = (batch["features"], batch["lengths"], batch["labels"], batch["label_lengths"])
        unused = tf.zeros(count, tf.int32)
        made.append(Batch(*map(tf.constant, order), unused, unused, unused, tf.constant(count), tf.constant(count)))

    objective = Objective(model)
    update = Update(objective, variables, make_optimizer(RATE, variables, DECAY), clip_norm=CLIP, seed=1)
    numbers = itertools.count()

    def facts() -> dict[str, Any]:
        small = made[0]._replace(
            features=made[0].features[:2],
            lengths=made[0].lengths[:2],
            labels=made[0].labels[:2],
            label_lengths=made[0].label_lengths[:2],
            total=tf.constant(2),
            labelled=tf.constant(2),
        )
        with tf.GradientTape() as tape:
            loss = objective(small, "xx", None, tf.constant(0.0)).terms["ctc"]
        norm = tf.linalg.global_norm(tape.gradient(loss, [variable.value for variable in variables.values()]))
        weights = sum(int(np.prod(variable.shape)) for variable in variables.values())
        return {"weights": weights, "values": [float(loss), float(norm)]}

    def step() -> list[float]:
        return [update([batch], "xx", next(numbers), 0.0)["ctc"] for batch in made]

    return {"facts": facts, "step": step}


def _whole_trainings(folder: Path) -> dict[str, Callable[[], object]]:
    """Return whole runs of training: a head on stored outputs, and a TDNN on filter bank features.

    They return wall and processor seconds of an epoch, and the seconds in which the stored outputs were found (or, the
    first time, computed); 0 where there are none.
    """
    from speechtl.config import parse
    from speechtl.experiment.config import ExperimentConfig
    from speechtl.experiment.train import train
    from speechtl.training.frozen_outputs import FrozenOutputs
    from speechtl.training.trainer import Trainer

    os.environ["SPEECHTL_CACHE"] = str(folder / "cache")
    settings = json.loads((folder / "settings.json").read_text())
    shared = {
        "augmentation": {"frequency_masks": 0, "time_masks": 0},
        "batches": {"frames": settings["frames"]},
        "training": {"epochs": EPOCHS, "average": 1, "checkpoint_minutes": 60},
    }
    # Also of a tiny encoder.
    shared["training"]["cache_frozen"] = "always"
    data = {"language": "xx", "lexicon": settings["lexicon"]}
    tdnn = {"kind": "tdnn", "size": SIZE, "dilations": DILATIONS}
    tables: dict[str, dict[str, Any]] = {
        "head": {
            "features": {"kind": "whisper"},
            "normalisation": {"kind": "none"},
            "data": [data | {"train": settings["data"]}],
            "model": {
                "encoder": _model_config(folder).encoder.model_dump(mode="json"),
                "top": tdnn | {"subsampling": {"factor": 1, "kernel": 1}},
            },
            "transfer": [{"method": "layer_transfer", "source": str(folder / "encoder"), "blocks": "encoder"}],
        },
        # As many frames a second as the encoder has.
        "tdnn": {
            "data": [data | {"train": settings["fbank"]}],
            "model": {"encoder": tdnn | {"subsampling": {"factor": 2}}},
        },
    }
    number = itertools.count()
    spent: dict[str, list[tuple[float, float]]] = {}

    def time_every(owner: type, name: str) -> None:
        plain = getattr(owner, name)

        def timed(*arguments: object) -> None:
            wall, processor = time.perf_counter(), time.process_time()
            plain(*arguments)
            spent.setdefault(name, []).append((time.perf_counter() - wall, time.process_time() - processor))

        setattr(owner, name, timed)

    time_every(Trainer, "_train_epoch")
    time_every(FrozenOutputs, "compute")

    def run(name: str) -> list[float]:
        spent.clear()
        train(parse(ExperimentConfig, shared | tables[name], name), folder / f"{name}{next(number)}")
        # The first epoch compiles.
        epochs = [statistics.median(column) for column in zip(*spent["_train_epoch"][1:], strict=True)]
        return [*epochs, spent["compute"][0][0] if "compute" in spent else 0.0]

    return {name: lambda name=name: run(name) for name in tables}  # type: ignore[misc]


def peer_side(part: str, folder: Path, threads: int) -> dict[str, Callable[[], object]]:
    """Return the functions of a part in PyTorch, with the encoder of transformers."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    return _peer_encoder(folder) if part == "encode" else _peer_steps(part, folder)


def _transformers_encoder(folder: Path) -> Any:
    import torch
    from safetensors.torch import load_file
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    checkpoint = folder / "checkpoint"
    encoder = WhisperEncoder(WhisperConfig.from_pretrained(checkpoint, attn_implementation="sdpa"))
    tensors: dict[str, torch.Tensor] = {}
    for file in sorted(checkpoint.glob("*.safetensors")):
        tensors |= load_file(file)
    parts = {name.partition("encoder.")[2]: tensor.float() for name, tensor in tensors.items() if "encoder." in name}
    encoder.load_state_dict(parts)
    return encoder.eval()


def _run(encoder: Any, features: Any, lengths: Any) -> Any:
    """Run the layers of transformers' encoder without its padding to 30 s, on which its own ``forward`` insists."""
    import torch
    from torch.nn.functional import gelu

    x = gelu(encoder.conv1(features.transpose(1, 2)))
    x = x * (torch.arange(x.shape[2]) < lengths[:, None])[:, None, :]
    x = gelu(encoder.conv2(x)).transpose(1, 2)
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    valid = torch.arange(x.shape[1]) < ((lengths + 1) // 2)[:, None]
    mask = torch.where(valid, 0.0, -1e9)[:, None, None, :].expand(-1, 1, x.shape[1], -1)
    for layer in encoder.layers:
        x = layer(x, mask)
    return encoder.layer_norm(x)


def _tensors(batches: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    import torch

    for batch in batches:
        yield {name: torch.from_numpy(array) for name, array in batch.items()}


def _peer_encoder(folder: Path) -> dict[str, Callable[[], object]]:
    import torch

    encoder = _transformers_encoder(folder)
    batches = list(_tensors(read_batches(folder, "encode")))

    def plain(batch: dict[str, Any]) -> Any:
        with torch.inference_mode():
            return _run(encoder, batch["features"], batch["lengths"]).numpy()

    def padded(batch: dict[str, Any]) -> Any:
        features, lengths = batch["features"], batch["lengths"]
        whole = torch.empty(len(features), WINDOW, features.shape[2])
        for row, matrix, length in zip(whole, features, lengths, strict=True):
            row[:] = max(float(matrix[:length].max()) - RANGE, SILENCE)
            row[:length] = matrix[:length]
        with torch.inference_mode():
            return encoder(whole.transpose(1, 2)).last_hidden_state.numpy()

    def sample(function: Callable[[dict[str, Any]], Any]) -> list[float]:
        return _sample({"lengths": batches[0]["lengths"].numpy()}, function(batches[0]))

    return {
        "facts": lambda: sample(plain),
        "facts_padded": lambda: sample(padded),
        "encode": lambda: [plain(batch).shape[0] for batch in batches],
        "encode_padded": lambda: [padded(batch).shape[0] for batch in batches],
    }


def _peer_steps(part: str, folder: Path) -> dict[str, Callable[[], object]]:
    import numpy as np
    import torch
    from torch_tdnn import Tdnn, make_optimizer

    units = json.loads((folder / "settings.json").read_text())["units"]
    weights = {name: torch.from_numpy(array) for name, array in np.load(folder / f"{part}.npz").items()}
    batches = read_batches(folder, "train")
    size = weights["encoder/subsampling/conv/kernel"].shape[0]
    top = Tdnn(size, SIZE, units, DILATIONS, kernel=1, stride=1)
    top.copy(weights)
    model = torch.nn.ModuleDict({"top": top})
    if part == "head":
        with np.load(folder / "outputs.npz") as file:
            for number, batch in enumerate(batches):
                batch["features"] = file[f"train{number}"]
    else:
        model["encoder"] = _transformers_encoder(folder)
    if part == "lora":
        _add_lora(model["encoder"], weights)
        top.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = make_optimizer(trained, RATE, DECAY, BETAS, EPSILON)
    criterion = torch.nn.CTCLoss(blank=0, reduction="none")
    made = list(_tensors(batches))

    def loss_of(features: Any, lengths: Any, labels: Any, label_lengths: Any) -> Any:
        x = features if part == "head" else _run(model["encoder"], features, lengths)
        lengths = (lengths.long() + 1) // 2
        logits = top(x, lengths).log_softmax(-1).transpose(0, 1)
        return criterion(logits, labels.long(), lengths, label_lengths.long()).mean()

    def facts() -> dict[str, Any]:
        model.eval()
        loss = loss_of(**{name: tensor[:2] for name, tensor in made[0].items()})
        loss.backward()
        norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in trained])
        model.train()
        return {"weights": sum(parameter.numel() for parameter in trained), "values": [loss.item(), float(norm)]}

    def step() -> list[float]:
        losses = []
        for batch in made:
            optimizer.zero_grad()
            loss = loss_of(**batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, CLIP)
            optimizer.step()
            losses.append(loss.item())
        return losses

    return {"facts": facts, "step": step}


def _add_lora(encoder: Any, weights: dict[str, Any]) -> None:
    """Let peft add its layers to an encoder and freeze the rest, and copy speechtl's weights into them."""
    import torch
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=RANK, lora_alpha=RANK, lora_dropout=0.0, target_modules=list(LAYERS.values()))
    get_peft_model(encoder, config)
    with torch.no_grad():
        for number, layer in enumerate(encoder.layers, 1):
            for ours, theirs in LAYERS.items():
                module, place = getattr(layer.self_attn, theirs), f"within/transformer{number}/{ours}/lora1"
                module.lora_A["default"].weight.copy_(weights[f"{place}/down"].T)
                module.lora_B["default"].weight.copy_(weights[f"{place}/up"].T)
