"""What is encoded is what is read back, and a disk that is full is told."""

import errno
import os

import numpy as np
import pytest
import soundfile

from speechtl.audio.encode import encode_audio
from speechtl.data.datadir import DataDir
from speechtl.data.perturb_pitch import perturb_pitch
from speechtl.errors import DataError


@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_what_is_encoded_is_read_back(tmp_path, container):
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, (8000, 2))
    (tmp_path / "a").write_bytes(encode_audio(samples, 8000, container, "made of noise"))
    with soundfile.SoundFile(tmp_path / "a") as file:
        assert (file.format, file.samplerate, file.comment) == (container, 8000, "made of noise")
        np.testing.assert_allclose(file.read(), samples, atol=2 / 32768)
    with pytest.raises(DataError, match="cannot write 9 channels at 8000 Hz as FLAC"):
        encode_audio(np.zeros((10, 9)), 8000, "FLAC")


def test_a_disk_that_is_full_is_told(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 8000), 8000)
    data = DataDir(tmp_path / "d", wav_scp={"s-a": str(tmp_path / "a.wav")}, utt2spk={"s-a": "s"})
    sync = os.fsync

    def full(descriptor):
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(".flac"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"ps2-s-a.flac: cannot write: No space left"):
        perturb_pitch(data, tmp_path / "out", [2.0], [])
    assert not list((tmp_path / "out").rglob("*.flac"))
