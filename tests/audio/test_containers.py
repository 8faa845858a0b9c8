"""What libsndfile cannot read: files that PyAV makes here from known samples, told by their content."""

import io
import sys

import numpy as np
import pytest
import soundfile
from encoded_audio import RATE, encode, voice

from speechtl.audio.findings import Findings
from speechtl.audio.header import AudioHeader
from speechtl.audio.stream import duration, stream_blocks
from speechtl.audio.waveform import FULL_SCALE, read_channels, read_waveform
from speechtl.errors import DataError

av = pytest.importorskip("av")

# File, FFmpeg's container and codec, sample rate, whether the length is stored exactly.
KINDS = [
    ("phone.m4a", "ipod", "aac", 16000, True),
    ("camera.mp4", "mp4", "aac", 44100, True),
    ("apple.m4a", "ipod", "alac", 16000, True),
    ("opus.mp4", "mp4", "libopus", 48000, True),
    ("browser.webm", "webm", "libopus", 48000, True),
    ("archive.mka", "matroska", "flac", 16000, True),
    ("apple.caf", "caf", "alac", 16000, True),
    ("messenger.amr", "amr", "libopencore_amrnb", 8000, False),
    ("raw.aac", "adts", "aac", 16000, False),
    ("broadcast.ts", "mpegts", "aac", 16000, False),
]


def loudness(samples):
    return np.convolve(np.abs(samples), np.ones(200) / 200, "same")


def likeness(first, second):
    count = min(len(first), len(second))
    return np.corrcoef(first[:count], second[:count])[0, 1]


@pytest.mark.parametrize(("name", "container", "codec", "rate", "exact"), KINDS, ids=[kind[0] for kind in KINDS])
def test_every_way_of_reading_gives_the_samples_that_went_in(tmp_path, name, container, codec, rate, exact, capfd):
    # The suffix lies, and nothing depends on it.
    path = tmp_path / f"{name}.wav"
    samples = encode(path, container, codec, rate)
    read, stored_rate = read_channels(str(path))
    assert stored_rate == rate
    if exact:
        assert len(read) == len(samples)
        assert likeness(read, samples) > 0.98
    else:
        assert 0 <= len(read) - len(samples) <= 2 * 1024
        assert max(likeness(loudness(read[delay:]), loudness(samples)) for delay in range(0, 2000, 50)) > 0.7
    header = AudioHeader.read(str(path), decode=True)
    assert (header.frames, header.sample_rate, header.channels) == (len(read), rate, 1)
    assert AudioHeader.read(str(path)).frames == len(read)
    assert duration(path) is None
    whole = read_waveform(str(path), RATE)
    np.testing.assert_array_equal(np.concatenate(list(stream_blocks(path, RATE)))[: len(whole)], whole, strict=False)
    with open(path, "rb") as file:
        np.testing.assert_array_equal(np.concatenate(list(stream_blocks(file, RATE))), whole)
    np.testing.assert_array_equal(read_waveform(f"cat {path} |", RATE, allow_pipes=True), whole)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "container", "codec", "rate", "exact"), KINDS[:6], ids=[kind[0] for kind in KINDS[:6]]
)
def test_segments_are_cut_at_the_sample(tmp_path, name, container, codec, rate, exact):
    path = tmp_path / name
    encode(path, container, codec, rate, signal=np.tile(voice(), 3))
    whole, _ = read_channels(str(path))
    for start, end in ((0.5, 1.0), (4.123, 6.5), (6.5, None)):
        part, _ = read_channels(str(path), start=start, end=end)
        expected = whole[round(start * rate) : None if end is None else round(end * rate)]
        np.testing.assert_allclose(part, expected, atol=1e-4)
    with pytest.raises(DataError, match="reaches beyond the audio"):
        read_channels(str(path), start=6.0, end=12.0)


def test_channels_are_kept(tmp_path):
    encode(tmp_path / "a.m4a", "ipod", "aac", 44100, channels=2)
    assert read_channels(str(tmp_path / "a.m4a"))[0].shape[1] == 2
    assert AudioHeader.read(str(tmp_path / "a.m4a")).channels == 2


