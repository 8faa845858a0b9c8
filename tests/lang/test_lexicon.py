import gc
import logging
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.errors import LexiconError
from speechtl.lang import dictionaries
from speechtl.lang.lexicon import Lexicon, Pronunciation
from speechtl.lang.lexicon_columns import _SEPARATED, without_variant
from speechtl.lang.lexicon_file import _STRANGE_SPACE
from speechtl.lang.phone_inventory import PhoneInventory

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(
    # "a(2)" is read as a variant of "a"; where all words are like "a,b", the comma is taken for a separator.
    lambda word: (
        word.split() == [word]
        and not _STRANGE_SPACE.search(word)
        and without_variant(word) == word
        and not _SEPARATED.match(word)
    )
)
PHONES = st.sampled_from(["a", "aː", "t͡ʃʰ", "ɛ̃", "n̩", "a͡ɪ", "ʔ", "a˥˩", "ç"])


def phones_of(lexicon, word):
    return [" ".join(option.phones) for option in lexicon.pronounce(word)]


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def error_of(path, **options):
    with pytest.raises(LexiconError) as error:
        Lexicon.load(path, **options)
    return [line.strip().replace(f"{path}", "F") for line in str(error.value).split("\n")]


def test_words_keep_all_their_pronunciations_in_order(tmp_path):
    lexicon = Lexicon.load(write(tmp_path, "lexicon.txt", "read ɹ iː d\nthe ð ə\nread  ɹ ɛ d\r\n\n the\tð i\n"))
    assert phones_of(lexicon, "read") == ["ɹ iː d", "ɹ ɛ d"]
    assert phones_of(lexicon, "the") == ["ð ə", "ð i"]
    assert lexicon.words == ["read", "the"] and len(lexicon) == 2 and "red" not in lexicon
    assert lexicon.phones() == {"ɹ", "iː", "d", "ɛ", "ð", "ə", "i"}
    assert lexicon.phones_of(["the", "read"]) == ["ð", "ə", "ɹ", "iː", "d"]


def test_phones_are_spelled_in_one_way_whatever_the_file_does(tmp_path):
    text = "a ã g tʃ\nb ʧ a͜ɪ\n"
    for form in ("NFC", "NFD"):
        lexicon = Lexicon.load(write(tmp_path, "lexicon.txt", unicodedata.normalize(form, text)))
        assert phones_of(lexicon, "a") == [unicodedata.normalize("NFC", "ã ɡ tʃ")]
        assert phones_of(lexicon, "b") == ["t͡ʃ a͡ɪ"]
    assert Lexicon.load(write(tmp_path, "bom.txt", b"\xef\xbb\xbfa a\n")).words == ["a"]


def test_probabilities_are_found_by_name_or_by_form(tmp_path):
    text = "a 1.0 ɐ\na 0.25 e i\nb 1e-3 b\n"
    for name in ("lexiconp.txt", "other.txt"):
        lexicon = Lexicon.load(write(tmp_path, name, text))
        assert lexicon.pronounce("a") == [Pronunciation(("ɐ",), 1.0), Pronunciation(("e", "i"), 0.25)]
        assert lexicon.pronounce("b")[0].probability == 1e-3
    lexicon.add("c", ["s"], 0.5)
    lexicon.add("c", ["k"], 0.9)
    assert lexicon.phones_of(["c", "a"]) == ["k", "ɐ"]


def test_arpabet_dictionaries_have_markers_of_alternatives_and_comments(tmp_path):
    text = ";;; CMU\nA                    AH0\nA(2)  EY1\n(PAREN P ER0 EH1 N\nhe's HH IY1 Z # note\n"
    path = write(tmp_path, "an4.dic", text)
    lexicon = Lexicon.load(path, notation="arpabet")
    assert phones_of(lexicon, "A") == ["ʌ", "e͡ɪ"]
    assert phones_of(lexicon, "he's") == ["h i z"]
    assert lexicon.words == ["A", "(PAREN", "he's"]
    assert phones_of(Lexicon.load(path, notation="arpabet", stress="keep"), "A") == ["ə", "ˈe͡ɪ"]


