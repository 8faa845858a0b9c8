"""Recordings have names of which no two are the same."""

import os

import pytest

from speechtl.errors import ConfigError, DataError
from speechtl.recognition.recordings import find_recordings


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("talk.wav", "a/talk.wav", "b/talk.wav", "b/talk.flac", "b/c d/e.wav", "stdin.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("audio", "names"),
    [
        (["a/talk.wav"], ["talk"]),
        (["talk.wav", "stdin.wav"], ["talk", "stdin"]),
        (["a/talk.wav", "b/talk.wav"], ["a/talk", "b/talk"]),
        (["talk.wav", "a/talk.wav"], ["talk", "a/talk"]),
        (["b/talk.wav", "b/talk.flac"], ["talk.wav", "talk.flac"]),
        (["a/talk.wav", "b/talk.wav", "b/talk.flac"], ["a/talk", "b/talk.wav", "b/talk.flac"]),
        (["a", "b"], ["a/talk", "c d/e", "b/talk.flac", "b/talk.wav"]),
        (["b"], ["c d/e", "talk.flac", "talk.wav"]),
        (["-", "stdin.wav", "talk.wav"], ["stdin", "stdin.wav", "talk"]),
        (["gone.wav", "talk.wav"], ["gone", "talk"]),
    ],
)
def test_short_names_are_different(folder, audio, names):
    assert list(find_recordings(audio).values()) == names
    # Paths from the root say the same.
    if "-" not in audio:
        assert list(find_recordings([os.path.abspath(name) for name in audio]).values()) == names


def test_what_is_no_recording(folder):
    with pytest.raises(ConfigError, match=r"a/talk\.wav and \./a/talk\.wav are one recording; give it once"):
        find_recordings(["a/talk.wav", "./a/talk.wav", "talk.wav"])
    with pytest.raises(DataError, match=r"gone\.wav: no such file or folder"):
        find_recordings(["gone.wav"])
