"""The search against kaldi-decoder on a compiled graph HLG: the same words and the same score, at wide beams."""

import math

import numpy as np
import pytest

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.grammar.ngram_model import train_ngram
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

pytest.importorskip("kaldifst")
pytest.importorskip("kaldi_decoder")
kaldi_graph = pytest.importorskip("kaldi_graph")

PHONES = PhoneInventory([*"abdeiklmnoprstu"])
# No silence: the graph has one between words, the search any number, so with a silent phone their scores differ.
EXACT = {"beam": 60.0, "max_active": 10**6, "blank_margin": math.inf}


@pytest.fixture(scope="module")
def lexicon():
    """300 words of two to five phones, some of them with two pronunciations, some of them homophones."""
    generator = np.random.default_rng(0)
    lexicon = Lexicon()
    for number in range(300):
        for probability in (1.0,) if number % 5 else (0.7, 0.3):
            while True:
                said = [str(phone) for phone in generator.choice(PHONES.phones, generator.integers(2, 6))]
                if all(option.phones != tuple(said) for option in lexicon.entries.get(f"w{number}", ())):
                    break
            lexicon.add(f"w{number}", said, probability)
    for number in range(10):
        lexicon.add(f"homophone{number}", lexicon.entries[f"w{number}"][0].phones)
    return lexicon


@pytest.fixture(scope="module")
def grammar(lexicon):
    generator = np.random.default_rng(1)
    words = sorted(lexicon.entries)
    favourite = {word: generator.choice(words, 3) for word in words}
    sentences = []
    for _ in range(400):
        sentence = [str(generator.choice(words))]
        while generator.random() < 0.8:
            sentence.append(str(generator.choice(favourite[sentence[-1]])))
        sentences.append(sentence)
    return train_ngram(sentences, 3, vocabulary=words), sentences


def speak(sentence, lexicon, generator):
    """Posteriors of a sentence, noisy enough that words are confused, ties all but impossible."""
    rows = []
    for word in sentence:
        options = lexicon.entries[word]
        for phone in options[generator.integers(len(options))].phones:
            for unit in (PHONES.index(phone), 0)[: 1 + generator.integers(2)]:
                row = generator.normal(0, 1.5, len(PHONES) + 1)
                row[unit] += 4
                rows.append(row)
        row = generator.normal(0, 1.5, len(PHONES) + 1)
        row[0] += 4
        rows.append(row)
    logits = np.array(rows)
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ("with_grammar", "settings"),
    [
        (True, {}),
        (True, {"lm_weight": 0.6, "word_insertion_penalty": 1.5, "blank_penalty": 2.0, "acoustic_scale": 0.7}),
        (False, {}),
        (False, {"word_insertion_penalty": 3.0, "blank_penalty": 1.0}),
    ],
)
def test_same_words_and_score(with_grammar, settings, lexicon, grammar):
    model, sentences = grammar
    config = DecodingConfig(**EXACT, **settings)
    decoder = LexiconDecoder(lexicon, PHONES, model if with_grammar else None, config)
    graph = kaldi_graph.compile_graph(lexicon, PHONES, model if with_grammar else None, config)
    generator = np.random.default_rng(2)
    errors = 0
    for sentence in sentences[:25]:
        posteriors = speak(sentence[:6], lexicon, generator)
        mine = decoder.decode(posteriors)
        words, score = kaldi_graph.kaldi_decode(graph, PHONES, config, posteriors)
        assert mine.score == pytest.approx(score, abs=2e-3)
        # Words that sound alike have one score where no grammar tells them apart.
        same = [{option.phones for option in lexicon.entries[word]} for word in mine.words]
        for heard, word in zip(same, words, strict=True):
            assert with_grammar is False or heard & {option.phones for option in lexicon.entries[word]}
        if with_grammar:
            assert mine.words == words
        errors += list(mine.words) != sentence[:6]
    assert errors, "too easy to tell anything"


def test_narrow_beams_find_what_wide_ones_do(lexicon, grammar):
    """Look-ahead: at a beam at which the compiled graph loses the best path, the search must not lose it more often."""
    model, sentences = grammar
    wide = LexiconDecoder(lexicon, PHONES, model, DecodingConfig(**EXACT))
    narrow = DecodingConfig(**{**EXACT, "beam": 8.0})
    mine = wide.with_config(narrow)
    graph = kaldi_graph.compile_graph(lexicon, PHONES, model, narrow)
    generator = np.random.default_rng(3)
    lost_by_me = lost_by_graph = 0
    for sentence in sentences[25:75]:
        posteriors = speak(sentence[:6], lexicon, generator)
        best = wide.decode(posteriors).words
        lost_by_me += mine.decode(posteriors).words != best
        found = kaldi_graph.kaldi_decode(graph, PHONES, narrow, posteriors)
        lost_by_graph += found is None or found[0] != best
    assert lost_by_me <= lost_by_graph + 1
