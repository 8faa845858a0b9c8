"""What a config or a command names as a source, to an experiment directory."""

import hashlib
import logging
from pathlib import Path
from urllib.parse import quote

from speechtl.errors import DataError
from speechtl.files import atomic_write, read_text, user_cache
from speechtl.layout import ExperimentLayout
from speechtl.pretrained.checkpoint import CONFIG, Checkpoint
from speechtl.pretrained.hub import HubName, download, is_hub_name

logger = logging.getLogger(__name__)

# Of what importing makes: directories of another version are left alone, and imported again.
_VERSION = 1


def locate(source: str | Path) -> Path:
    """Return the experiment directory that a source means.

    A checkpoint is imported into the user's cache (`user_cache`) the first time. A name without a revision then keeps
    meaning the version that it meant first, so that an experiment which is continued later starts from the same
    weights, and no network is needed; to have a newer one, name its revision.

    Args:
        source: an experiment directory, which is returned as it is, as is a path that leads nowhere; the folder of a
            checkpoint of transformers; or ``hf:owner/name``, with ``@revision`` if need be.

    Raises:
        ModelError: the checkpoint cannot be downloaded or imported.
    """
    if is_hub_name(source):
        return _from_hub(HubName.parse(str(source)))
    path = Path(source)
    if ExperimentLayout(path).config.is_file() or not (path / CONFIG).is_file():
        return path
    # By content: a folder whose files have changed is another checkpoint.
    digests = Checkpoint(path).digests
    key = hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in digests.items()).encode()).hexdigest()
    directory = _cache() / "folders" / f"{path.absolute().name}-{key[:16]}"
    return _imported(path, directory, str(path.absolute()), None)


def _from_hub(name: HubName) -> Path:
    place = _cache() / "hub" / name.repository.replace("/", "--")
    known = place / "revisions" / quote(name.revision, safe="") if name.revision else place / "first"
    commit = name.commit or (read_text(known).strip() if known.is_file() else None)
    if commit is not None and ExperimentLayout(place / commit).weights.is_file():
        logger.info(f"{name}: version {commit}, imported before into {place / commit}")
        return place / commit
    folder, commit = download(name if commit is None else HubName(name.repository, commit))
    directory = _imported(folder, place / commit, f"hf:{name.repository}", commit)
    if name.commit is None:
        with atomic_write(known) as file:
            file.write(f"{commit}\n")
    return directory


def _imported(folder: Path, directory: Path, name: str, revision: str | None) -> Path:
    if ExperimentLayout(directory).weights.is_file():
        return directory
    # Only here: it loads TensorFlow.
    from speechtl.pretrained.import_checkpoint import write_imported

    try:
        write_imported(folder, directory, name, revision)
    except DataError:
        # Another process may have been faster.
        if not ExperimentLayout(directory).weights.is_file():
            raise
    logger.info(f"{name}: imported into {directory}")
    return directory


def _cache() -> Path:
    return user_cache() / f"imported-{_VERSION}"
