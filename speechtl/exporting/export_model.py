"""Write a trained experiment into one file that runs without TensorFlow."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
import tomli_w
from safetensors.numpy import save

from speechtl.errors import DataError, ModelError
from speechtl.experiment.config import ExperimentConfig
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.export_info import ExportInfo, encoder_graph
from speechtl.exporting.model_card import model_card
from speechtl.exporting.onnx_graph import OnnxGraph, onnx_graph
from speechtl.exporting.stored_weights import Precision, stored_weights
from speechtl.files import atomic_write
from speechtl.layout import ExperimentLayout
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.language_head import language_head
from speechtl.models.weights import arrays_of
from speechtl.transfer.speaker_layers import fingerprint, speaker_variables


def export_model(experiment: Experiment, path: str | Path, precision: Precision = "float16") -> None:
    """Write a file that `speechtl.runtime.exported_model.ExportedModel` runs and `Experiment.load` rebuilds.

    It holds the config, the phones, lexicons, language models and CMVN statistics of the experiment, all weights (those
    of a speaker's layers included, if it was loaded with some), a graph for the encoder, one for each language that has
    blocks of its own, one for the recognition of languages, and a model card.

    Args:
        experiment: the model.
        path: the file.
        precision: of the stored weights; what is computed is float32 in any case.

    Raises:
        ModelError: the model cannot be converted.
        DataError: the file cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: is a folder; give the name of a file, such as {path.name}.speechtl")
    if experiment.directory.exported:
        raise ModelError(f"{experiment.path}: is exported already; export the experiment directory that it was made of")
    model = experiment.model
    tables = ExperimentLayout(experiment.directory).phone_tables()
    graphs = model_graphs(model)
    info = export_info(model, graphs, precision)
    stats = {"global": experiment.directory.training_stats, "speaker": experiment.speaker_stats}
    weights = stored_weights(arrays_of(model.variables()), precision)
    config = _without_places(experiment.config).model_dump(mode="json", exclude_none=True)
    with atomic_write(path, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        # First what identifies the file.
        _add(archive, "speechtl.json", json.dumps(info.model_dump(exclude_none=True), ensure_ascii=False, indent=1))
        _add(archive, "README.md", model_card(experiment, precision))
        _add(archive, "config.toml", tomli_w.dumps(config))
        for head_name, table in tables.items():
            _add(archive, f"phones/{head_name}.txt", table.read_bytes())
        for language in experiment.languages:
            lexicon = experiment.directory.lexicon(language)
            if lexicon.is_file():
                _add(archive, f"lexicon/{language}.txt", lexicon.read_bytes())
            rules = experiment.directory.language_model(language)
            if rules.is_file():
                _add(archive, f"lm/{language}.arpa.gz", rules.read_bytes(), zipfile.ZIP_STORED)
        for name, graph in graphs.items():
            _add(archive, f"graphs/{name}.onnx", graph.content)
        kept = {name: array for name, array in stats.items() if array is not None}
        if kept:
            _add(archive, "cmvn.safetensors", save(kept), zipfile.ZIP_STORED)
        _add(archive, "weights.safetensors", _contiguous(weights), zipfile.ZIP_STORED)


def _add(archive: zipfile.ZipFile, name: str, content: str | bytes, how: int = zipfile.ZIP_DEFLATED) -> None:
    # Without the time of day: the same model is the same file.
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content, how)


def export_info(model: AcousticModel, graphs: Mapping[str, OnnxGraph], precision: Precision) -> ExportInfo:
    """Return what is particular to an exported model."""
    head = language_head(model)
    return ExportInfo(
        precision=precision,
        fingerprint=fingerprint(model),
        graphs={name: graph.weights for name, graph in graphs.items()},
        private=tuple(model.private),
        recognised_languages=() if head is None else tuple(head.languages),
        speaker_weights=tuple(speaker_variables(model)),
    )


def model_graphs(model: AcousticModel) -> dict[str, OnnxGraph]:
    """Return the graphs of a model by name.

    Raises:
        ModelError: an operation cannot be converted.
    """
    graphs = {encoder_graph(): _encoder(model, None)}
    graphs |= {encoder_graph(language): _encoder(model, language) for language in model.private}
    head = language_head(model)
    if head is not None:

        def scores(features: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
            return [head(*head.select(features, lengths, model.encode(features, lengths)))]

        graphs["languages"] = onnx_graph(model, scores, ["scores"])
    return graphs


def _without_places(config: ExperimentConfig) -> ExperimentConfig:
    """Return a config with the names of data directories, lexicons and sources, but not where they are."""

    def names(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(Path(path).name for path in paths)

    data = tuple(
        table.model_copy(
            update={
                "train": names(table.train),
                "unlabelled": names(table.unlabelled),
                "dev": names(table.dev),
                "lexicon": None if table.lexicon is None else Path(table.lexicon).name,
            }
        )
        for table in config.data
    )
    transfer = tuple(
        method.with_sources({source: Path(source).name for source in method.sources()}) for method in config.transfer
    )
    return config.model_copy(update={"data": data, "transfer": transfer})


def _encoder(model: AcousticModel, language: str | None) -> OnnxGraph:
    def encode(features: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
        encoded = model.encode(features, lengths, language=language)
        return [encoded.outputs[encoded.last], encoded.lengths[encoded.last]]

    return onnx_graph(model, encode, ["encoded", "frames"])


def _contiguous(arrays: dict[str, np.ndarray]) -> bytes:
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
