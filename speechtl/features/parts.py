"""The archives of a feature directory and a journal of their utterances, so that runs can be resumed.

A feature directory consists of parts. A part is ``<kind>.<number>-<token>.ark`` with the features, ``.stats.ark`` with
one CMVN statistic per utterance, and ``.json``, which is written last: a part without it is ignored. Numbers only
increase, so of two parts with the same utterance the one with the higher number is newer.
"""

import contextlib
import dataclasses
import json
import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from speechtl.config import parse
from speechtl.data.datadir import DataDir
from speechtl.data.tables import archive_of
from speechtl.errors import DataError, list_problems
from speechtl.features import cmvn
from speechtl.features.archives import append_matrix, read_matrix
from speechtl.features.config import FeatureConfig
from speechtl.files import atomic_write

# Of finished parts: a journal that is being written, or was when its process was killed, begins with a full stop.
_JOURNALS = "[!.]*.*-*.json"


class Stored(NamedTuple):
    """The stored features of one utterance.

    Attributes:
        features: ``file.ark:offset`` of its features.
        stats: ``file.ark:offset`` of its CMVN statistics.
        frames: number of frames.
        seconds: duration of its audio.
        silent: whether all samples are equal.
        origin: fingerprint of the audio, segment and speed that the features were computed from.
    """

    features: str
    stats: str
    frames: int
    seconds: float
    silent: bool
    origin: str


@dataclasses.dataclass(frozen=True)
class Part:
    """A finished part: its number, configuration and utterances."""

    journal: Path
    number: int
    config: dict[str, Any]
    utterances: dict[str, Stored]

    def remove(self) -> None:
        """Delete the part; the journal first, so that a partly deleted part is ignored."""
        stem = self.journal.with_suffix("")
        for path in (self.journal, Path(f"{stem}.ark"), Path(f"{stem}.stats.ark")):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                advice = "correct the permissions of its folder"
                raise DataError(f"{path}: cannot remove: {error.strerror or error}; {advice}") from error


def read_parts(feature_dir: Path, since: int = 0) -> list[Part]:
    """Read the journals of finished parts, oldest first.

    Args:
        feature_dir: the folder.
        since: the number of the first that is wanted.

    Raises:
        DataError: a journal cannot be read or is malformed; names the first.
    """
    journals = [path for path in sorted(feature_dir.glob(_JOURNALS)) if since == 0 or _number_of(path) >= since]
    parts = [part for part in map(_read_part, journals) if part.number >= since]
    return sorted(parts, key=lambda part: part.number)


def _number_of(journal: Path) -> float:
    """Return the number in the name of a journal; infinity where a name has none, so that the journal is asked."""
    number = journal.name.split(".")[1].partition("-")[0]
    return int(number) if number.isascii() and number.isdecimal() else math.inf


