"""Reading audio block by block gives what reading it at once gives, from files and from pipes."""

import io
import os

import numpy as np
import pytest
import soundfile

from speechtl.audio.stream import duration, find_audio, stream_blocks
from speechtl.audio.waveform import read_waveform
from speechtl.errors import DataError


def sound(seconds=25.0, rate=16000, channels=1, seed=0):
    samples = np.random.default_rng(seed).normal(0, 0.1, (round(seconds * rate), channels))
    return np.clip(samples, -1, 1).squeeze()


def whole(blocks):
    return np.concatenate(list(blocks))


@pytest.mark.parametrize(("rate", "channels", "channel"), [(16000, 1, "mix"), (44100, 2, "mix"), (8000, 2, 1)])
def test_blocks_are_the_whole(tmp_path, rate, channels, channel):
    path = tmp_path / "a.flac"
    soundfile.write(path, sound(25, rate, channels), rate)
    expected = read_waveform(str(path), 16000, channel=channel)
    blocks = list(stream_blocks(path, 16000, channel=channel))
    assert len(blocks) >= 3 and max(map(len, blocks)) <= 161_000
    assert all(block.dtype == np.float32 for block in blocks)
    np.testing.assert_allclose(whole(blocks), expected, atol=2)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_pipes_need_not_be_seekable(kind):
    file = io.BytesIO()
    soundfile.write(file, sound(1.5), 16000, format=kind)
    read, write = os.pipe()
    with os.fdopen(write, "wb") as out:
        out.write(file.getvalue())  # Less than a pipe holds.
    with os.fdopen(read, "rb") as pipe:
        assert not pipe.seekable()
        assert len(whole(stream_blocks(pipe, 16000))) == 24000


def test_a_stream_with_an_unknown_length_is_read_to_its_end():
    """Programs that write WAV to a pipe put the largest number where the length belongs."""
    file = io.BytesIO()
    soundfile.write(file, sound(2), 16000, format="WAV", subtype="PCM_16")
    raw = bytearray(file.getvalue())
    place = raw.index(b"data")
    raw[4:8] = raw[place + 4 : place + 8] = b"\xff\xff\xff\xff"
    assert len(whole(stream_blocks(io.BytesIO(raw), 16000))) == 32000


def test_raw_samples():
    samples = (sound(1.5, 8000) * 32767).astype("<i2")
    result = whole(stream_blocks(io.BytesIO(samples.tobytes()), 8000, raw_rate=8000))
    np.testing.assert_array_equal(result, samples.astype(np.float32))
    assert len(whole(stream_blocks(io.BytesIO(samples.tobytes()), 16000, raw_rate=8000))) == 24000


def test_what_is_wrong_is_said_with_the_name(tmp_path):
    def error_of(name, content, **options):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match=name) as caught:
            whole(stream_blocks(path, 16000, **options))
        return str(caught.value)

    file = io.BytesIO()
    soundfile.write(file, sound(1), 16000, format="WAV", subtype="PCM_16")
    assert "empty (0 bytes)" in error_of("empty.wav", b"")
    assert "not audio" in error_of("notes.wav", b"these are notes" * 100)
    assert "truncated" in error_of("header.wav", file.getvalue()[:44])
    soundfile.write(nothing := io.BytesIO(), np.zeros(0), 16000, format="WAV")
    assert "holds no samples" in error_of("nothing.wav", nothing.getvalue())
    assert "no channel 1" in error_of("mono.wav", file.getvalue(), channel=1)
    with pytest.raises(DataError, match=r"gone\.wav: cannot read: No such file"):
        whole(stream_blocks(tmp_path / "gone.wav", 16000))


def test_of_a_truncated_file_there_is_what_there_is(tmp_path):
    file = io.BytesIO()
    soundfile.write(file, sound(30), 16000, format="WAV", subtype="PCM_16")
    path = tmp_path / "cut.wav"
    path.write_bytes(file.getvalue()[:500_044])
    read = 0
    with pytest.raises(DataError, match=r"cut\.wav: truncated"):
        for block in stream_blocks(path, 16000):
            read += len(block)
    assert read == 250_000


def test_folders_are_searched(tmp_path):
    for name in ("b.wav", "sub/deep/a.FLAC", "sub/c.m4a", "notes.txt", ".hidden.wav", ".git/x.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in find_audio(tmp_path)]
    assert found == ["b.wav", "sub/c.m4a", "sub/deep/a.FLAC"]
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="none: no audio in this folder"):
        find_audio(tmp_path / "none")


def test_duration(tmp_path):
    soundfile.write(tmp_path / "a.wav", sound(1.5, 8000), 8000)
    assert duration(tmp_path / "a.wav") == 1.5
    assert duration(tmp_path / "nothing.wav") is None
