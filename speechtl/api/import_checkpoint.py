"""``speechtl.import_checkpoint``: a checkpoint of others to an encoder to transfer from."""

from pathlib import Path
from typing import TYPE_CHECKING

from speechtl.api.paths import StrPath

if TYPE_CHECKING:
    from speechtl.pretrained.import_checkpoint import Imported


def import_checkpoint(source: StrPath, out: StrPath, *, revision: str | None = None) -> "Imported":
    """Make an experiment directory of the encoder of a checkpoint.

    Families: Whisper, wav2vec 2.0, XLS-R, MMS, HuBERT, WavLM and data2vec-audio.

    Args:
        source: ``"hf:owner/name"`` on the Hugging Face hub, or a folder as transformers writes it.
        out: the new experiment directory.
        revision: a branch, tag or commit on the hub; None for the newest version.

    Raises:
        SpeechtlError: the directory exists, the checkpoint cannot be downloaded, or is damaged or of another kind.
    """
    from speechtl.pretrained.import_checkpoint import import_checkpoint as run

    return run(str(source), Path(out), revision)
