"""The preparation of each corpus, on a small copy of its layout."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechtl.data.datadir import DataDir
from speechtl.lang.lexicon import Lexicon

CORPORA = Path(__file__).resolve().parents[2] / "recipes" / "corpora"
PREPARATIONS = [path for path in sorted(CORPORA.glob("*.py")) if "\nHOW_TO_GET_IT" in path.read_text(encoding="utf-8")]


def texts(folder):
    return sorted(DataDir.load(folder).text.values())


def listed(path):
    return [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]


@pytest.fixture
def divide_words(run_python):
    """Return a function that divides the words of prepared data directories into folds."""

    def divide(folder, *options):
        texts = [folder / part / "text" for part in ("train", "dev", "test")]
        script = CORPORA.parent / "isolated_words" / "local" / "divide_words.py"
        result = run_python(*(script, "--text", *texts, "--lexicon", folder / "lexicon.txt", "--out", folder, *options))
        assert result.returncode == 0, result.stderr

    return divide


@pytest.fixture
def an4(tmp_path):
    """Make a corpus in AN4's layout: three training speakers, one test speaker."""
    corpus = tmp_path / "an4"
    (corpus / "etc").mkdir(parents=True)
    parts = {
        "train": ("an4_clstk", {"fash": ".sph", "mdcs": ".wav", "mdcs2": ".flac"}),
        "test": ("an4test_clstk", {"fcaw": ".wav"}),
    }
    for part, (folder, speakers) in parts.items():
        ids, texts = [], []
        for speaker, suffix in speakers.items():
            audio = corpus / "wav" / folder / speaker
            audio.mkdir(parents=True)
            for number in (2, 10):
                name = f"an{number}-{speaker}-b"
                (audio / (name + suffix)).write_bytes(b"")
                ids.append(f"{folder}/{speaker}/{name}")
                texts.append(f"<s> GO ++COUGH++ ENTER A </s> ({name})" if part == "train" else f"GO ENTER ({name})")
        (corpus / "etc" / f"an4_{part}.fileids").write_text("\n".join(ids) + "\n")
        (corpus / "etc" / f"an4_{part}.transcription").write_text("\n".join(texts) + "\n")
    (corpus / "etc" / "an4.dic").write_text("A   AH\nA(2)   EY\nENTER   EH N ER\nGO   G OW\n")
    (tmp_path / "dev").write_text("# held out\nmdcs\nmdcs2\n")
    return tmp_path


@pytest.fixture
def prepare_an4(an4, run_python):
    arguments = ("--corpus", an4 / "an4", "--dev-speakers", an4 / "dev", "--out", an4 / "data")
    return lambda: run_python(CORPORA / "an4.py", *arguments, "--tables", "spk2gender")


def test_an4_becomes_data_directories(an4, prepare_an4):
    assert prepare_an4().returncode == 0
    parts = {name: DataDir.load(an4 / "data" / name) for name in ("train_all", "train", "dev", "test")}
    assert {name: sorted(part.spk2utt) for name, part in parts.items()} == {
        "train_all": ["fash", "mdcs", "mdcs2"],
        "train": ["fash"],
        "dev": ["mdcs", "mdcs2"],
        "test": ["fcaw"],
    }
    assert parts["dev"].utterance_ids == sorted(f"{s}-an{n}-{s}-b" for s in ("mdcs", "mdcs2") for n in (2, 10))
    assert set(parts["train_all"].text.values()) == {"GO ENTER A"}
    assert parts["train"].spk2gender == {"fash": "f"}
    assert parts["train"].wav_scp["fash-an2-fash-b"] == str(an4 / "an4/wav/an4_clstk/fash/an2-fash-b.sph")
    lexicon = Lexicon.load(an4 / "data" / "dict" / "lexicon.txt", notation="arpabet")
    assert sorted(lexicon.words) == ["A", "ENTER", "GO"]
    assert len(lexicon.pronounce("A")) == 2


def test_an4_that_is_not_there_says_how_to_get_it(an4, prepare_an4):
    (an4 / "an4" / "etc" / "an4.dic").unlink()
    result = prepare_an4()
    assert result.returncode == 1
    assert "is not the AN4 corpus, these are missing: etc/an4.dic. AN4 is free: clone" in result.stderr


