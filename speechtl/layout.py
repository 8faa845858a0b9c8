"""Every name in an experiment directory, once.

An experiment directory stands alone: ``config.toml`` (every value written out), ``phones/HEAD.txt``,
``lexicon/LANGUAGE.txt``, ``cmvn.h5`` where normalisation is global, ``weights.h5`` once training has ended,
``log.jsonl``, ``tensorboard/``, and ``state/`` from which a killed run continues. A speaker's directory, made by
``speechtl adapt``, may hold ``speaker.h5`` alone. An encoder that ``speechtl import`` made has ``config.toml`` without
``[[data]]``, ``weights.h5`` and a model card, ``README.md``. One that is made of a model in the package may have
``lm/LANGUAGE.arpa.gz``. A trained or adapted one may have ``speechtl.json`` and ``graphs/NAME.onnx`` of an exported
model, which take their weights from it as long as these are the ones that they were made of.

An exported model is a zip with the same names, but for ``weights.safetensors`` and ``cmvn.safetensors``; in addition it
has ``speechtl.json`` and a computation graph or more, ``graphs/NAME.onnx``, that take their weights from there. It is
read without being extracted.
"""

import errno
import fnmatch
import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from speechtl.errors import ModelError

# Bytes of what is compressed in an exported model, all together: texts and graphs. Weights are stored as they are.
_LARGEST_TEXTS = 1 << 28
# What a damaged zip raises; a RuntimeError where it is encrypted, or compressed in an unknown way.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    RuntimeError,
    LookupError,
)


class ExperimentLayout:
    """The paths in an experiment directory or in an exported model; nothing is read.

    Attributes:
        path: the directory, or the root within an exported model: a `zipfile.Path`, to be read like any other path.
        exported: whether it is an exported model.

    Raises:
        ModelError: a file that is no exported model, or a damaged one.
    """

    path: Path

    def __init__(self, path: "str | Path | ExperimentLayout"):
        place = path.path if isinstance(path, ExperimentLayout) else path
        inside = isinstance(place, zipfile.Path)
        self.exported = inside or Path(place).is_file()
        self.path = cast(Path, place) if inside else _within(Path(place)) if self.exported else Path(place)

    @property
    def origin(self) -> Path:
        """The directory, or the file of an exported model."""
        return Path(str(self.path).rstrip("/"))

    @property
    def config(self) -> Path:
        """The config, written last: its presence says that phones and lexicons are there."""
        return self.path / "config.toml"

    @property
    def weights(self) -> Path:
        """The final weights; their presence says that training has ended."""
        return self.path / ("weights.safetensors" if self.exported else "weights.h5")

    @property
    def card(self) -> Path:
        """The model card of an encoder that was imported."""
        return self.path / "README.md"

    @property
    def speaker(self) -> Path:
        """The layers of one speaker, to be put on top of another experiment."""
        return self.path / "speaker.h5"

    @property
    def cmvn(self) -> Path:
        """Statistics of the training speech, where normalisation is global."""
        return self.path / ("cmvn.safetensors" if self.exported else "cmvn.h5")

    @property
    def export(self) -> Path:
        """What is particular to an exported model: versions, names, the speaker's weights."""
        return self.path / "speechtl.json"

    @property
    def graphs(self) -> Path:
        """The computation graphs of an exported model."""
        return self.path / "graphs"

    def graph(self, name: str) -> Path:
        """Return a computation graph of an exported model."""
        return self.graphs / f"{name}.onnx"

    @property
    def log(self) -> Path:
        """The training log, one JSON object per line."""
        return self.path / "log.jsonl"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.path / "tensorboard"

    @property
    def checkpoint(self) -> Path:
        """The state that a killed training continues from."""
        return self.path / "state" / "checkpoint.h5"

    def epoch_weights(self, epoch: int) -> Path:
        """Return the weights after an epoch, kept until they are averaged."""
        return self.path / "state" / f"epoch-{epoch:04d}.h5"

    def phones(self, head: str) -> Path:
        """Return the phone table of a head."""
        return self.path / "phones" / f"{head}.txt"

    def phone_tables(self) -> dict[str, Path]:
        """Return the phone tables that are there, by head, sorted."""
        folder = self.path / "phones"
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        return {name.removesuffix(".txt"): folder / name for name in names if name.endswith(".txt") and name[0] != "."}

    def language_model(self, language: str) -> Path:
        """Return the language model that words of `lexicon` are found with unless another is given; few have one."""
        return self.path / "lm" / f"{language}.arpa.gz"

    def lexicon(self, language: str) -> Path:
        """Return the lexicon that a language was trained with."""
        return self.path / "lexicon" / f"{language}.txt"


