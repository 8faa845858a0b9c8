"""``speechtl.export``: an experiment to one file that runs without TensorFlow."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechtl.api.paths import StrPath, optional_path

if TYPE_CHECKING:
    from speechtl.exporting.export import Exported


def export(
    model: StrPath,
    out: StrPath,
    *,
    precision: str = "float16",
    speaker: StrPath | None = None,
    dev: Sequence[StrPath] = (),
) -> "Exported":
    """Write a trained model into one file, which `load`, `transcribe`, `decode` and `align` run without TensorFlow.

    It is also a ``source`` to transfer from, and takes a twentieth of the time to load.

    Args:
        model: the experiment directory.
        out: the file, ``NAME.speechtl``.
        precision: of the stored weights: ``"float32"``, ``"float16"`` or ``"int8"``.
        speaker: adapted layers of a speaker, to put into it.
        dev: data directories with features and transcripts on which the phone error rate of the experiment and of the
            file are measured.

    Raises:
        SpeechtlError: the model is missing or wrong, cannot be converted, or the file cannot be written.
    """
    from speechtl.exporting.export import export as run
    from speechtl.exporting.stored_weights import parse_precision

    return run(Path(model), Path(out), parse_precision(precision), optional_path(speaker), tuple(map(Path, dev)))
