"""Words said with pieces of other words: what they say, in whose voice."""

import numpy as np
import pytest
from command_line import run

from speechtl.data.ctm import TimedLabel
from speechtl.data.datadir import DataDir
from speechtl.data.validate import validate
from speechtl.errors import DataError, LexiconError
from speechtl.features.archives import read_matrix, write_ark_scp
from speechtl.features.cmvn import accumulate, add
from speechtl.features.config import FeatureConfig
from speechtl.lang.lexicon import Lexicon
from speechtl.splicing.words import WordSplicingConfig, splice_words

FEATURES = FeatureConfig(snip_edges=False)
SAID = {"s1-a": "abcd", "s1-b": "efg", "s2-a": "abxd", "s2-b": "gfe", "s2-c": "ab"}
PHONES = sorted(set("".join(SAID.values())))


def value_of(speaker, phone):
    return 100.0 * int(speaker[1]) + 1 + PHONES.index(phone)


@pytest.fixture
def corpus(tmp_path):
    """Return data and phones; a frame's value tells speaker and phone, its second value the utterance."""
    data, timed, matrices = DataDir(tmp_path / "data"), {}, {}
    with write_ark_scp(tmp_path / "a.ark", tmp_path / "a.scp") as write:
        for number, (key, phones) in enumerate(SAID.items()):
            said = [np.full((10, 2), (value_of(key[:2], phone), number + 1)) for phone in phones]
            matrix = np.concatenate([np.zeros((20, 2)), *said, np.zeros((20, 2))]).astype(np.float32)
            matrices.setdefault(key[:2], []).append(matrix)
            data.feats_scp[key], data.utt2num_frames[key] = write(key, matrix), len(matrix)
            data.utt2spk[key], data.text[key] = key[:2], "W"
            timed[key] = [TimedLabel(p, 0.2 + 0.1 * n, 0.3 + 0.1 * n) for n, p in enumerate(phones)]
    data.save(data.path)
    return data, timed, matrices


def spoken_phones(matrix, utterance_speaker):
    """Return (phone, speaker) of every ten frames that are no pause, as the values tell it."""
    values = matrix[:, 0]
    kept = values[values > 0][::10]
    return [(PHONES[int(value % 100) - 1], f"s{int(value // 100)}") for value in kept]


def test_words_are_said_by_everyone_as_often_as_wanted(corpus, tmp_path):
    data, timed, _ = corpus
    words = {"DAB": [["d", "a", "b"]], "GAFF": [["g", "a", "f"], ["g", "a", "f", "e"]]}
    config = WordSplicingConfig(copies=3, overlap=0)
    spliced = splice_words(data, timed, words, config, FEATURES, tmp_path / "out", label="_{}")
    assert validate(spliced.path).problems == ()
    counts = {}
    for key, text in spliced.text.items():
        phones = [phone for phone, _ in spoken_phones(read_matrix(spliced.feats_scp[key]), spliced.utt2spk[key])]
        for word in text.split():
            options = [[word[1:]]] if word.startswith("_") else words[word]
            fitting = [option for option in sorted(options, key=len) if phones[: len(option)] == option]
            assert fitting, (text, phones)
            # Where both pronunciations fit, the next word decides, and none of them starts with e.
            option = fitting[-1]
            phones = phones[len(option) :]
            if not word.startswith("_"):
                counts[spliced.utt2spk[key], word] = counts.get((spliced.utt2spk[key], word), 0) + 1
    assert counts == {(speaker, word): 3 for speaker in ("s1", "s2") for word in words}


