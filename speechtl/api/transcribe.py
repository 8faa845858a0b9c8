"""``speechtl.transcribe``: one recording to words."""

from os import PathLike
from typing import TYPE_CHECKING, Any

from speechtl.api.load import load
from speechtl.api.paths import StrPath

if TYPE_CHECKING:
    from speechtl.recognition.recogniser import Audio, Recogniser
    from speechtl.recognition.transcript import Transcript


def transcribe(model: "StrPath | Recogniser", audio: "Audio", rate: int | None = None, **options: Any) -> "Transcript":
    """Transcribe one recording; to transcribe several, `load` the model once and call its ``transcribe``.

    Args:
        model: an experiment directory, the name of a model that comes with speechtl, or what `load` returned.
        audio: a path, an open binary file, or samples ``(samples,)`` or ``(samples, channels)``.
        rate: Hz, of samples.
        **options: of `load`.

    Raises:
        SpeechtlError: the model or the audio is missing or wrong.
    """
    recogniser = load(model, **options) if isinstance(model, str | PathLike) else model
    return recogniser.transcribe(audio, rate)
