from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.errors import LexiconError
from speechtl.lang.ipa_chart import chart_distance, read_chart_phone
from speechtl.lang.ipa_symbols import LETTERS
from speechtl.lang.lexicon import Lexicon, Pronunciation
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.phone_mapping import describe_replacements, fit_lexicon, map_lexicon, map_to_inventory
from speechtl.lang.sounds import sounds_of

FOLDER = Path(__file__).parents[2] / "lexicons"
LEXICONS = {path.parent.name: Lexicon.load(path) for path in sorted(FOLDER.glob("*/lexicon.txt"))}
ALL_PHONES = sorted({phone for lexicon in LEXICONS.values() for phone in lexicon.phones()})
ENGLISH = PhoneInventory(sorted(LEXICONS["en"].phones()))


def replacement(phone, inventory=ENGLISH):
    return " ".join(map_to_inventory(["p", phone], inventory)[0][1:])


@pytest.mark.parametrize(
    ("phones", "expected"),
    [
        # What English speakers' models can best stand in with for German, Russian, Arabic, Mandarin and Spanish phones.
        ("r ɾ ʁ ɻ", "ɹ ɹ ɹ ɹ"),
        ("x χ ħ", "h h h"),
        ("β ɣ ð", "v ɡ ð"),
        ("ʂ ɕ t͡ɕ t͡ʂ d͡ʑ", "ʃ ʃ t͡ʃ t͡ʃ d͡ʒ"),
        ("tʲ rʲ lʲ d̪ sˤ t͡ʃʰ tː", "t ɹ l d s t͡ʃ t"),
        ("iː uː eː oː aː", "i u e͡ɪ o͡ʊ ɑ"),
        ("e o a ɨ ə", "ɛ ɔ ɑ ɪ ʌ"),
        ("a˥˩ ˈi", "ɑ i"),
        ("ɔ͡ʏ ɲ n̩", "ɔ͡ɪ n j ʌ n"),
        ("ɹ̩ ɻ̩˧˥ ɚ", "ɝ ɝ ɝ"),
    ],
)
def test_replacements_are_what_a_phonetician_would_take(phones, expected):
    assert " ".join(replacement(phone) for phone in phones.split()) == expected


@pytest.mark.parametrize(
    ("unit", "sounds"),
    [
        # Syllables; r-coloured and other units of espeak; diphthongs of MFA and affricates without tie bars.
        ("ʃi", "ʃ i"),
        ("stɔp", "s t ɔ p"),
        ("ɔːɹ", "ɔː ɹ"),
        ("əl", "ə l"),
        ("aɪɚ", "a͡ɪ ɚ"),
        ("aɪə", "a͡ɪ ə"),
        ("ow", "o͡w"),
        ("aj", "a͡j"),
        ("aja", "a j a"),
        ("ɪə", "ɪ͡ə"),
        ("tʃ", "t͡ʃ"),
        ("t͡ʃiː", "t͡ʃ iː"),
        ("ts", "t͡s"),
        ("kʃ", "k ʃ"),
        ("tz", "t z"),
        ("ˈaɪ˥", "ˈa͡ɪ˥"),
        ("t͡ʃ", "t͡ʃ"),
        ("n̩", "n̩"),
    ],
)
def test_a_unit_is_taken_apart_into_its_sounds(unit, sounds):
    assert " ".join(sounds_of(unit)) == sounds


def test_units_of_several_sounds_are_said_and_what_is_none_names_its_words():
    lexicon = Lexicon()
    lexicon.add("she", ["ʃi"])
    lexicon.add("fire", ["f", "aɪɚ"])
    lexicon.add("north", ["n", "ɔːɹ", "θ"])
    lexicon.add("go", ["ɡ", "ow"])
    mapped, replaced = map_lexicon(lexicon, ENGLISH)
    assert replaced == {"ʃi": "ʃ i", "aɪɚ": "a͡ɪ ɝ", "ɔːɹ": "ɔ ɹ", "ow": "o͡ʊ"}
    assert mapped.entries["fire"] == [Pronunciation(("f", "a͡ɪ", "ɝ"))]
    # A model that was trained on such units has them.
    assert map_to_inventory(["ʃi", "t", "i"], PhoneInventory(["ʃi", "p", "i"]))[0] == ("ʃi", "p", "i")
    lexicon.add("noise", ["NSN", "a"])
    with pytest.raises(LexiconError, match=r"'NSN'.*; needed by: noise"):
        map_lexicon(lexicon, ENGLISH)


@given(st.lists(st.sampled_from(ALL_PHONES), min_size=1, max_size=4))
def test_any_unit_is_mapped_or_an_error_of_ours(phones):
    try:
        mapped, _ = map_to_inventory(["p", "".join(phones)], ENGLISH)
    except LexiconError:
        return
    assert all(phone in ENGLISH for phone in mapped)


def test_a_lexicon_is_fitted_or_refused_and_what_was_replaced_is_logged_once(caplog):
    caplog.set_level("INFO")
    lexicon = Lexicon()
    lexicon.add("rat", ["ʁ", "æ", "t"])
    lexicon.add("rot", ["ʁ", "ɑ", "t"])
    assert fit_lexicon(lexicon, ENGLISH).entries["rat"] == [Pronunciation(("ɹ", "æ", "t"))]
    assert [one.getMessage() for one in caplog.records] == [
        "lexicon: phones that the model lacks, as the nearest that it has: ʁ -> ɹ"
    ]
    with pytest.raises(LexiconError, match=r"phone 'ʁ' is unknown; nearest known: .*; needed by: rat rot"):
        fit_lexicon(lexicon, ENGLISH, "refuse")


