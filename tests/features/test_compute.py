"""compute_features: the tables it leaves, resuming, broken files, full disks."""

import errno
import os

import kaldi_native_io
import kaldiio
import numpy as np
import pytest
import soundfile
from recordings_of_noise import break_some, write_six

from speechtl.audio.waveform import read_waveform
from speechtl.data.datadir import DataDir, Segment
from speechtl.data.tables import read_table
from speechtl.errors import ConfigError, DataError
from speechtl.features import cmvn, compute_parts, parts
from speechtl.features.archives import read_double_matrix, read_matrix
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute as compute_one
from speechtl.pieces import Processes

CONFIG = FeatureConfig(num_mel_bins=20)


@pytest.fixture
def corpus(tmp_path):
    return write_six(tmp_path)


@pytest.fixture
def small_units(monkeypatch):
    monkeypatch.setattr(compute_parts, "_GROUP_UTTERANCES", 2)
    monkeypatch.setattr(compute_parts, "_UNIT_GROUPS", 1)


def expected(data, name, config=CONFIG):
    return compute_one(read_waveform(data.wav_scp[name], config.sample_rate), config).numpy()


def test_tables_lead_to_the_features(corpus, tmp_path):
    summary = compute_features(corpus, CONFIG, tmp_path / "feats")
    assert (summary.computed, summary.reused, summary.broken, summary.silent) == (6, 0, {}, [])
    again = DataDir.load(corpus.path)
    assert again.feats_scp == corpus.feats_scp
    assert sorted(again.feats_scp) == corpus.utterance_ids
    for index, name in enumerate(corpus.utterance_ids):
        matrix = read_matrix(again.feats_scp[name])
        np.testing.assert_allclose(matrix, expected(corpus, name), atol=1e-4)
        assert again.utt2num_frames[name] == len(matrix)
        assert again.utt2dur[name] == pytest.approx(0.2 + 0.1 * index)
    assert summary.frames == sum(again.utt2num_frames.values())
    assert summary.seconds == pytest.approx(sum(again.utt2dur.values()))


def test_other_programs_read_them(corpus, tmp_path):
    compute_features(corpus, CONFIG, tmp_path / "feats")
    with kaldi_native_io.RandomAccessFloatMatrixReader(f"scp:{corpus.path}/feats.scp") as reader:
        for name, matrix in kaldiio.load_scp(str(corpus.path / "feats.scp")).items():
            np.testing.assert_array_equal(reader[name], matrix)
            np.testing.assert_array_equal(read_matrix(corpus.feats_scp[name]), matrix)
    stats = kaldiio.load_scp(str(corpus.path / "cmvn.scp"))
    assert sorted(stats) == ["s0", "s1", "s2"]
    assert stats["s0"].shape == (2, 21)


def test_statistics_are_those_of_the_speakers_and_of_all(corpus, tmp_path):
    compute_features(corpus, CONFIG, tmp_path / "feats")
    for speaker, utterances in corpus.spk2utt.items():
        features = np.concatenate([read_matrix(corpus.feats_scp[name]) for name in utterances])
        stats = read_double_matrix(corpus.cmvn_scp[speaker])
        np.testing.assert_allclose(stats, cmvn.accumulate(features))
        np.testing.assert_allclose(cmvn.apply(features, stats).mean(axis=0), 0, atol=1e-4)
    together = read_double_matrix(str(tmp_path / "feats" / "global_cmvn_data.mat"))
    np.testing.assert_allclose(together, cmvn.add(read_double_matrix(place) for place in corpus.cmvn_scp.values()))


def test_segments_and_speeds(corpus, tmp_path):
    name = "s2-u5"
    data = DataDir(
        tmp_path / "cut",
        utt2spk={"a": "s", "b": "s", "c": "s"},
        wav_scp={name: corpus.wav_scp[name], f"sp0.9-{name}": corpus.wav_scp[name]},
        segments={"a": Segment(name, 0.1, 0.4), "b": Segment(name, 0.4, -1), "c": Segment(f"sp0.9-{name}", 0.1, 0.4)},
        reco2speed={f"sp0.9-{name}": 0.9},
    )
    data.save(data.path)
    compute_features(data, CONFIG, tmp_path / "feats")
    whole = read_waveform(corpus.wav_scp[name], 16000)
    np.testing.assert_allclose(read_matrix(data.feats_scp["a"]), compute_one(whole[1600:6400], CONFIG), atol=1e-4)
    np.testing.assert_allclose(read_matrix(data.feats_scp["b"]), compute_one(whole[6400:], CONFIG), atol=1e-4)
    assert data.utt2dur["c"] == pytest.approx(0.3 / 0.9, abs=1e-3)


