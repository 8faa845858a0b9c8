"""Folders of audio with a transcript beside each file: ``.txt``, ``.lab`` or ``.TextGrid``, as MFA has them."""

import glob
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from speechtl.audio.stream import AUDIO_SUFFIXES
from speechtl.data.textgrid import Tier, read_textgrid
from speechtl.errors import DataError, counted
from speechtl.exchange.entry import Entry, Source
from speechtl.files import read_text

# Where there are several, the first is taken.
TEXTS = (".txt", ".lab", ".textgrid")
_WORDS = ("words", "word")
_OTHERS = ("phones", "phone", "phonemes", "syllables")


def read_audio_folder(path: Path, speaker: str | None = None) -> Source:
    """Read a folder of audio and the folders in it, or a single file of one.

    A ``.txt`` or ``.lab`` file is the transcript of the whole recording. Each labelled interval of a ``.TextGrid`` is
    an utterance whose speaker is the name of the tier, as the Montreal Forced Aligner has it; the aligner's own output,
    with a tier of words, gives one utterance for each such tier.

    Args:
        path: the folder, or the file.
        speaker: of all recordings; None for the folder that each one is in, or in a TextGrid the tier. A single file
            is called as its speaker is.
    """
    source, silent = Source(), dict[str, str]()
    alone, path = (path, path.parent) if path.is_file() else (None, path)
    around = _shown_below(path) if alone is None else path.glob(f"{glob.escape(alone.stem)}.*")
    inside_it = sorted(around)
    files = [file for file in inside_it if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file()]
    files = files if alone is None else [alone]
    # By name without suffix, which may be written in capitals.
    found = [file for file in inside_it if file.suffix.lower() in TEXTS and file.is_file()]
    found.sort(key=lambda file: (TEXTS.index(file.suffix.lower()), file.suffix.isupper()))
    texts = {file.with_suffix(""): file for file in reversed(found)}
    stems = Counter((file.parent.name, file.stem) for file in files)
    for file in files:
        inside = file.relative_to(path)
        # The folder of a speaker is no part of the name, unless it takes one to tell recordings apart.
        short = speaker is None and stems[file.parent.name, file.stem] == 1
        name = inside.stem if short else str(inside.with_suffix(""))
        above = alone.stem if alone is not None else inside.parent.name or path.absolute().name
        transcript = texts.get(file.with_suffix(""))
        whole = Entry(str(file), str(file.absolute()), name, speaker=speaker or above)
        if transcript is None:
            source.entries.append(whole)
            continue
        try:
            if transcript.suffix.lower() == ".textgrid":
                entries = list(_intervals(whole, transcript, speaker))
                silent |= {} if entries else {str(transcript): ""}
                source.entries += entries
            else:
                source.entries.append(_with(whole, " ".join(read_text(transcript).split())))
        except DataError as error:
            source.problems.append(str(error))
    if silent:
        source.notes.append(counted("no labelled interval, left out", silent, "TextGrid"))
    return source


def _shown_below(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder and below, but for hidden files and folders: macOS puts a ``._a.wav`` beside a.wav."""
    for path in folder.glob("[!.]*"):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _shown_below(path)


def _intervals(whole: Entry, transcript: Path, speaker: str | None) -> Iterator[Entry]:
    tiers = [tier for tier in read_textgrid(transcript) if tier.labels]
    words = [tier for tier in tiers if _last_part(tier) in _WORDS]
    if len(words) == 1:
        yield _with(whole, " ".join(label.label for label in words[0].labels))
        return
    for tier in words:
        text = " ".join(label.label for label in tier.labels)
        who = speaker or tier.name.rpartition(" - ")[0].strip() or whole.speaker
        yield _with(whole, text, who, tier.labels[0].start, tier.labels[-1].end)
    tiers = [] if words else [tier for tier in tiers if _last_part(tier) not in _OTHERS]
    labels = [(tier, label) for tier in tiers for label in tier.labels]
    for tier, label in labels:
        who = speaker or tier.name.strip() or whole.speaker
        alone = len(labels) == 1 and label.start == 0 and label.end == tier.end
        start, end = (None, None) if alone else (label.start, label.end)
        yield _with(whole, label.label, who, start, end)


def _last_part(tier: Tier) -> str:
    return tier.name.rpartition(" - ")[2].strip().lower()


def _with(
    whole: Entry, text: str, speaker: str | None = None, start: float | None = None, end: float | None = None
) -> Entry:
    return Entry(
        whole.place, whole.audio, whole.name, text=text, speaker=speaker or whole.speaker, start=start, end=end
    )
