"""Lexicons as other tools write them: numbers of MFA and Kaldi, silence words, markers of variants."""

import logging

import pytest

from speechtl.errors import LexiconError
from speechtl.grammar.sentences import read_words
from speechtl.lang.lexicon import Lexicon

OF_MFA = "yes\t0.99\t0.16\t1.09\t0.99\tj ɛ s\nno\t1.0\t0.16\t1.09\t1\tn ow\nno\t0.2\t0.3\t0.9\t1.01\tn ə\n"
OF_KALDI = "yes 0.9 0.3 1.1 0.98 j ɛ s\nno 1 0.2 1.2 0.9 n o\nno 1 1 1 1 n ə\n"


def read(folder, name, text, **options):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return {
        word: [(" ".join(one.phones), one.probability) for one in variants]
        for word, variants in Lexicon.load(path, **options).entries.items()
    }


def test_dictionaries_of_mfa_have_four_numbers_or_one_or_none_in_each_line(tmp_path):
    expected = {"yes": [("j ɛ s", 0.99)], "no": [("n ow", 1.0), ("n ə", 0.2)]}
    assert read(tmp_path, "english_mfa.dict", OF_MFA) == expected
    assert read(tmp_path, "lexiconp.txt", OF_MFA) == expected
    mixed = "yes\t0.99\tj ɛ s\nno\tn o\nno 0.5 0.1 0.9 1.1 n ə\n"
    assert read(tmp_path, "own.dict", mixed) == {"yes": [("j ɛ s", 0.99)], "no": [("n o", 1.0), ("n ə", 0.5)]}


def test_silence_probabilities_of_kaldi_are_not_phones(tmp_path):
    found = read(tmp_path, "lexiconp_silprob.txt", OF_KALDI)
    assert found == {"yes": [("j ɛ s", 0.9)], "no": [("n o", 1.0), ("n ə", 1.0)]}


@pytest.mark.parametrize("notation, line", [("xsampa", "oe 2 9"), ("ipa", "ma m a 5 5"), ("ipa", "ma m a 55")])
def test_whole_numbers_are_phones_where_a_notation_has_such(tmp_path, notation, line):
    found = read(tmp_path, "lexicon.txt", f"{line}\na a\n", notation=notation, tone="separate")
    assert found[line.split()[0]][0][1] == 1.0


@pytest.mark.parametrize(
    "text, problem",
    [
        ("a 0.5 0.5 a\nb b\n", r":1: 'a': 2 numbers after the word; expected none, one .* or four .*\(column 3\)"),
        ("a 0.5 0.5 0.5 0.5 0.5 a\nb b\n", r":1: 'a': 5 numbers after the word"),
        ("a a\nb b 0.25 a\n", r":2: 'b': '0\.25' in column 5 is a number, not a phone"),
        ("a a\nb 1 b\n", r":2: 'b': '1' in column 3 is a number, not a phone; numbers stand right after the word"),
        ("a 1.5 a\nb b\n", r":1: 'a': bad probability \(got '1\.5'"),
    ],
)
def test_other_numbers_are_refused_with_line_and_column(tmp_path, text, problem):
    with pytest.raises(LexiconError, match=problem):
        read(tmp_path, "lexicon.txt", text)


@pytest.mark.parametrize(
    "notation, text",
    [
        ("arpabet", "!SIL SIL\n<SPOKEN_NOISE> SPN\n<UNK> SPN\n++UH++ +UH+\n[NOISE] NSN\nYES Y EH1 S\n"),
        ("ipa", "<unk>\tspn\n<eps>\tsil\n[bracketed]\tspn\n{noise} nsn\n<s> sp\nYES\tj ɛ s\n"),
        ("ipa", "<unk> 0.9 0.1 1.0 1.0 spn\n!sil 1.0 sil\n<eps> 1.0 a\n<p> 1.0 sp\n<q> 1.0 sil\nYES 1.0 j ɛ s\n"),
    ],
)
def test_entries_of_silence_and_noise_are_left_out_and_this_is_said_once(tmp_path, caplog, notation, text):
    assert read(tmp_path, "lexicon.txt", text, notation=notation) == {"YES": [("j ɛ s", 1.0)]}
    (record,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert "silence and noise are no words" in record.getMessage() and "... (5 entries)" in record.getMessage()


@pytest.mark.parametrize("notation, phones", [("ipa", "ʃ ə|ʃ i"), ("arpabet", "SH AH0|SH IY1"), ("xsampa", "S @|S i")])
def test_variants_of_a_word_are_numbered_in_every_notation(tmp_path, caplog, notation, phones):
    first, second = phones.split("|")
    caplog.set_level(logging.INFO)
    found = read(tmp_path, "cmu.dict", f"she {first}\nshe(2) {second}\n", notation=notation)
    assert list(found) == ["she"] and len(found["she"]) == 2
    assert ("variants of one word: she(2)" in caplog.text) == (notation != "arpabet")


def test_a_lexicon_with_probabilities_is_kept_under_any_name(tmp_path):
    lexicon = Lexicon()
    lexicon.add("twenty", ["t", "w"], 1.0)
    lexicon.add("twenty", ["t"], 0.4)
    lexicon.add("one", ["w"])
    with pytest.raises(LexiconError, match=r"call the file lexiconp\.txt"):
        lexicon.save(tmp_path / "en.txt")
    lexicon.save(tmp_path / "en.txt", any_name=True)
    assert Lexicon.load(tmp_path / "en.txt") == lexicon
    lexicon.save(tmp_path / "lexiconp_silprob.txt")
    assert Lexicon.load(tmp_path / "lexiconp_silprob.txt") == lexicon


@pytest.mark.parametrize("text", [OF_MFA + "<unk> 0.9 0.1 1.0 1.0 spn\n", "yes\nno\n", "yes(2) j\n!SIL SIL\nno n\n"])
def test_the_words_of_a_language_model_are_those_of_the_lexicon(tmp_path, text):
    (tmp_path / "words").write_text(text, encoding="utf-8")
    assert read_words(tmp_path / "words") == ["yes", "no"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("yes,j e s\nno,n o\n", r":1: ',' separates word and phones in every line; expected a tab or a space"),
        ("yes;j e s\nno;n o\n", r":1: ';' separates"),
        ("yes\tj e s\na la\tt i p\n", r":2: a tab separates word and phones, and there is a space in 'a la'; .*'a_la'"),
    ],
)
def test_columns_that_would_be_cut_elsewhere_are_refused(tmp_path, text, problem):
    with pytest.raises(LexiconError, match=problem):
        read(tmp_path, "lexicon.txt", text)


def test_commas_and_tabs_may_be_in_a_lexicon(tmp_path):
    assert read(tmp_path, "one.txt", "1,000 t a\nno n o\n")["1,000"] == [("t a", 1.0)]
    assert read(tmp_path, "two.txt", "yes 0.5\tj e s\nno\tn o\n")["yes"] == [("j e s", 0.5)]
    assert read(tmp_path, "three.txt", "yes j\te s\nno n\to\n")["yes"] == [("j e s", 1.0)]


def test_silence_with_a_mark_around_it_is_silence(tmp_path):
    assert read(tmp_path, "lexicon.txt", "<unk> spn|\n<noise> spn|\nno n o\n") == {"no": [("n o", 1.0)]}
