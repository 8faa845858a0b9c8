"""The audio files that a table of other tools means by names."""

import dataclasses
import os
import unicodedata
from pathlib import Path

from speechtl.audio.stream import AUDIO_SUFFIXES

# Where corpora keep their audio beside the table.
_FOLDERS = ("", "wavs", "wav", "clips", "audio")
_ENDINGS = tuple(sorted(AUDIO_SUFFIXES))


class NamedAudio:
    """The audio files that a table means; corpora leave out their suffix, or the folder that they are in.

    A table may name a million files of which there is none, so the file system is asked once for all names in a folder,
    and for a single file only if its name is among them.
    """

    def __init__(self, path: Path) -> None:
        """Take the path of the table."""
        self._parent, self._beside = path.parent, str(path.parent)
        self._found: dict[str, Path | None] = {}
        self._listed: dict[str, _Names | None] = {}
        self._places: dict[str, list[tuple[str, _Names | None]]] = {}

    def find(self, name: str) -> Path | None:
        """Return the audio file that a name means, None if there is none."""
        name = name.strip()
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> Path | None:
        if not name or "\n" in name or "\0" in name or len(name) > 4000:
            return None
        last = name.rpartition("/")[2]
        if last in ("", ".", ".."):
            return None
        folder = name[: len(name) - len(last)]
        if folder not in self._places:
            self._places[folder] = self._there(folder)
        said = _folded(last)
        places = [(place, names) for place, names in self._places[folder] if names is None or names.may_mean(said)]
        if not places:
            return None
        if os.path.isfile(os.path.join(self._beside, name)):
            return self._parent / name
        # Strings, not paths, which are made for what is there alone: most of a table's names may lead nowhere.
        for suffix in ("",) if last.lower().endswith(_ENDINGS) else ("", *_ENDINGS):
            for place, names in places:
                listed = names is None or said + suffix in names.whole
                if listed and os.path.isfile(os.path.join(place, last + suffix)):
                    return Path(place, last + suffix)
        return None

    def _there(self, folder: str) -> list[tuple[str, "_Names | None"]]:
        """Return where a folder that a table names is, and the names in it."""
        there: dict[str, _Names | None] = {}
        first = folder.partition("/")[0]
        for one in _FOLDERS:
            start = os.path.join(self._beside, one)
            beside = self._names(start) if first not in ("", ".", "..") else None
            # There may be as many folders as names; those that are not there need not be listed.
            if beside is None or _folded(first) in beside.whole:
                place = os.path.join(start, folder)
                names = self._names(place)
                if names is None or names.whole:
                    there[place] = names
        return list(there.items())

    def _names(self, folder: str) -> "_Names | None":
        """Return the names in a folder; None if nobody may list them, although some may be there."""
        if folder not in self._listed:
            try:
                self._listed[folder] = _Names.of(os.listdir(folder))
            except PermissionError:
                self._listed[folder] = None
            except (OSError, ValueError):  # The latter: no name that a folder can have.
                self._listed[folder] = _Names.of([])
        return self._listed[folder]


@dataclasses.dataclass(frozen=True)
class _Names:
    """The names in a folder.

    Attributes:
        whole: all of them.
        stems: those of audio, without the suffix.
    """

    whole: frozenset[str]
    stems: frozenset[str]

    @classmethod
    def of(cls, names: list[str]) -> "_Names":
        whole = frozenset(map(_folded, names))
        audio = (name.rpartition(".") for name in whole if name.endswith(_ENDINGS))
        return cls(whole, frozenset(stem for stem, _, _ in audio))

    def may_mean(self, name: str) -> bool:
        return name in self.whole or name in self.stems


def _folded(name: str) -> str:
    """Return a name as file systems may take it that see no difference of case or of composed characters."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()
