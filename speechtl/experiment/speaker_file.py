"""Where the layers of a speaker are that a user names."""

from pathlib import Path

from speechtl.errors import ModelError
from speechtl.files import finish_replacing
from speechtl.layout import ExperimentLayout


def speaker_file(path: str | Path) -> Path:
    """Return the file of a speaker's layers: the given one, or that in the directory that ``speechtl adapt`` wrote.

    Raises:
        ModelError: there is none; or the directory has a whole model.
    """
    finish_replacing(path)
    inside = ExperimentLayout(path) if Path(path).is_dir() else None
    file = Path(path) if inside is None else inside.speaker
    if file.is_file():
        return file
    if inside is not None and inside.config.is_file():
        raise ModelError(f"{path}: a whole model, not the layers of a speaker; give it in place of the model")
    raise ModelError(
        f"{path}: no layers of a speaker there; give the folder that speechtl adapt wrote, or its speaker.h5"
    )
