"""``speechtl features`` as a person runs it."""

import numpy as np
import pytest
import soundfile
from command_line import run
from recordings_of_noise import break_some, write_six

from speechtl.data.datadir import DataDir
from speechtl.errors import ConfigError, DataError, ModelError
from speechtl.experiment.directory import ExperimentDirectory
from speechtl.features.archives import read_matrix
from speechtl.features.parts import check_features
from speechtl.pretrained.model_path import config_path


@pytest.fixture
def corpus(tmp_path):
    return write_six(tmp_path)


def test_features_are_computed_as_configured(corpus, tmp_path):
    (tmp_path / "conf.toml").write_text("[features]\nkind = 'mfcc'\nnum_mel_bins = 23\n[other]\nx = 1\n")
    result = run("features", corpus.path, config=tmp_path / "conf.toml", set_="features.num_ceps=11")
    assert result.exit_code == 0, result.output
    assert "data: 6 utterances computed, 0 reused" in result.output
    assert "11 mfcc values per frame" in result.output
    data = DataDir.load(corpus.path)
    assert read_matrix(data.feats_scp["s0-u0"]).shape[1] == 11
    assert str(corpus.path / "feats") in data.feats_scp["s0-u0"]


def test_several_directories_go_into_several_folders(corpus, tmp_path):
    other = corpus.select(["s0-u0"])
    other.save(tmp_path / "other")
    result = run("features", corpus.path, tmp_path / "other", out=tmp_path / "feats")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "feats" / "data").is_dir() and (tmp_path / "feats" / "other").is_dir()


def test_broken_files_are_an_error_at_the_end(corpus):
    reasons = break_some(corpus)
    with pytest.raises(DataError) as error:
        run("features", corpus.path)
    lines = str(error.value).splitlines()
    assert lines[0] == "5 utterances without features; all others are done"
    for line, (name, reason) in zip(lines[1:], reasons.items(), strict=True):
        assert f"{corpus.path}: utterance '{name}': " in line
        assert reason in line
    assert list(DataDir.load(corpus.path).feats_scp) == ["s2-u5"]
    skipping = run("features", corpus.path, "--skip-broken")
    assert skipping.exit_code == 0
    assert "warning: 5 utterances without features" in skipping.output


def test_silence_is_warned_of_by_utterance(corpus):
    soundfile.write(corpus.wav_scp["s1-u2"], np.zeros(8000), 16000)
    result = run("features", corpus.path, set_="features.num_mel_bins=20")
    assert result.exit_code == 0
    assert f"warning: {corpus.path}: 1 utterance: nothing but digital silence (s1-u2)" in result.output
    matrix = read_matrix(DataDir.load(corpus.path).feats_scp["s1-u2"])
    assert np.median(matrix) > 0


def test_pipes_run_when_allowed(corpus):
    corpus.wav_scp = {name: f"cat {path} |" for name, path in corpus.wav_scp.items()}
    corpus.save(corpus.path)
    with pytest.raises(DataError):
        run("features", corpus.path)
    assert run("features", corpus.path, "--allow-pipes").exit_code == 0


def test_unknown_settings_are_refused(corpus):
    with pytest.raises(ConfigError, match="unknown key"):
        run("features", corpus.path, set_="features.bins=40")


def test_features_of_a_model_are_those_that_it_reads(corpus, tmp_path):
    """By path, by name, and by name where its weights cannot be had: none are needed."""
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "config.toml").write_text("[features]\nkind = 'mfcc'\nnum_ceps = 7\n")
    assert "7 mfcc values per frame" in run("features", corpus.path, model=tmp_path / "exp").output
    for name, kind in (("base", "whisper"), ("base-whisper", "whisper")):
        result = run("features", corpus.path, "--overwrite", model=name)
        assert f"80 {kind} values per frame" in result.output
        check_features(DataDir.load(corpus.path), ExperimentDirectory(config_path(name)).features)
    with pytest.raises(ConfigError, match="give one of them"):
        run("features", corpus.path, model="base", config=tmp_path / "exp" / "config.toml")
    with pytest.raises(ModelError, match="not an experiment directory"):
        run("features", corpus.path, model="bse")
