"""The search against a brute force that scores every word sequence, and the corners."""

import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.alignment.span import Hypothesis
from speechtl.config import parse
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.errors import ConfigError, DataError, LexiconError
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

PHONES = PhoneInventory(["a", "b", "sil"])
WIDE = {"beam": 1e6, "max_active": 10**9, "blank_margin": math.inf}


def lexicon_of(entries):
    lexicon = Lexicon()
    for word, phones, *probability in entries:
        lexicon.add(word, phones.split(), *probability)
    return lexicon


def posteriors_of(phones, inventory=PHONES, sharpness=6.0, frames=2):
    """Make posteriors that say these phones: each for a number of frames, then one frame of blank."""
    units = [unit for phone in phones.split() for unit in [inventory.index(phone)] * frames + [0]]
    scores = np.zeros((len(units), len(inventory) + 1), np.float32)
    scores[np.arange(len(units)), units] = sharpness
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def write_arpa(path, ngrams):
    """Write {(words): (log10 probability, log10 back-off)}."""
    order = max(map(len, ngrams))
    by_order = [{k: v for k, v in ngrams.items() if len(k) == n} for n in range(1, order + 1)]
    lines = ["\\data\\", *(f"ngram {n}={len(some)}" for n, some in enumerate(by_order, 1)), ""]
    for n, some in enumerate(by_order, 1):
        lines.append(f"\\{n}-grams:")
        for words, (probability, back_off) in some.items():
            lines.append("\t".join([repr(probability), " ".join(words)] + ([repr(back_off)] if n < order else [])))
        lines.append("")
    path.write_text("\n".join([*lines, "\\end\\", ""]), encoding="utf-8")
    return path


def viterbi(scores, phones):
    """Score the best CTC alignment of a phone string, by its definition: a table over frames and blank-padded units."""
    units = [0, *itertools.chain.from_iterable((unit, 0) for unit in phones)]
    best = np.full(len(units), -math.inf)
    best[:2] = scores[0, units[:2]]
    for row in scores[1:]:
        new = np.full(len(units), -math.inf)
        for place, unit in enumerate(units):
            sources = [best[place]]
            if place >= 1:
                sources.append(best[place - 1])
            if place >= 2 and unit != 0 and unit != units[place - 2]:
                sources.append(best[place - 2])
            new[place] = max(sources) + row[unit]
        best = new
    return max(best[-2:])


def sentence_score(ngrams, words):
    """Score a sentence with the best path of back-offs, in natural logarithm; None for no grammar is 0."""
    order = max(map(len, ngrams))

    def best(history, rest):
        if not rest:
            return 0.0
        scores = [-math.inf]
        if (*history, rest[0]) in ngrams:
            following = (*history, rest[0])[-(order - 1) :] if order > 1 else ()
            scores.append(ngrams[(*history, rest[0])][0] + best(following, rest[1:]))
        if history:
            scores.append(ngrams.get(history, (0.0, 0.0))[1] + best(history[1:], rest))
        return max(scores)

    return math.log(10) * best(("<s>",) if ("<s>",) in ngrams else (), [*words, "</s>"])


def brute_force(scores, lexicon, inventory, config, ngrams=None, most_words=3):
    """Score every sequence of at most ``most_words`` words: {words: score}."""
    scores = scores.astype(np.float64) * config.acoustic_scale
    scores[:, 0] -= config.blank_penalty * config.acoustic_scale
    silence = (inventory.index(config.silence_phone),) if config.silence_phone in inventory else ()
    # Silence may come back after a blank; there are too few frames for a third one.
    silences = [(), silence, silence * 2] if silence else [()]
    spoken = {ngram[-1] for ngram in ngrams or {}}
    unknown = [word for word in lexicon.entries if word not in spoken] if "<unk>" in spoken else []
    alignment = functools.cache(lambda phones: viterbi(scores, phones))
    result = {}
    for count in range(most_words + 1):
        for words in itertools.product(lexicon.entries, repeat=count):
            base = -config.word_insertion_penalty * count
            if ngrams is not None:
                grammar = sentence_score(ngrams, ["<unk>" if word in unknown else word for word in words])
                share = sum(math.log(len(unknown)) for word in words if word in unknown)
                if grammar == -math.inf:
                    continue
                base += config.lm_weight * (grammar - share) - config.oov_penalty * sum(w in unknown for w in words)
            best = -math.inf
            for options in itertools.product(*(lexicon.entries[word] for word in words)):
                for gaps in itertools.product(silences, repeat=count + 1 if len(silences) > 1 else 1):
                    phones = list(gaps[0])
                    for number, option in enumerate(options, 1):
                        phones += inventory.encode(option.phones)
                        phones += gaps[number] if len(silences) > 1 else ()
                    if len(silences) > 1 and count == 0:
                        phones = list(gaps[0])
                    prior = sum(math.log(option.probability) for option in options)
                    best = max(best, prior + alignment(tuple(phones)))
            if best > -math.inf:
                result[words] = base + best
    return result


