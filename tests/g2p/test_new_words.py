import pytest

from speechtl.errors import LexiconError
from speechtl.g2p.new_words import (
    NewWord,
    choose_pronouncer,
    parse_new_word,
    parse_new_words,
    read_phones,
)
from speechtl.lang.lexicon import Lexicon, Pronunciation
from speechtl.lang.phone_inventory import PhoneInventory

INVENTORY = PhoneInventory(["k", "u", "b", "ʌ", "n", "ɛ", "t", "i", "z", "t͡ʃ", "ɹ"])


class Guesser:
    caution = "learnt from 3 words"

    def pronounce(self, word, n=3):
        options = [("k", "u", "b"), ("k", "ʁ"), ("t͡ʃ",)]
        return [Pronunciation(phones, p) for phones, p in zip(options, (0.5, 0.25, 0.01))][:n]


def error_of(*arguments, **options):
    with pytest.raises(LexiconError) as error:
        parse_new_word(*arguments, **options)
    return str(error.value)


def test_a_word_with_its_phones():
    expected = NewWord("Kubernetes", [Pronunciation(("k", "u", "b", "ə", "n"))], [])
    assert parse_new_word("Kubernetes=k u b ə n") == expected
    assert parse_new_word(" Kubernetes = kubən ") == expected
    assert parse_new_word("Kubernetes=k u b @ n", notation="xsampa") == expected
    assert parse_new_word("x=CH IY1 Z", notation="arpabet").pronunciations[0].phones == ("t͡ʃ", "i", "z")
    word, pronunciations, notes = parse_new_word("Kubernetes=k u b ə n", inventory=INVENTORY)
    assert (word, pronunciations) == ("Kubernetes", [Pronunciation(("k", "u", "b", "ʌ", "n"))])
    assert notes == ["'Kubernetes': phones that the model lacks, as the nearest that it has: ə -> ʌ"]


def test_a_piece_of_several_letters_is_one_phone_if_the_inventory_has_it_whole():
    assert read_phones("tʃ a") == ("t", "ʃ", "a")
    assert read_phones("tʃ ʧi", inventory=PhoneInventory(["tʃ", "i"])) == ("tʃ", "t͡ʃ", "i")


def test_a_word_alone_is_guessed_with_the_likely_candidates_only():
    word, pronunciations, notes = parse_new_word("cub", Guesser(), INVENTORY)
    assert word == "cub"
    assert pronunciations == [Pronunciation(("k", "u", "b"), 1.0), Pronunciation(("k", "ɹ"), 0.5)]
    assert notes == [
        "'cub' is pronounced by guess: k u b, k ɹ; learnt from 3 words",
        "'cub': phones that the model lacks, as the nearest that it has: ʁ -> ɹ",
    ]
    assert len(parse_new_word("cub", Guesser(), candidates=1).pronunciations) == 1


def test_every_mistake_says_what_to_do():
    assert error_of("=a") == "'=a': no word before '='; write WORD=PHONES or WORD"
    assert error_of("two words=a").startswith("'two words=a': a word has no spaces in it (got 'two words')")
    assert error_of("") == "'': no word before '='; write WORD=PHONES or WORD"
    assert error_of("x= ").startswith("'x= ': no phones after '='")
    assert "'Q' (U+0051 LATIN CAPITAL LETTER Q) is not IPA" in error_of("x=k Q š")
    assert "write ʃ" in error_of("x=k Q š")
    assert "write 'x=PHONES'" in error_of("x")
    assert "no phones are left" in error_of("x=˥", inventory=INVENTORY)


def test_words_are_read_together_and_their_problems_too():
    words = parse_new_words(["a=k u", "b=n", "a=k i", "a=k u"])
    assert [(new.word, [option.phones for option in new.pronunciations]) for new in words] == [
        ("a", [("k", "u"), ("k", "i")]),
        ("b", [("n",)]),
    ]
    with pytest.raises(LexiconError) as error:
        parse_new_words(["a=", "=b", "c=k"])
    assert str(error.value).startswith("2 bad words:\n  'a='")


def test_what_guesses_is_chosen_by_what_is_given(tmp_path):
    lexicon = Lexicon()
    assert choose_pronouncer() is None and choose_pronouncer(lexicon) is None
    for word in ("ba", "ab", "abba", "bab", "aba"):
        lexicon.add(word, list(word))
    learnt = choose_pronouncer(lexicon)
    assert learnt.pronounce("baba", 1)[0].phones == ("b", "a", "b", "a")
    learnt.save(tmp_path / "model")
    assert choose_pronouncer(model=tmp_path / "model").pronounce("baba") == learnt.pronounce("baba")
    assert choose_pronouncer(lexicon, rules="es").pronounce("ca", 1)[0].phones == ("k", "a")
    with pytest.raises(LexiconError, match="give one of them"):
        choose_pronouncer(model=tmp_path / "model", rules="es")
