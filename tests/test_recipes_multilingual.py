"""The multilingual recipe: corpora prepared, pronunciations from labels, telephone copies, cut words, tables."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechtl.config import read_toml
from speechtl.data.datadir import DataDir
from speechtl.experiment.config import load_config

RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "multilingual"
LOCAL = RECIPE / "local"


def run_python(*arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def load(script, monkeypatch):
    monkeypatch.syspath_prepend(str(LOCAL))
    return runpy.run_path(str(LOCAL / script))


def write_audio(path, seconds=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, int(seconds * 16000)), 16000)


def texts(folder):
    return sorted(DataDir.load(folder).text.values())


def test_the_features_of_all_configs_are_the_same():
    features = read_toml(RECIPE / "conf/features.toml")["features"]
    systems = [path for path in sorted((RECIPE / "conf").glob("*.toml")) if path.name != "features.toml"]
    assert systems
    for path in systems:
        config = load_config(path)
        assert {key: getattr(config.features, key) for key in features} == features
        assert config.normalisation.kind == "speaker"


def test_kerstin_is_divided_by_utterance(tmp_path):
    lines = []
    for number in range(16):
        write_audio(tmp_path / "corpus" / "audio" / f"de-{number:02}.flac")
        lines.append(f"de-{number:02}|„Wie’s geht“, Nummer-{'ab'[number % 2]}!")
    write_audio(tmp_path / "corpus" / "audio" / "de-99.flac")
    lines.append("de-99|Es sind 99.")
    (tmp_path / "corpus" / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = run_python(LOCAL / "kerstin.py", "--corpus", tmp_path / "corpus", "--out", tmp_path / "data")
    assert result.returncode == 0, result.stderr
    assert "left out: de-99" in result.stdout
    sizes = {part: len(DataDir.load(tmp_path / "data" / part)) for part in ("train", "dev", "test")}
    assert sizes == {"train": 12, "dev": 2, "test": 2}
    assert texts(tmp_path / "data" / "test")[0] == "wies geht nummer a"
    assert (tmp_path / "data" / "words.txt").read_text().split() == ["a", "b", "geht", "nummer", "wies"]


def test_festvox_has_words_and_labels(tmp_path):
    for name in ("ru_0001", "ru_0002"):
        write_audio(tmp_path / "corpus" / "wav" / f"{name}.wav")
        (tmp_path / "corpus" / "lab").mkdir(exist_ok=True)
        (tmp_path / "corpus" / "lab" / f"{name}.lab").write_text("#\n0.1 125 pau\n0.2 125 d\n0.3 125 aa\n")
    text = '( ru_0001 "Д+а, - да!" )\n( ru_0002 "Да." )\n'
    (tmp_path / "corpus" / "txt.done.data").write_text(text, encoding="utf-8")
    arguments = ("--phones", RECIPE / "conf/festvox_phones.tsv", "--out", tmp_path / "data")
    result = run_python(LOCAL / "festvox.py", "--corpus", tmp_path / "corpus", *arguments)
    assert result.returncode == 0, result.stderr
    assert texts(tmp_path / "data" / "test") == ["да да"]
    assert (tmp_path / "data" / "labels.txt").read_text() == "ru-0001 d a\nru-0002 d a\n"
    (tmp_path / "corpus" / "lab" / "ru_0002.lab").write_text("0.1 125 qq\n")
    result = run_python(LOCAL / "festvox.py", "--corpus", tmp_path / "corpus", *arguments)
    assert result.returncode == 1
    assert "ru_0002.lab:1: expected 'seconds number phone' with a known phone (got '0.1 125 qq')" in result.stderr


def test_dspspeech_is_cut_to_its_speech_in_both_languages(tmp_path):
    for speaker in "abcdefgh":
        for word in ("00", "17"):
            path = tmp_path / "corpus" / "speech_data" / speaker / f"{speaker}-{word}-00.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = np.random.default_rng(0).normal(0, 0.0005, 32000)
            samples[16000:24000] += np.sin(np.arange(8000) / 5)
            soundfile.write(path, samples / 2, 16000)
    arguments = ("--lexicon", RECIPE / "conf/dspspeech_lexicon.txt", "--out", tmp_path / "data")
    result = run_python(LOCAL / "dspspeech.py", "--corpus", tmp_path / "corpus", *arguments)
    assert result.returncode == 0, result.stderr
    train = DataDir.load(tmp_path / "data" / "dspspeech" / "train")
    assert set(train.utt2lang.values()) == {"zh", "en-dsp"}
    assert all((segment.start, segment.end) == pytest.approx((0.8, 1.7)) for segment in train.segments.values())
    assert set(DataDir.load(tmp_path / "data" / "dspspeech_zh" / "test").text.values()) == {"数字"}
    assert (tmp_path / "data" / "dspspeech_en" / "lexicon.txt").read_text().startswith("Open o͡ʊ p ʌ n")
    parts = [DataDir.load(tmp_path / "data" / "dspspeech" / part) for part in ("train", "dev", "test")]
    assert [len(part.spk2utt) for part in parts] == [5, 1, 2]


def test_arabic_words_have_their_folders_names(tmp_path):
    for speaker in "abcd":
        write_audio(tmp_path / "corpus" / "dataset" / "zoom in" / f"{speaker}_NO_01.wav")
    arguments = ("--words", RECIPE / "conf/arabic_words.tsv", "--out", tmp_path / "data")
    assert run_python(LOCAL / "arabic.py", "--corpus", tmp_path / "corpus", *arguments).returncode == 0
    assert texts(tmp_path / "data" / "train") == ["تكبير", "تكبير"]
    assert (tmp_path / "data" / "lexicon.txt").read_text() == "تكبير t a k b iː r\n"


def test_labels_are_divided_where_the_guesses_are_nearest(monkeypatch):
    divide = load("label_lexicon.py", monkeypatch)["divide"]
    guesses = {"он": [["o", "n"]], "она": [["ɐ", "n", "a"], ["o", "n", "ə"]], "а": [["a"], ["ɐ"]]}
    assert divide(["она", "а"], ["ɐ", "n", "a", "a"], guesses) == [["ɐ", "n", "a"], ["a"]]
    # Wrong guesses: the phones in common still say where the words part.
    assert divide(["он", "она"], ["ə", "n", "ɐ", "n", "o"], guesses) == [["ə", "n"], ["ɐ", "n", "o"]]
    assert divide(["а"], ["x"] * 9, guesses) == []
    assert divide(["а", "а"], ["a"], guesses) == []


def test_a_word_said_in_several_ways_has_its_most_frequent_way_first(tmp_path):
    (tmp_path / "text").write_text("1 а б\n2 а\n3 а\n")
    (tmp_path / "labels").write_text("1 a b\n2 ɐ\n3 ɐ\n")
    (tmp_path / "guesses").write_text("а 1 a\nб 1 b\nв 0.9 v\nв 0.1 f\n")
    arguments = [f"--{name}={tmp_path / name}" for name in ("text", "labels", "guesses")]
    result = run_python(LOCAL / "label_lexicon.py", *arguments, f"--out={tmp_path / 'lexicon.txt'}")
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


def test_a_telephone_copy_is_a_data_directory_of_other_speakers(tmp_path):
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


def test_words_are_cut_where_the_alignment_has_them(tmp_path):
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


def test_missing_corpora_are_left_out_with_a_message(tmp_path):
    environment = {**os.environ, "VIRTUAL_ENV": str(Path(sys.executable).parent.parent)}
    command = ["bash", RECIPE / "run.sh", "--corpora", tmp_path, "--stop-stage", "0"]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 1
    for name, folder in {"an4": "an4", "dspspeech": "dspspeech20", "festvox": "festvox_ru"}.items():
        assert f"left out: {name} ({tmp_path / folder} is not there); README.md says how to get it" in result.stderr
    assert "error: none of the corpora is there" in result.stderr


@pytest.mark.parametrize("script", ["multitask.sh", "multitask_five.sh", "chain.sh", "progressive.sh", "sharing.sh"])
def test_scripts_of_methods_take_options_and_leave_out_what_has_no_data(script, tmp_path):
    root = RECIPE.parent.parent
    for name in ("pyproject.toml", "recipes/env.sh", "recipes/requirements.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    for name in (script, "local/systems.sh", "local/table.py"):
        (tmp_path / "recipes/multilingual" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(RECIPE / name, tmp_path / "recipes/multilingual" / name)
    environment = {**os.environ, "VIRTUAL_ENV": str(Path(sys.executable).parent.parent)}
    command = ["bash", str(tmp_path / "recipes/multilingual" / script), "--nj", "2", "--seeds", "1"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    assert "left out: no features of " in result.stderr
    assert not (tmp_path / "recipes/multilingual/exp").exists()


def test_results_are_means_over_seeds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for system, values in {"old": (20.0, 22.0), "new": (10.0, 11.0)}.items():
        for seed, value in enumerate(values, 1):
            folder = tmp_path / "exp" / f"{system}_{seed}" / "ar" / "test" / "per"
            folder.mkdir(parents=True)
            (folder / "wer").write_text(f"%PER {value:.2f} [ 1 / 5, 0 ins, 0 del, 1 sub ]\n%SER 3.0\n")
    rows = ["old=exp/old_{seed}/ar", "new=exp/new_{seed}/ar", "none=exp/none_{seed}/ar"]
    result = run_python(LOCAL / "table.py", *rows, "--parts", "test")
    assert result.stdout.splitlines()[2:] == [
        "| old | 21.00 ± 1.41 | 2 |",
        "| new | 10.50 ± 0.71 (-50.0 %) | 2 |",
        "| none | - | 0 |",
    ]
