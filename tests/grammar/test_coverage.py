"""Words that a language model or a grammar and a lexicon do not share are said, with counts."""

import logging

import pytest

from speechtl.errors import LexiconError
from speechtl.grammar.coverage import tell_coverage
from speechtl.grammar.read import read_grammar, read_language_model
from speechtl.lang.lexicon import Lexicon

WORDS = ["twenty", "eight", "pause", "caf\u00e9"]


def lexicon_of(words):
    lexicon = Lexicon()
    for word in words:
        lexicon.add(word, ["a"])
    return lexicon


def model_of(folder, words):
    lines = "".join(f"-1.0\t{word}\n" for word in words)
    path = folder / "lm.arpa"
    path.write_text(f"\\data\\\nngram 1={len(words)}\n\n\\1-grams:\n{lines}\\end\\\n", encoding="utf-8")
    return read_language_model(path)


def told(caplog, *arguments):
    caplog.clear()
    caplog.set_level(logging.INFO)
    tell_coverage(*arguments)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_language_model_in_another_case_than_the_lexicon(tmp_path, caplog):
    upper = model_of(tmp_path, ["<s>", "</s>", "<unk>", *(word.upper() for word in WORDS)])
    hint = "another spelling ('TWENTY' for 'twenty'): write both in one case (speechtl lexicon convert --case lower "
    hint += "or upper)"
    assert told(caplog, upper, lexicon_of(WORDS), "g.arpa", "en.txt") == [
        (
            "WARNING",
            "g.arpa has none of the 4 words of en.txt (twenty, eight, pause, ...); all of them count as <unk>; "
            f"4 of them are in it in {hint}",
        )
    ]
    mixed = model_of(tmp_path, ["<s>", "</s>", "<unk>", "eight", "TWENTY", "pause"])
    assert told(caplog, mixed, lexicon_of(WORDS), "g.arpa") == [
        (
            "WARNING",
            "g.arpa lacks 2 of the 4 words of the lexicon (twenty, caf\u00e9); they count as <unk>; "
            f"1 of them are in it in {hint}",
        )
    ]


def test_words_in_another_normal_form_are_another_spelling(tmp_path, caplog):
    model = model_of(tmp_path, ["</s>", "<unk>", "cafe\u0301", "eight"])
    ((level, message),) = told(caplog, model, lexicon_of(["caf\u00e9", "eight"]), "g.arpa")
    assert level == "WARNING" and "another spelling" in message


def test_words_outside_the_language_model_are_counted(tmp_path, caplog):
    model = model_of(tmp_path, ["</s>", "<unk>", "eight"])
    assert told(caplog, model, lexicon_of(["eight", "nine"]), "g.arpa") == [
        ("INFO", "g.arpa lacks 1 of the 2 words of the lexicon (nine); they count as <unk>")
    ]
    closed = model_of(tmp_path, ["</s>", "eight"])
    assert told(caplog, closed, lexicon_of(["eight", "nine"]), "g.arpa") == [
        ("WARNING", "g.arpa lacks 1 of the 2 words of the lexicon (nine); they cannot be found, for it has no <unk>")
    ]
    assert told(caplog, model, lexicon_of(["eight"]), "g.arpa") == told(caplog, None, lexicon_of(["a"]), "") == []


def test_a_grammar_in_another_case_says_so(tmp_path, caplog):
    path = tmp_path / "g.jsgf"
    path.write_text("#JSGF V1.0;\ngrammar g;\npublic <s> = TWENTY (EIGHT | nine);\n")
    with pytest.raises(LexiconError, match=r"lacks \(EIGHT, TWENTY, nine\); 2 of them are in it in another spelling"):
        tell_coverage(read_grammar(path), lexicon_of(WORDS), path)
    path.write_text("#JSGF V1.0;\ngrammar g;\npublic <s> = twenty | EIGHT;\n")
    ((level, message),) = told(caplog, read_grammar(path), lexicon_of(WORDS), "g.jsgf")
    assert level == "WARNING" and "cannot be found; 1 of them are in it in another spelling ('eight' for" in message
