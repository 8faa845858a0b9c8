"""What is particular to an exported model."""

import json

from pydantic import Field

from speechtl.config import Section, parse
from speechtl.errors import ModelError
from speechtl.files import file_name, read_text
from speechtl.layout import ExperimentLayout

FORMAT = 1


class ExportInfo(Section):
    """``speechtl.json`` in an exported model.

    Attributes:
        format: of the file; another one is refused.
        precision: of the stored weights.
        fingerprint: of the weights before they were rounded, by which a speaker's layers know their model.
        graphs: by name, the paths of the weights that each takes.
        private: languages that have a graph of their own (`encoder_graph`).
        recognised_languages: in the order of the scores of the graph ``languages``; without any there is no such.
        speaker_weights: names of the weights that are a speaker's.
    """

    format: int = FORMAT
    precision: str = "float32"
    fingerprint: str | None = None
    graphs: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    private: tuple[str, ...] = ()
    recognised_languages: tuple[str, ...] = ()
    speaker_weights: tuple[str, ...] = ()

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


def encoder_graph(language: str | None = None) -> str:
    """Return the name of the graph of an encoder, or of that with the private blocks of a language."""
    return "encoder" if language is None else f"encoder.{file_name(language)}"
