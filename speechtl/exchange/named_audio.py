"""The audio file that a table of other tools means by a name."""

import os
from pathlib import Path

from speechtl.audio.stream import AUDIO_SUFFIXES

# Where corpora keep their audio beside the table.
_FOLDERS = ("", "wavs", "wav", "clips", "audio")


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
    if _is_file(path.parent / name):
        return path.parent / name
    suffixes = [""] if Path(name).suffix.lower() in AUDIO_SUFFIXES else ["", *sorted(AUDIO_SUFFIXES)]
    last = name.rpartition("/")[2]
    folder = name[: len(name) - len(last)]
    if last in ("", ".", ".."):
        return None
    for suffix in suffixes:
        for place in (path.parent / one / folder for one in _FOLDERS):
            if last + suffix in _names(str(place), listed) and _is_file(place / (last + suffix)):
                return place / (last + suffix)
    return None


def _names(folder: str, listed: dict[str, set[str]]) -> set[str]:
    if folder not in listed:
        try:
            listed[folder] = set(os.listdir(folder))
        except OSError:
            listed[folder] = set()
    return listed[folder]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # A line of text that is too long for a name.
        return False
