"""Real speech at other levels, rates, in other containers and on other channels: the same words, or it is said why."""

from pathlib import Path

import pytest
import soundfile
from changed_recordings import CHANGES

import speechtl

SPEECH = Path(speechtl.__file__).parent.parent / "recipes" / "base" / "audio" / "an417-fjlp-b.flac"
WORDS = "enter nine one six nine"


@pytest.fixture(scope="module")
def recogniser():
    return speechtl.load("base")


def test_the_same_words_or_it_is_said_why(recogniser, tmp_path, caplog):
    samples, rate = soundfile.read(SPEECH)
    wrong = {}
    for name, change in CHANGES.items():
        caplog.clear()
        path = change.write(tmp_path / name, samples, rate)
        text = recogniser.transcribe(path).text
        if change.said not in caplog.text or (text != WORDS and not (change.said or change.lossy)):
            wrong[name] = text, [record.getMessage() for record in caplog.records]
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in wrong.items())
