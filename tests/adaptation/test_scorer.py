"""Errors before and after adaptation are of what decoding finds."""

import numpy as np
import pytest

from speechtl.adaptation.scorer import Scorer
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.phone_recognition import recognise_phones
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

INVENTORY = PhoneInventory(["e", "i", "t"])
# A vowel between two: each alone is less probable than the blank, both together are more so.
POSTERIORS = np.log(np.array([[8, 1, 1, 0.1], [0.5, 0.1, 0.1, 9], [4, 2.6, 3.1, 0.2], [8, 1, 1, 0.1]]) / 10.2).astype(
    np.float32
)


@pytest.mark.parametrize(("decision", "errors"), [("best_path", 1), ("pooled", 0)])
def test_phones_are_those_that_decoding_finds(decision, errors):
    config = DecodingConfig(mode="isolated", phone_decision=decision)
    found = " ".join(recognise_phones(POSTERIORS, INVENTORY, config).phones)
    assert found == ("t i" if decision == "pooled" else "t")
    without = Scorer(INVENTORY, None, None, config).score({"one": "t i"}, {"one": POSTERIORS, "more": POSTERIORS})
    assert (without.phones.total.errors, without.phones.reference_length) == (errors, 2)
    assert without.main is without.phones
    words = Lexicon()
    words.add("tea", ["t", "i"])
    words.add("tate", ["t", "e", "t"])
    score = Scorer(INVENTORY, words, None, config).score({"one": "tea"}, {"one": POSTERIORS})
    assert score.words.total.errors == 0
    assert (score.phones.total.errors, score.phones.reference_length) == (errors, 2)
    assert score.main is score.words
