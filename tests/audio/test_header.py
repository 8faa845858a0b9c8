import numpy as np
import pytest
import soundfile

from speechtl.audio.header import AudioHeader, read_headers
from speechtl.audio.stream import stream_blocks
from speechtl.audio.waveform import read_channels, read_waveform
from speechtl.errors import DataError

NOISE = np.random.default_rng(0).normal(0, 0.1, 16000)


def written(path, samples=NOISE, rate=16000, **keywords):
    soundfile.write(path, samples, rate, **keywords)
    return path


def shortened(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("decode", [False, True])
def test_header_says_length_and_format(tmp_path, name, decode):
    path = written(tmp_path / name, np.stack([NOISE, NOISE], axis=1), 48000)
    header = AudioHeader.read(str(path), decode=decode)
    assert (header.frames, header.sample_rate, header.channels) == (16000, 48000, 2)
    assert header.seconds == pytest.approx(1 / 3)
    assert header.silence == (0.0 if decode else None)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.sph"])
@pytest.mark.parametrize("decode", [False, True])
def test_truncated_recordings_are_found_without_decoding_them(tmp_path, name, decode):
    keywords = {"format": "NIST", "subtype": "PCM_16"} if name.endswith("sph") else {}
    path = written(tmp_path / name, **keywords)
    AudioHeader.read(str(path), decode=decode)
    with pytest.raises(DataError, match=f"{name}: (truncated|damaged)"):
        AudioHeader.read(str(shortened(path, 0.6)), decode=decode)


def test_damage_in_the_middle_needs_decoding(tmp_path):
    path = written(tmp_path / "a.flac")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    path.write_bytes(content)
    AudioHeader.read(str(path))
    with pytest.raises(DataError, match=r"a\.flac: (damaged|truncated)"):
        AudioHeader.read(str(path), decode=True)


def test_flac_of_unknown_length_is_read(tmp_path):
    path, good = written(tmp_path / "a.flac"), written(tmp_path / "good.flac")
    content = bytearray(path.read_bytes())
    # STREAMINFO: the last 36 bits before the checksum count the samples; 0 stands for unknown.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert AudioHeader.read(str(path)).frames == 16000
    np.testing.assert_array_equal(read_channels(str(path))[0], soundfile.read(good, dtype="float32")[0])


def test_zeros_are_silence(tmp_path):
    path = written(tmp_path / "zeros.wav", np.zeros(100))
    assert AudioHeader.read(str(path)).frames == 100
    assert AudioHeader.read(str(path), decode=True).silence == 1.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty (0 bytes); restore the file or remove its utterances"),
        (
            b"this is no audio at all, but a line of text",
            "not audio that libsndfile or FFmpeg can read (Format not recognised); restore the file or remove its "
            "utterances",
        ),
    ],
)
def test_what_is_no_audio(tmp_path, content, message):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        AudioHeader.read(str(path))
    assert str(error.value) == f"{path}: {message}"


def test_recording_without_samples(tmp_path):
    with pytest.raises(DataError, match="no samples"):
        AudioHeader.read(str(written(tmp_path / "a.wav", np.zeros(0))))


def test_samples_that_are_not_numbers(tmp_path):
    path = written(tmp_path / "a.wav", np.array([0.1, np.nan, 0.2]), subtype="FLOAT")
    with pytest.raises(DataError, match="NaN"):
        AudioHeader.read(str(path), decode=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.wav", "cannot read: No such file or directory; correct the path"),
        ("", "is a directory"),
        ("x.ark:123", "audio inside an archive"),
    ],
)
def test_paths_that_lead_nowhere(tmp_path, name, message):
    with pytest.raises(DataError, match=message):
        AudioHeader.read(str(tmp_path / name))


def test_pipes_run_only_with_permission(tmp_path):
    path = written(tmp_path / "a.wav")
    touched = tmp_path / "touched"
    command = f"touch {touched}; cat {path} |"
    with pytest.raises(DataError, match="--allow-pipes"):
        AudioHeader.read(command)
    assert not touched.exists()
    assert AudioHeader.read(command, allow_pipes=True).frames == 16000
    with pytest.raises(DataError, match=r"failed \(exit code 3, nothing written\): no such thing; try it in a shell"):
        AudioHeader.read("echo no such thing >&2; exit 3 |", allow_pipes=True)


def test_one_bad_recording_does_not_lose_the_rest(tmp_path):
    good = str(written(tmp_path / "a.wav"))
    headers, faults = read_headers([("one", good), ("two", str(tmp_path / "none")), ("three", good)])
    assert list(headers) == ["one", "three"]
    assert list(faults) == ["two"]


def test_an_mp3_whose_length_is_a_guess_is_read(tmp_path):
    """As in Common Voice: libsndfile takes the tag before the first frame for sound where no header has the length."""
    path = written(tmp_path / "a.mp3", np.tile(NOISE, 3), bitrate_mode="CONSTANT", compression_level=0.5)
    content = path.read_bytes()
    after_header = content.index(content[:2], 4)
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x16" + bytes(150)
    path.write_bytes(tag + content[after_header:])
    samples = len(soundfile.read(path)[0])
    assert samples < soundfile.info(path).frames < samples + 1152
    assert AudioHeader.read(str(path), decode=True).silence < 0.01
    assert AudioHeader.read(str(path)).frames - samples < 1152
    assert len(read_waveform(str(path), 16000)) == samples
    assert len(np.concatenate(list(stream_blocks(path, 16000)))) == samples