def test_an4_lists_all_missing_recordings_and_transcripts(an4, prepare_an4):
    for path in (an4 / "an4/wav/an4_clstk/fash").iterdir():
        path.unlink()
    (an4 / "an4/etc/an4_test.transcription").write_text("GO (an2-fcaw-b)\nENTER\n")
    result = prepare_an4()
    assert result.returncode == 1
    assert "4 problems" in result.stderr
    assert "an4_train.fileids:1: no audio file" in result.stderr
    assert "an4_test.transcription:2: no (utterance id)" in result.stderr
    assert "an4_test.fileids:2: an10-fcaw-b is not in" in result.stderr
    assert not (an4 / "data").exists()


def test_one_person_is_never_on_both_sides(an4, prepare_an4):
    (an4 / "dev").write_text("mdcs\nmnosuch\n")
    result = prepare_an4()
    assert result.returncode == 1
    assert "mdcs2 may be the same person as a dev speaker; list both or neither" in result.stderr
    assert "mnosuch is not a speaker of the training part" in result.stderr


def test_kerstin_is_divided_by_utterance(tmp_path, run_python, write_audio):
    lines = []
    for number in range(16):
        write_audio(tmp_path / "corpus" / "audio" / f"de-{number:02}.flac")
        lines.append(f"de-{number:02}|„Wie’s geht“, Nummer-{'ab'[number % 2]}!")
    write_audio(tmp_path / "corpus" / "audio" / "de-99.flac")
    lines.append("de-99|Es sind 99.")
    (tmp_path / "corpus" / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = run_python(CORPORA / "kerstin_de.py", "--corpus", tmp_path / "corpus", "--out", tmp_path / "data")
    assert result.returncode == 0, result.stderr
    assert "left out: de-99" in result.stdout
    sizes = {part: len(DataDir.load(tmp_path / "data" / part)) for part in ("train", "dev", "test")}
    assert sizes == {"train": 12, "dev": 2, "test": 2}
    assert texts(tmp_path / "data" / "test")[0] == "wies geht nummer a"
    assert (tmp_path / "data" / "words.txt").read_text().split() == ["a", "b", "geht", "nummer", "wies"]


def test_festvox_has_words_and_labels(tmp_path, run_python, write_audio):
    for name in ("ru_0001", "ru_0002"):
        write_audio(tmp_path / "corpus" / "wav" / f"{name}.wav")
        (tmp_path / "corpus" / "lab").mkdir(exist_ok=True)
        (tmp_path / "corpus" / "lab" / f"{name}.lab").write_text("#\n0.1 125 pau\n0.2 125 d\n0.3 125 aa\n")
    text = '( ru_0001 "Д+а, - да!" )\n( ru_0002 "Да." )\n'
    (tmp_path / "corpus" / "txt.done.data").write_text(text, encoding="utf-8")
    arguments = ("--corpus", tmp_path / "corpus", "--out", tmp_path / "data")
    result = run_python(CORPORA / "festvox_ru.py", *arguments)
    assert result.returncode == 0, result.stderr
    assert texts(tmp_path / "data" / "test") == ["да да"]
    assert (tmp_path / "data" / "labels.txt").read_text() == "ru-0001 d a\nru-0002 d a\n"
    (tmp_path / "corpus" / "lab" / "ru_0002.lab").write_text("0.1 125 qq\n")
    result = run_python(CORPORA / "festvox_ru.py", *arguments)
    assert result.returncode == 1
    assert "ru_0002.lab:1: expected 'seconds number phone' with a known phone (got '0.1 125 qq')" in result.stderr


def test_festvox_has_phones_and_their_times(tmp_path, run_python, write_audio):
    for number in range(1, 14):
        write_audio(tmp_path / "corpus" / "wav" / f"ru_{number:04}.wav")
        (tmp_path / "corpus" / "lab").mkdir(exist_ok=True)
        labels = tmp_path / "corpus" / "lab" / f"ru_{number:04}.lab"
        labels.write_text("#\n0.1 125 pau\n0.25 125 d\n0.3 125 aa\n")
    arguments = ("--corpus", tmp_path / "corpus", "--out", tmp_path / "data", "--text", "phones")
    result = run_python(CORPORA / "festvox_ru.py", *arguments)
    assert result.returncode == 0, result.stderr
    parts = {part: DataDir.load(tmp_path / "data" / part) for part in ("all", "train", "dev")}
    assert {part: len(data) for part, data in parts.items()} == {"all": 13, "train": 11, "dev": 2}
    assert set(parts["all"].text.values()) == {"d a"}
    assert sorted(parts["dev"].text) == ["ru-0001", "ru-0013"]
    lines = (tmp_path / "data" / "reference.ctm").read_text().splitlines()
    assert lines[:2] == ["ru-0001 1 0.100 0.150 d", "ru-0001 1 0.250 0.050 a"]
    labels.write_text("0.2 125 d\n0.1 125 aa\nx\n")
    result = run_python(CORPORA / "festvox_ru.py", *arguments)
    assert result.returncode == 1
    assert "ru_0013.lab:2: ends at 0.1 s, before it starts at 0.2 s" in result.stderr
    assert "ru_0013.lab:3: expected 'seconds number phone' (got 'x')" in result.stderr


def test_dspspeech_is_cut_to_its_speech_in_both_languages(tmp_path, run_python):
    for speaker in "abcdefgh":
        for word in ("00", "17"):
            path = tmp_path / "corpus" / "speech_data" / speaker / f"{speaker}-{word}-00.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = np.random.default_rng(0).normal(0, 0.0005, 32000)
            samples[16000:24000] += np.sin(np.arange(8000) / 5)
            soundfile.write(path, samples / 2, 16000)
    for name, languages in {"": (), "_en": ("--languages", "en-dsp"), "_zh": ("--languages", "zh")}.items():
        out = tmp_path / "data" / f"dspspeech{name}"
        arguments = ("--corpus", tmp_path / "corpus", "--out", out, "--tables", "utt2lang,utt2dom")
        result = run_python(CORPORA / "dspspeech20.py", *arguments, *languages)
        assert result.returncode == 0, result.stderr
    train = DataDir.load(tmp_path / "data" / "dspspeech" / "train")
    assert set(train.utt2lang.values()) == {"zh", "en-dsp"}
    assert all((segment.start, segment.end) == pytest.approx((0.8, 1.7)) for segment in train.segments.values())
    assert set(DataDir.load(tmp_path / "data" / "dspspeech_zh" / "test").text.values()) == {"数字"}
    assert (tmp_path / "data" / "dspspeech_en" / "lexicon.txt").read_text().startswith("Open o͡ʊ p ʌ n")
    parts = [DataDir.load(tmp_path / "data" / "dspspeech" / part) for part in ("train", "dev", "test")]
    assert [len(part.spk2utt) for part in parts] == [5, 1, 2]


def test_arabic_words_have_their_folders_names(tmp_path, run_python, write_audio):
    for speaker in "abcd":
        write_audio(tmp_path / "corpus" / "dataset" / "zoom in" / f"{speaker}_NO_01.wav")
    arguments = ("--corpus", tmp_path / "corpus", "--out", tmp_path / "data")
    assert run_python(CORPORA / "arabic_commands.py", *arguments).returncode == 0
    assert texts(tmp_path / "data" / "train") == ["تكبير", "تكبير"]
    assert (tmp_path / "data" / "lexicon.txt").read_text() == "تكبير t a k b iː r\n"


def write_clip(path, rate=8000):
    """Write a second of noise with a louder tone in its middle, from 0.4 s to 0.6 s."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(0).normal(0, 1e-3, rate)
    samples[int(0.4 * rate) : int(0.6 * rate)] += 0.3 * np.sin(np.arange(int(0.2 * rate)))
    soundfile.write(path, samples, rate)


@pytest.fixture(scope="module")
def dspspeech(tmp_path_factory):
    """Make a corpus in the layout of DSPSpeech-20: eight speakers, eight words, one take."""
    corpus = tmp_path_factory.mktemp("dspspeech")
    for speaker in range(8):
        for word in (0, 1, 2, 3, 12, 13, 14, 15):
            name = f"p{speaker}-{word:02}-01{'.wav' if speaker % 2 else '.flac'}"
            write_clip(corpus / "speech_data" / f"p{speaker}" / name)
    return corpus


def test_dspspeech20_becomes_data_directories(dspspeech, tmp_path, run_python, divide_words):
    result = run_python(CORPORA / "dspspeech20.py", "--corpus", dspspeech, "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    divide_words(tmp_path)
    parts = {name: DataDir.load(tmp_path / name) for name in ("train", "dev", "test")}
    assert {name: (len(part.spk2utt), len(part)) for name, part in parts.items()} == {
        "train": (5, 40),
        "dev": (1, 8),
        "test": (2, 16),
    }
    speakers = [speaker for part in parts.values() for speaker in part.spk2utt]
    assert len(speakers) == len(set(speakers))
    for part in parts.values():
        for utterance in part.utterances():
            assert 0.15 <= utterance.start <= 0.25
            assert 0.75 <= utterance.end <= 0.85
    folds = [listed(tmp_path / f"fold{number}" / "unseen_words") for number in (1, 2, 3, 4)]
    assert sorted(word for fold in folds for word in fold) == sorted(set(parts["test"].text.values()))
    # Both kinds of words are in every fold.
    assert all(sorted(word.isascii() for word in fold) == [False, True] for fold in folds)


def test_the_lexicon_of_dspspeech20_is_ipa():
    lexicon = Lexicon.load(CORPORA / "dspspeech20_lexicon.txt", tone="drop")
    assert len(lexicon) == 20
    assert lexicon.pronounce("北京")[0].phones == lexicon.pronounce("背景")[0].phones


def test_arabic_commands_become_data_directories(tmp_path, run_python, divide_words):
    corpus = tmp_path / "corpus"
    for word in ("zero", "one", "zoom in", "no"):
        for speaker in range(8):
            write_clip(corpus / "dataset" / word / f"0000000{speaker}_NO_02.wav")
    script = CORPORA / "arabic_commands.py"
    result = run_python(script, "--corpus", corpus, "--out", tmp_path / "data")
    assert result.returncode == 0, result.stderr
    divide_words(tmp_path / "data", "--folds", "2")
    train = DataDir.load(tmp_path / "data/train")
    assert len(train) == 20
    assert set(train.text.values()) == {"صفر", "واحد", "تكبير", "لا"}
    assert all(" " not in utterance for utterance in train.utterance_ids)
    assert len(Lexicon.load(tmp_path / "data/lexicon.txt")) == 4
    folds = [listed(tmp_path / "data" / f"fold{number}" / "unseen_words") for number in (1, 2)]
    assert sorted(map(len, folds)) == [2, 2]
    (corpus / "dataset/zero").rename(corpus / "dataset/nosuch")
    result = run_python(script, "--corpus", corpus, "--out", tmp_path / "other")
    assert result.returncode == 1
    assert "8 problems" in result.stderr
    assert "the folder is no word of the list" in result.stderr


def test_all_words_of_arabic_commands_have_ipa_phones(tmp_path):
    lines = [line.split("\t") for line in listed(CORPORA / "arabic_commands_words.tsv")]
    assert len(lines) == 40
    (tmp_path / "lexicon.txt").write_text("\n".join(f"{word} {phones}" for _, word, phones in lines), encoding="utf-8")
    assert len(Lexicon.load(tmp_path / "lexicon.txt")) == 40


@pytest.mark.parametrize("corpus", ["dspspeech20", "arabic_commands"])
def test_a_missing_corpus_says_how_to_get_it(corpus, tmp_path, run_python):
    result = run_python(CORPORA / f"{corpus}.py", "--corpus", tmp_path, "--out", tmp_path)
    assert result.returncode == 1
    assert "clone the git repository" in result.stderr


@pytest.mark.parametrize("script", PREPARATIONS, ids=lambda path: path.stem)
def test_every_preparation_documents_its_corpus_and_says_how_to_get_it(script, run_python, tmp_path):
    documentation = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    for part in ("Licence", "Get it", "Layout", "Written below ``--out``", "eft out"):
        assert part in documentation
    language = ("--language", "de") if script.stem == "commonvoice" else ()
    for corpus in ("", tmp_path / "nosuch"):
        result = run_python(script, "--corpus", corpus, "--out", tmp_path / "data", *language)
        assert result.returncode == 1
        assert re.fullmatch(r"error: (no corpus\.|\S+: no such folder\.) .+ with --corpus\n", result.stderr)
    assert not (tmp_path / "data").exists()


def test_a_table_that_does_not_exist_is_a_usage_error(an4, run_python):
    arguments = ("--corpus", an4 / "an4", "--out", an4 / "data", "--tables", "utt2lang,utt2nothing")
    result = run_python(CORPORA / "an4.py", *arguments)
    assert result.returncode == 2
    assert "no table utt2nothing; there are spk2gender, utt2lang, utt2dom" in result.stderr