def test_xsampa(tmp_path):
    path = write(tmp_path, "x.txt", 'straße "S t R a: s @\nzehn t_s "e: n\n')
    assert phones_of(Lexicon.load(path, notation="xsampa"), "straße") == ["ʃ t ʁ aː s ə"]
    kept = Lexicon.load(path, notation="xsampa", stress="keep")
    assert phones_of(kept, "straße") == ["ʃ t ʁ ˈaː s ə"]
    assert phones_of(kept, "zehn") == ["t͡s ˈeː n"]


def test_stress_and_tone_by_choice(tmp_path):
    path = write(tmp_path, "lexicon.txt", "a ˈʂ a˥˩ ŋ\nb m á ˥\n")
    assert phones_of(Lexicon.load(path), "a") == ["ʂ a˥˩ ŋ"]
    assert phones_of(Lexicon.load(path, stress="keep"), "a") == ["ʂ ˈa˥˩ ŋ"]
    assert phones_of(Lexicon.load(path, tone="drop"), "a") == ["ʂ a ŋ"]
    assert phones_of(Lexicon.load(path, tone="separate"), "a") == ["ʂ a ˥˩ ŋ"]
    assert phones_of(Lexicon.load(path, tone="drop"), "b") == ["m a"]
    assert phones_of(Lexicon.load(path, tone="separate"), "b") == ["m a ˦ ˥"]
    assert phones_of(Lexicon.load(path), "b") == ["m á ˥"]


@given(st.dictionaries(WORDS, st.lists(st.tuples(st.lists(PHONES, min_size=1), st.floats(0.01, 1)), min_size=1)))
@settings(max_examples=50, deadline=None)
def test_a_lexicon_survives_a_file(tmp_path_factory, entries):
    lexicon = Lexicon()
    for word, options in entries.items():
        for phones, probability in options:
            lexicon.add(word, phones, probability)
    if not entries:
        return
    path = tmp_path_factory.mktemp("lexicon") / "lexiconp.txt"
    lexicon.save(path)
    assert Lexicon.load(path) == lexicon
    certain = Lexicon()
    for word, options in lexicon.entries.items():
        for option in options:
            certain.add(word, option.phones)
    certain.save(path.with_name("lexicon.txt"))
    assert Lexicon.load(path.with_name("lexicon.txt")) == certain
    merged = Lexicon.load(path)
    merged.merge(lexicon)
    assert merged == lexicon


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("lexiconp.txt", "a,b 1.0 a\na,b 0.5 a a\n", ["a,b"]),
        ("lexicon.txt", "a,b 1.0 a\nc;d 0.5 a a\n", ["a,b", "c;d"]),
        ("lexicon.txt", "0,5 n u\n0,7 n a\n", ["0,5", "0,7"]),
        ("lexicon.txt", "a,b a\nc a\n", ["a,b", "c"]),
    ],
)
def test_words_may_have_commas_in_them(name, text, words, tmp_path):
    assert list(Lexicon.load(write(tmp_path, name, text)).words) == words


def test_the_same_pronunciation_twice_is_merged(tmp_path, caplog):
    path = write(tmp_path, "lexiconp.txt", "a 0.3 e i\nb 1 b i\na 0.3 e i\na 0.7 e i\n")
    with caplog.at_level(logging.WARNING):
        lexicon = Lexicon.load(path)
    assert lexicon.pronounce("a") == [Pronunciation(("e", "i"), 0.7)]
    assert f"{path}:3: 'a' has this pronunciation already in line 1" in caplog.text
    assert f"{path}:4" not in caplog.text


