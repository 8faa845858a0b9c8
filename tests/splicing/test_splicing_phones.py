"""Utterances spliced from phones: whose they are, what they say, and what is at the cuts."""

import itertools
from collections import Counter

import numpy as np
import pytest
from command_line import run
from hypothesis import given
from hypothesis import strategies as st

from speechtl.data.ctm import read_ctm
from speechtl.data.datadir import DataDir
from speechtl.data.validate import validate
from speechtl.errors import DataError, LexiconError
from speechtl.features.archives import read_matrix, write_ark_scp
from speechtl.features.cmvn import accumulate
from speechtl.features.config import FeatureConfig
from speechtl.features.frame_clock import FrameClock
from speechtl.lang.lexicon import Lexicon
from speechtl.splicing.phones import SplicingConfig, splice
from speechtl.splicing.pieces import Piece, join

PHONES = "abcdef"
FEATURES = FeatureConfig(snip_edges=False)


def value_of(speaker, phone):
    return 100.0 * int(speaker[-1]) + PHONES.index(phone) + 1


@pytest.fixture
def corpus(tmp_path):
    """Write three utterances whose frames tell speaker and phone; pauses are 0. One speaker's copy is played faster."""
    data, rng = DataDir(tmp_path / "data"), np.random.default_rng(0)
    lines = []
    with (
        write_ark_scp(tmp_path / "a.ark", tmp_path / "a.scp") as write,
        write_ark_scp(tmp_path / "cmvn.ark", tmp_path / "cmvn.scp") as write_stats,
    ):
        for key in ("s1-x", "s1-y", "s2-x"):
            speaker, order, speed = key[:2], rng.permutation(list(PHONES)), 2.0 if key[:2] == "s2" else 1.0
            said = [np.full((10, 3), value_of(speaker, phone)) for phone in order]
            matrix = np.concatenate([np.zeros((20, 3)), *said, np.zeros((20, 3))]).astype(np.float32)
            data.feats_scp[key] = write(key, matrix)
            data.cmvn_scp[speaker] = write_stats(speaker, accumulate(matrix))
            data.utt2spk[key], data.text[key], data.utt2num_frames[key] = speaker, "W", len(matrix)
            data.wav_scp[key], data.spk2gender[speaker] = f"{key}.wav", "f"
            if speed != 1:
                data.reco2speed[key] = speed
            lines += [
                f"{key} 1 {speed * (0.2 + 0.1 * place):.3f} {speed * 0.1:.3f} {p}" for place, p in enumerate(order)
            ]
    data.save(data.path)
    (tmp_path / "ctm").write_text("\n".join(lines) + "\n")
    return DataDir.load(data.path)


def run_splice(corpus, *options, lexicon=None):
    folder = corpus.path.parent
    (folder / "frames.toml").write_text("[features]\nsnip_edges = false\nnum_mel_bins = 3\n")
    arguments = [corpus.path, folder / "ctm", folder / "out", "--config", folder / "frames.toml", *options]
    return run("data splice", *arguments, lexicon=lexicon)


@pytest.mark.parametrize("copies", [1, 3])
def test_every_phone_is_used_and_stays_with_its_speaker(corpus, copies):
    config = SplicingConfig(copies=copies, overlap=0, phones=(3, 5))
    spliced = splice(corpus, read_ctm(corpus.path.parent / "ctm", corpus), config, FEATURES, corpus.path.parent / "out")
    assert validate(spliced.path).problems == ()
    said, times = Counter(), read_ctm(spliced.path / "phones.ctm", spliced)
    for key, text in spliced.text.items():
        values = read_matrix(spliced.feats_scp[key])[:, 0]
        assert len(values) == spliced.utt2num_frames[key]
        expected = [value_of(spliced.utt2spk[key], phone) for phone in text.split()]
        assert values[values > 0][::10].tolist() == expected
        labels = np.zeros(len(values))
        for (first, last), one in zip(FrameClock.of(FEATURES).spans(times[key], len(values)), times[key], strict=True):
            labels[first:last] = value_of(spliced.utt2spk[key], one.label)
        np.testing.assert_array_equal(labels, values)
        assert values[0] == values[-1] == 0
        said.update((spliced.utt2spk[key], phone) for phone in text.split())
    assert said == {(speaker, p): n * copies for speaker, n in (("s1", 2), ("s2", 1)) for p in PHONES}
    assert spliced.cmvn_scp == corpus.cmvn_scp
    assert spliced.spk2gender == corpus.spk2gender


