"""The multilingual recipe: pronunciations from labels, telephone copies, cut words, scripts, tables."""

import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechtl.config import read_toml
from speechtl.data.datadir import DataDir
from speechtl.experiment.config import load_config

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "multilingual"
LOCAL = RECIPE / "local"
CORPORA = RECIPE.parent / "corpora"


def load(script, monkeypatch, folder=LOCAL):
    monkeypatch.syspath_prepend(str(folder))
    return runpy.run_path(str(folder / script))


def test_the_features_of_all_configs_are_the_same():
    features = read_toml(RECIPE / "conf/features.toml")["features"]
    systems = [path for path in sorted((RECIPE / "conf").glob("*.toml")) if path.name != "features.toml"]
    assert systems
    for path in systems:
        config = load_config(path)
        assert {key: getattr(config.features, key) for key in features} == features
        assert config.normalisation.kind == "speaker"


def test_labels_are_divided_where_the_guesses_are_nearest(monkeypatch):
    divide = load("label_lexicon.py", monkeypatch, CORPORA)["divide"]
    guesses = {"он": [["o", "n"]], "она": [["ɐ", "n", "a"], ["o", "n", "ə"]], "а": [["a"], ["ɐ"]]}
    assert divide(["она", "а"], ["ɐ", "n", "a", "a"], guesses) == [["ɐ", "n", "a"], ["a"]]
    # Wrong guesses: the phones in common still say where the words part.
    assert divide(["он", "она"], ["ə", "n", "ɐ", "n", "o"], guesses) == [["ə", "n"], ["ɐ", "n", "o"]]
    assert divide(["а"], ["x"] * 9, guesses) == []
    assert divide(["а", "а"], ["a"], guesses) == []


def test_a_word_said_in_several_ways_has_its_most_frequent_way_first(tmp_path, run_python):
    (tmp_path / "text").write_text("1 а б\n2 а\n3 а\n")
    (tmp_path / "labels").write_text("1 a b\n2 ɐ\n3 ɐ\n")
    (tmp_path / "guesses").write_text("а 1 a\nб 1 b\nв 0.9 v\nв 0.1 f\n")
    arguments = [f"--{name}={tmp_path / name}" for name in ("text", "labels", "guesses")]
    result = run_python(CORPORA / "label_lexicon.py", *arguments, f"--out={tmp_path / 'lexicon.txt'}")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "lexicon.txt").read_text() == "а ɐ\nа a\nб b\nв v\n"


def test_a_telephone_has_its_band_its_noise_and_nothing_else(monkeypatch):
    telephone = load("telephone.py", monkeypatch)["telephone"]
    samples = np.random.default_rng(1).normal(0, 0.1, 16000)
    heard = telephone(samples, 16000, snr=10, seed=1)
    power = np.abs(np.fft.rfft(heard)) ** 2
    assert power[200:3700].sum() > 0.99 * power.sum()
    assert power[4500:].sum() < 1e-6 * power.sum()
    assert np.array_equal(heard, telephone(samples, 16000, snr=10, seed=1))
    band = np.fft.rfft(samples)
    band[:350], band[3300:] = 0, 0
    noise = np.fft.irfft(np.fft.rfft(heard) * (band != 0)) - np.fft.irfft(band)
    # The noise is pink, so more of it is in the band than of white speech.
    assert 5 < 10 * np.log10(np.fft.irfft(band).var() / noise.var()) < 12


def test_a_telephone_copy_is_a_data_directory_of_other_speakers(tmp_path, run_python, write_audio):
    write_audio(tmp_path / "a-1.wav", 0.5)
    (tmp_path / "clean").mkdir()
    rows = {"wav.scp": tmp_path / "a-1.wav", "text": "GO ON", "utt2spk": "a", "utt2lang": "en"}
    for name, value in rows.items():
        (tmp_path / "clean" / name).write_text(f"a-1 {value}\n")
    assert run_python(LOCAL / "telephone.py", tmp_path / "clean", tmp_path / "tel").returncode == 0
    data = DataDir.load(tmp_path / "tel")
    assert data.utt2spk == {"a-tel-1": "a-tel"}
    assert data.text == {"a-tel-1": "GO ON"}
    assert data.utt2dom == {"a-tel-1": "telephone"}
    assert soundfile.info(data.wav_scp["a-tel-1"]).duration == 0.5


