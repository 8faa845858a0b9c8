"""What is particular to an exported model."""

import hashlib
import json
from pathlib import Path

from pydantic import Field

from speechtl.config import Section, parse
from speechtl.errors import ModelError, SpeechtlError
from speechtl.files import file_name, finish_replacing, read_bytes, read_text
from speechtl.layout import ExperimentLayout

FORMAT = 1


class ExportInfo(Section):
    """``speechtl.json`` in an exported model, or beside the graphs in an experiment directory.

    Attributes:
        format: of the file; another one is refused.
        precision: of the stored weights.
        fingerprint: of the weights before they were rounded, by which a speaker's layers know their model.
        graphs: by name, the paths of the weights that each takes.
        private: languages that have a graph of their own (`encoder_graph`).
        recognised_languages: in the order of the scores of the graph ``languages``; without any there is no such.
        speaker_weights: names of the weights that are a speaker's.
        weights: where graphs stand in an experiment directory, a digest of the weights that they belong to.
        speaker: where they stand beside a speaker's layers, a digest of these.
    """

    format: int = FORMAT
    precision: str = "float32"
    fingerprint: str | None = None
    graphs: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    private: tuple[str, ...] = ()
    recognised_languages: tuple[str, ...] = ()
    speaker_weights: tuple[str, ...] = ()
    weights: str | None = None
    speaker: str | None = None

    @classmethod
    def read(cls, layout: ExperimentLayout) -> "ExportInfo":
        """Read it.

        Raises:
            ModelError: it is missing, damaged, or of another format.
        """
        if not layout.export.is_file():
            raise ModelError(f"{layout.origin}: a zip, but no exported model (no {layout.export.name})")
        text = read_text(layout.export, error=ModelError, advice="export the model again")
        try:
            table = dict(json.loads(text))
        except (ValueError, TypeError) as error:
            raise ModelError(f"{layout.export}: damaged ({error}); export the model again") from error
        if table.get("format") != FORMAT:
            raise ModelError(
                f"{layout.origin}: has format {table.get('format')}, expected {FORMAT}; export the model again with "
                "this version of speechtl"
            )
        return parse(cls, table, layout.export)


def weights_digest(layout: ExperimentLayout) -> str | None:
    """Return a digest of the file of an experiment's weights, or of a speaker's layers; None where there is none."""
    file = layout.weights if layout.weights.is_file() else layout.speaker
    return hashlib.blake2b(read_bytes(file), digest_size=16).hexdigest() if file.is_file() else None


def find_graphs(layout: ExperimentLayout, speaker: Path | None) -> tuple[ExperimentLayout | None, str]:
    """Return where the graphs of an experiment are, if they are of its weights, or else why there are none.

    Args:
        layout: the experiment directory.
        speaker: the file or folder of a speaker's layers; graphs with them stand beside.
    """
    place = layout
    if speaker is not None:
        place = ExperimentLayout(speaker if speaker.is_dir() else speaker.parent)
    finish_replacing(place.path)
    if not place.export.is_file():
        return None, "is not exported"
    try:
        info = ExportInfo.read(place)
    except SpeechtlError as error:
        return None, f"cannot be run as it was exported ({error})"
    digests = weights_digest(layout), None if speaker is None else weights_digest(place)
    if (info.weights, info.speaker) != digests:
        return None, "has changed since it was exported"
    return place, ""


def encoder_graph(language: str | None = None) -> str:
    """Return the name of the graph of an encoder, or of that with the private blocks of a language."""
    return "encoder" if language is None else f"encoder.{file_name(language)}"