WORDS = st.lists(
    st.tuples(
        st.sampled_from(["u", "v", "w", "x"]),
        st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(" ".join),
        st.sampled_from([1.0, 0.5, 0.1]),
    ),
    min_size=1,
    max_size=6,
)
CONFIGS = st.builds(
    lambda **values: DecodingConfig(**WIDE, **values),
    lm_weight=st.sampled_from([0.5, 1.0, 2.0]),
    word_insertion_penalty=st.sampled_from([-1.0, 0.0, 2.0]),
    blank_penalty=st.sampled_from([-0.5, 0.0, 1.0]),
    acoustic_scale=st.sampled_from([0.5, 1.0]),
    oov_penalty=st.sampled_from([0.0, 0.7]),
    silence_phone=st.sampled_from(["sil", "none"]),
)


def random_posteriors(seed, frames):
    scores = np.random.default_rng(seed).normal(size=(frames, len(PHONES) + 1)) * 2
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


def random_ngrams(seed, order, unknown):
    """Make any back-off table, normalised or not, with gaps; words that the lexicon may lack, too."""
    random = np.random.default_rng(seed)
    words = ["u", "v", "w", *(["<unk>"] if unknown else [])]
    ngrams = {(word,): tuple(random.uniform(-2, 0, 2)) for word in [*words, "</s>"]}
    ngrams[("<s>",)] = (-99.0, random.uniform(-1, 0))
    for length in range(2, order + 1):
        for history in [ngram for ngram in ngrams if len(ngram) == length - 1 and ngram[-1] != "</s>"]:
            for word in [*words, "</s>"]:
                if random.random() < 0.4:
                    ngrams[(*history, word)] = tuple(random.uniform(-2, 0, 2))
    # An ARPA file has no back-offs for the longest.
    return {ngram: (float(p), float(b) * (len(ngram) < order)) for ngram, (p, b) in ngrams.items()}


def check(hypothesis, expected):
    """Compare with the brute force; sequences of equal score are as good as each other."""
    best = max(expected.values())
    assert hypothesis.complete
    assert hypothesis.score == pytest.approx(best, abs=2e-3)
    assert expected[hypothesis.words] == pytest.approx(best, abs=2e-3)
    assert hypothesis.score == pytest.approx(hypothesis.acoustic_score + hypothesis.graph_score)


def check_nbest(hypotheses, count, expected):
    assert len(hypotheses) == min(count, len(expected))
    assert len({hypothesis.words for hypothesis in hypotheses}) == len(hypotheses)
    wanted = sorted(expected.values(), reverse=True)[: len(hypotheses)]
    assert [hypothesis.score for hypothesis in hypotheses] == pytest.approx(wanted, abs=2e-3)
    for hypothesis in hypotheses:
        assert expected[hypothesis.words] == pytest.approx(hypothesis.score, abs=2e-3)


@settings(deadline=None, max_examples=25)
@given(words=WORDS, config=CONFIGS, seed=st.integers(0, 10**6), frames=st.integers(1, 4))
def test_word_loop_agrees_with_brute_force(words, config, seed, frames):
    lexicon, scores = lexicon_of(words), random_posteriors(seed, frames)
    expected = brute_force(scores, lexicon, PHONES, config, most_words=frames)
    decoder = LexiconDecoder(lexicon, PHONES, None, config)
    check(decoder.decode(scores), expected)
    check_nbest(decoder.decode_nbest(scores, 5), 5, expected)


@settings(deadline=None, max_examples=25)
@given(
    words=WORDS,
    config=CONFIGS,
    seed=st.integers(0, 10**6),
    frames=st.integers(1, 4),
    order=st.integers(1, 3),
    unknown=st.booleans(),
)
def test_grammar_agrees_with_brute_force(tmp_path_factory, words, config, seed, frames, order, unknown):
    ngrams = random_ngrams(seed, order, unknown)
    path = write_arpa(tmp_path_factory.mktemp("grammar") / "grammar.arpa", ngrams)
    lexicon, scores = lexicon_of(words), random_posteriors(seed, frames)
    if not unknown and set(lexicon.entries) == {"x"}:
        with pytest.raises(LexiconError, match="no word of the lexicon"):
            LexiconDecoder(lexicon, PHONES, path, config)
        return
    expected = brute_force(scores, lexicon, PHONES, config, ngrams, most_words=frames)
    decoder = LexiconDecoder(lexicon, PHONES, path, config)
    check(decoder.decode(scores), expected)
    check_nbest(decoder.decode_nbest(scores, 5), 5, expected)


