"""Many utterances, several threads, and tuning, on posteriors made of phone strings."""

import numpy as np
import pytest

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.decode import decode
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.decoding.tune import parse_grid, tune
from speechtl.errors import ConfigError, DataError
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

PHONES = PhoneInventory(["a", "b", "k"])
WORDS = {"abba": "a b b a", "back": "b a k", "a": "a", "b": "b", "k": "k"}


@pytest.fixture
def lexicon():
    lexicon = Lexicon()
    for word, phones in WORDS.items():
        lexicon.add(word, phones.split())
    return lexicon


def posteriors_of(text, seed, sharpness=4.0):
    """Make noisy posteriors: each phone two frames, then a blank."""
    units = [u for word in text.split() for phone in WORDS[word].split() for u in [PHONES.index(phone)] * 2 + [0]]
    scores = np.random.default_rng(seed).normal(size=(len(units), 4))
    scores[np.arange(len(units)), units] += sharpness
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


TEXTS = {
    f"utt{number}": text for number, text in enumerate(["abba back", "back", "abba", "back back abba", "abba"] * 6)
}
POSTERIORS = {utterance: posteriors_of(text, number) for number, (utterance, text) in enumerate(TEXTS.items())}


def test_threads_give_what_one_gives_in_the_same_order(lexicon):
    decoder = LexiconDecoder(lexicon, PHONES, None, DecodingConfig(word_insertion_penalty=4))
    alone = list(decode(POSTERIORS.items(), decoder, nbest=3))
    assert [utterance for utterance, _ in alone] == list(POSTERIORS)
    assert list(decode(iter(POSTERIORS.items()), decoder, nbest=3, jobs=2)) == alone
    assert list(decode([], decoder, jobs=2)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bad_utterance_is_named(lexicon, jobs):
    pairs = [("good", POSTERIORS["utt0"]), ("bad", np.zeros((3, 9), np.float32))]
    with pytest.raises(DataError, match="utterance bad: posteriors of shape 3 x 9"):
        list(decode(pairs, LexiconDecoder(lexicon, PHONES), jobs=jobs))


def test_tuning_finds_the_penalty_that_words_need(lexicon):
    grid = {"blank_penalty": [0.0, 1.0], "word_insertion_penalty": [-4.0, 0.0, 4.0]}
    tuning = tune(POSTERIORS, TEXTS, lexicon, PHONES, None, DecodingConfig(beam=20), grid)
    assert len(tuning.trials) == 6
    assert tuning.best.errors == min(trial.errors for trial in tuning.trials)
    assert tuning.config.word_insertion_penalty == tuning.best.values["word_insertion_penalty"] == 4.0
    assert tuning.config.beam == 20
    assert tuning.best.rate < 0.2 < max(trial.rate for trial in tuning.trials)
    decoder = LexiconDecoder(lexicon, PHONES, None, tuning.config)
    errors = sum(" ".join(best[0].words) != TEXTS[key] for key, best in decode(POSTERIORS.items(), decoder))
    assert (errors == 0) == (tuning.best.errors == 0)
    assert tune(POSTERIORS, TEXTS, lexicon, PHONES, None, DecodingConfig(beam=20), grid, jobs=2) == tuning


def test_among_equals_the_middle_of_the_plateau(lexicon):
    clear = {key: posteriors_of(text, 0, sharpness=50) for key, text in TEXTS.items()}
    grid = {"word_insertion_penalty": [-500.0, 1.0, 5.0, 20.0, 2000.0]}
    tuning = tune(clear, TEXTS, lexicon, PHONES, None, None, grid)
    assert [trial.errors == 0 for trial in tuning.trials] == [False, True, True, True, False]
    assert tuning.config.word_insertion_penalty == 5.0


def test_tuning_lists_what_does_not_match(lexicon):
    references = {**TEXTS, "silent": "abba"}
    del references["utt3"]
    with pytest.raises(DataError) as error:
        tune(POSTERIORS, references, lexicon, PHONES, None)
    assert "utterance utt3 has no reference" in str(error.value)
    assert "utterance silent has no posteriors" in str(error.value)
    with pytest.raises(DataError, match="no reference has a word"):
        tune({"x": POSTERIORS["utt0"]}, {"x": ""}, lexicon, PHONES, None)


def test_a_grid_of_impossible_values(lexicon):
    with pytest.raises(ConfigError, match="lm_weight"):
        tune(POSTERIORS, TEXTS, lexicon, PHONES, None, None, {"lm_weight": [-1.0]})


def test_a_grid_is_read_and_every_mistake_in_it_is_told():
    assert parse_grid(["lm_weight=0.5,1", "beam=10"]) == {"lm_weight": (0.5, 1.0), "beam": (10.0,)}
    with pytest.raises(ConfigError) as error:
        parse_grid(["lm_wait=1", "beam=wide", "beam=1", "beam=2", "lm_weight"])
    for problem in ("lm_wait=1: no such", "beam=wide: expected", "beam=2: beam has values", "lm_weight: expected"):
        assert problem in str(error.value)
