"""A model in formats that other tools run, from plain features to posteriors, with its weights inside.

SavedModel (TensorFlow), ONNX and LiteRT. A folder has the model, the phones of its units, and a README that says how
its features are computed.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import tensorflow as tf
import tomli_w

from speechtl.batches.source import Normaliser
from speechtl.errors import ConfigError, DataError, ModelError
from speechtl.experiment.experiment import Experiment
from speechtl.exporting.convertible import computed_in_float32, convertible
from speechtl.exporting.model_card import model_card
from speechtl.exporting.onnx_graph import onnx_graph
from speechtl.features.cmvn import VARIANCE_FLOOR, mean_and_scale
from speechtl.files import atomic_write, new_folder
from speechtl.models.weights import arrays_of
from speechtl.staging import scratch_folder

Format = Literal["saved-model", "onnx", "litert"]
INPUTS, OUTPUTS = ("features", "lengths"), ("log_posteriors", "frames")
Compute = Callable[[tf.Tensor, tf.Tensor], list[tf.Tensor]]
# A message of Google's protocol buffers, which a file of ONNX is, cannot be larger.
_LARGEST = 2**31 - 1
_TOLERANCE = 1e-4


def parse_format(text: str) -> Format:
    """Return a format by its name.

    Raises:
        ConfigError: there is no such.
    """
    for name in get_args(Format):
        if text == name:
            return name
    raise ConfigError(f"format {text}: expected speechtl, {', '.join(get_args(Format))}")


def export_whole(experiment: Experiment, folder: Path, form: Format, language: str | None = None) -> Path:
    """Write the graph of one language, from features to posteriors of phones.

    Inputs: ``features`` ``(batch, frames, bins)`` float32, not normalised, and ``lengths`` ``(batch,)`` int32, the
    valid frames. Outputs: ``log_posteriors`` ``(batch, frames', units)``, unit 0 the blank, and ``frames``
    ``(batch,)``, the valid ones of these.

    Normalisation is in the graph: by the statistics of the training speech, or else by those of the utterance (also
    where the model was trained on speech that was normalised by speaker).

    Args:
        experiment: the model, with a speaker's layers if it was loaded with some.
        folder: new.
        form: the format.
        language: whose phones; may be left out if there is only one.

    Returns:
        The model in the folder: a file, or the folder itself for a SavedModel.

    Raises:
        ModelError: the language has to be named; or the format has no place for the model; one sentence says why.
        DataError: the folder cannot be written, or exists.
    """
    if language is None and len(experiment.languages) > 1:
        raise ModelError(
            f"{experiment.path}: a model in the format {form} has the phones of one language; name it with --language "
            f"({', '.join(experiment.languages)})"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: exists; give the name of a new folder")
    language = experiment.language(language)
    compute = _posteriors(experiment, language)
    write = {"saved-model": _saved_model, "onnx": _onnx, "litert": _litert}[form]
    with new_folder(folder) as temporary:
        file = write(experiment, compute, temporary)
        experiment.inventory(language).save(temporary / "phones.txt")
        with atomic_write(temporary / "README.md") as readme:
            readme.write(_readme(experiment, form, language, file.name))
    return folder / file.relative_to(temporary)


def _posteriors(experiment: Experiment, language: str) -> Compute:
    model, normalise = experiment.model, _normalisation(experiment.normaliser)

    def compute(features: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
        encoded = model.encode(normalise(features, lengths), lengths, language=language)
        return [tf.nn.log_softmax(model.logits(encoded, language)), encoded.lengths[encoded.last]]

    return compute


def _normalisation(normaliser: Normaliser) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return what `Normaliser` does to an utterance of an unknown speaker, within a graph."""
    config = normaliser.config

    def normalise(features: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        if config.kind == "none":
            return features
        valid = tf.expand_dims(tf.sequence_mask(lengths, tf.shape(features)[1], tf.float32), 2)
        if config.kind == "global" and normaliser.global_stats is not None:
            mean, scale = (
                tf.constant(part, tf.float32) for part in mean_and_scale(normaliser.global_stats, config.variance)
            )
            return (features - mean) * scale * valid
        count = tf.reshape(tf.maximum(tf.cast(lengths, tf.float32), 1.0), (-1, 1, 1))
        features = (features - tf.reduce_sum(features * valid, axis=1, keepdims=True) / count) * valid
        if not config.variance:
            return features
        variance = tf.reduce_sum(tf.square(features), axis=1, keepdims=True) / count
        return features / tf.sqrt(tf.maximum(variance, VARIANCE_FLOOR))

    return normalise


def _saved_model(experiment: Experiment, compute: Compute, folder: Path) -> Path:
    _save(experiment, compute, folder, computed_in_float32)
    return folder


def _save(experiment: Experiment, compute: Compute, folder: Path, traced: Callable[..., Any]) -> None:
    model = experiment.model
    signature = [
        tf.TensorSpec((None, None, model.inputs), tf.float32, INPUTS[0]),
        tf.TensorSpec((None,), tf.int32, INPUTS[1]),
    ]
    module = tf.Module()
    # What is saved must be reachable from here.
    module.weights_of_the_model = [variable.value for variable in model.variables().values()]
    module.posteriors = tf.function(
        lambda features, lengths: dict(zip(OUTPUTS, compute(features, lengths), strict=True)),
        input_signature=signature,
        autograph=False,
    )
    with traced(model):
        signatures = {"serving_default": module.posteriors.get_concrete_function()}
        tf.saved_model.save(module, str(folder), signatures=signatures)


def _onnx(experiment: Experiment, compute: Compute, folder: Path) -> Path:
    import onnx

    graph = onnx_graph(experiment.model, compute, OUTPUTS)
    arrays = arrays_of(experiment.model.variables())
    if sum(arrays[name].nbytes for name in graph.weights) + len(graph.content) > _LARGEST:
        raise ModelError(
            f"{experiment.path}: its weights take more than the 2 GiB that one file of ONNX may have; export it to "
            "FILE.speechtl or as a saved-model"
        )
    proto = onnx.load_model_from_string(graph.content)
    for tensor in proto.graph.initializer:
        if tensor.name in graph.weights:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(arrays[tensor.name]), tensor.name))
    proto.doc_string = f"{INPUTS[0]} (batch, frames, bins) and {INPUTS[1]} to {OUTPUTS[0]} and {OUTPUTS[1]}; README.md"
    file = folder / "model.onnx"
    with atomic_write(file, "wb") as stream:
        stream.write(proto.SerializeToString())
    return file


