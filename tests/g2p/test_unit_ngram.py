import math

import numpy as np
import pytest

from speechtl.g2p.search import score, step
from speechtl.g2p.unit_ngram import END, FIRST_UNIT, START, UnitNgram, train_unit_ngram
from speechtl.grammar.ngram_model import train_ngram


def sequences(count, seed=0, units=8):
    rng = np.random.default_rng(seed)
    weights = np.arange(units, 0, -1) / (units * (units + 1) / 2)
    return [[int(unit) + FIRST_UNIT for unit in rng.choice(units, rng.integers(1, 7), p=weights)] for _ in range(count)]


@pytest.mark.parametrize("order", [1, 2, 3, 5, 8])
def test_probabilities_are_those_of_the_word_grammar(order):
    training, size = sequences(200), 12
    model = train_unit_ngram(training, size, order)
    # Units 10 and 11 are in no sequence; one of them has the share that the word grammar gives to <unk>.
    vocabulary = [str(unit) for unit in range(FIRST_UNIT, size - 1)]
    text = [[str(unit) for unit in sequence] for sequence in training]
    grammar = train_ngram(text, order, vocabulary=vocabulary)
    for sequence in [*sequences(40, seed=1, units=9), *training[:20]]:
        expected = grammar.sentence_log10_probability([str(unit) for unit in sequence]) * math.log(10)
        assert score(model.tree, np.array(sequence)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_what_can_follow_any_history_sums_to_one(order):
    model = train_unit_ngram(sequences(50), 12, order)
    for history in ([], [2], [2, 3], [9, 9, 9, 2], [11]):
        state = 1 + START
        for unit in history:
            state = step(model.tree, state, unit)[1]
        shares = [math.exp(step(model.tree, state, unit)[0]) for unit in range(END, 12)]
        assert sum(shares) == pytest.approx(1.0, abs=1e-5)


def test_a_grammar_is_rebuilt_from_its_arrays():
    for training, order in ((sequences(100), 5), ([[2]], 8), (sequences(3), 1)):
        model = train_unit_ngram(training, 12, order)
        again = UnitNgram.from_arrays(model.to_arrays())
        assert again.order == model.order
        assert all(np.array_equal(first, second) for first, second in zip(again.tree, model.tree))


def test_arrays_that_do_not_belong_together_are_refused():
    arrays = train_unit_ngram(sequences(20), 12, 3).to_arrays()
    for name in ("unit", "children", "log_probability"):
        with pytest.raises((ValueError, IndexError)):
            UnitNgram.from_arrays({**arrays, name: arrays[name][:-5]})
