"""The recipes that hold words out of training: how words are chosen, corpora prepared and accuracies counted."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechtl.data.datadir import DataDir
from speechtl.lang.lexicon import Lexicon

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
HOLD_OUT = RECIPES / "an4/local/hold_out_words.py"
WORD_ACCURACY = RECIPES / "an4/local/word_accuracy.py"


def run_python(*arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def output_of(*arguments):
    result = run_python(*arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def listed(path):
    return [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]


@pytest.fixture
def transcripts(tmp_path):
    """Make 40 utterances of ten words that share their phones, and two words that sound the same."""
    words = {f"W{first}{second}": f"{first} {second} A B" for first in "AB" for second in "ABCDE"}
    words |= {"O": "O", "OH": "O", "RARE": "Z A"}
    lines = [f"u{n:02} " + " ".join(sorted(words)[(n + k) % 10] for k in (0, 3)) for n in range(40)]
    lines = [line.replace(" WAA", " WAA O OH") for line in lines]
    (tmp_path / "text").write_text("\n".join([*lines, "u99 RARE"]) + "\n")
    (tmp_path / "lexicon.txt").write_text("\n".join(f"{word} {phones}" for word, phones in words.items()) + "\n")
    return tmp_path


def choose(folder, *options):
    arguments = ("--text", folder / "text", "--lexicon", folder / "lexicon.txt", "--out", folder / "words", *options)
    return run_python(HOLD_OUT, "choose", "--rarest", "0.05", "--commonest", "0.5", "--phones", "5", *arguments)


def test_words_are_held_out_by_rule(transcripts):
    assert choose(transcripts, "--number", "3", "--budget", "0.6").returncode == 0
    words = listed(transcripts / "words")
    assert 1 <= len(words) <= 3
    assert not {"O", "OH", "RARE"} & set(words)
    first = (transcripts / "words").read_text()
    assert choose(transcripts, "--number", "3", "--budget", "0.6").returncode == 0
    assert (transcripts / "words").read_text() == first
    arguments = ("--text", transcripts / "text", "--words", transcripts / "words", "--out", transcripts / "keep")
    output_of(HOLD_OUT, "keep", *arguments, "--vocabulary", transcripts / "vocabulary")
    text = {line.split()[0]: line.split()[1:] for line in (transcripts / "text").read_text().splitlines()}
    kept = listed(transcripts / "keep")
    assert set(kept) == {key for key, spoken in text.items() if not set(words) & set(spoken)}
    assert len(kept) >= 0.4 * len(text)
    assert not set(words) & set(listed(transcripts / "vocabulary"))


def test_the_phones_of_held_out_words_stay(transcripts):
    assert choose(transcripts, "--number", "9", "--budget", "1").returncode == 0
    lexicon = {line.split()[0]: line.split()[1:] for line in (transcripts / "lexicon.txt").read_text().splitlines()}
    words = listed(transcripts / "words")
    text = [line.split()[1:] for line in (transcripts / "text").read_text().splitlines()]
    left = [phone for spoken in text if not set(words) & set(spoken) for word in spoken for phone in lexicon[word]]
    assert words
    assert all(left.count(phone) >= 5 for word in words for phone in lexicon[word])


def test_a_word_without_pronunciation_is_named(transcripts):
    (transcripts / "text").write_text("u1 WAA NOSUCH\n")
    result = choose(transcripts)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "NOSUCH" in result.stderr


def test_accuracy_of_unseen_and_seen_words(tmp_path):
    test = tmp_path / "test"
    test.mkdir()
    (test / "text").write_text("s1-a P ONE TWO\ns1-b ONE X\ns2-a TWO TWO\ns2-b RARE ONE\n")
    (test / "utt2spk").write_text("s1-a s1\ns1-b s1\ns2-a s2\ns2-b s2\n")
    (tmp_path / "words").write_text("# held out\nP  # 9\nX  # 3\n")
    (tmp_path / "training").write_text("t1 ONE TWO\n")
    (tmp_path / "hyp").write_text("s1-a P ONE ONE\ns1-b ONE\ns2-a TWO P TWO\ns2-b RARE X\n")
    options = ("--words", tmp_path / "words", "--training", tmp_path / "training", "--details", tmp_path / "details")
    out = output_of(WORD_ACCURACY, test, *options, f"mine={tmp_path / 'hyp'}")
    found = {
        name: (int(hits), int(total)) for name, hits, total in re.findall(r"  (\S.*?) +\S+ %  \[ *(\d+) / *(\d+)", out)
    }
    assert found == {"held out": (1, 2), "all unseen": (2, 3), "seen, same": (2, 3), "seen, rest": (2, 3)}
    assert "difference  -16.7" in out
    assert "false alarms of held-out words: 2" in out
    details = (tmp_path / "details").read_text()
    assert re.search(r"X +0 / +1  \(nothing\) 1", details)
    (tmp_path / "training").write_text("t1 ONE P\n")
    result = run_python(WORD_ACCURACY, test, *options, f"mine={tmp_path / 'hyp'}")
    assert result.returncode == 1
    assert "has words of" in result.stderr


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


def test_dspspeech20_becomes_data_directories(dspspeech, tmp_path):
    script, lexicon = RECIPES / "dspspeech20/local/prepare.py", RECIPES / "dspspeech20/conf/lexicon.txt"
    output_of(script, "--corpus", dspspeech, "--lexicon", lexicon, "--out", tmp_path)
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
    lexicon = Lexicon.load(RECIPES / "dspspeech20/conf/lexicon.txt", tone="drop")
    assert len(lexicon) == 20
    assert lexicon.pronounce("北京")[0].phones == lexicon.pronounce("背景")[0].phones


def test_arabic_commands_become_data_directories(tmp_path):
    corpus = tmp_path / "corpus"
    for word in ("zero", "one", "zoom in", "no"):
        for speaker in range(8):
            write_clip(corpus / "dataset" / word / f"0000000{speaker}_NO_02.wav")
    script, words = RECIPES / "arabic_commands/local/prepare.py", RECIPES / "arabic_commands/conf/words.tsv"
    output_of(script, "--corpus", corpus, "--words", words, "--out", tmp_path / "data", "--folds", "2")
    train = DataDir.load(tmp_path / "data/train")
    assert len(train) == 20
    assert set(train.text.values()) == {"صفر", "واحد", "تكبير", "لا"}
    assert all(" " not in utterance for utterance in train.utterance_ids)
    assert len(Lexicon.load(tmp_path / "data/lang/lexicon.txt")) == 4
    folds = [listed(tmp_path / "data" / f"fold{number}" / "unseen_words") for number in (1, 2)]
    assert sorted(map(len, folds)) == [2, 2]
    (corpus / "dataset/zero").rename(corpus / "dataset/nosuch")
    result = run_python(script, "--corpus", corpus, "--words", words, "--out", tmp_path / "other")
    assert result.returncode == 1
    assert "8 problems" in result.stderr
    assert "the folder is no word of the list" in result.stderr


def test_all_words_of_arabic_commands_have_ipa_phones(tmp_path):
    lines = [line.split("\t") for line in listed(RECIPES / "arabic_commands/conf/words.tsv")]
    assert len(lines) == 40
    (tmp_path / "lexicon.txt").write_text("\n".join(f"{word} {phones}" for _, word, phones in lines), encoding="utf-8")
    assert len(Lexicon.load(tmp_path / "lexicon.txt")) == 40


@pytest.mark.parametrize("recipe", ["dspspeech20", "arabic_commands"])
def test_a_missing_corpus_says_how_to_get_it(recipe, tmp_path):
    names = {"dspspeech20": ("--lexicon", "lexicon.txt"), "arabic_commands": ("--words", "words.tsv")}
    option, name = names[recipe]
    folder = RECIPES / recipe
    result = run_python(
        folder / "local/prepare.py", "--corpus", tmp_path, option, folder / "conf" / name, "--out", tmp_path
    )
    assert result.returncode == 1
    assert "clone the git repository" in result.stderr


@pytest.mark.parametrize("recipe", ["dspspeech20", "arabic_commands"])
def test_results_count_every_clip_once_as_unseen(recipe, tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test/text").write_text("a1 x\na2 y\nb1 x\nb2 y\n")
    (tmp_path / "test/utt2spk").write_text("a1 a\na2 a\nb1 b\nb2 b\n")
    for fold, word in (("fold1", "x"), ("fold2", "y")):
        (tmp_path / fold).mkdir()
        (tmp_path / fold / "unseen_words").write_text(word + "\n")
    (tmp_path / "fold1/text").write_text("a1 x\na2 y\nb1 y\nb2 y\n")
    (tmp_path / "fold2/text").write_text("a1 x\na2 x\nb1 x\nb2 x\n")
    out = output_of(
        *(RECIPES / recipe / "local/results.py", tmp_path / "test", "--folds", tmp_path / "fold1", tmp_path / "fold2"),
        *("--hypotheses", f"{tmp_path}/{{fold}}/text", "--details", tmp_path / "details"),
    )
    assert re.search(r"unseen +25.0 %  \[ +1 / +4\]", out)
    assert re.search(r"seen +100.0 %  \[ +4 / +4\]", out)
    assert "folds 25.0 ± 35.4" in out
    assert "50.0 %  one of 2 words" in out
    assert "x 50 100 y 1" in (tmp_path / "details").read_text()
