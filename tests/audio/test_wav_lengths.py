"""Lengths in WAV headers that are not true: what is there is read to the end, and said."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speechtl.audio.findings import Findings
from speechtl.audio.header import AudioHeader
from speechtl.audio.stream import stream_blocks
from speechtl.audio.waveform import read_waveform
from speechtl.errors import DataError

RATE = 8000
SAMPLES = np.random.default_rng(0).integers(-9000, 9000, 3 * RATE).astype(np.int16)
ALL = SAMPLES.astype(np.float32)


def wav(declared=None, tail=b"", **options):
    """Return a WAV file of `SAMPLES` whose header says another number of bytes."""
    soundfile.write(file := io.BytesIO(), SAMPLES, RATE, format="WAV", **options)
    content = bytearray(file.getvalue())
    place = content.index(b"data")
    if declared is not None:
        content[place + 4 : place + 8] = declared.to_bytes(4, "little")
    return bytes(content) + tail


def chunk(name, content):
    return name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def read(path):
    """Read a file in all ways; they agree. Return the samples and what was said."""
    findings = Findings()
    whole = read_waveform(str(path), RATE, findings=findings)
    np.testing.assert_array_equal(np.concatenate(list(stream_blocks(path, RATE))), whole)
    with open(path, "rb") as file:
        np.testing.assert_array_equal(np.concatenate(list(stream_blocks(file, RATE))), whole)
    for decode in (False, True):
        header = AudioHeader.read(str(path), decode=decode)
        assert header.frames == len(whole)
        assert list(header.findings) == list(findings.found)
    return whole, findings.lines()


@pytest.mark.parametrize("declared", [0, 2 * RATE, 2 * RATE + 1, 4])
def test_a_header_that_was_never_completed(tmp_path, declared):
    (tmp_path / "a.wav").write_bytes(wav(declared))
    samples, lines = read(tmp_path / "a.wav")
    np.testing.assert_array_equal(samples, ALL)
    assert lines == [
        "1 recording: the length in the header is too short; read to the end of the file "
        f"({tmp_path}/a.wav: {declared // 2 / RATE:.2f} s in the header, 3.00 s are there)"
    ]
    np.testing.assert_array_equal(read_waveform(str(tmp_path / "a.wav"), RATE, start=2.0, end=2.5), ALL[16000:20000])


@pytest.mark.parametrize("declared", [0x7FFFF000, 0xFFFFFFFF, 0x7FFFFFFF, None])
@pytest.mark.parametrize(
    "tail", [b"", chunk(b"LIST", b"INFOISFT\x05\0\0\0sox 1"), chunk(b"id3 ", bytes(3)), bytes(4096), b"TAG"]
)
def test_nothing_is_said_of_streams_and_of_what_may_follow(tmp_path, declared, tail):
    if declared is not None and tail:
        pytest.skip("what follows a stream cannot be told from samples")
    (tmp_path / "a.wav").write_bytes(wav(declared, tail))
    samples, lines = read(tmp_path / "a.wav")
    np.testing.assert_array_equal(samples, ALL)
    assert not lines


def test_an_empty_recording_with_chunks_is_empty(tmp_path):
    soundfile.write(file := io.BytesIO(), SAMPLES[:0], RATE, format="WAV")
    (tmp_path / "a.wav").write_bytes(file.getvalue() + chunk(b"LIST", bytes(40)))
    with pytest.raises(DataError, match="holds no samples"):
        read_waveform(str(tmp_path / "a.wav"), RATE)


def test_a_truncated_recording_is_refused_after_what_is_there(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav()[:-10000])
    with pytest.raises(DataError, match="truncated"):
        read_waveform(str(tmp_path / "a.wav"), RATE)
    got = []
    with pytest.raises(DataError, match="truncated"):
        for block in stream_blocks(tmp_path / "a.wav", RATE):
            got.append(block)
    np.testing.assert_array_equal(np.concatenate(got), ALL[:-5000])


@example(declared=0)
@example(declared=47999)
@given(declared=st.integers(0, 60000) | st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_no_sample_is_lost_without_a_word(tmp_path_factory, declared):
    """Whatever the header says: all samples are read, or the file is refused as truncated."""
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    path.write_bytes(wav(declared))
    try:
        samples, lines = read(path)
    except DataError as error:
        assert declared > 48000 and "truncated" in str(error)
        return
    if len(samples) < len(ALL):
        # Rubbish at the end, shorter than 50 ms, is not read.
        assert not lines and len(ALL) - len(samples) <= 0.05 * RATE
    else:
        np.testing.assert_array_equal(samples, ALL)