def test_own_phones_come_first_and_long_stretches_too(corpus, tmp_path):
    data, timed, _ = corpus
    words = {"ABX": [["a", "b", "x"]], "BCD": [["b", "c", "d"]]}
    config = WordSplicingConfig(copies=5, overlap=0, between=0, borrow=0, pause=0, words=(1, 1))
    spliced = splice_words(data, timed, words, config, FEATURES, tmp_path / "out")
    voices = {("ABX", "s1"): ["s1", "s1", "s2"], ("BCD", "s2"): ["s2", "s1", "s1"]}
    voices |= {("ABX", "s2"): ["s2"] * 3, ("BCD", "s1"): ["s1"] * 3}
    for key, text in spliced.text.items():
        speaker, matrix = spliced.utt2spk[key], read_matrix(spliced.feats_scp[key])
        said = spoken_phones(matrix, speaker)
        # Only s2 said x and only s1 said c; what is borrowed goes on as far as it fits.
        assert [who for _, who in said] == voices[text, speaker]
        if (text, speaker) in {("ABX", "s2"), ("BCD", "s1")}:
            assert len(set(matrix[matrix[:, 0] > 0, 1])) == 1, "one stretch of one utterance"
    config = config.model_copy(update={"borrow": 1.0})
    spliced = splice_words(data, timed, {"ABX": [["a", "b", "x"]]}, config, FEATURES, tmp_path / "borrowed")
    for key in spliced.text:
        assert {who for _, who in spoken_phones(read_matrix(spliced.feats_scp[key]), "")} == {"s2"}


def test_what_is_borrowed_gets_the_statistics_of_the_borrower(corpus, tmp_path):
    data, timed, matrices = corpus
    stats = {speaker: add(map(accumulate, own)) for speaker, own in matrices.items()}
    with write_ark_scp(tmp_path / "cmvn.ark", tmp_path / "cmvn.scp") as write:
        data.cmvn_scp = {speaker: write(speaker, one) for speaker, one in stats.items()}
    config = WordSplicingConfig(overlap=0, between=0, pause=0)
    spliced = splice_words(data, timed, {"X": [["x"]]}, config, FEATURES, tmp_path / "out")
    assert spliced.cmvn_scp == data.cmvn_scp
    key = next(key for key, speaker in spliced.utt2spk.items() if speaker == "s1")
    normalised = []
    for value, speaker in ((value_of("s2", "x"), "s2"), (read_matrix(spliced.feats_scp[key])[:, 0].max(), "s1")):
        mean = stats[speaker][0, 0] / stats[speaker][0, -1]
        normalised.append((value - mean) / np.sqrt(stats[speaker][1, 0] / stats[speaker][0, -1] - mean**2))
    assert normalised[0] == pytest.approx(normalised[1], rel=1e-3)


def test_phones_that_nobody_said_are_named(corpus, tmp_path):
    data, timed, _ = corpus
    with pytest.raises(LexiconError, match=r"'QUA': q u\b"):
        splice_words(data, timed, {"QUA": [["q", "u", "a"]]}, WordSplicingConfig(), FEATURES, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_line_reads_words_and_their_pronunciations(corpus, tmp_path):
    data, timed, _ = corpus
    lines = [f"{key} 1 {one.start:.3f} 0.100 {one.label}" for key, labels in timed.items() for one in labels]
    (tmp_path / "ctm").write_text("\n".join(lines) + "\n")
    (tmp_path / "lexicon.txt").write_text("DAB d a b\nGAFF g a f\nW a\n")
    (tmp_path / "words").write_text("# held out\nDAB  # 3 times\n")

    arguments = ["data splice", data.path, tmp_path / "ctm", tmp_path / "out", "--words", tmp_path / "words"]
    run(*arguments, "--lexicon", tmp_path / "lexicon.txt", "--copies", 2)
    out = DataDir.load(tmp_path / "out")
    assert sum(text.split().count("DAB") for text in out.text.values()) == 4
    lexicon = Lexicon.load(out.path / "lang/lexicon.txt")
    assert {"DAB", "GAFF", "W", "_a"} <= set(lexicon.words)
    assert {word for text in out.text.values() for word in text.split()} <= set(lexicon.words)
    with pytest.raises(DataError, match="--words needs their pronunciations"):
        run(*arguments, "--overwrite")
