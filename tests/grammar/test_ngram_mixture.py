"""Two language models in one: Bayesian interpolation against its formula."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.errors import LexiconError
from speechtl.grammar.kneser_ney import END, START, UNKNOWN
from speechtl.grammar.ngram_mixture import choose_shares, mix_ngrams
from speechtl.grammar.ngram_model import train_ngram

VOCABULARY = "abcd"
TEXTS = st.lists(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=5), min_size=2, max_size=6)


def trained(text, order=3, vocabulary=VOCABULARY):
    longest = max(len(sentence) for sentence in text) + 2
    return train_ngram(text, min(order, longest), vocabulary=vocabulary)


def histories(model):
    return {ngram[:place] for ngram, _ in model.ngrams() for place in range(len(ngram))}


@settings(max_examples=60)
@given(first=TEXTS, second=TEXTS, share=st.sampled_from([0.0, 0.2, 0.5, 1.0]), orders=st.sampled_from([(3, 3), (2, 3)]))
def test_every_history_sums_to_one(first, second, share, orders):
    models = [trained(first, orders[0]), trained(second, orders[1], vocabulary="abce")]
    mixed = mix_ngrams(models, [1 - share, share])
    for history in histories(mixed):
        words = mixed.vocabulary - {START}
        assert sum(10 ** mixed.log10_probability(word, history) for word in words) == pytest.approx(1, abs=2e-4)


@settings(max_examples=40)
@given(first=TEXTS, second=TEXTS)
def test_what_a_model_lists_has_the_probability_of_the_formula(first, second):
    models, shares = [trained(first), trained(second)], [0.7, 0.3]
    mixed = mix_ngrams(models, shares)
    for ngram, _ in models[0].ngrams():
        *history, word = ngram
        if word == START:
            continue
        joint = list(shares)
        for number, model in enumerate(models):
            for place, earlier in enumerate(history):
                if earlier != START:
                    joint[number] *= 10 ** model.log10_probability(earlier, history[:place])
        values = [10 ** model.log10_probability(word, history) for model in models]
        expected = sum(j * v for j, v in zip(joint, values)) / sum(joint)
        assert 10 ** mixed.log10_probability(word, history) == pytest.approx(expected)


def test_a_share_of_all_is_that_model():
    model, other = trained([list("abab"), list("ac")]), trained([list("ddd")], vocabulary="abcd")
    mixed = mix_ngrams([model, other], [1.0, 0.0])
    for ngram, (expected, _) in model.ngrams():
        if ngram[-1] != START:
            assert mixed.log10_probability(ngram[-1], ngram[:-1]) == pytest.approx(expected, abs=1e-9)


def test_a_word_that_only_one_model_has_keeps_its_place():
    mixed = mix_ngrams([trained([["a", "b"]]), trained([["x", "y"]], vocabulary="xy")], [0.5, 0.5])
    assert {"a", "b", "x", "y", UNKNOWN, END} <= mixed.vocabulary
    # Behind x it is a sentence of the second kind, however often a stands after the start.
    assert mixed.log10_probability("y", [START, "x"]) > mixed.log10_probability("b", [START, "x"]) + 0.5


def test_kinds_of_sentences_are_told_apart_and_counted():
    rng = random.Random(1)

    def sentence(kind):
        return rng.choices("ab" if kind else "cd", k=4)

    kinds = [rng.random() < 0.3 for _ in range(400)]
    models = [trained([sentence(kind) for _ in range(100)]) for kind in (True, False)]
    text = [sentence(kind) for kind in kinds]
    shares = choose_shares(models, text)
    assert shares == pytest.approx([sum(kinds) / len(kinds), 1 - sum(kinds) / len(kinds)], abs=0.01)
    mixed = mix_ngrams(models, shares)
    linear = math.exp(
        -sum(
            math.log(sum(share * 10**p for share, p in zip(shares, scores)))
            for words in text
            for scores in zip(*(model.sentence_log10_probabilities(words) for model in models))
        )
        / (5 * len(text))
    )
    # The letters before tell the kind, which word by word is forgotten.
    assert mixed.perplexity(text) < 0.8 * linear
    assert mixed.perplexity(text) < min(model.perplexity(text) for model in models)


@pytest.mark.parametrize("shares", [[0.5], [0.5, 0.6], [1.5, -0.5]])
def test_shares_that_are_none_are_refused(shares):
    model = trained([["a"]])
    with pytest.raises(LexiconError, match="2 language models need as many shares that sum to 1"):
        mix_ngrams([model, model], shares)