def test_two_vowels_for_a_diphthong_and_two_consonants_for_an_affricate_where_no_other_is_near():
    inventory = PhoneInventory(["p", "t", "ʃ", "a", "e", "i", "u", "o", "ɾ"])
    assert [replacement(phone, inventory) for phone in ("a͡ɪ", "o͡ʊ", "t͡ʃ", "ɝ", "t͡ʂ")] == [
        "a i",
        "o u",
        "t ʃ",
        replacement("ə", inventory) + " ɾ",
        "t ʃ",
    ]
    assert replacement("t͡s", PhoneInventory(["p", "t", "s", "t͡ʃ"])) == "t͡ʃ"


def test_length_and_tone_of_the_inventory_are_kept_where_they_agree():
    inventory = PhoneInventory(["a", "aː", "a˥", "a˥˩", "p"])
    assert [replacement(phone, inventory) for phone in ("aˑ", "ɑ˥˩", "æ˥", "ɑ")] == ["a", "a˥˩", "a˥", "a"]


def test_what_was_replaced_is_returned_once_and_said():
    phones, replaced = map_to_inventory(["ʁ", "a", "t", "ʁ", "a͡ɪ"], ENGLISH)
    assert phones == ("ɹ", "ɑ", "t", "ɹ", "a͡ɪ")
    assert replaced == [("ʁ", "ɹ"), ("a", "ɑ")]
    assert describe_replacements(replaced) == (
        "phones that the model lacks, as the nearest that it has: ʁ -> ɹ, a -> ɑ"
    )
    assert describe_replacements({"ʔ": ""}).endswith("ʔ left out") and describe_replacements([]) == ""


def test_tones_of_their_own_and_glottal_stops_are_left_out_and_said():
    assert map_to_inventory(["m", "ɑ", "˥˩"], ENGLISH) == (("m", "ɑ"), [("˥˩", "")])
    assert map_to_inventory(["ʔ", "ɑ"], ENGLISH) == (("ɑ",), [("ʔ", "")])
    assert map_to_inventory(["ʔ", "ɑ"], PhoneInventory(["ʡ", "ɑ"]))[0] == ("ʡ", "ɑ")


@given(st.lists(st.sampled_from(ALL_PHONES), min_size=1, max_size=8), st.sampled_from(sorted(LEXICONS)))
def test_the_result_is_of_the_inventory_and_mapping_it_again_changes_nothing(phones, language):
    inventory = PhoneInventory(sorted(LEXICONS[language].phones()))
    if all(phone == "ʔ" for phone in phones):
        return
    mapped, replaced = map_to_inventory(phones, inventory)
    assert all(phone in inventory for phone in mapped)
    assert {phone for phone, _ in replaced} == {phone for phone in phones if phone not in inventory}
    assert map_to_inventory(mapped, inventory) == (mapped, [])


@given(st.sampled_from(ALL_PHONES), st.sampled_from(ALL_PHONES))
def test_the_distance_is_symmetric_and_zero_for_the_same(first, second):
    assert chart_distance(first, second) == pytest.approx(chart_distance(second, first))
    assert chart_distance(first, first) == 0.0
    assert chart_distance(first, second) >= 0.0


def test_every_letter_has_a_place_on_the_chart():
    for letter in sorted(LETTERS):
        assert read_chart_phone(letter).letters == (letter,)
        for other in ("a", "t", "j", "t͡s", "a͡ɪ"):
            assert chart_distance(letter, other) >= 0.0


def test_a_lexicon_is_mapped_with_its_probabilities_and_words_that_become_one_are_merged():
    lexicon = Lexicon()
    lexicon.add("rat", ["ʁ", "a", "t"], 0.5)
    lexicon.add("rat", ["r", "aː", "t"], 1.0)
    lexicon.add("rat", ["ɹ", "æ", "t"], 0.25)
    mapped, replaced = map_lexicon(lexicon, ENGLISH)
    assert mapped.entries == {"rat": [Pronunciation(("ɹ", "ɑ", "t"), 1.0), Pronunciation(("ɹ", "æ", "t"), 0.25)]}
    assert replaced == {"a": "ɑ", "aː": "ɑ", "r": "ɹ", "ʁ": "ɹ"}
    again, nothing = map_lexicon(mapped, ENGLISH)
    assert again == mapped and nothing == {}


@pytest.mark.parametrize("language", sorted(LEXICONS))
def test_every_dictionary_here_can_be_decoded_with_english_phones(language):
    mapped, _ = map_lexicon(LEXICONS[language], ENGLISH)
    assert mapped.words == LEXICONS[language].words and mapped.check(ENGLISH) == []


def test_errors_name_everything_that_is_wrong():
    with pytest.raises(LexiconError) as error:
        map_to_inventory(["p", "Q", "š", "Q"], ENGLISH)
    lines = str(error.value).split("\n")
    assert lines[0] == "'p Q š Q': 2 phones cannot be mapped:" and len(lines) == 3
    assert "'Q'" in lines[1] and "write ʃ" in lines[2]
    with pytest.raises(LexiconError, match="'˥': no phones are left"):
        map_to_inventory(["˥"], ENGLISH)
    with pytest.raises(LexiconError, match="has no IPA phone in it"):
        map_to_inventory(["a"], PhoneInventory(["NOISE", "SIL"]))
    lexicon = Lexicon()
    lexicon.add("x", ["˥"])
    lexicon.add("y", ["ʔ"])
    with pytest.raises(LexiconError) as error:
        map_lexicon(lexicon, ENGLISH)
    assert "'x': no phones are left" in str(error.value) and "'y': no phones are left" in str(error.value)
