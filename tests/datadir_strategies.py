"""Data directories for tests: drawn at random by hypothesis, or a small one with real recordings."""

from pathlib import Path

import numpy as np
import soundfile
from hypothesis import settings
from hypothesis import strategies as st

from speechtl.data.datadir import DataDir, Segment

# Saving waits for the disk, however long that takes on a busy machine.
few_examples = settings(max_examples=25, deadline=None)

letters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"), exclude_characters="\ufeff")
ids = st.text(letters, min_size=1, max_size=8)
# Whatever a table can hold: no line break, no blanks at the ends.
values = (
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=20)
    .map(lambda value: value.strip(" \t\r"))
    .filter(bool)
)
seconds = st.floats(0.01, 100, allow_nan=False)


@st.composite
def data_dirs(draw: st.DrawFn, prefix: str = "", min_speakers: int = 1, min_utterances: int = 1) -> DataDir:
    """A directory whose tables agree; audio and archives do not exist."""
    data = DataDir(Path("drawn"))
    number_of = st.integers(min_utterances, 4)
    segmented, languages, domains, durations, genders, copies = (draw(st.booleans()) for _ in range(6))
    for speaker in draw(st.lists(ids, min_size=min_speakers, max_size=4, unique=True)):
        speaker = prefix + speaker
        for number in range(draw(number_of)):
            # A separator sorts before everything that an id may hold, so that no speaker's name runs into another's.
            utterance = f"{speaker}!{number}"
            if utterance in data.utt2spk:
                continue
            data.utt2spk[utterance] = speaker
            data.text[utterance] = draw(values)
            if segmented:
                start = draw(st.floats(0, 10))
                end = draw(st.one_of(st.just(-1.0), st.floats(start + 0.01, start + 100)))
                data.segments[utterance] = Segment(f"{prefix}rec{draw(st.integers(0, 2))}", start, end)
            recording = data.recording_of(utterance)
            data.wav_scp[recording] = f"audio/{recording}.flac"
            if copies:
                data.reco2speed.setdefault(recording, draw(st.sampled_from([0.9, 1.1])))
            if languages:
                data.utt2lang[utterance] = draw(st.sampled_from(["en", "de", "ru"]))
            if domains:
                data.utt2dom[utterance] = draw(st.sampled_from(["phone", "studio"]))
            if durations:
                data.utt2dur[utterance] = draw(seconds)
        if genders:
            data.spk2gender[speaker] = draw(st.sampled_from("mf"))
    return data


def same(one: DataDir, other: DataDir) -> bool:
    """Whether all tables are equal; where they were read from does not matter."""
    return [table for _, _, table in one.tables()] == [table for _, _, table in other.tables()]


def write_recordings(folder: Path, lengths: dict[str, float], sample_rate: int = 8000, suffix: str = "flac") -> DataDir:
    """Write noise recordings ``speaker-number`` of these seconds, and return their directory, unsaved."""
    random = np.random.default_rng(0)
    data = DataDir(folder)
    for utterance, length in lengths.items():
        path = folder.parent / f"{utterance}.{suffix}"
        soundfile.write(path, random.normal(0, 0.1, round(length * sample_rate)), sample_rate)
        data.wav_scp[utterance] = str(path)
        data.utt2spk[utterance] = utterance.split("-")[0]
        data.text[utterance] = f"words of {utterance}"
    return data