def _litert(experiment: Experiment, compute: Compute, folder: Path) -> Path:
    with scratch_folder() as saved:
        _save(experiment, compute, saved, lambda model: convertible(model, for_onnx=False))
        converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
        try:
            content = converter.convert()
            _check(experiment, compute, content)
        except Exception as error:  # The converter's errors, and those of its interpreter, have no class of their own.
            lacking = re.search(r"(?:Select|Custom) ops: (.+)", str(error))
            why = f"it has no {lacking[1]}" if lacking else str(error).strip().partition("\n")[0][:200]
            raise ModelError(
                f"{experiment.path}: LiteRT cannot compute this model ({why}); export it to FILE.speechtl, or with "
                "--format onnx or saved-model"
            ) from error
    file = folder / "model.tflite"
    with atomic_write(file, "wb") as stream:
        stream.write(content)
    return file


def _check(experiment: Experiment, compute: Compute, content: bytes) -> None:
    """Compare what was converted with the model, on speech of several lengths; conversion may lose that they vary."""
    runner = tf.lite.Interpreter(model_content=content).get_signature_runner("serving_default")
    rng = np.random.default_rng(0)
    for lengths in ((61,), (150, 40)):
        features = rng.normal(size=(len(lengths), max(lengths), experiment.model.inputs)).astype(np.float32)
        valid = np.array(lengths, np.int32)
        found = runner(features=features, lengths=valid)
        with computed_in_float32(experiment.model):
            expected, frames = (part.numpy() for part in compute(tf.constant(features), tf.constant(valid)))
        same_frames = np.array_equal(found[OUTPUTS[1]], frames) and found[OUTPUTS[0]].shape == expected.shape
        if (
            not same_frames
            or max(
                np.abs(one[:count] - other[:count]).max(initial=0)
                for one, other, count in zip(found[OUTPUTS[0]], expected, frames, strict=True)
            )
            > 10 * _TOLERANCE
        ):
            raise ModelError("its results are not those of the model")


def _readme(experiment: Experiment, form: Format, language: str, name: str) -> str:
    features = tomli_w.dumps(experiment.features.model_dump(mode="json", exclude_none=True))
    kind = experiment.normaliser.config.kind
    by = {"none": "none is needed", "global": "in the graph, by the training speech"}.get(
        kind, "in the graph, by the utterance itself"
    )
    title = form if form == "saved-model" else f"{form}, {name}"
    return (
        f"{model_card(experiment, 'float32')}\n## The graph ({title})\n\n"
        f"- `features` (batch, frames, {experiment.model.inputs}) float32, as below, padded at the end; normalisation: "
        f"{by}\n"
        "- `lengths` (batch,) int32: valid frames\n"
        f"- `log_posteriors` (batch, frames', units) float32 of language {language}: unit 0 is the blank of CTC, the "
        "others are in `phones.txt`\n"
        f"- `frames` (batch,) int32: valid ones of these, each {1000 * experiment.frame_shift:g} ms\n\n"
        f"Features, of samples in the range of 16-bit integers:\n\n```toml\n{features}```\n"
    )
