"""The best-matching pronunciations against all combinations tried one by one."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from speechtl.errors import LexiconError
from speechtl.lang.lexicon import Lexicon
from speechtl.scoring.pronunciation_match import best_pronunciation, reference_phones

phones = st.sampled_from("abcd")
variants = st.lists(st.lists(phones, min_size=1, max_size=4), min_size=1, max_size=3)


def make_lexicon(entries):
    lexicon = Lexicon()
    for word, options in entries.items():
        for option in options:
            lexicon.add(word, option)
    return lexicon


@settings(max_examples=80, deadline=None)
@given(st.fixed_dictionaries({"w": variants, "v": variants, "u": variants}), st.data())
def test_choice_needs_the_fewest_edits_of_all(entries, data):
    words = data.draw(st.lists(st.sampled_from("wvu"), max_size=5))
    found = data.draw(st.lists(st.sampled_from("abcde"), max_size=12))
    chosen = best_pronunciation(words, found, make_lexicon(entries))
    combinations = [list(itertools.chain(*choice)) for choice in itertools.product(*(entries[w] for w in words))]
    assert chosen in combinations
    assert Levenshtein.distance(chosen, found) == min(Levenshtein.distance(each, found) for each in combinations)


def test_without_evidence_the_first_pronunciation_stands():
    lexicon = make_lexicon({"the": [["ð", "ə"], ["ð", "iː"]], "end": [["ɛ", "n", "d"]]})
    assert reference_phones({"u": "the end", "v": "the", "w": ""}, {"u": "ð iː ɛ n", "w": "x"}, lexicon) == {
        "u": "ð iː ɛ n d",
        "v": "ð ə",
        "w": "",
    }


def test_all_unknown_words_are_listed():
    with pytest.raises(LexiconError, match=r"2 words are not in the lexicon(.|\n)*'x'(.|\n)*'y'"):
        reference_phones({"u": "a x", "v": "y x"}, {}, make_lexicon({"a": [["a"]]}))