GREETING = [("hat", "a b"), ("hut", "b a"), ("hah", "a"), ("hub", "b")]


def test_the_graph_needs_no_wide_beam_on_clear_speech():
    decoder = LexiconDecoder(lexicon_of(GREETING), PHONES)
    assert decoder.decode(posteriors_of("a b b a")).words == ("hat", "hut")


def test_a_phone_may_repeat_across_words_and_within():
    lexicon = lexicon_of([("one", "a"), ("two", "b a"), ("three", "a a b")])
    decoder = LexiconDecoder(lexicon, PHONES, None, DecodingConfig(word_insertion_penalty=1))
    assert decoder.decode(posteriors_of("b a a a a b")).words == ("two", "one", "three")
    # Two equal phones need a blank between them: held without a break, the phone is one.
    assert decoder.decode(posteriors_of("a", frames=6)).words == ("one",)


def test_a_word_that_begins_another_one():
    lexicon = lexicon_of([("a", "a"), ("ab", "a b"), ("aba", "a b a"), ("b", "b")])
    decoder = LexiconDecoder(lexicon, PHONES, None, DecodingConfig(word_insertion_penalty=1))
    assert decoder.decode(posteriors_of("a b")).words == ("ab",)
    assert decoder.decode(posteriors_of("a b a")).words == ("aba",)
    assert decoder.decode(posteriors_of("a")).words == ("a",)


def test_homophones_are_told_apart_by_the_grammar(tmp_path):
    lexicon = lexicon_of([("write", "a b"), ("right", "a b"), ("turn", "b a")])
    ngrams = {("<s>",): (-99.0, 0.0), ("</s>",): (-1.0, 0.0), ("<unk>",): (-3.0, 0.0)}
    ngrams |= {(word,): (-1.0, 0.0) for word in lexicon.entries}
    ngrams |= {("turn", "right"): (-0.1, 0.0), ("<s>", "write"): (-0.1, 0.0)}
    decoder = LexiconDecoder(lexicon, PHONES, write_arpa(tmp_path / "g.arpa", ngrams))
    assert decoder.decode(posteriors_of("a b")).words == ("write",)
    assert decoder.decode(posteriors_of("b a a b")).words == ("turn", "right")


def test_the_more_probable_pronunciation_wins_where_both_fit():
    lexicon = lexicon_of([("often", "a b"), ("seldom", "a b", 0.1)])
    best, second = LexiconDecoder(lexicon, PHONES).decode_nbest(posteriors_of("a b"), 2)
    assert (best.words, second.words) == (("often",), ("seldom",))
    assert best.score - second.score == pytest.approx(math.log(10), abs=1e-3)
    assert best.phones == second.phones == ("a", "b")


def test_phones_are_those_of_the_pronunciation_that_was_found():
    lexicon = lexicon_of([("tomato", "a b a"), ("tomato", "b b a", 0.5)])
    hypothesis = LexiconDecoder(lexicon, PHONES).decode(posteriors_of("b b a"))
    assert (hypothesis.words, hypothesis.phones) == (("tomato",), ("b", "b", "a"))


def test_silence_may_stand_anywhere_between_words():
    decoder = LexiconDecoder(lexicon_of(GREETING), PHONES)
    hypothesis = decoder.decode(posteriors_of("sil a b sil b a sil"))
    assert hypothesis.words == ("hat", "hut")
    assert hypothesis.phones == ("sil", "a", "b", "sil", "b", "a", "sil")


def test_words_that_the_grammar_lacks(tmp_path):
    lexicon = lexicon_of([("old", "a"), ("new", "b"), ("newer", "b b")])
    ngrams = {("<s>",): (-99.0, 0.0), ("</s>",): (-1.0, 0.0), ("old",): (-0.3, 0.0)}
    closed = LexiconDecoder(lexicon, PHONES, write_arpa(tmp_path / "closed.arpa", ngrams))
    assert closed.unreachable_words == ("new", "newer") and not closed.unknown_words
    assert closed.decode(posteriors_of("a b")).words != ("old", "new")
    with_unknown = write_arpa(tmp_path / "open.arpa", {**ngrams, ("<unk>",): (-1.0, 0.0)})
    opened = LexiconDecoder(lexicon, PHONES, with_unknown)
    assert opened.unknown_words == ("new", "newer") and not opened.unreachable_words
    assert opened.decode(posteriors_of("a b")).words == ("old", "new")
    # Each of the two words has half of <unk>.
    assert opened.decode(posteriors_of("b")).graph_score == pytest.approx(math.log(0.1 / 2 * 0.1), abs=1e-4)


