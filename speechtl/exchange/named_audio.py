"""The audio file that a table of other tools means by a name."""

import os
from pathlib import Path

from speechtl.audio.stream import AUDIO_SUFFIXES

# Where corpora keep their audio beside the table.
_FOLDERS = ("", "wavs", "wav", "clips", "audio")
_ENDINGS = tuple(sorted(AUDIO_SUFFIXES))
_SUFFIXES = ("", *_ENDINGS)


def named_audio(path: Path, name: str, listed: dict[str, set[str]]) -> Path | None:
    """Return the audio file that a table means; corpora leave out its suffix, or the folder that it is in.

    Args:
        path: the table.
        name: in it.
        listed: names in folders, found out when they are needed: a table may have a million names without a file.
    """
    name = name.strip()
    if not name or "\n" in name or "\0" in name or len(name) > 4000:
        return None
    beside = str(path.parent)
    if os.path.isfile(os.path.join(beside, name)):
        return path.parent / name
    last = name.rpartition("/")[2]
    folder = name[: len(name) - len(last)]
    if last in ("", ".", ".."):
        return None
    places = [os.path.join(beside, one, folder) for one in _FOLDERS]
    # Strings, not paths, which are made for what is there alone: most of a table's names may lead nowhere.
    there = [(place, names) for place in places if (names := _names(place, listed))]
    for suffix in _SUFFIXES if there and not last.lower().endswith(_ENDINGS) else ("",):
        for place, names in there:
            if last + suffix in names and os.path.isfile(os.path.join(place, last + suffix)):
                return Path(place, last + suffix)
    return None


def _names(folder: str, listed: dict[str, set[str]]) -> set[str]:
    if folder not in listed:
        try:
            listed[folder] = set(os.listdir(folder))
        except OSError:
            listed[folder] = set()
    return listed[folder]