def test_words_are_cut_where_the_alignment_has_them(tmp_path, run_python, write_audio):
    write_audio(tmp_path / "a-1.wav", 1.0)
    (tmp_path / "data").mkdir()
    for name, value in {"wav.scp": tmp_path / "a-1.wav", "text": "GO ON UP", "utt2spk": "a", "utt2lang": "en"}.items():
        (tmp_path / "data" / name).write_text(f"a-1 {value}\n")
    ctm = tmp_path / "ctm"
    ctm.write_text("a-1 1 0.020 0.200 GO 0.9\na-1 1 0.220 0.090 ON 0.9\na-1 1 0.400 0.300 UP\n")
    command = [LOCAL / "cut_words.py", tmp_path / "data", ctm, tmp_path / "words", "--margin", "0.05"]
    assert run_python(*command).returncode == 0
    data = DataDir.load(tmp_path / "words")
    # "ON" is too short; numbers count the words of the utterance.
    assert data.text == {"a-1-001": "GO", "a-1-003": "UP"}
    assert data.utt2spk == dict.fromkeys(data.text, "a") and data.utt2lang == dict.fromkeys(data.text, "en")
    cuts = {name: (data.utterance(name).start, data.utterance(name).end) for name in data.text}
    assert cuts == {"a-1-001": (0.0, 0.27), "a-1-003": (0.35, 0.75)}
    ctm.write_text("b-1 1 0.020 0.200 GO\n")
    failed = run_python(*command)
    assert failed.returncode == 1 and failed.stderr.startswith(f"error: {ctm}, line 1: expected 'utterance channel")


def test_missing_corpora_are_left_out_with_a_message(tmp_path, run_bash):
    result = run_bash(RECIPE / "run.sh", "--corpora", tmp_path, "--stop-stage", "0")
    assert result.returncode == 1
    for name, folder in {"an4": "an4", "dspspeech": "dspspeech20", "festvox": "festvox_ru"}.items():
        assert f"left out: {name} ({tmp_path / folder} is not there); README.md says how to get it" in result.stderr
    assert "error: none of the corpora is there" in result.stderr


SCRIPTS = ["multitask.sh", "multitask_five.sh", "chain.sh", "progressive.sh", "sharing.sh", "self_taught.sh"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_of_methods_take_options_and_leave_out_what_has_no_data(script, tmp_path, run_bash):
    root = RECIPE.parent.parent
    shutil.copytree(RECIPE.parent / "shared", tmp_path / "recipes" / "shared")
    shutil.copy(root / "pyproject.toml", tmp_path)
    for name in (script, "local/systems.sh"):
        (tmp_path / "recipes/multilingual" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(RECIPE / name, tmp_path / "recipes/multilingual" / name)
    result = run_bash(tmp_path / "recipes/multilingual" / script, "--nj", "2", "--seeds", "1")
    assert result.returncode == 0, result.stderr
    assert "left out: no features of " in result.stderr
    assert not (tmp_path / "recipes/multilingual/exp").exists()


def test_results_are_means_over_seeds(tmp_path, monkeypatch, run_python):
    monkeypatch.chdir(tmp_path)
    for system, values in {"old": (20.0, 22.0), "new": (10.0, 11.0)}.items():
        for seed, value in enumerate(values, 1):
            folder = tmp_path / "exp" / f"{system}_{seed}" / "ar" / "test" / "per"
            folder.mkdir(parents=True)
            (folder / "wer").write_text(f"%PER {value:.2f} [ 1 / 5, 0 ins, 0 del, 1 sub ]\n%SER 3.0\n")
    rows = ["old=exp/old_{seed}/ar", "new=exp/new_{seed}/ar", "none=exp/none_{seed}/ar"]
    result = run_python(RECIPE.parent / "shared" / "rates_table.py", *rows, "--parts", "test")
    assert result.stdout.splitlines()[2:] == [
        "| old | 21.00 ± 1.41 | 2 |",
        "| new | 10.50 ± 0.71 (-50.0 %) | 2 |",
        "| none | - | 0 |",
    ]
