"""``speechtl.export``: an experiment to what runs without TensorFlow."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechtl.api.paths import StrPath, model_path, optional_path

if TYPE_CHECKING:
    from speechtl.exporting.export import Exported


def export(
    model: StrPath,
    out: StrPath | None = None,
    *,
    form: str = "speechtl",
    precision: str | None = None,
    speaker: StrPath | None = None,
    language: str | None = None,
    dev: Sequence[StrPath] = (),
) -> "Exported":
    """Write a trained model into one file, which `load`, `transcribe`, `decode` and `align` run without TensorFlow.

    It is also a ``source`` to transfer from, and takes a twentieth of the time to load.

    Args:
        model: the experiment directory, or the name of a model that comes with speechtl.
        out: the file, ``NAME.speechtl``; a new folder for other formats; None to put the computation graphs into the
            experiment directory (or that of ``speaker``), which then runs without TensorFlow. `train` and `adapt` do
            so.
        form: ``"speechtl"``, or a format that other tools run: ``"saved-model"``, ``"onnx"`` or ``"litert"``.
        precision: of the stored weights of a file: ``"float32"``, ``"float16"`` (the default) or ``"int8"``.
        speaker: adapted layers of a speaker, to put into it.
        language: whose phones the other formats have; may be left out if there is only one.
        dev: data directories with features and transcripts on which the phone error rate of the experiment and of the
            file are measured.

    Raises:
        SpeechtlError: the model is missing or wrong, cannot be converted, or the file cannot be written; options that
            do not fit each other.
    """
    from speechtl.exporting.export import export as run
    from speechtl.exporting.export import export_other
    from speechtl.exporting.stored_weights import parse_precision

    chosen = None if precision is None else parse_precision(precision)
    place, directories = optional_path(out), tuple(map(Path, dev))
    if form == "speechtl":
        return run(model_path(model), place, chosen, optional_path(speaker), directories, language)
    return export_other(model_path(model), place, form, chosen, optional_path(speaker), directories, language)
