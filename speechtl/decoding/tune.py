"""Choose the weights of decoding on held-out data."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from speechtl.config import parse
from speechtl.decoding.confidence import Calibration, calibration, confidence_of, fit_weights, mark_correct
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.decode import decode
from speechtl.decoding.lexicon_decoder import SEARCH_ONLY, LexiconDecoder
from speechtl.errors import ConfigError, DataError, list_problems
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.progress import progress_bar

GRID_WITH_LANGUAGE_MODEL: dict[str, tuple[float, ...]] = {
    "lm_weight": (0.3, 0.5, 0.7, 1.0, 1.4, 2.0),
    "word_insertion_penalty": (-1.0, 0.0, 1.0, 2.0, 3.0),
    "blank_penalty": (0.0, 1.0, 2.0, 3.0, 4.0),
}
GRID_WITHOUT_LANGUAGE_MODEL: dict[str, tuple[float, ...]] = {
    "word_insertion_penalty": (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0),
    "blank_penalty": (0.0, 1.0, 2.0),
}


# Confidences are evaluated by cross-validation in this many parts.
_PARTS = 5


@dataclasses.dataclass(frozen=True)
class Trial:
    """One point of the grid: ``values`` of the settings, word ``errors`` and words of the reference."""

    values: dict[str, float]
    errors: int
    reference_length: int

    @property
    def rate(self) -> float:
        """Word error rate, 1.0 is 100 %."""
        return self.errors / self.reference_length


@dataclasses.dataclass(frozen=True)
class Tuning:
    """The chosen settings, and what they were chosen from.

    Attributes:
        config: with the best values, and with weights of the confidence that were fitted on the same data.
        best: the trial of these values.
        trials: every trial in the order of the grid.
        confidence: calibration of the confidences on utterances that their weights were not fitted on (five-fold
            cross-validation).
    """

    config: DecodingConfig
    best: Trial
    trials: tuple[Trial, ...]
    confidence: Calibration


def tune(
    posteriors: Mapping[str, np.ndarray],
    references: Mapping[str, str],
    lexicon: Lexicon,
    inventory: PhoneInventory,
    language_model: NgramModel | WordGraph | None,
    config: DecodingConfig | None = None,
    grid: Mapping[str, Sequence[float]] | None = None,
    *,
    jobs: int | None = 1,
) -> Tuning:
    """Try every point of a grid of settings and choose the one with the fewest word errors.

    Among points with equally few errors, the one with the fewest on and around it (its neighbours in the grid) is
    taken, since a broad minimum is more likely to hold on other data; then the one in the middle of all such points.

    Args:
        posteriors: utterance -> natural logarithms ``(frames, units)``. Data that neither training nor testing uses.
        references: utterance -> words, for the same utterances.
        lexicon: the words.
        inventory: the phones of the model's units 1, 2, ...
        language_model: a back-off n-gram model, a graph of words (commands), or None.
        config: the settings that are not in the grid.
        grid: setting -> values to try; by default weight and penalties around what usual models need.
        jobs: threads.

    Raises:
        DataError: utterances without reference or without posteriors (all listed), or no word in any reference.
        ConfigError: a value of the grid that its setting cannot have.
    """
    # Not among what recognition needs.
    import jiwer

    config = config or DecodingConfig()
    grid = dict(grid or (GRID_WITHOUT_LANGUAGE_MODEL if language_model is None else GRID_WITH_LANGUAGE_MODEL))
    problems = [f"utterance {key} has no reference" for key in sorted(posteriors.keys() - references.keys())]
    problems += [f"utterance {key} has no posteriors" for key in sorted(references.keys() - posteriors.keys())]
    if problems:
        raise DataError(list_problems("cannot tune:", problems))
    length = sum(len(text.split()) for text in references.values())
    if not length:
        raise DataError("cannot tune: no reference has a word; give transcribed speech")

    # Points with equal weights share the look-ahead, so the other settings vary fastest.
    names = sorted(grid, key=lambda name: name in SEARCH_ONLY)
    points = [dict(zip(names, values)) for values in itertools.product(*(grid[name] for name in names))]
    configs = [parse(DecodingConfig, {**config.model_dump(), **point}, f"grid {point}") for point in points]
    decoder = LexiconDecoder(lexicon, inventory, language_model, configs[0])
    errors: list[int] = []
    with progress_bar("tuning", len(points)) as advance:
        for one in configs:
            decoder = decoder.with_config(one)
            words = {key: " ".join(best[0].words) for key, best in decode(posteriors.items(), decoder, jobs=jobs)}
            result = jiwer.process_words([references[key] for key in words], list(words.values()))
            errors.append(result.substitutions + result.deletions + result.insertions)
            advance()
    trials = tuple(Trial(point, count, length) for point, count in zip(points, errors))
    best = _middle_of_the_best([len(grid[name]) for name in names], errors)
    weights, confidence = _fit_confidence(decoder.with_config(configs[best]), posteriors, references)
    return Tuning(configs[best].model_copy(update={"confidence_weights": weights}), trials[best], trials, confidence)


def parse_grid(settings: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Read ``["lm_weight=0.5,1", "beam=10"]``.

    Raises:
        ConfigError: a setting without numbers, an unknown setting, or a repeated one; all are listed.
    """
    grid: dict[str, tuple[float, ...]] = {}
    problems = []
    for setting in settings:
        name, _, values = setting.partition("=")
        try:
            numbers = tuple(float(value) for value in values.split(","))
        except ValueError:
            problems.append(f"{setting}: expected setting=number,number")
            continue
        if name not in DecodingConfig.model_fields:
            problems.append(
                f"{setting}: no such setting of decoding; there are {', '.join(DecodingConfig.model_fields)}"
            )
        elif name in grid:
            problems.append(f"{setting}: {name} has values already; give them all at once")
        grid[name] = numbers
    if problems:
        raise ConfigError(list_problems("the grid of the tuning:", problems))
    return grid