def test_processes_give_the_same(corpus, tmp_path, small_units):
    compute_features(corpus, CONFIG, tmp_path / "one")
    alone = {name: read_matrix(place) for name, place in corpus.feats_scp.items()}
    summary = compute_features(corpus, CONFIG, tmp_path / "two", workers=Processes(2))
    assert summary.computed == 6
    for name, place in corpus.feats_scp.items():
        assert str(tmp_path / "two") in place
        np.testing.assert_array_equal(read_matrix(place), alone[name])


def test_a_rerun_computes_only_what_is_missing_or_changed(corpus, tmp_path):
    compute_features(corpus, CONFIG, tmp_path / "feats")
    before = dict(corpus.feats_scp)
    summary = compute_features(corpus, CONFIG, tmp_path / "feats")
    assert (summary.computed, summary.reused) == (0, 6)
    assert corpus.feats_scp == before

    soundfile.write(corpus.wav_scp["s0-u1"], np.random.default_rng(9).normal(size=8000) * 0.1, 16000)
    soundfile.write(tmp_path / "new.wav", np.random.default_rng(8).normal(size=8000) * 0.1, 16000)
    corpus.wav_scp["s3-u6"], corpus.utt2spk["s3-u6"] = str(tmp_path / "new.wav"), "s3"
    summary = compute_features(corpus, CONFIG, tmp_path / "feats")
    assert (summary.computed, summary.reused) == (2, 5)
    for name in corpus.utterance_ids:
        np.testing.assert_allclose(read_matrix(corpus.feats_scp[name]), expected(corpus, name), atol=1e-4)


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_run_that_stops_is_continued(corpus, tmp_path, small_units, monkeypatch, failure):
    written = []

    def append(file, key, matrix, original=parts.append_matrix):
        # Two entries per utterance, two utterances per part: stops in the middle of the third part.
        if len(written) == 9:
            raise failure
        written.append(key)
        return original(file, key, matrix)

    monkeypatch.setattr(parts, "append_matrix", append)
    kind = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else DataError
    with pytest.raises(kind) as error:
        compute_features(corpus, CONFIG, tmp_path / "feats")
    if kind is DataError:
        assert "cannot write: No space left on device; free some space or choose another folder" in str(error.value)
    assert not list((tmp_path / "feats").glob(".*")), "no unfinished files are left"
    assert not (corpus.path / "feats.scp").exists()
    monkeypatch.undo()
    summary = compute_features(corpus, CONFIG, tmp_path / "feats")
    assert (summary.computed, summary.reused) == (2, 4)
    for name in corpus.utterance_ids:
        np.testing.assert_allclose(read_matrix(corpus.feats_scp[name]), expected(corpus, name), atol=1e-4)


def test_a_full_disk_at_the_end_keeps_the_old_tables(corpus, tmp_path, monkeypatch):
    compute_features(corpus, CONFIG, tmp_path / "feats")
    before = (corpus.path / "feats.scp").read_text()

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DataError, match="No space left on device"):
        compute_features(corpus, FeatureConfig(num_mel_bins=30), tmp_path / "feats", overwrite=True)
    monkeypatch.undo()
    assert (corpus.path / "feats.scp").read_text() == before
    for place in read_table(corpus.path / "feats.scp").values():
        assert read_matrix(place).shape[1] == 20


def test_unfinished_files_of_killed_runs_are_removed(corpus, tmp_path):
    left = tmp_path / "feats" / ".fbank.000007-abcdef.~1-aaaaaa.ark"
    left.parent.mkdir()
    left.touch()
    compute_features(corpus, CONFIG, tmp_path / "feats")
    assert not left.exists()


def test_another_configuration_is_refused_until_told_to_overwrite(corpus, tmp_path):
    compute_features(corpus, CONFIG, tmp_path / "feats")
    other = FeatureConfig(num_mel_bins=30, window="hamming")
    with pytest.raises(ConfigError) as error:
        compute_features(corpus, other, tmp_path / "feats")
    assert "add --overwrite" in str(error.value)
    assert "features.num_mel_bins: stored 20, now 30" in str(error.value)
    assert "features.window: stored 'povey', now 'hamming'" in str(error.value)
    summary = compute_features(corpus, other, tmp_path / "feats", overwrite=True)
    assert summary.computed == 6
    assert {read_matrix(place).shape[1] for place in corpus.feats_scp.values()} == {30}
    assert len(list((tmp_path / "feats").glob("fbank.*.json"))) == 1, "the old archives are gone"
    assert compute_features(corpus, other, tmp_path / "feats").reused == 6


