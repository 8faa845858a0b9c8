"""A search that is given blocks, or that drops what it no longer needs: the results of one that sees and keeps all."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.alignment import ctc_graph
from speechtl.alignment.ctc import align_units
from speechtl.alignment.words import Pauses
from speechtl.decoding import reach as reach_module
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.decoding.phone_recognition import PhoneSearch, recognise_phones
from speechtl.decoding.reach import Reach, find_reach, posteriors_of_batch, windowed_posteriors
from speechtl.decoding.search import token_search, traceback
from speechtl.grammar.ngram_model import train_ngram
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

PHONES = PhoneInventory(["a", "b", "d", "k", "sil"])
WORDS = {"one": ["a b", "a"], "two": ["d a k"], "three": ["b b"], "four": ["k a d a"], "five": ["d"]}
SENTENCES = [["one", "two", "three"], ["four", "one"], ["five", "five", "two"]]


def decoder_of(oov, with_model):
    lexicon = Lexicon()
    for word, variants in WORDS.items():
        for said in variants:
            lexicon.add(word, said.split(), 1 / len(variants))
    config = DecodingConfig(oov=oov, word_insertion_penalty=1.0, beam=10, max_active=200)
    return LexiconDecoder(lexicon, PHONES, train_ngram(SENTENCES, 2) if with_model else None, config)


DECODERS = {(oov, model): decoder_of(oov, model) for oov in ("words", "phones") for model in (False, True)}


def speech(seed, frames):
    """Return posteriors of noise with stretches of near silence, which a search passes over."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (frames, len(PHONES) + 1))
    logits[:, 0] += 12 * (np.sin(np.arange(frames) / rng.uniform(2, 9)) > 0.5)
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    which=st.sampled_from(sorted(DECODERS)),
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    kept=st.sampled_from([0, 3, 50, 1 << 16]),
    count=st.sampled_from([1, 7]),
)
def test_blocks_and_dropped_links_change_nothing(seed, which, sizes, kept, count):
    matrix, decoder = speech(seed, 1 + sum(sizes)), DECODERS[which]
    whole = decoder.decode_nbest(matrix, count, times=count > 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_search, "_KEPT", kept)
        search = decoder.begin(count, times=count > 1)
    place = 0
    for size in [*sizes, 1]:
        search.feed(matrix[place : place + size])
        place += size
        beginning = search.beginning()
        assert len(beginning.word_spans) == len(beginning.words)
        spans = [0, *(edge for span in beginning.word_spans for edge in (span.start, span.end)), place]
        assert spans == sorted(spans)
    assert search.finish() == whole


def test_what_no_hypothesis_needs_is_dropped(monkeypatch):
    rooms = []
    for kept in (1 << 10, 1 << 40):
        monkeypatch.setattr(token_search, "_KEPT", kept)
        monkeypatch.setattr(token_search, "_free", [])
        search = DECODERS["words", True].begin(5)
        search.feed(speech(0, 8000))
        memory = search._search._room.memory
        rooms.append((len(memory.links.leaf), len(memory.histories.sequences.pair), len(memory.histories.state)))
    assert all(4 * some <= every for some, every in zip(*rooms, strict=True))


def test_a_search_in_the_room_of_another_finds_the_same():
    decoder, matrices = DECODERS["words", True], [speech(seed, frames) for seed, frames in ((1, 400), (2, 30), (3, 90))]
    fresh = []
    for matrix in matrices:
        token_search._free.clear()
        fresh.append(decoder.decode_nbest(matrix, 5, times=True))
    assert len(token_search._free) == 1
    assert [decoder.decode_nbest(matrix, 5, times=True) for matrix in matrices] == fresh
    assert len(token_search._free) == 1
    # Two at once have rooms of their own.
    searches = [decoder.begin(5, times=True) for _ in matrices]
    for first in range(0, 400, 10):
        for search, matrix in zip(searches, matrices, strict=True):
            search.feed(matrix[first : first + 10])
    assert [search.finish() for search in searches] == fresh


def test_phones_in_blocks():
    matrix = speech(1, 50)
    search = PhoneSearch(PHONES, nbest=3)
    for first in range(0, 50, 7):
        search.feed(matrix[first : first + 7])
        assert search.beginning() == recognise_phones(matrix[: first + 7], PHONES, nbest=3)
    assert search.finish() == [recognise_phones(matrix, PHONES, nbest=3)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 120), units=st.integers(0, 30), at_once=st.integers(1, 2000))
