"""Find recordings, and name them so that no two are confused."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechtl.audio.audio_file import AudioFile
from speechtl.audio.pipe import is_pipe
from speechtl.audio.stream import find_audio
from speechtl.data.datadir import DataDir, Utterance
from speechtl.errors import ConfigError, DataError, list_problems

STDIN = "-"


def find_recordings(audio: Sequence[str]) -> dict[str, str]:
    """Return recordings and their short names, which are all different.

    A short name is the file's name without suffix, after the folders below one that was searched. Where several
    recordings would have it (``a/talk.wav``, ``b/talk.wav``), it is the path below the folder that all recordings have
    in common; and where these differ in the suffix alone, the suffix stays.

    Args:
        audio: files, folders (searched with all folders below), or ``-`` for standard input.

    Raises:
        DataError: nothing of what was named exists, or a folder has no audio.
        ConfigError: a recording is named twice.
    """
    found: dict[str, str] = {}
    missing = []
    for name in audio:
        if Path(name).is_dir():
            found.update((str(path), str(path.relative_to(name).with_suffix(""))) for path in find_audio(name))
        else:
            found[name] = "stdin" if name == STDIN else Path(name).stem
            missing += [] if name == STDIN or Path(name).exists() else [f"{name}: no such file or folder"]
    # If only some are missing, each is reported when its turn comes.
    if len(missing) == len(found):
        raise DataError(missing[0] if len(missing) == 1 else list_problems("nothing to transcribe:", missing))
    return _distinct(found)


def is_data_directory(folder: str) -> bool:
    """Tell whether a folder has the table of recordings that a data directory has."""
    return Path(folder, "wav.scp").is_file()


def find_utterances(folders: Sequence[str]) -> dict[str, Utterance]:
    """Return the utterances of data directories by their ids.

    Raises:
        DataError: a table is wrong; recordings are commands, or of features alone.
        ConfigError: two directories have the same id.
    """
    found: dict[str, Utterance] = {}
    for folder in folders:
        for one in DataDir.load(folder).utterances():
            if one.id in found:
                raise ConfigError(f"{folder}: utterance '{one.id}' is in two of the directories; name one at a time")
            if not one.audio or is_pipe(one.audio):
                what = "the output of a command" if one.audio else "features alone"
                advice = "compute features with speechtl features --model MODEL, and take speechtl decode"
                raise DataError(f"{folder}: utterance '{one.id}' is {what}; {advice}")
            found[one.id] = one
    return found


def by_channel(names: Mapping[str, str]) -> dict[str, tuple[str, str, int | None]]:
    """Return a recording for each channel, ``call.wav#0`` and ``call.wav#1``.

    Args:
        names: recordings and their short names.

    Returns:
        recording -> file, short name, channel; a file that has one channel, or cannot be opened, stays as it is.

    Raises:
        ConfigError: standard input, which can be read but once.
    """
    found: dict[str, tuple[str, str, int | None]] = {}
    for name, short in names.items():
        if name == STDIN:
            raise ConfigError("--channel each opens a recording several times; give a file in place of standard input")
        try:
            with AudioFile(name) as file:
                channels = file.channels
        except DataError:  # Reported when its turn comes.
            channels = 1
        if channels == 1:
            found[name] = name, short, None
        for channel in range(channels if channels > 1 else 0):
            found[f"{name}#{channel}"] = name, f"{short}#{channel}", channel
    return found


def _distinct(found: dict[str, str]) -> dict[str, str]:
    """Return longer names for the recordings whose short names are those of others too."""
    paths = {name: os.path.abspath(name) for name in found if name != STDIN}
    common = os.path.commonpath([os.path.dirname(path) for path in paths.values()]) if paths else ""
    names = {name: [short] for name, short in found.items()}
    for name, path in paths.items():
        below = os.path.relpath(path, common)
        names[name] += [os.path.splitext(below)[0], below]
    while repeated := _repeated({name: options[0] for name, options in names.items()}):
        longer = [name for name in repeated if len(names[name]) > 1]
        if not longer:
            raise ConfigError(f"{' and '.join(repeated)} are one recording; give it once")
        for name in longer:
            del names[name][0]
    return {name: options[0] for name, options in names.items()}


def _repeated(names: dict[str, str]) -> list[str]:
    counts = Counter(names.values())
    return [name for name, short in names.items() if counts[short] > 1]