def test_data_directories_may_share_a_folder(corpus, tmp_path):
    first = corpus.select(corpus.utterance_ids[:4])
    second = corpus.select(corpus.utterance_ids[4:])
    first.path, second.path = tmp_path / "first", tmp_path / "second"
    for data in (first, second):
        data.save(data.path)
        compute_features(data, CONFIG, tmp_path / "feats")
    compute_features(second, FeatureConfig(num_mel_bins=30), tmp_path / "feats", overwrite=True)
    assert {read_matrix(place).shape[1] for place in first.feats_scp.values()} == {20}
    assert compute_features(corpus.select(first.utterance_ids), CONFIG, tmp_path / "feats").reused == 4


def test_a_damaged_journal_is_named(corpus, tmp_path):
    compute_features(corpus, CONFIG, tmp_path / "feats")
    (journal,) = (tmp_path / "feats").glob("fbank.*.json")
    for content in ("{", journal.read_text().replace('"number": 0', '"number": Infinity')):
        journal.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=r"fbank\..*\.json: not a journal of computed features; delete it"):
            compute_features(corpus, CONFIG, tmp_path / "feats")


def test_a_journal_that_was_being_written_is_none(corpus, tmp_path):
    compute_features(corpus, CONFIG, tmp_path / "feats")
    (journal,) = (tmp_path / "feats").glob("fbank.*.json")
    # As a process leaves it that is killed before the last step, or in the middle of it.
    staged = journal.with_name(f".{journal.stem}.~0bbfd16a-1-257b50.json")
    for content in (journal.read_bytes(), b"{"):
        staged.write_bytes(content)
        journal.unlink(missing_ok=True)
        summary = compute_features(corpus, CONFIG, tmp_path / "feats")
        assert (summary.computed, summary.reused) == (6, 0)
        assert compute_features(corpus, CONFIG, tmp_path / "feats").reused == 6
        (journal,) = (tmp_path / "feats").glob("fbank.*.json")


def test_broken_files_are_reported_by_utterance_and_the_rest_is_kept(corpus, tmp_path):
    reasons = break_some(corpus)
    summary = compute_features(corpus, CONFIG, tmp_path / "feats")
    assert sorted(summary.broken) == sorted(reasons)
    for name, reason in reasons.items():
        assert reason in summary.broken[name]
    assert summary.computed == 1
    assert list(DataDir.load(corpus.path).feats_scp) == ["s2-u5"]
    assert list(DataDir.load(corpus.path).cmvn_scp) == ["s2"]
    # Mended, only these are computed.
    for name in reasons:
        corpus.wav_scp[name] = corpus.wav_scp["s2-u5"]
    summary = compute_features(corpus, CONFIG, tmp_path / "feats")
    assert (summary.computed, summary.reused, summary.broken) == (5, 1, {})


def test_audio_out_of_reach_for_a_moment_loses_nothing(corpus, tmp_path):
    compute_features(corpus, CONFIG, tmp_path / "feats")
    before = (corpus.path / "feats.scp").read_text()
    paths = [os.path.join(tmp_path, f"{index}.flac") for index in range(6)]
    for overwrite in (False, True):
        for path in paths:
            os.rename(path, path + ".away")
        summary = compute_features(corpus, CONFIG, tmp_path / "feats", overwrite=overwrite)
        assert (summary.computed, summary.frames, len(summary.broken)) == (0, 0, 6)
        assert (corpus.path / "feats.scp").read_text() == before
        for path in paths:
            os.rename(path + ".away", path)
        assert compute_features(corpus, CONFIG, tmp_path / "feats").reused == 6


def test_only_broken_files_leave_a_readable_directory(corpus, tmp_path):
    corpus.wav_scp = dict.fromkeys(corpus.wav_scp, "nowhere.flac")
    corpus.save(corpus.path)
    assert len(compute_features(corpus, CONFIG, tmp_path / "feats").broken) == 6
    assert DataDir.load(corpus.path).feats_scp == {}
