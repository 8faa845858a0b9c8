"""Mixtures of language models: for example, one of transcripts of the domain and one of a list of names."""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence

from speechtl.errors import LexiconError
from speechtl.grammar.arpa import Entries, Ngram
from speechtl.grammar.kneser_ney import START, UNKNOWN
from speechtl.grammar.ngram_model import NgramModel

_NEVER = -99.0
_ROUNDS = 50


def mix_ngrams(models: Sequence[NgramModel], shares: Sequence[float]) -> NgramModel:
    """Return one back-off language model for sentences that are each of one of several kinds.

    Bayesian interpolation (Allauzen & Riley 2011): ``P(w | h) = Σᵢ P(i | h) Pᵢ(w | h)`` with
    ``P(i | h) ∝ shareᵢ · Pᵢ(h)`` for every n-gram ``h w`` of any of the models; other words back off. So the history
    tells which kind of sentence it is, as far back as the longest n-grams reach. A word that a model lacks
    has probability 0 there: its ``<unk>`` stands for words that no model has.

    Args:
        models: the language models.
        shares: of the sentences, one for each model; they sum to 1.

    Raises:
        LexiconError: no shares that sum to 1, or a number of them that is not that of the models.
    """
    if len(models) != len(shares) or any(share < 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        listed = ", ".join(f"{share:g}" for share in shares)
        raise LexiconError(f"{len(models)} language models need as many shares that sum to 1 (got {listed})")
    order = max(model.order for model in models)
    continuations = _continuations(models, order)
    tables: list[Entries] = []
    for length in range(1, order + 1):
        table: Entries = {}
        for history, words in continuations[length].items():
            kinds = _kinds(models, shares, history)
            for word in words:
                probability = sum(
                    kind * 10 ** model.log10_probability(word, history)
                    for kind, model in zip(kinds, models)
                    if word in model
                )
                certain = word != START and probability > 0
                ngram = (*history, word)
                table[ngram] = (math.log10(probability) if certain else _NEVER, 0.0)
        tables.append(table)
        if length > 1:
            _set_back_offs(tables, continuations[length])
    return NgramModel(tables)


def choose_shares(models: Sequence[NgramModel], sentences: Sequence[Sequence[str]]) -> list[float]:
    """Return the shares of the kinds of sentences that a text was most probably made with.

    Expectation maximisation over whole sentences, from equal shares: ``shareᵢ = mean of P(i | sentence)``.

    Raises:
        LexiconError: the text is empty.
    """
    if not sentences:
        raise LexiconError("no sentence to choose the shares of the language models on")
    scores = [[model.sentence_log10_probability(sentence) for model in models] for sentence in sentences]
    shares = [1 / len(models)] * len(models)
    for _ in range(_ROUNDS):
        posteriors = [_normalised([_log10(s) + p for s, p in zip(shares, row)]) for row in scores]
        shares = [sum(column) / len(sentences) for column in zip(*posteriors)]
    return shares


def _continuations(models: Sequence[NgramModel], order: int) -> list[dict[Ngram, dict[str, None]]]:
    """Return, for each length, history -> words that follow it in an n-gram of any model."""
    found: list[dict[Ngram, dict[str, None]]] = [defaultdict(dict) for _ in range(order + 1)]
    for ngram, _ in itertools.chain.from_iterable(model.ngrams() for model in models):
        # A history must be an n-gram itself, since its back-off weight is written there.
        for length in range(len(ngram), 0, -1):
            words = found[length][ngram[: length - 1]]
            if ngram[length - 1] in words:
                break
            words[ngram[length - 1]] = None
    return found


def _kinds(models: Sequence[NgramModel], shares: Sequence[float], history: Ngram) -> list[float]:
    """Return ``P(i | history)`` for each model."""
    scores = []
    for model, share in zip(models, shares):
        steps = [(word, history[:place]) for place, word in enumerate(history) if word != START]
        known = all(word in model or word == UNKNOWN for word, _ in steps)
        total = sum(model.log10_probability(word, before) for word, before in steps)
        scores.append(_log10(share) + total if known else -math.inf)
    return _normalised(scores) if max(scores) > -math.inf else list(shares)


def _normalised(log10_values: Sequence[float]) -> list[float]:
    largest = max(log10_values)
    values = [10 ** (value - largest) for value in log10_values]
    return [value / sum(values) for value in values]


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def _set_back_offs(tables: list[Entries], continuations: dict[Ngram, dict[str, None]]) -> None:
    """Give the histories of the longest n-grams so far the weights with which their words sum to 1."""
    shorter = NgramModel(tables[:-1])
    for history, words in continuations.items():
        ngrams = [(*history, word) for word in words]
        left = 1 - sum(10 ** tables[-1][ngram][0] for ngram in ngrams)
        below = 1 - sum(10 ** shorter.log10_probability(word, history[1:]) for word in words)
        # Where every word of the vocabulary follows, nothing is left on either side but rounding.
        weight = _NEVER if left < 1e-9 else 0.0 if below < 1e-9 else math.log10(left / below)
        probability, _ = tables[-2][history]
        tables[-2][history] = (probability, weight)