def _read_part(journal: Path) -> Part:
    try:
        content = json.loads(journal.read_text(encoding="utf-8"))
        utterances = {key: Stored(*values) for key, values in content["utterances"].items()}
        # Settings that are younger than the journal had their default.
        config = FeatureConfig().model_dump() | content["config"]
        return Part(journal, int(content["number"]), config, utterances)
    except OSError as error:
        raise DataError(f"{journal}: cannot read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise DataError(f"{journal}: not a journal of computed features; delete it to compute them again") from error


def check_features(data: DataDir, config: FeatureConfig) -> None:
    """Check that stored features were computed with the configuration of the model.

    The configuration is recorded with each archive that ``feats.scp`` refers to, so subsets and unions of data
    directories are checked as well as the original directories. For archives without such a record, for example
    Kaldi's, only the dimension is checked.

    Args:
        data: a data directory; without features nothing is checked.
        config: the ``[features]`` of the model.

    Raises:
        DataError: names the directory, every setting that differs with both values, and the command that computes the
            features as the model needs them.
    """
    advice = f"compute those of the model: speechtl features {data.path} --overwrite --model MODEL"
    archives: dict[Path, str] = {}
    for place in data.feats_scp.values():
        archives.setdefault(archive_of(place), place)
    lines: dict[str, None] = {}
    names: set[str] = set()
    for archive in archives:
        journal = archive.with_suffix(".json")
        if journal.match(_JOURNALS) and journal.is_file():
            for name, stored, wanted in differences(_read_part(journal).config, config):
                if name == "channel":  # Which side of a recording is heard is nothing that a model knows.
                    continue
                names.add(name)
                lines[f"{name}: stored {stored!r}, expected {wanted!r}"] = None
    if names:
        heading = f"{data.path}: features differ from the model's in {', '.join(sorted(names))}; {advice}"
        raise DataError(list_problems(heading, sorted(lines)))
    # One matrix from every folder, since a union may have archives of several origins.
    for place in {archive.parent: place for archive, place in archives.items()}.values():
        matrix = read_matrix(place)
        if matrix.size and matrix.shape[1] != config.dimension:
            raise DataError(
                f"{data.path}: features with {matrix.shape[1]} values per frame, expected {config.dimension}; {advice}"
            )


def recorded_config(data: DataDir) -> FeatureConfig | None:
    """Return the configuration that stored features were computed with; None where there is no record of it.

    Raises:
        DataError: there are features of different configurations.
    """
    found: dict[Path, FeatureConfig] = {}
    for archive in {archive_of(place) for place in data.feats_scp.values()}:
        journal = archive.with_suffix(".json")
        if journal.match(_JOURNALS) and journal.is_file():
            found[journal] = parse(FeatureConfig, _read_part(journal).config, journal)
    if not found:
        return None
    first = next(iter(found.values()))
    for config in found.values():
        if config != first:
            names = ", ".join(name for name, *_ in differences(first.model_dump(), config))
            raise DataError(f"{data.path}: features of different configurations ({names}); compute them again")
    return first


def silent_utterances(data: DataDir) -> set[str]:
    """Return the utterances whose stored features are of nothing but digital silence, as far as there is a record."""
    silent: set[str] = set()
    for archive in {archive_of(place) for place in data.feats_scp.values()}:
        journal = archive.with_suffix(".json")
        if journal.match(_JOURNALS) and journal.is_file():
            silent |= {key for key, one in _read_part(journal).utterances.items() if one.silent}
    return silent & data.feats_scp.keys()


def differences(stored: Mapping[str, Any], config: FeatureConfig) -> list[tuple[str, Any, Any]]:
    """Return the name, stored and requested value of every setting that differs."""
    wanted = config.model_dump()
    return [
        (name, stored.get(name), wanted.get(name))
        for name in sorted(stored.keys() | wanted.keys())
        if stored.get(name) != wanted.get(name)
    ]


@contextlib.contextmanager
def write_part(
    feature_dir: Path, number: int, config: FeatureConfig, token: str | None = None
) -> Iterator[Callable[..., None]]:
    """Write one part; it counts from the moment the block has succeeded.

    Args:
        feature_dir: the folder.
        number: of the part.
        config: of its features.
        token: distinguishes it from parts of other runs with this number; by default a new one.

    Yields:
        ``store(utterance_id, features, seconds, silent, origin)``.

    Raises:
        DataError: a file cannot be written (full disk); nothing of the part stays.
    """
    stem = feature_dir.absolute() / f"{config.kind}.{number:06d}-{token or secrets.token_hex(3)}"
    features_path, stats_path = Path(f"{stem}.ark"), Path(f"{stem}.stats.ark")
    stored: dict[str, Stored] = {}
    try:
        with atomic_write(stats_path, "wb") as stats_file, atomic_write(features_path, "wb") as features_file:

            def store(utterance_id: str, features: np.ndarray, seconds: float, silent: bool, origin: str) -> None:
                place = f"{features_path}:{append_matrix(features_file, utterance_id, features)}"
                stats = f"{stats_path}:{append_matrix(stats_file, utterance_id, cmvn.accumulate(features))}"
                stored[utterance_id] = Stored(place, stats, len(features), round(seconds, 4), silent, origin)

            yield store
        write_journal(stem, number, config, stored)
    except BaseException:
        # What cannot be removed has no journal, and nobody reads it.
        with contextlib.suppress(OSError):
            features_path.unlink(missing_ok=True)
            stats_path.unlink(missing_ok=True)
        raise


def write_journal(stem: Path, number: int, config: FeatureConfig, stored: Mapping[str, Stored]) -> None:
    """Record what the archive ``stem``.ark holds, and how it was computed, in ``stem``.json.

    Raises:
        DataError: the file cannot be written.
    """
    with atomic_write(f"{stem}.json") as file:
        json.dump({"number": number, "config": config.model_dump(), "utterances": stored}, file, ensure_ascii=False)


def remove_superseded(parts: Iterable[Part], renewed: set[str]) -> None:
    """Delete the parts whose utterances were all computed again."""
    for part in parts:
        if part.utterances.keys() <= renewed:
            part.remove()