def _within(file: Path) -> Path:
    """Return the root within an exported model.

    Raises:
        ModelError: the file is something else, or damaged.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (*_DAMAGE, OSError) as error:
        raise ModelError(
            f"{file}: where a model is expected, but neither an experiment directory nor an exported model ({error}); "
            "give what speechtl train or speechtl export made, or a name that speechtl models lists"
        ) from error
    members = archive.infolist()
    texts = sum(one.file_size for one in members if one.compress_type != zipfile.ZIP_STORED)
    sizes = all(one.file_size == one.compress_size for one in members if one.compress_type == zipfile.ZIP_STORED)
    if texts > _LARGEST_TEXTS or not sizes:
        raise ModelError(f"{file}: not what speechtl export makes, or damaged; export the model again")
    return cast(Path, _PathWithin(archive))


class _PathWithin(zipfile.Path):
    """A path within an exported model, to be read as any other `Path`: with all that one has for reading, and no more.

    Damage is an `OSError`, as of any other file. Whoever uses more of `Path` adds it here, for no checker of types
    knows the difference: to it, this is a `Path` (``tests/test_layout.py``).
    """

    # Of Python 3.11 and later.
    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _PathWithin) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __lt__(self, other: "_PathWithin") -> bool:
        return str(self) < str(other)

    def __reduce__(self) -> tuple[Any, ...]:
        # A process that is given it opens the file for itself.
        return _unpickled, (Path(self.root.filename or ""), self.at)

    def as_posix(self) -> str:
        """Return the path with the file of the model in front."""
        return str(self)

    def glob(self, pattern: str) -> Iterator["_PathWithin"]:
        """Yield the paths in this folder whose names match; a pattern of folders is none of what models need."""
        if "/" in pattern:
            raise NotImplementedError(pattern)
        if self.is_dir():
            yield from (path for path in self.iterdir() if fnmatch.fnmatchcase(path.name, pattern))

    # One signature instead of the overloads of zipfile, which pass everything on, too.
    def open(  # type: ignore[override]
        self, mode: str = "r", *arguments: Any, pwd: bytes | None = None, **options: Any
    ) -> IO[Any]:
        """Open a copy in memory, so that whatever is damaged is found here."""
        if "r" not in mode or "+" in mode:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))
        stream = io.BytesIO(self.read_bytes())
        return stream if "b" in mode else io.TextIOWrapper(stream, *arguments, **options)

    def read_bytes(self) -> bytes:
        """Return the content.

        Raises:
            OSError: damaged, or not there.
        """
        self.stat()
        try:
            return self.root.read(self.at)
        except _DAMAGE as error:
            raise OSError(f"damaged ({error})") from error

    def stat(self) -> os.stat_result:
        """Return the size; the other numbers are 0."""
        try:
            size = self.root.getinfo(self.at).file_size
        except KeyError as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self)) from error
        return os.stat_result((stat.S_IFREG, 0, 0, 1, 0, 0, size, 0, 0, 0))


def _unpickled(file: Path, at: str) -> Path:
    return _within(file) / at if at else _within(file)
