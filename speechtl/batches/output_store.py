"""Outputs of frozen blocks on disk, found by the content of what they were computed from.

A store is a folder with parts, as a feature directory has them: a part is an archive of Kaldi matrices,
``outputs-TOKEN.ark``, and a journal, ``outputs-TOKEN.json``, which is written last; an archive without it is not read.
So several processes may write at a time (what two compute at once is stored twice), and what was written before a kill
serves the next run. The folder may be deleted whenever nobody reads it. When all stores together take more bytes than a
limit, the parts that were used least recently are removed (`speechtl.batches.output_eviction`).
"""

import contextlib
import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from speechtl.batches.output_eviction import evict, hold
from speechtl.errors import DataError
from speechtl.features.archives import append_matrix
from speechtl.files import atomic_write

logger = logging.getLogger(__name__)


class Stored(NamedTuple):
    """The outputs of one utterance: ``file.ark:offset``, and the size of their matrix."""

    place: str
    frames: int
    columns: int


class OutputStore:
    """Outputs of certain blocks of one model, by digests of the features.

    Attributes:
        folder: where they are.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]):
        """Read what is there.

        Args:
            folder: a name that stands for model and blocks.
            about: what it stands for, written into ``about.json`` for whoever looks into the folder.
        """
        self.folder, self.about = folder, about
        # Before anything is read, so that it stays until this store is gone.
        self._held = hold(folder, self)
        self._used: set[Path] = set()
        self._stored: dict[str, Stored] = {}
        for journal in sorted(folder.glob("outputs-*.json")):
            self._stored |= _read(journal)

    def get(self, digest: str) -> Stored | None:
        """Return where the outputs for some features are, or None; their part then counts as used."""
        stored = self._stored.get(digest)
        if stored is not None:
            journal = Path(stored.place.rpartition(":")[0]).with_suffix(".json")
            if journal not in self._used:
                self._used.add(journal)
                with contextlib.suppress(OSError):
                    os.utime(journal)
        return stored

    def open(self) -> None:
        """Make the folder, before anything is computed that is to be stored there.

        Raises:
            DataError: it cannot be written to.
        """
        with _advice(), atomic_write(self.folder / "about.json") as file:
            json.dump(self.about, file, ensure_ascii=False, indent=1)
        self._held = self._held or hold(self.folder, self)

    def add(self, outputs: Sequence[tuple[str, np.ndarray]]) -> None:
        """Store matrices by digests, as one part; after `open`. Parts of other stores may have to go.

        Raises:
            DataError: the folder cannot be written to, or the disk is full; nothing of the part stays.
            ConfigError: ``$SPEECHTL_OUTPUTS_GB`` is no number.
        """
        archive = self.folder / f"outputs-{secrets.token_hex(6)}.ark"
        stored = {}
        with _advice(), atomic_write(archive, "wb") as file:
            for digest, matrix in outputs:
                place = f"{archive}:{append_matrix(file, digest, matrix)}"
                stored[digest] = Stored(place, *matrix.shape)
            size = file.tell()
        try:
            with _advice(), atomic_write(archive.with_suffix(".json")) as file:
                offsets = {digest: (one.place.rpartition(":")[2], *one[1:]) for digest, one in stored.items()}
                json.dump({"bytes": size, "utterances": offsets}, file)
        except BaseException:
            archive.unlink(missing_ok=True)
            raise
        self._stored |= stored
        evict(self.folder.parent, self.folder)


@contextlib.contextmanager
def _advice() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        advice = 'set SPEECHTL_CACHE to another folder, or cache_frozen = "never"'
        raise DataError(f"{error}; the outputs of frozen blocks are stored there: {advice}") from error


def digest_of(features: np.ndarray) -> str:
    """Return a digest of a matrix: of its type, shape and values."""
    digest = hashlib.blake2b(f"{features.dtype.str} {features.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(features).data if features.size else b"")
    return digest.hexdigest()


def _read(journal: Path) -> dict[str, Stored]:
    """Return what a part holds; nothing, with a warning, if it is damaged: it is then computed again."""
    archive = journal.with_suffix(".ark")
    try:
        content = json.loads(journal.read_text(encoding="utf-8"))
        if archive.stat().st_size != content["bytes"]:
            raise ValueError("truncated")
        return {
            digest: Stored(f"{archive}:{int(offset)}", int(frames), int(columns))
            for digest, (offset, frames, columns) in content["utterances"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        logger.warning(f"{archive}: damaged ({error}); the outputs in it are computed again, it can be deleted")
        return {}
