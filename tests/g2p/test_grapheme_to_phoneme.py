import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.errors import LexiconError
from speechtl.g2p.grapheme_alignment import align_spellings
from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme, spell
from speechtl.g2p.search import best_paths, score
from speechtl.g2p.unit_ngram import FIRST_UNIT, train_unit_ngram
from speechtl.lang.lexicon import Lexicon

FOLDER = Path(__file__).parents[2] / "lexicons"
# A language that is spelt as it is spoken, but for a silent h, x for two phones and a c that a following i softens.
SOUNDS = {"a": "a", "e": "e", "i": "i", "o": "o", "b": "b", "d": "d", "h": "", "x": "k s", "n": "n", "r": "r", "s": "z"}


def said(word):
    phones = []
    for position, letter in enumerate(word):
        if letter == "c":
            phones.append("t͡ʃ" if word[position + 1 : position + 2] == "i" else "k")
        else:
            phones += SOUNDS[letter].split()
    return tuple(phones)


def invented(count, seed):
    rng = np.random.default_rng(seed)
    words = set()
    while len(words) < count:
        word = "".join(rng.choice(list("bdhxnrsc")) + rng.choice(list("aeio")) for _ in range(rng.integers(1, 5)))
        words.add(word + rng.choice(["", "n", "x", "h"]))
    return sorted(words)


def lexicon_of(words):
    lexicon = Lexicon()
    for word in words:
        lexicon.add(word, said(word))
    return lexicon


@pytest.fixture(scope="module")
def regular():
    return GraphemeToPhoneme.train(lexicon_of(invented(150, seed=0)))


@pytest.fixture(scope="module")
def english():
    return GraphemeToPhoneme.train(Lexicon.load(FOLDER / "en" / "lexicon.txt"))


def cuts(alignment, number):
    units = alignment.units
    return [(units.letters[unit], units.phones[unit]) for unit in alignment.sequences[number]]


def test_the_alignment_recovers_the_units_that_words_were_made_of():
    words = invented(150, seed=0)
    alignment = align_spellings(words, [said(word) for word in words])
    for number, word in enumerate(words):
        expected = [
            (letter, ("t͡ʃ" if word[i + 1 : i + 2] == "i" else "k",) if letter == "c" else said(letter))
            for i, letter in enumerate(word)
        ]
        assert cuts(alignment, number) == expected
    assert alignment.units.probabilities.sum() == pytest.approx(1.0)


def test_the_alignment_finds_letters_that_stand_together_for_one_phone():
    words = ["sha", "sho", "ash", "osh", "sa", "so", "ha", "ho", "as", "os", "oh", "ah", "shosa", "hasho"]
    phones = [tuple(word.replace("sh", "ʃ")) for word in words]
    alignment = align_spellings(words, phones, max_letters=2)
    assert cuts(alignment, words.index("hasho")) == [("h", ("h",)), ("a", ("a",)), ("sh", ("ʃ",)), ("o", ("o",))]
    assert set(alignment.units.letters) == {"sh", "s", "h", "a", "o"}


@given(
    st.lists(
        st.tuples(st.text("abc", min_size=1, max_size=5), st.lists(st.sampled_from("xyz"), min_size=1, max_size=6)),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 3),
)
@settings(max_examples=30)
def test_each_cut_has_all_letters_and_phones_and_the_likelihood_never_falls(pairs, max_letters):
    words, phones = [word for word, _ in pairs], [said for _, said in pairs]
    possible = [len(said) <= 2 * len(word) for word, said in pairs]
    if not any(possible):
        with pytest.raises(LexiconError, match="no word can be aligned"):
            align_spellings(words, phones, max_letters=max_letters)
        return
    alignment = align_spellings(words, phones, max_letters=max_letters)
    for number, (word, own) in enumerate(pairs):
        assert (alignment.sequences[number] is not None) == possible[number]
        if possible[number]:
            pieces = cuts(alignment, number)
            assert "".join(letters for letters, _ in pieces) == word
            assert [phone for _, some in pieces for phone in some] == own
            assert all(len(own) <= (2 if len(some) == 1 else 1) for some, own in pieces)
            assert all(len(some) <= max_letters for some, _ in pieces)
    likelihoods = alignment.log_likelihoods
    assert all(later >= earlier - 1e-6 * abs(earlier) for earlier, later in itertools.pairwise(likelihoods))


def every_path(options, position=0):
    if position == len(options):
        yield []
        return
    for count, units in enumerate(options[position], start=1):
        for unit in units:
            yield from ([unit, *rest] for rest in every_path(options, position + count))


@pytest.mark.parametrize("seed", range(5))
def test_the_search_finds_what_trying_everything_finds(seed):
    rng = np.random.default_rng(seed)
    size = FIRST_UNIT + 6
    training = [[int(u) for u in rng.integers(FIRST_UNIT, size, rng.integers(1, 6))] for _ in range(40)]
    grammar = train_unit_ngram(training, size, order=int(rng.integers(1, 5)))
    options = [
        [
            rng.choice(np.arange(FIRST_UNIT, size), rng.integers(1, 4), replace=False).tolist()
            for _ in range(min(int(rng.integers(1, 3)), 5 - position))
        ]
        for position in range(5)
    ]
    everything = sorted(
        ((float(score(grammar.tree, np.array(path))), path) for path in every_path(options)), reverse=True
    )
    found = best_paths(options, grammar, beam=10_000, threshold=1e9)
    assert [value for value, _ in found] == pytest.approx([value for value, _ in everything])
    assert sorted(path for _, path in found) == sorted(path for _, path in everything)
    assert best_paths(options, grammar, beam=10_000, threshold=5.0)[0][0] == pytest.approx(everything[0][0])
    assert len(best_paths(options, grammar, beam=3, threshold=1e9)) <= 3