def test_what_only_dropping_stress_makes_equal_is_merged_without_a_word(tmp_path, caplog):
    lexicon = Lexicon.load(write(tmp_path, "cmu.dict", "a AH0\na(2) AH1\n"), notation="arpabet")
    assert phones_of(lexicon, "a") == ["ʌ"]
    assert caplog.text == ""


def test_all_bad_lines_are_listed_with_file_and_line(tmp_path):
    path = write(
        tmp_path,
        "lexicon.txt",
        b"good \xc9\xa1 a\nlonely\nmany h\xc9\x99lo\xca\x8a\nlatin1 f\xfcr\ncmu AH S\nspace a\xc2\xa0b\n \n"
        b"stray \xcb\x90\n",
    )
    assert error_of(path) == [
        "F: 7 problems",
        "F:2: 'lonely' has no phones; add them or remove the line",
        "F:3: 'many': 'həloʊ' is 5 phones (h ə l o ʊ); put spaces between phones",
        "F:4: not UTF-8 (byte 0xFC at column 9); save the file as UTF-8",
        "F:5: 'cmu': 'AH': 'A' (U+0041 LATIN CAPITAL LETTER A) is not IPA; is it ARPABET or X-SAMPA (--notation)?; "
        "'H' (U+0048 LATIN CAPITAL LETTER H) is not IPA; is it ARPABET or X-SAMPA (--notation)?",
        "F:5: 'cmu': 'S': 'S' (U+0053 LATIN CAPITAL LETTER S) is not IPA; is it ARPABET or X-SAMPA (--notation)?",
        "F:6: a character U+00A0 that looks like a space; use a plain space or none",
        "F:8: 'stray': 'ː': 'ː' (U+02D0 MODIFIER LETTER TRIANGULAR COLON) has no letter to attach to",
    ]


def test_bad_probabilities_are_listed(tmp_path):
    path = write(tmp_path, "lexiconp.txt", "a 1.5 e\nb 0 b\nc s i\nd\ne nan e\nf 0.5\ng -0.1 d\nh 1.0 e\n")
    expected = "expected a number above 0 and at most 1 after the word"
    assert error_of(path) == [
        "F: 7 problems",
        f"F:1: 'a': bad probability (got '1.5', {expected}) (column 3)",
        f"F:2: 'b': bad probability (got '0', {expected}) (column 3)",
        f"F:3: 'c': bad probability (got 's', {expected}) (column 3)",
        f"F:4: 'd': bad probability (got nothing, {expected})",
        f"F:5: 'e': bad probability (got 'nan', {expected}) (column 3)",
        "F:6: 'f' has no phones; add them or remove the line",
        f"F:7: 'g': bad probability (got '-0.1', {expected}) (column 3)",
    ]


def test_other_bad_files(tmp_path):
    assert error_of(write(tmp_path, "empty.txt", "")) == ["F: no words in it; expected lines 'word phone phone ...'"]
    assert error_of(tmp_path / "none.txt") == ["F: cannot read: No such file or directory; give the path of a lexicon"]
    assert error_of(write(tmp_path, "t.txt", "a ˥\n"), tone="drop") == [
        "F: 1 problem",
        "F:1: 'a' has no phones but tones; add them or remove the line",
    ]
    assert error_of(write(tmp_path, "noise.txt", "<SIL> SIL\n"))[0].startswith("F: no words in it")
    path = write(tmp_path, "x.txt", "a EX1\n")
    assert error_of(path, notation="arpabet")[1].startswith("F:1: 'a': 'EX1' is not an ARPABET phone; known ones: AA")
    assert gc.isenabled()


