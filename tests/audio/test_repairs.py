"""One channel from what was recorded: checked, repaired, and said once."""

import logging

import numpy as np
import pytest
import soundfile

from speechtl.audio.findings import Findings
from speechtl.audio.header import AudioHeader
from speechtl.audio.stream import stream_blocks
from speechtl.audio.voice_activity import frame_levels, silent_frames
from speechtl.audio.waveform import FULL_SCALE, read_channels, read_waveform
from speechtl.errors import DataError

RATE = 16000


def voice(seed=0, seconds=2.0, pitch=220):
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    return 0.2 * np.sin(2 * np.pi * pitch * t) * np.abs(np.sin(3 * t)) + rng.normal(0, 0.003, len(t))


def read(folder, samples, **options):
    """Write and read; the stream is the same. Return samples in [-1, 1] and what was said."""
    path = folder / "a.wav"
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    findings, streamed = Findings(), Findings()
    whole = read_waveform(str(path), RATE, findings=findings, **options)
    blocks = list(stream_blocks(path, RATE, findings=streamed, **options))
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert findings == streamed
    return whole / FULL_SCALE, findings.lines()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_are_not_numbers_are_refused(tmp_path, bad, channels):
    samples = np.tile(voice()[:, np.newaxis], channels)
    samples[12345, -1] = bad
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    readers = (
        lambda path: read_waveform(path, RATE),
        lambda path: list(stream_blocks(path, RATE)),
        lambda path: AudioHeader.read(path, decode=True),
        read_channels,
    )
    for reader in readers:
        with pytest.raises(DataError, match=r"a\.wav: holds samples that are not numbers \(NaN or infinite\); replace"):
            reader(str(tmp_path / "a.wav"))
    # Elsewhere in the recording, nothing is wrong.
    assert len(read_waveform(str(tmp_path / "a.wav"), RATE, start=1.0)) == RATE


def test_an_offset_is_taken_out(tmp_path):
    samples, lines = read(tmp_path, voice() + 0.1)
    np.testing.assert_allclose(samples, voice() - voice().mean(), atol=1e-6)
    assert lines == [f"1 recording: a constant offset was taken out ({tmp_path}/a.wav: 0.100 of full scale)"]


def test_channels_that_cancel_each_other(tmp_path):
    clean = voice()
    samples, lines = read(tmp_path, np.stack([0.7 * clean, -clean], axis=1))
    np.testing.assert_allclose(samples, -clean, atol=1e-6)
    assert "cancel each other" in lines[0] and "channel 1" in lines[0]
    for channel, sign in (("first", 0.7), (1, -1.0)):
        chosen, lines = read(tmp_path, np.stack([0.7 * clean, -clean], axis=1), channel=channel)
        np.testing.assert_allclose(chosen, sign * clean, atol=1e-6)
        assert not lines


def test_ordinary_channels_are_mixed(tmp_path):
    one, other = voice(), voice(1, pitch=330)
    for samples in (np.stack([one, one + other], axis=1), np.stack([one, 0 * one], axis=1), np.tile(one[:, None], 6)):
        mixed, lines = read(tmp_path, samples)
        np.testing.assert_allclose(mixed, samples.mean(axis=1), atol=1e-6)
        assert not lines


def test_channels_of_two_speakers_are_mixed_and_it_is_said(tmp_path):
    here, there = voice(1), voice(2, pitch=331)
    signal, said = read(tmp_path, np.stack([here, 0.2 * there], axis=1))
    np.testing.assert_allclose(signal, (here + 0.2 * there) / 2, atol=1e-4)
    assert len(said) == 1 and "nothing in common, as those of two speakers, and were mixed" in said[0]
    for quiet in (0, 0.01):
        assert read(tmp_path, np.stack([here, quiet * there], axis=1))[1] == []
    assert read(tmp_path, np.stack([here, 0.3 * here + there], axis=1))[1] == []
    assert read(tmp_path, np.stack([here, there], axis=1), channel=1)[1] == []


def test_integers_in_floating_point(tmp_path):
    samples, lines = read(tmp_path, voice() * 32768)
    np.testing.assert_allclose(samples, voice(), atol=1e-6)
    assert "taken for 16-bit integers" in lines[0]


def test_ordinary_audio_is_not_touched(tmp_path):
    """Bit for bit what libsndfile gives, times 32768."""
    soundfile.write(tmp_path / "a.flac", voice(), RATE)
    findings = Findings()
    stored, _ = soundfile.read(tmp_path / "a.flac", dtype="float32")
    np.testing.assert_array_equal(read_waveform(str(tmp_path / "a.flac"), RATE, findings=findings), stored * 32768)
    assert not findings.found


def test_dither_is_silence_and_faint_speech_is_not():
    rng = np.random.default_rng(0)
    dither = np.round(rng.normal(0, 0.9, RATE))
    quiet = rng.normal(0, 2.5, RATE)
    loud = rng.normal(0, 3000, RATE)

    def silent(samples):
        return silent_frames(frame_levels(samples, RATE))

    assert silent(np.concatenate([loud, dither]))[101:].mean() > 0.95
    # Where nothing is loud, one step of noise may be all there is.
    assert not silent(np.concatenate([quiet, dither]))[:200].any()
    assert not silent(np.concatenate([loud, quiet])).any()


def test_telephone_speech_is_said(tmp_path):
    findings = Findings()
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", voice(), 8000)
        read_waveform(str(tmp_path / f"{name}.wav"), 16000, findings=findings)
        read_waveform(str(tmp_path / f"{name}.wav"), 8000, findings=findings)
    (line,) = findings.lines()
    assert line.startswith(
        "2 recordings: audio at 8000 Hz has nothing above 4000 Hz, and the features are of 16000 Hz ("
    )


def test_a_hundred_thousand_recordings_are_one_line(caplog):
    findings = Findings()
    for number in range(100_000):
        findings.add("something is odd", f"r{number}")
    with caplog.at_level(logging.WARNING):
        findings.log(logging.getLogger("speechtl"), "data/train")
        findings.log(logging.getLogger("speechtl"), "data/train")
    assert [record.message for record in caplog.records] == [
        "data/train: 100000 recordings: something is odd (r0; r1; r2; ...)"
    ]


def test_names_that_are_not_utf8_are_read(tmp_path):
    path = str(tmp_path) + "/caf\udce9.wav"
    soundfile.write(tmp_path / "a.wav", voice(), RATE)
    (tmp_path / "a.wav").rename(path)
    np.testing.assert_array_equal(read_waveform(path, RATE)[:100], read_waveform(path, RATE)[:100])
    assert AudioHeader.read(path, decode=True).frames == len(voice())
    with pytest.raises(DataError) as error:
        read_waveform(path.replace("caf", "the"), RATE)
    assert r"/the\xe9.wav: cannot read" in str(error.value)
    str(error.value).encode("utf-8")