def test_play_lists_and_texts_are_not_opened(tmp_path):
    """FFmpeg would follow them to other files and addresses."""
    encode(tmp_path / "secret.ts", "mpegts", "aac", 16000)
    lists = {
        "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.ts\n#EXT-X-ENDLIST\n",
        "list.txt": "ffconcat version 1.0\nfile secret.ts\n",
        "list.m4a": "v=0\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    }
    for name, content in lists.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=f"{name}: not audio that libsndfile or FFmpeg can read"):
            read_waveform(str(tmp_path / name), RATE)


def test_damage_and_video_without_sound_are_said(tmp_path):
    encode(tmp_path / "a.m4a", "ipod", "aac", 16000)
    content = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut\.m4a: .*restore the file or remove its utterances"):
        read_waveform(str(tmp_path / "cut.m4a"), RATE)
    with av.open(str(tmp_path / "silent.mp4"), "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        file.mux(stream.encode(None))
    with pytest.raises(DataError, match=r"silent\.mp4: .*it has no audio"):
        read_waveform(str(tmp_path / "silent.mp4"), RATE)


def test_without_pyav_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    encode(tmp_path / "a.m4a", "ipod", "aac", 16000)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DataError, match=r"a\.m4a: .*pip install 'speechtl\[media\]'"):
        read_waveform(str(tmp_path / "a.m4a"), RATE)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_files_joined_byte_by_byte_are_read_to_the_end(tmp_path, kind):
    first, second = voice(1.5), np.flip(voice(2.0))
    parts = []
    for samples in (first, second):
        soundfile.write(file := io.BytesIO(), samples, RATE, format=kind)
        parts.append(file.getvalue())
    (tmp_path / "joined").write_bytes(b"".join(parts))
    findings = Findings()
    samples = read_waveform(str(tmp_path / "joined"), RATE, findings=findings)
    assert len(samples) == len(first) + len(second)
    assert likeness(samples / FULL_SCALE, np.concatenate([first, second])) > 0.95
    (line,) = findings.lines()
    assert "several files joined into one; all are read" in line and "2 files" in line
    place = round(1.2 * RATE)
    np.testing.assert_allclose(
        read_waveform(str(tmp_path / "joined"), RATE, start=1.2, end=2.5), samples[place : round(2.5 * RATE)], atol=1
    )
    assert AudioHeader.read(str(tmp_path / "joined")).frames == len(samples)


def test_joined_files_of_different_formats_are_refused(tmp_path):
    content = b""
    for rate in (16000, 8000):
        soundfile.write(file := io.BytesIO(), voice(), rate, format="FLAC")
        content += file.getvalue()
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(DataError, match=r"different formats joined into one \(8000 Hz x 1, 16000 Hz x 1\)"):
        read_waveform(str(tmp_path / "a.flac"), RATE)


def test_segments_of_an_mp3_are_where_they_are(tmp_path):
    """After seeking, libsndfile gives samples of another place; soundfile seeks after each block."""
    soundfile.write(tmp_path / "a.mp3", np.tile(voice(), 10), RATE)
    whole = read_waveform(str(tmp_path / "a.mp3"), RATE)
    assert likeness(whole, np.tile(voice(), 10)) > 0.99
    segment = read_waveform(str(tmp_path / "a.mp3"), RATE, start=2, end=4)
    np.testing.assert_allclose(segment, whole[32000:64000], atol=0.1)
    np.testing.assert_allclose(np.concatenate(list(stream_blocks(tmp_path / "a.mp3", RATE))), whole, atol=0.1)


def test_the_mp3_decoder_is_quiet(tmp_path, capfd):
    soundfile.write(tmp_path / "a.mp3", np.tile(voice(), 4), RATE)
    content = bytearray((tmp_path / "a.mp3").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = np.random.default_rng(1).integers(0, 256, 3000, dtype=np.uint8).tobytes()
    (tmp_path / "a.mp3").write_bytes(content)
    with pytest.raises(DataError, match="truncated or damaged"):
        read_waveform(str(tmp_path / "a.mp3"), RATE)
    assert capfd.readouterr() == ("", "")
