"""``speechtl transcribe --live``: from a pipe, from a microphone that is not one, and what makes no sense."""

import io
import json
import sys
import types

import numpy as np
import pytest
from command_line import WrongOption, run, verb
from whistled_speech import RATE, whistle

from speechtl.audio.listen import listen_to_pipe
from speechtl.errors import ConfigError, DataError

TEXTS = ["tak sit kus", "si ata"]


def speech():
    quiet = np.random.default_rng(0).normal(0, 0.001, round(1.2 * RATE))
    return np.concatenate([part for number, text in enumerate(TEXTS) for part in (whistle(text, number)[0], quiet)])


class Pipe(io.BytesIO):
    """Gives an odd number of bytes at a time, as a pipe may."""

    def read1(self, size=-1):
        return self.read(min(size, 1501))


def stdin(monkeypatch):
    content = (speech() * 32768).astype("<i2").tobytes()
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=Pipe(content)))


def test_a_pipe_is_read_as_it_comes():
    samples = np.arange(-3000, 3000, dtype="<i2")
    blocks = list(listen_to_pipe(Pipe(samples.tobytes() + b"x")))
    assert len(blocks) > 3 and np.array_equal(np.concatenate(blocks) * 32768, samples)


def test_lines_come_out_of_a_pipe(experiment, monkeypatch):
    stdin(monkeypatch)
    assert run("transcribe", experiment, "-", live=True, raw_rate=RATE).stdout.splitlines() == TEXTS
    stdin(monkeypatch)
    lines = run("transcribe", experiment, "-", live=True, raw_rate=RATE, format="json").stdout.splitlines()
    assert [json.loads(line)["text"] for line in lines] == TEXTS
    assert json.loads(lines[1])["words"][0]["start"] > json.loads(lines[0])["end"]
    stdin(monkeypatch)
    assert run("transcribe", experiment, "-", live=True, raw_rate=RATE, phones=True).stdout.splitlines() == [
        "t a k s i t k u s",
        "s i a t a",
    ]


def test_a_terminal_shows_the_words_so_far(experiment, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stdin(monkeypatch)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    verb("transcribe", experiment, "-", live=True, raw_rate=RATE)
    shown = terminal.getvalue().split("\r\x1b[K")
    assert [line.removesuffix("\n") for line in shown if line.endswith("\n")] == TEXTS
    assert shown.index("tak") < shown.index("tak sit") < shown.index(f"{TEXTS[0]}\n")


def microphone(blocks):
    """Return a library that records these blocks, and then is interrupted."""

    class InputStream:
        def __init__(self, samplerate, blocksize, channels, dtype, callback):
            assert (samplerate, channels, dtype) == (RATE, 1, "float32")
            self.callback = callback

        def __enter__(self):
            buffer = np.zeros((400, 1), np.float32)
            for block in blocks:
                buffer[:, 0] = block
                self.callback(buffer, 400, None, None)

        def __exit__(self, *error):
            pass

    def query_devices(kind):
        if not blocks:
            raise ValueError("no input device")
        return {"default_samplerate": float(RATE)}

    return types.SimpleNamespace(InputStream=InputStream, query_devices=query_devices, PortAudioError=RuntimeError)


def test_a_microphone_until_it_is_interrupted(experiment, monkeypatch):
    samples = speech().astype(np.float32)
    blocks = samples[: len(samples) // 400 * 400].reshape(-1, 400)
    monkeypatch.setitem(sys.modules, "sounddevice", microphone(list(blocks)))

    class Queue(list):
        put = list.append

        def get(self):
            if not self:
                raise KeyboardInterrupt
            return self.pop(0)

    monkeypatch.setattr("queue.SimpleQueue", Queue)
    assert run("transcribe", experiment, live=True).stdout.splitlines() == TEXTS


def test_without_a_microphone(experiment, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", microphone([]))
    with pytest.raises(DataError, match="no microphone can be opened"):
        verb("transcribe", experiment, live=True)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(DataError, match=r"speechtl\[live\]"):
        verb("transcribe", experiment, live=True)


def test_what_has_no_meaning_live(tmp_path):
    with pytest.raises(WrongOption, match="give audio"):
        verb("transcribe", tmp_path)
    for arguments, options in [
        (["a.wav"], {}),
        (["-"], {}),
        ([], {"format": "srt"}),
        ([], {"out": "x"}),
        ([], {"whole": True}),
    ]:
        with pytest.raises(ConfigError, match="--live"):
            verb("transcribe", tmp_path, *arguments, live=True, **options)