def test_what_a_whole_file_is_instead_is_one_line(tmp_path):
    (words,) = error_of(write(tmp_path, "words.txt", "ano\nne\n"))
    assert words.startswith("F: words alone, without phones; ") and "--rules" in words and "--g2p" in words
    # With stress, a probability, a comment, silence, and a phone that is no IPA letter at all or one that is.
    for text in ("SIX  S IH1 K S\n", ";;; CMU\nSIX S IH K S # six\n<sil> SIL\n", "SIX 0.5 S IH K S\n", "A(2) AH0\n"):
        (arpabet,) = error_of(write(tmp_path, "cmu.txt", text))
        assert arpabet.startswith("F: its phones are ARPABET (") and "--notation arpabet" in arpabet
        Lexicon.load(tmp_path / "cmu.txt", notation="arpabet")
    # Where lines differ, those that are wrong are listed.
    assert len(error_of(write(tmp_path, "mixed.txt", "six s ɪ k s\nSIX S IH K S\nten\n"))) > 3
    assert len(error_of(write(tmp_path, "xsampa.txt", "ship S I p\n"))) > 1


def test_unknown_words_are_all_listed_with_a_hint():
    lexicon = Lexicon()
    lexicon.add("yes", ["j", "ɛ", "s"])
    lexicon.add("caf\u00e9", ["k"])
    with pytest.raises(LexiconError) as error:
        lexicon.phones_of(["YES", "yes", "cafe\u0301", "no", "no"])
    assert str(error.value).split("\n") == [
        "3 words are not in the lexicon:",
        "  'YES' is not in the lexicon; it has 'yes'",
        "  'cafe\u0301' is not in the lexicon; it has it in another Unicode normal form",
        "  'no' is not in the lexicon",
    ]
    with pytest.raises(LexiconError, match=r"^'no' is not in the lexicon$"):
        lexicon.pronounce("no")


@pytest.mark.parametrize(
    "word, phones, probability", [("", ["a"], 1), ("a", [], 1), ("a b", ["a"], 1), ("a", ["a b"], 1)]
)
def test_bad_entries_are_refused(word, phones, probability):
    with pytest.raises(LexiconError):
        Lexicon().add(word, phones, probability)
    with pytest.raises(LexiconError):
        Lexicon().add("a", ["a"], 1.5)


def test_probabilities_are_not_lost_silently(tmp_path):
    lexicon = Lexicon()
    lexicon.add("a", ["a"], 0.5)
    with pytest.raises(LexiconError, match=r"call the file lexiconp\.txt"):
        lexicon.save(tmp_path / "lexicon.txt")
    assert not list(tmp_path.iterdir())


def test_unknown_phones_are_listed_once_with_the_nearest_and_their_words():
    lexicon = Lexicon()
    for number in range(7):
        lexicon.add(f"w{number}", ["t", "y", "t"])
    lexicon.add("other", ["x", "a"])
    lexicon.add("fine", ["a", "t"])
    assert lexicon.check(PhoneInventory(["a", "t", "i", "k", "u", "m"])) == [
        "phone 'x' is unknown; nearest known: k t m; needed by: other",
        "phone 'y' is unknown; nearest known: u i a; needed by: w0 w1 w2 w3 w4 and 2 more words",
    ]
    assert lexicon.check(PhoneInventory(["a", "t", "x", "y"])) == []


def test_a_big_lexicon_loads_fast(tmp_path):
    syllables = ["b a", "d iː", "k u n", "t͡ʃ ɛ̃", "m o͡ʊ s", "ɹ ʌ l", "f ɪ ʃ"]
    lines = (f"word{i} {syllables[i % 7]} {syllables[i // 7 % 7]} {syllables[i // 49 % 7]}\n" for i in range(130_000))
    path = write(tmp_path, "lexicon.txt", "".join(lines))
    seconds = []
    for _ in range(2):
        started = time.process_time()
        assert len(Lexicon.load(path)) == 130_000
        seconds.append(time.process_time() - started)
    # 0.4 s on a plain core; the bound is for a busy one.
    assert min(seconds) < 2.0


def test_without_pocketsphinx_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(dictionaries.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LexiconError, match=r"not installed; pip install 'speechtl\[dictionaries\]'"):
        dictionaries.build_english()