def test_the_search_knows_when_nothing_spells_a_word():
    grammar = train_unit_ngram([[2, 3]], 5, 2)
    assert best_paths([[[2]], [[]]], grammar, 10, 10.0) == []


def test_a_regular_language_is_learnt_from_150_words(regular):
    unseen = [word for word in invented(400, seed=5) if word not in set(invented(150, seed=0))]
    phone_errors, word_errors = regular.error_rates(lexicon_of(unseen), unseen)
    assert phone_errors < 0.01 and word_errors < 0.03
    (best, *_) = regular.pronounce("cicaxeh")
    assert best.phones == ("t͡ʃ", "i", "k", "a", "k", "s", "e") and best.probability > 0.5
    assert "learnt from 150 words only" in regular.caution


@given(st.text("abdehinorsxc", min_size=1, max_size=8).filter(lambda word: word.strip("h")))
@settings(max_examples=40)
def test_candidates_differ_and_their_probabilities_are_ordered_and_sum_to_at_most_one(regular, word):
    options = regular.pronounce(word, 20)
    probabilities = [option.probability for option in options]
    assert options and probabilities == sorted(probabilities, reverse=True)
    assert probabilities[-1] > 0.0 and sum(probabilities) <= 1.0 + 1e-9
    assert len({option.phones for option in options}) == len(options)
    assert all(option.phones for option in options)
    assert regular.pronounce(word, 2) == options[:2]


def test_a_saved_model_gives_the_same(regular, tmp_path):
    regular.save(tmp_path / "model")
    again = GraphemeToPhoneme.load(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert again.letters == regular.letters and again.phones == regular.phones and again.words == 150
    for word in invented(20, seed=9):
        assert again.pronounce(word, 10) == regular.pronounce(word, 10)


def test_training_twice_gives_the_same(regular):
    again = GraphemeToPhoneme.train(lexicon_of(invented(150, seed=0)))
    assert again.pronounce("cixo", 5) == regular.pronounce("cixo", 5)


def test_a_few_words_of_english_give_something_sensible(english):
    for word, expected in {"stopped": "s t ɑ p", "ten": "t ɛ n", "fort": "f ɔ ɹ t", "right": "ɹ a͡ɪ t"}.items():
        assert " ".join(english.pronounce(word, 1)[0].phones).startswith(expected), word
    assert "171 words" in english.caution


def test_case_diacritics_and_punctuation(english):
    plain = english.pronounce("cafe", 3)
    assert plain == english.pronounce("CAFE", 3) == english.pronounce("Café", 3) == english.pronounce("ca-fe.", 3)
    assert spell("한") == "\u1112\u1161\u11ab" and spell("E\u0301") == "é"


def test_letters_without_a_sound_of_their_own_are_no_dead_end():
    lexicon = Lexicon()
    for word, phones in {"qui": "k i", "qua": "k a", "ia": "i a", "ka": "k a", "kik": "k i k"}.items():
        lexicon.add(word, phones.split())
    model = GraphemeToPhoneme.train(lexicon, max_letters=2)
    assert model.pronounce("iq", 1)[0].phones == ("i", "k")


def test_words_with_many_phones_per_letter_make_the_units_larger():
    chinese = Lexicon.load(FOLDER / "zh" / "lexicon.txt", tone="drop")
    model = GraphemeToPhoneme.train(chinese)
    assert model.pronounce("六七", 1)[0].phones == ("l", "j", "o͡ʊ", "t͡ɕʰ", "i")


def test_words_whose_phones_have_no_room_are_left_out():
    lexicon = lexicon_of(invented(150, seed=0))
    lexicon.add("s", ["a", "b", "a", "b", "a", "b", "a", "b", "a"])
    assert GraphemeToPhoneme.train(lexicon).pronounce("si", 1)[0].phones == ("z", "i")
    alone = Lexicon()
    alone.add("s", ["a"] * 9)
    with pytest.raises(LexiconError, match="no word can be aligned with its phones"):
        GraphemeToPhoneme.train(alone)
    with pytest.raises(LexiconError, match="no words to learn pronunciations from"):
        GraphemeToPhoneme.train(Lexicon())


def test_letters_never_seen_are_named(regular, english):
    with pytest.raises(LexiconError) as error:
        regular.pronounce("wabkw")
    assert str(error.value).startswith("'wabkw': no word that pronunciations were learnt from has 'w', 'k'; write")
    with pytest.raises(LexiconError, match="no letters in it"):
        english.pronounce("--")


def test_what_is_no_model_is_refused(tmp_path, regular):
    path = tmp_path / "model"
    with pytest.raises(LexiconError, match="cannot read: No such file"):
        GraphemeToPhoneme.load(path)
    regular.save(path)
    good = path.read_bytes()
    # In the directory of the archive, a flag says that a file is encrypted, and a number how it is packed.
    entry = good.index(b"PK\1\2")
    encrypted, packed = (
        good[: entry + place] + bytes([number]) + good[entry + place + 1 :] for place, number in ((8, 1), (10, 99))
    )
    for content in (b"", b"text", good[:2000], good.replace(b"about", b"cloud"), encrypted, packed):
        path.write_bytes(content)
        with pytest.raises(LexiconError, match="not a grapheme-to-phoneme model"):
            GraphemeToPhoneme.load(path)
    np.savez(path.with_suffix(".npz"), about=np.zeros(3))
    with pytest.raises(LexiconError, match="not a grapheme-to-phoneme model"):
        GraphemeToPhoneme.load(path.with_suffix(".npz"))


def test_scores_of_candidates_are_finite(regular):
    assert all(math.isfinite(option.probability) for option in regular.pronounce("x" * 80, 5))
