"""Reading audio: containers, rates, channels, stretches, speeds, commands, and what is wrong with a file."""

import shlex
import sys

import numpy as np
import pytest
import soundfile

from speechtl.audio.waveform import read_waveform
from speechtl.data.datadir import Utterance
from speechtl.errors import DataError
from speechtl.features.compute_parts import load_utterance
from speechtl.features.config import FeatureConfig


def tone(frequency: float, seconds: float, rate: int) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def frequency_of(waveform: np.ndarray, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))) * rate / len(waveform))


@pytest.fixture
def flac(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(size=16000) * 0.1, 16000)
    return path


@pytest.mark.parametrize(
    ("name", "kind", "subtype", "tolerance"),
    [
        ("a.wav", "WAV", "PCM_16", 1),
        ("a.wav", "WAV", "PCM_24", 1),
        ("a.wav", "WAV", "FLOAT", 1),
        ("a.flac", "FLAC", "PCM_16", 1),
        ("a.sph", "NIST", "PCM_16", 1),
        ("a.ogg", "OGG", "VORBIS", 1500),
        ("a.mp3", "MP3", "MPEG_LAYER_III", 1500),
    ],
)
def test_containers_are_read_on_the_scale_of_16_bits(tmp_path, name, kind, subtype, tolerance):
    samples = tone(440, 1, 16000)
    soundfile.write(tmp_path / name, samples, 16000, format=kind, subtype=subtype)
    waveform = read_waveform(str(tmp_path / name), 16000)
    assert waveform.dtype == np.float32
    np.testing.assert_allclose(waveform, samples * 32768, atol=tolerance)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_any_rate_is_resampled(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(1000, 1, rate), rate)
    waveform = read_waveform(str(tmp_path / "a.wav"), 16000)
    assert len(waveform) == 16000
    inside = slice(1000, -1000)
    np.testing.assert_allclose(waveform[inside], 32768 * tone(1000, 1, 16000)[inside], atol=10)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_stereo_channels_are_chosen(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(500, 1, rate), tone(1500, 1, rate)], axis=1), rate)
    path = str(tmp_path / "a.wav")
    first, second = (read_waveform(path, 16000, channel=channel) for channel in (0, 1))
    assert frequency_of(first, 16000) == pytest.approx(500, abs=2)
    assert frequency_of(second, 16000) == pytest.approx(1500, abs=2)
    np.testing.assert_array_equal(read_waveform(path, 16000, channel="first"), first)
    np.testing.assert_allclose(read_waveform(path, 16000, channel="mix"), (first + second) / 2, atol=2)
    with pytest.raises(DataError, match=r"a\.wav: no channel 2 \(got 2, counted from 0\); correct --channel or"):
        read_waveform(path, 16000, channel=2)


def test_stretches_are_cut(flac):
    whole = read_waveform(str(flac), 16000)
    np.testing.assert_array_equal(read_waveform(str(flac), 16000, start=0.25, end=0.5), whole[4000:8000])
    np.testing.assert_array_equal(read_waveform(str(flac), 16000, start=0.75), whole[12000:])
    # Transcribers round: a little beyond the end is the end.
    np.testing.assert_array_equal(read_waveform(str(flac), 16000, start=0.75, end=1.2), whole[12000:])
    with pytest.raises(DataError, match=r"stretch 0.5 to 3 s reaches beyond the audio \(got 1.00 s\)"):
        read_waveform(str(flac), 16000, start=0.5, end=3.0)
    with pytest.raises(DataError, match="beyond the audio"):
        read_waveform(str(flac), 16000, start=1.0)


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_speed_changes_tempo_and_pitch(tmp_path, speed):
    soundfile.write(tmp_path / "a.wav", tone(1000, 2, 16000), 16000)
    waveform = read_waveform(str(tmp_path / "a.wav"), 16000, speed=speed)
    assert len(waveform) == pytest.approx(32000 / speed, abs=1)
    assert frequency_of(waveform, 16000) == pytest.approx(1000 * speed, abs=1)


