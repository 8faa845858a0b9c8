"""Import a checkpoint: an experiment directory with its encoder, to transfer from."""

import logging
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from speechtl.batches.config import NormalisationConfig
from speechtl.errors import ModelError
from speechtl.files import atomic_write, new_folder
from speechtl.layout import ExperimentLayout
from speechtl.models.weight_files import save_arrays
from speechtl.pretrained.checkpoint import Checkpoint
from speechtl.pretrained.convert import convert
from speechtl.pretrained.hub import HubName, download, is_hub_name
from speechtl.pretrained.model_card import Origin, model_card, read_licence

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Imported:
    """An encoder that was imported.

    Attributes:
        directory: the experiment directory.
        family: of the checkpoint: its ``model_type``, ``wav2vec2`` for example.
        blocks: names of the encoder's blocks.
        parameters: number of its weights.
        revision: the commit on the hub; None for a folder.
        licence: of the checkpoint, as stated there.
    """

    directory: Path
    family: str
    blocks: tuple[str, ...]
    parameters: int
    revision: str | None
    licence: str


def import_checkpoint(source: str | Path, directory: Path, revision: str | None = None) -> Imported:
    """Make an experiment directory of a checkpoint.

    Args:
        source: ``hf:owner/name``, or the folder of a checkpoint of transformers.
        directory: the new experiment directory.
        revision: a branch, tag or commit on the hub; None for the newest version.

    Raises:
        ModelError: the directory exists, the checkpoint cannot be downloaded, or is damaged or of another kind.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ModelError(f"{directory}: exists; give a new directory, or delete this one first")
    if not is_hub_name(source):
        if revision is not None:
            raise ModelError(f"{source}: is a folder, which has no revision '{revision}'; leave out --revision")
        return write_imported(Path(source), directory, str(source), None)
    name = HubName.parse(str(source))
    if revision is not None:
        if name.revision not in (None, revision):
            raise ModelError(f"{name}: names one revision and --revision {revision} another; give one of them")
        name = HubName(name.repository, revision)
    folder, commit = download(name)
    return write_imported(folder, directory, f"hf:{name.repository}", commit)


def write_imported(folder: Path, directory: Path, name: str, revision: str | None) -> Imported:
    """Write the experiment directory of a checkpoint's folder, whole or not at all.

    Args:
        folder: of the checkpoint.
        directory: the experiment directory; may exist if it is empty.
        name: of the checkpoint, for the model card.
        revision: its commit on the hub, or None.

    Raises:
        ModelError: the checkpoint is damaged or of another kind.
    """
    checkpoint = Checkpoint(folder)
    converted = convert(checkpoint)
    origin = Origin(name, revision, read_licence(folder))
    sections = {
        "features": converted.features,
        "normalisation": NormalisationConfig(kind="none"),
        "model": converted.model,
    }
    table = {key: section.model_dump(mode="json", exclude_none=True) for key, section in sections.items()}
    with new_folder(directory) as temporary:
        layout = ExperimentLayout(temporary)
        save_arrays(layout.weights, converted.arrays, {"origin": name, "revision": revision or ""})
        with atomic_write(layout.card) as file:
            file.write(model_card(origin, converted, checkpoint))
        with atomic_write(layout.config) as file:
            file.write(tomli_w.dumps(table))
    count = sum(array.size for array in converted.arrays.values())
    return Imported(directory, converted.family, converted.blocks, count, revision, origin.licence)