def test_an_alignment_that_keeps_little_is_the_same(seed, frames, units, at_once):
    rng = np.random.default_rng(seed)
    matrix, labels = speech(seed, frames), rng.integers(1, 5, units).tolist()
    graph = ctc_graph.ctc_graph([[[unit], [unit, 1 + unit % 4]] for unit in labels], silence=5)
    expected = ctc_graph.viterbi(matrix, graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctc_graph, "_AT_ONCE", at_once)
        found = ctc_graph.viterbi(matrix, graph)
    assert (expected is None and found is None) or np.array_equal(found, expected)


@pytest.mark.parametrize("oov", ["words", "phones"])
def test_times_of_a_long_path_are_those_of_its_parts(oov, monkeypatch):
    for seed in range(10):
        matrix = speech(seed, 300)
        search = DECODERS[oov, True].begin()
        search.feed(matrix)
        (path,) = search._paths()
        whole = traceback.with_times(path, matrix, matrix, Pauses())
        monkeypatch.setattr(traceback, "_AT_ONCE", 0)
        monkeypatch.setattr(traceback, "_PART", 40)
        parts = traceback.with_times(path, matrix, matrix, Pauses())
        monkeypatch.undo()
        score = align_units(matrix, path.units).score
        assert traceback._align(matrix, path).score == pytest.approx(score)
        assert [span.label for span in parts.word_spans] == [span.label for span in whole.word_spans]
        # Equally good paths may differ by where a phone is repeated.
        same = [one == other for one, other in zip(whole.phone_spans, parts.phone_spans, strict=True)]
        assert np.mean(same) > 0.95


def moving_sum(left, right, step):
    """Return a model whose outputs depend on ``left`` frames before and ``right`` after every ``step``-th frame."""

    def posteriors(features):
        padded = np.pad(features, ((left, right), (0, 0)))
        return np.stack([padded[at : at + left + right + 1].sum(axis=0) for at in range(0, len(features), step)])

    return posteriors


@settings(max_examples=25, deadline=None)
@given(left=st.integers(0, 40), right=st.integers(0, 40), step=st.integers(1, 4), frames=st.integers(1, 300))
def test_windows_of_the_reach_are_as_good_as_everything(left, right, step, frames):
    model = moving_sum(left, right, step)
    reach = find_reach(model, 3, step)
    assert left <= reach.left <= left + step and right <= reach.right <= right + step and reach.left % step == 0
    features = np.random.default_rng(frames).normal(size=(frames, 3))
    whole = model(features)
    assert np.allclose(windowed_posteriors(model, features, reach, step, 12 * step), whole, atol=1e-9)
    # Less is too little: what was found is no more than what is needed.
    less = Reach(max(left - step, 0) // step * step, right)
    if left >= step and frames > 12 * step + left:
        assert not np.allclose(windowed_posteriors(model, features, less, step, 12 * step), whole, atol=1e-9)


def test_posteriors_of_long_utterances_are_computed_in_windows(monkeypatch):
    longest = []

    def compute(model, features, lengths):
        longest.append(features.shape[1])
        return [model(matrix[:length]) for matrix, length in zip(features, lengths, strict=True)]

    local = functools.partial(compute, moving_sum(7, 5, 3))
    features, lengths = np.random.default_rng(0).normal(size=(2, 3000, 4)), np.array([3000, 2500])
    whole = posteriors_of_batch(local, features, lengths, 3)
    assert longest == [3000]
    monkeypatch.setattr(reach_module, "_LONG", 1000)
    parts = posteriors_of_batch(local, features, lengths, 3)
    assert max(longest[1:]) < 1000
    assert all(np.allclose(one, other) for one, other in zip(parts, whole, strict=True))
    everything = functools.partial(compute, lambda matrix: matrix + matrix.sum())
    found = posteriors_of_batch(everything, features, lengths, 1)
    assert np.allclose(found[1], features[1, :2500] + features[1, :2500].sum())


def test_a_model_that_looks_at_everything_has_no_reach():
    assert find_reach(lambda features: np.cumsum(features, axis=0) + features.sum(axis=0), 2, 1) is None
    assert find_reach(moving_sum(450, 450, 1), 2, 1) is None
