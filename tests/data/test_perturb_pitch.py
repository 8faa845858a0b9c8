import math

import numpy as np
import pytest
import soundfile

from speechtl.data import perturb_pitch as module
from speechtl.data.datadir import DataDir, Segment
from speechtl.data.perturb_pitch import perturb_pitch
from speechtl.data.validate import validate
from speechtl.errors import DataError

RATE = 16000


def tone(seconds, frequency=220.0):
    return 0.4 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


def f0(samples):
    """Return the frequency of a tone in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return np.argmax(spectrum) * RATE / (8 * len(samples))


def make_corpus(folder, frequencies=(220.0, 180.0)):
    """Write a data directory of two utterances of two speakers with all tables that copies follow."""
    data = DataDir(folder)
    for name, frequency in zip(("anna-1", "ben-1"), frequencies):
        path = folder / "wav" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(1.0, frequency), RATE)
        data.wav_scp[name] = str(path)
        data.utt2spk[name] = name[:-2]
        data.text[name] = f"text of {name}"
        data.utt2lang[name], data.utt2dom[name] = "en", "clean"
        data.utt2dur[name] = data.reco2dur[name] = 1.0
        data.spk2gender[name[:-2]] = "f"
        data.feats_scp[name] = "x.ark:3"
    data.save(folder)
    return DataDir.load(folder)


def test_copies_have_the_pitch_and_the_duration_that_they_should(tmp_path):
    perturb_pitch(make_corpus(tmp_path / "src"), tmp_path / "dst", [-2, 2])
    found = DataDir.load(tmp_path / "dst")
    assert found.utterance_ids == ["ps-2-anna-1", "ps-2-ben-1", "ps2-anna-1", "ps2-ben-1"]
    for utterance in found.utterances():
        samples, rate = soundfile.read(utterance.audio)
        assert (rate, len(samples)) == (RATE, RATE)
        semitones = -2 if utterance.id.startswith("ps-2-") else 2
        expected = (220 if "anna" in utterance.id else 180) * 2 ** (semitones / 12)
        assert f0(samples) == pytest.approx(expected, rel=0.01)


def test_tables_follow_and_the_directory_is_valid(tmp_path):
    perturb_pitch(make_corpus(tmp_path / "src"), tmp_path / "dst", [0, 1.5], [0.9])
    assert validate(tmp_path / "dst", decode=True).problems == ()
    found = DataDir.load(tmp_path / "dst")
    assert found.utt2spk["ps1.5-anna-1"] == "ps1.5-anna" and found.utt2spk["anna-1"] == "anna"
    assert found.text["fw0.9-ben-1"] == "text of ben-1"
    assert found.utt2uniq["fw0.9-ben-1"] == "ben-1" and found.utt2uniq["ben-1"] == "ben-1"
    assert found.utt2lang["ps1.5-ben-1"] == "en" and found.utt2dom["ps1.5-ben-1"] == "clean"
    assert found.utt2dur["ps1.5-ben-1"] == 1.0 and found.reco2dur["fw0.9-ben-1"] == 1.0
    assert found.spk2gender["fw0.9-anna"] == "f"
    assert not found.feats_scp and len(found) == 6


def test_segments_become_recordings_of_their_own(tmp_path):
    data = make_corpus(tmp_path / "src")
    soundfile.write(tmp_path / "long.wav", np.stack([tone(4.0), tone(4.0, 300.0)], axis=1), RATE)
    data.wav_scp, data.reco2dur, data.utt2dur = {"long": str(tmp_path / "long.wav")}, {"long": 4.0}, {}
    data.segments = {"anna-1": Segment("long", 0.5, 1.25), "ben-1": Segment("long", 2.0, -1)}
    data.reco2speed = {"long": 0.9}
    data.save(tmp_path / "src")
    perturb_pitch(DataDir.load(tmp_path / "src"), tmp_path / "dst", [0, -3])
    assert validate(tmp_path / "dst", decode=True).errors == []
    found = DataDir.load(tmp_path / "dst")
    assert found.segments["ps-3-anna-1"] == Segment("ps-3-anna-1", 0.0, 0.75)
    assert found.segments["ps-3-ben-1"] == Segment("ps-3-ben-1", 0.0, 2.0)
    assert found.segments["anna-1"] == Segment("long", 0.5, 1.25)
    assert found.reco2speed == {"long": 0.9, "ps-3-anna-1": 0.9, "ps-3-ben-1": 0.9}
    samples, _ = soundfile.read(found.wav_scp["ps-3-ben-1"])
    assert samples.shape == (2 * RATE, 2)
    for channel, frequency in enumerate((220, 300)):
        assert f0(samples[:, channel]) == pytest.approx(frequency * 2 ** (-3 / 12), rel=0.01)


def test_a_stopped_run_continues_to_the_same_files(tmp_path, monkeypatch):
    data = make_corpus(tmp_path / "src")
    perturb_pitch(data, tmp_path / "whole", [-2, 2])
    shift = module.shift_pitch
    calls = []

    def stop(samples, rate, semitones):
        calls.append(semitones)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return shift(samples, rate, semitones)

    monkeypatch.setattr(module, "shift_pitch", stop)
    with pytest.raises(KeyboardInterrupt):
        perturb_pitch(data, tmp_path / "dst", [-2, 2])
    assert not (tmp_path / "dst" / "utt2spk").exists() and len(list((tmp_path / "dst" / "audio").iterdir())) == 3
    perturb_pitch(data, tmp_path / "dst", [-2, 2])
    assert len(calls) == 5
    for path in (tmp_path / "whole" / "audio").iterdir():
        assert path.read_bytes() == (tmp_path / "dst" / "audio" / path.name).read_bytes()
    # Audio that changed since is made again, the rest is not.
    soundfile.write(data.wav_scp["anna-1"], tone(1.5, 250.0), RATE)
    perturb_pitch(data, tmp_path / "dst", [-2, 2], overwrite=True)
    assert len(calls) == 7
    assert soundfile.info(tmp_path / "dst" / "audio" / "ps2-anna-1.flac").frames == 1.5 * RATE


def test_what_is_loud_is_not_clipped(tmp_path):
    data = make_corpus(tmp_path / "src")
    soundfile.write(data.wav_scp["anna-1"], np.sign(tone(1.0)) * 0.999, RATE)
    perturb_pitch(data, tmp_path / "dst", [2])
    samples, _ = soundfile.read(tmp_path / "dst" / "audio" / "ps2-anna-1.flac")
    assert np.mean(np.abs(samples) > 0.998) < 0.01


def test_processes_write_what_one_process_writes(tmp_path):
    data = make_corpus(tmp_path / "src")
    perturb_pitch(data, tmp_path / "one", [2], [1.1])
    perturb_pitch(data, tmp_path / "two", [2], [1.1], jobs=2)
    names = sorted(path.name for path in (tmp_path / "one" / "audio").iterdir())
    assert len(names) == 4
    for name in names:
        assert (tmp_path / "one" / "audio" / name).read_bytes() == (tmp_path / "two" / "audio" / name).read_bytes()


@pytest.mark.parametrize(
    ("semitones", "formants", "message"),
    [
        ([2, 2], [], r"semitones must be different numbers from -12 to 12 \(got 2, 2\)"),
        ([13], [], r"semitones must be different numbers from -12 to 12 \(got 13\)"),
        ([math.nan], [], r"semitones must be .* \(got nan\)"),
        ([0], [0.3], r"formant factors must be different numbers from 0.5 to 2, and not 1 \(got 0.3\)"),
        ([0], [1.0], r"formant factors must be .* \(got 1\)"),
        ([0], [], r"nothing to change; give semitones other than 0, or formant factors"),
    ],
)
def test_wrong_amounts_are_one_clear_error(tmp_path, semitones, formants, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        perturb_pitch(make_corpus(tmp_path / "src"), tmp_path / "dst", semitones, formants)
    assert not (tmp_path / "dst").exists()


def test_unreadable_recordings_are_all_named_and_the_others_done(tmp_path):
    data = make_corpus(tmp_path / "src")
    data.wav_scp["anna-1"] = str(tmp_path / "missing.wav")
    with pytest.raises(DataError, match=r"1 utterances cannot be read(.|\n)*utterance 'anna-1'.*missing\.wav"):
        perturb_pitch(data, tmp_path / "dst", [2])
    assert [path.name for path in (tmp_path / "dst" / "audio").iterdir()] == ["ps2-ben-1.flac"]
    data.wav_scp["anna-1"] = "cat x.wav |"
    with pytest.raises(DataError, match=r"--allow-pipes"):
        perturb_pitch(data, tmp_path / "dst", [2])


def test_nothing_is_written_over(tmp_path):
    data = make_corpus(tmp_path / "src")
    perturb_pitch(data, tmp_path / "dst", [2])
    with pytest.raises(DataError, match=r"exists and is not empty"):
        perturb_pitch(data, tmp_path / "dst", [2])
    both = perturb_pitch(data, tmp_path / "both", [0, 2])
    with pytest.raises(DataError, match=r"'ps2-anna-1' is there already"):
        perturb_pitch(DataDir(tmp_path / "both", utt2spk=both.utt2spk), tmp_path / "again", [2])
