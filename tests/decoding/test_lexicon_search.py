"""The search against a brute force that scores every word sequence, and the corners."""

import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_search import LexiconDecoder
from speechtl.errors import LexiconError
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phones import PhoneInventory

PHONES = PhoneInventory(["a", "b", "sil"])
WIDE = {"beam": 1e6, "max_active": 10**9, "lattice_beam": 1e6}


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
    silences = [(), (inventory.index(config.silence_phone),)] if config.silence_phone in inventory else [()]
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


@settings(deadline=None, max_examples=25)
@given(words=WORDS, config=CONFIGS, seed=st.integers(0, 10**6), frames=st.integers(1, 4))
def test_word_loop_agrees_with_brute_force(words, config, seed, frames):
    lexicon, scores = lexicon_of(words), random_posteriors(seed, frames)
    expected = brute_force(scores, lexicon, PHONES, config, most_words=frames)
    check(LexiconDecoder(lexicon, PHONES, None, config).decode(scores), expected)


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
    nbest = decoder.decode_nbest(scores, 5)
    assert len(nbest) == min(5, len(expected))
    assert len({hypothesis.words for hypothesis in nbest}) == len(nbest)
    wanted = sorted(expected.values(), reverse=True)[: len(nbest)]
    assert [hypothesis.score for hypothesis in nbest] == pytest.approx(wanted, abs=2e-3)
    for hypothesis in nbest:
        assert expected[hypothesis.words] == pytest.approx(hypothesis.score, abs=2e-3)