def _fit_confidence(
    decoder: LexiconDecoder, posteriors: Mapping[str, np.ndarray], references: Mapping[str, str]
) -> tuple[tuple[float, ...], Calibration]:
    features, correct, part = [], [], []
    for number, (key, matrix) in enumerate(sorted(posteriors.items())):
        hypothesis, described = decoder.describe_words(matrix)
        features.append(described)
        correct += mark_correct(references, [(key, hypothesis.words)])[key]
        part += [number % _PARTS] * len(described)
    inputs, truth, parts = np.concatenate(features), np.array(correct, bool), np.array(part)
    sure = np.zeros(len(truth))
    for one in set(part):
        held_out = parts == one
        sure[held_out] = confidence_of(inputs[held_out], fit_weights(inputs[~held_out], truth[~held_out]))
    weights = fit_weights(inputs, truth) if len(truth) else decoder.config.confidence_weights
    return weights, calibration(sure.tolist(), correct)


def _middle_of_the_best(sizes: Sequence[int], errors: Sequence[int]) -> int:
    """Return the point with the fewest errors, among equals the one whose neighbourhood has the lowest mean.

    Among equals of that, too, the one nearest to the middle of them all.
    """
    grid = np.array(errors, dtype=np.float64).reshape(sizes)
    ranks = {}
    for place in np.ndindex(*sizes):
        around = grid[tuple(slice(max(index - 1, 0), index + 2) for index in place)]
        ranks[place] = (grid[place], float(around.mean()))
    lowest = min(ranks.values())
    tied = np.array([place for place, rank in ranks.items() if rank == lowest])
    middle = tied[np.argmin(((tied - tied.mean(axis=0)) ** 2).sum(axis=1))]
    return int(np.ravel_multi_index(tuple(middle), tuple(sizes)))