def test_pieces_are_as_long_as_allowed_and_orders_are_new(corpus):
    timed = read_ctm(corpus.path.parent / "ctm", corpus)
    original = {("".join(one.label for one in labels)) for labels in timed.values()}
    neighbours = {pair for word in original for pair in itertools.pairwise(word)}
    for longest, some in ((1, False), (6, True)):
        config = SplicingConfig(longest_piece=longest, pause=0, phones=(6, 12), copies=4)
        spliced = splice(corpus, timed, config, FEATURES, corpus.path.parent / f"out{longest}")
        texts = [text.split() for text in spliced.text.values()]
        kept = [pair in neighbours for text in texts for pair in itertools.pairwise(text)]
        # By chance two neighbours meet again in a third of the places at most; whole words keep most of theirs.
        assert (np.mean(kept) > 0.6) == some


def test_the_same_seed_gives_the_same_and_another_one_other_ids(corpus):
    timed = read_ctm(corpus.path.parent / "ctm", corpus)
    folder = corpus.path.parent
    one, same, other = (
        splice(corpus, timed, SplicingConfig(seed=seed), FEATURES, folder / name)
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert one.text == same.text
    assert not one.text.keys() & other.text.keys()
    for key in one.text:
        np.testing.assert_array_equal(read_matrix(one.feats_scp[key]), read_matrix(same.feats_scp[key]))


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
def test_joined_pieces_keep_their_length_and_range(sizes, seed):
    rng = np.random.default_rng(seed)
    pieces = [
        Piece(np.full((before + size + behind, 2), rng.normal()), before, behind, (), ())
        for size, before, behind in sizes
    ]
    joined = join(pieces)
    assert joined.shape == (sum(size for size, _, _ in sizes), 2)
    values = [piece.features[0, 0] for piece in pieces]
    assert joined.min() >= min(values) - 1e-5
    assert joined.max() <= max(values) + 1e-5


def test_speech_cut_in_two_and_joined_again_is_the_same():
    speech = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    for overlap in (0, 1, 3):
        pieces = [Piece(speech[: 12 + overlap], 0, overlap, (), ()), Piece(speech[12 - overlap :], overlap, 0, (), ())]
        np.testing.assert_allclose(join(pieces), speech, rtol=1e-5)


def test_the_command_line_writes_a_lexicon_with_words_for_phones(corpus):
    lexicon = corpus.path.parent / "lexicon.txt"
    lexicon.write_text("W a b\n")
    result = run_splice(corpus, lexicon=lexicon)
    assert "18 phones" in result.output
    out = DataDir.load(corpus.path.parent / "out")
    written = Lexicon.load(out.path / "lang/lexicon.txt")
    assert written.pronounce("W")[0].phones == ("a", "b")
    for key, text in out.text.items():
        values = [value_of(out.utt2spk[key], phone) for phone in written.phones_of(text.split())]
        assert set(values) <= set(read_matrix(out.feats_scp[key])[:, 0])
    with pytest.raises(DataError, match="exists and is not empty"):
        run_splice(corpus)
    assert "0 errors, 0 warnings" in validate(out.path).summary()
    run_splice(corpus, "--overwrite")
    assert {word for text in DataDir.load(out.path).text.values() for word in text.split()} == set(PHONES)
    lexicon.write_text("_a b\n")
    with pytest.raises(LexiconError, match="has a word '_a'"):
        run_splice(corpus, "--overwrite", lexicon=lexicon)


def test_speech_that_cannot_be_spliced_is_named(corpus):
    folder = corpus.path.parent
    (folder / "ctm").write_text("s1-x 1 0.2 0.001 a\ns1-x 1 0.3 0.9 b\n")
    with pytest.raises(DataError, match=r"frames of samples, .* splice features of kind"):
        splice(corpus, {}, SplicingConfig(), FeatureConfig(kind="waveform"), corpus.path.parent / "out")
    with pytest.raises(DataError, match=r"no phone to splice.*got 2 phones"):
        run_splice(corpus)
    (corpus.path / "feats.scp").write_text(f"s1-y {corpus.feats_scp['s1-y']}\n")
    with pytest.raises(DataError, match="'s1-x' has no features"):
        run_splice(corpus)
    assert not (folder / "out" / "utt2spk").exists()