def test_no_frames_are_the_empty_hypothesis():
    decoder = LexiconDecoder(lexicon_of(GREETING), PHONES)
    for empty in (np.zeros((0, 4), np.float32), np.zeros((0,), np.float32)):
        hypothesis = decoder.decode(empty)
        assert (hypothesis.words, hypothesis.phones, hypothesis.complete) == ((), (), True)
        assert decoder.decode_nbest(empty, 3) == [hypothesis]


def test_one_frame():
    decoder = LexiconDecoder(lexicon_of(GREETING), PHONES, None, DecodingConfig(word_insertion_penalty=0))
    assert decoder.decode(posteriors_of("a")[:1]).words == ("hah",)
    assert decoder.decode(posteriors_of("a")[-1:]).words == ()


def test_a_word_cut_short_is_marked():
    # Neither blank nor silence is possible here, so there is no way to say nothing.
    scores = posteriors_of("a", frames=1)[:1]
    scores[:, [0, 3]] = -np.inf
    decoder = LexiconDecoder(lexicon_of([("ab", "a b")]), PHONES)
    hypothesis = decoder.decode(scores)
    assert (hypothesis.phones, hypothesis.complete) == (("a",), False)
    assert decoder.decode_nbest(scores, 5) == [hypothesis]


def test_no_path_at_all_is_marked():
    hypothesis = LexiconDecoder(lexicon_of(GREETING), PHONES).decode(np.full((3, 4), -np.inf, np.float32))
    assert hypothesis == Hypothesis((), (), -math.inf, complete=False)


def test_posteriors_are_left_as_they_were():
    scores = posteriors_of("a b")
    before = scores.copy()
    LexiconDecoder(lexicon_of(GREETING), PHONES, None, DecodingConfig(blank_penalty=3)).decode(scores)
    assert np.array_equal(scores, before)


def test_posteriors_of_another_model():
    with pytest.raises(DataError, match=r"shape 2 x 7, expected frames x 4 \(the blank and 3 phones\)"):
        LexiconDecoder(lexicon_of(GREETING), PHONES).decode(np.zeros((2, 7), np.float32))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_posteriors_that_are_not_numbers(value):
    scores = posteriors_of("a b")
    scores[1, 2] = value
    with pytest.raises(DataError, match="NaN or inf in places"):
        LexiconDecoder(lexicon_of(GREETING), PHONES).decode(scores)


def test_probabilities_instead_of_their_logarithms():
    with pytest.raises(DataError, match="not natural logarithms of probabilities"):
        LexiconDecoder(lexicon_of(GREETING), PHONES).decode(np.exp(posteriors_of("a b")))


@pytest.mark.parametrize("name", ["lm_weight", "word_insertion_penalty", "blank_penalty", "filler_penalty"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_and_penalties_are_finite(name, value):
    with pytest.raises(ConfigError, match=name):
        parse(DecodingConfig, {name: value}, "config.toml")


def test_a_lexicon_without_words():
    with pytest.raises(LexiconError, match="the lexicon has no words"):
        LexiconDecoder(Lexicon(), PHONES)


def test_phones_that_the_model_lacks_are_all_listed():
    with pytest.raises(LexiconError) as error:
        LexiconDecoder(lexicon_of([("tea", "t a"), ("key", "k a")]), PHONES)
    message = str(error.value)
    assert "the model lacks phones" in message
    assert "phone 't' is unknown" in message and "phone 'k' is unknown" in message
    assert "nearest known" in message and "needed by: tea" in message


def test_a_grammar_without_sentence_end(tmp_path):
    path = write_arpa(tmp_path / "g.arpa", {("<s>",): (-99.0, 0.0), ("hat",): (-0.1, 0.0)})
    with pytest.raises(LexiconError, match="</s>"):
        LexiconDecoder(lexicon_of(GREETING), PHONES, path)


def test_a_long_word_and_many_homophones():
    phones = " ".join("ab" * 30)
    lexicon = lexicon_of([(f"word{number}", phones, 1 / (number + 1)) for number in range(50)])
    hypotheses = LexiconDecoder(lexicon, PHONES).decode_nbest(posteriors_of(phones), 3)
    assert [hypothesis.words for hypothesis in hypotheses] == [("word0",), ("word1",), ("word2",)]


def test_a_beam_of_one_gives_a_result():
    decoder = LexiconDecoder(lexicon_of(GREETING), PHONES, None, DecodingConfig(beam=1, max_active=2))
    assert isinstance(decoder.decode(posteriors_of("a b b a")), Hypothesis)