def test_commands_run_only_when_allowed(flac):
    command = f"cat {shlex.quote(str(flac))} |"
    with pytest.raises(DataError, match="is a shell command; add --allow-pipes"):
        read_waveform(command, 16000)
    np.testing.assert_array_equal(read_waveform(command, 16000, allow_pipes=True), read_waveform(str(flac), 16000))


def test_a_command_that_streams_a_wav_of_unknown_length(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(500, 1, 16000), 16000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "stream.wav").write_bytes(content)
    waveform = read_waveform(f"cat {tmp_path}/stream.wav |", 16000, allow_pipes=True)
    assert len(waveform) == 16000


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (f"{shlex.quote(sys.executable)} -c 'raise SystemExit(3)' |", r"failed \(exit code 3, nothing written\)"),
        (
            "echo no such recording >&2; exit 1 |",
            r"exit code 1, nothing written\): no such recording; try",
        ),
        ("true |", r"failed \(exit code 0, nothing written\)"),
        ("echo hello |", "not audio"),
    ],
)
def test_failing_commands_are_named(command, message):
    with pytest.raises(DataError, match=message):
        read_waveform(command, 16000, allow_pipes=True)


def truncate(path, fraction=0.6):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])


@pytest.mark.parametrize(("name", "message"), [("a.flac", "truncated or damaged"), ("a.wav", "truncated")])
def test_truncated_files_are_an_error(tmp_path, name, message):
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(0).normal(size=32000) * 0.1, 16000)
    truncate(path)
    with pytest.raises(DataError, match=rf"{name}: {message}.*; restore the file or remove its utterances"):
        read_waveform(str(path), 16000)


def test_truncated_mp3(tmp_path):
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.random.default_rng(0).normal(size=48000) * 0.1, 16000)
    truncate(path)
    with pytest.raises(DataError, match=r"a\.mp3: truncated or damaged \(got .* s, expected 3\.00\)"):
        read_waveform(str(path), 16000)


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "empty.flac").touch()
    (tmp_path / "text.wav").write_text("this is not audio" * 10)
    shorten = b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    (tmp_path / "a.sph").write_bytes(shorten.ljust(1024, b"\0") + b"ajkg\2" + bytes(100))
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0), 16000)
    for name, message in {
        "missing.wav": "cannot read: No such file or directory; correct the path",
        "empty.flac": "empty (0 bytes)",
        "text.wav": "not audio that libsndfile or FFmpeg can read",
        "a.sph": "SPHERE file compressed with shorten, which libsndfile cannot read; convert it with sph2pipe",
        "nothing.wav": "holds no samples",
    }.items():
        with pytest.raises(DataError) as error:
            read_waveform(str(tmp_path / name), 16000)
        assert str(error.value).startswith(f"{tmp_path / name}: {message}")


def test_zeros_are_no_error(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 8000)
    np.testing.assert_array_equal(read_waveform(str(tmp_path / "a.wav"), 16000), np.zeros(1600))


def test_an_utterance_brings_its_stretch_and_speed(flac):
    utterance = Utterance("u", "s", "r", str(flac), 0.2, 0.8, 1.1, None, None, None)
    expected = read_waveform(str(flac), 16000, start=0.2, end=0.8, speed=1.1)
    np.testing.assert_array_equal(load_utterance(utterance, FeatureConfig()), expected)
    without_audio = Utterance("u", "s", "r", "", None, None, 1.0, None, None, None)
    with pytest.raises(DataError, match="recording 'r' has no audio"):
        load_utterance(without_audio, FeatureConfig())


@pytest.mark.parametrize("rate", [1, 999, 2_000_001, 2_097_152_000])
def test_a_rate_that_no_recording_has_is_refused_before_anything_is_computed(tmp_path, rate):
    header = b".snd" + b"".join(number.to_bytes(4, "big") for number in (24, 1600, 3, rate, 1))
    (tmp_path / "a.au").write_bytes(header + bytes(1600))
    with pytest.raises(DataError, match=rf"a\.au: {rate} samples a second, which no recording of speech has"):
        read_waveform(str(tmp_path / "a.au"), 16000)
