"""Real speech, as it is and as it often comes, by every path from audio to words: the same words and the same notes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from changed_recordings import CHANGES
from paths_to_words import PATHS, Speech

import speechtl

SPEECH = Path(speechtl.__file__).parent.parent / "recipes" / "base" / "audio" / "an417-fjlp-b.flac"
WORDS = "enter nine one six nine"
LEXICON = (
    "enter ɛ n t ɝ\nnine n aɪ n\none w ʌ n\nsix s ɪ k s\nsix(2) s ɪ s\ntwo t u\nfive f aɪ v\nseven s ɛ v ə n\n"
    "erase ɪ ɹ eɪ s\nstop s t ɑ p\nno n oʊ\nan æ n\nin ɪ n\nand ə n d\n"
)


def with_zeros(samples, rate):
    """Return speech whose pauses are digital silence, as editors and codecs make them."""
    block = rate // 50
    loud = np.array([np.abs(samples[place : place + block]).max() for place in range(0, len(samples), block)])
    heard = np.convolve(loud > 0.04 * loud.max(), np.ones(3), "same") > 0
    return np.where(np.repeat(heard, block)[: len(samples)], samples, 0)


CHANGED = ("offset 0.1", "8 kHz", "two channels", "level x10", "two channels in antiphase")


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paths")
    samples, rate = soundfile.read(SPEECH)
    files = {"plain": folder / "plain.wav", "zeros": folder / "zeros.wav"}
    soundfile.write(files["plain"], samples, rate)
    soundfile.write(files["zeros"], with_zeros(samples, rate), rate)
    for name in CHANGED:
        files[name.replace(" ", "_")] = CHANGES[name].write(folder / name.replace(" ", "_"), samples, rate)
    (folder / "lexicon.txt").write_text(LEXICON)
    return Speech("base", "en", files, folder / "lexicon.txt", "ipa", folder)


def test_every_path_finds_the_same_words(speech):
    said = {}
    for name, path in PATHS.items():
        found, said[name] = path(speech)
        assert found == dict.fromkeys(speech.files, WORDS), name
    # What was repaired, and what is remarkable, in the same words wherever audio is read.
    notes = [
        "digital silence, filled",
        "constant offset was taken out",
        "has nothing above 4000 Hz",
        "cancel each other",
    ]
    for name in ("transcribe", "transcribe a data directory", "features, decode"):
        assert [said[name].count(note) for note in notes] == [1, 1, 1, 1], name
