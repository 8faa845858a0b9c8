import pytest
from command_line import run

from speechtl.errors import DataError, LexiconError
from speechtl.g2p.rule_languages import rule_languages
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

WORDS = {"ba": "b a", "da": "d a", "bada": "b a d a", "dabi": "d a b i", "bi": "b i", "di": "d i", "bidi": "b i d i"}


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def lexicon(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text("".join(f"{word} {phones}\n" for word, phones in sorted(WORDS.items())), encoding="utf-8")
    return path


def run_lexicon(name, *arguments):
    result = run(f"lexicon {name}", *arguments)
    assert result.exit_code == 0, result.output
    return result


def test_add_writes_given_and_guessed_words_and_says_which(lexicon, tmp_path):
    out = tmp_path / "more.txt"
    before = lexicon.read_bytes()
    shown = run_lexicon("add", lexicon, "abba=a b a", "dida", "ba", "ba=b i", "ba=b a", "-o", out).stdout
    assert lexicon.read_bytes() == before
    added = Lexicon.load(out)
    assert [option.phones for option in added.entries["abba"]] == [("a", "b", "a")]
    assert [option.phones for option in added.entries["dida"]] == [("d", "i", "d", "a")]
    assert [option.phones for option in added.entries["ba"]] == [("b", "a"), ("b", "i")]
    assert "'dida' is pronounced by guess: d i d a; learnt from 7 words only" in shown
    assert "'ba' is in the lexicon already: b a" in shown
    assert shown.endswith(f"3 pronunciations added; {out}: 9 words, 10 pronunciations, 4 phones\n")


def test_add_keeps_probabilities_where_the_file_has_room_for_them(lexicon, tmp_path):
    out = tmp_path / "lexiconp.txt"
    run_lexicon("add", lexicon, "zapato", "--rules", "es", "-o", out)
    assert [(option.probability, option.phones[0]) for option in Lexicon.load(out).entries["zapato"]] == [
        (1.0, "θ"),
        (1.0, "s"),
    ]
    run_lexicon("add", out, "dabida", "-o", out)
    assert Lexicon.load(out).entries["dabida"][0].probability == 1.0


def test_add_maps_to_the_phones_of_a_model(lexicon, tmp_path):
    PhoneInventory(["a", "b", "d", "i"]).save(tmp_path / "exp" / "phones" / "xx.txt")
    out = tmp_path / "out.txt"
    shown = run_lexicon("add", lexicon, "p=p e", "-o", out, "--experiment", tmp_path / "exp").stdout
    assert Lexicon.load(out).entries["p"][0].phones == ("b", "i")
    assert "phones that the model lacks, as the nearest that it has: p -> b, e -> i" in shown


def test_a_mistake_in_add_leaves_no_file(lexicon, tmp_path):
    out = tmp_path / "out.txt"
    with pytest.raises(LexiconError, match="2 bad words") as error:
        run_lexicon("add", lexicon, "a b=a", "x=", "ba=b a", "-o", out)
    assert "a word has no spaces in it" in str(error.value) and "no phones after '='" in str(error.value)
    with pytest.raises(LexiconError, match="no word that pronunciations were learnt from has 'z'"):
        run_lexicon("add", lexicon, "zed", "-o", out)
    assert not out.exists()


def test_g2p_prints_candidates_with_probabilities_and_stores_its_model(lexicon, tmp_path):
    model, out, words = tmp_path / "model", tmp_path / "lexiconp.txt", tmp_path / "words"
    words.write_text("dida x\nbadi\n", encoding="utf-8")
    lines = run_lexicon(
        "g2p", "didi", "--lexicon", lexicon, "--words", words, "--save", model, "-n", "2"
    ).stdout.splitlines()
    assert lines[0].split()[0] == "didi" and lines[0].split()[2:] == ["d", "i", "d", "i"]
    assert {line.split()[0] for line in lines} == {"didi", "dida", "badi"} and len(lines) <= 6
    assert all(0.0 < float(line.split()[1]) <= 1.0 for line in lines)
    again = run_lexicon("g2p", "didi", "dida", "badi", "--g2p", model, "-n", "2").stdout.splitlines()
    assert again == lines
    run_lexicon("g2p", "didi", "--g2p", model, "-o", out)
    assert Lexicon.load(out).words == ["didi"]


def test_g2p_by_rules_says_what_it_cannot_read_after_the_rest(tmp_path):
    out = tmp_path / "lexiconp.txt"
    with pytest.raises(LexiconError) as error:
        run_lexicon("g2p", "mano", "x1", "--rules", "es", "-o", out)
    assert str(error.value).startswith("1 of 2 words have no guess:\n  'x1' has digits in it")
    assert Lexicon.load(out).words == ["mano"]


def test_g2p_wants_one_thing_to_guess_with(lexicon, tmp_path):
    for arguments in (["x"], ["x", "--rules", "es", "--lexicon", lexicon]):
        with pytest.raises(LexiconError, match="give one thing to guess with: --lexicon FILE, --g2p FILE or --rules"):
            run_lexicon("g2p", *arguments)
    with pytest.raises(LexiconError, match="no words; name some"):
        run_lexicon("g2p", "--rules", "es")
    with pytest.raises(LexiconError, match="rules are always there"):
        run_lexicon("g2p", "--rules", "es", "--save", tmp_path / "m")
    with pytest.raises(LexiconError, match=r"call the file lexiconp\.txt"):
        run_lexicon("g2p", "mano", "--rules", "es", "-o", tmp_path / "out.txt")


def test_oov_counts_the_words_that_are_missing(lexicon, tmp_path):
    text = tmp_path / "text"
    text.write_text("u1 ba dida BA\nu2 dida z! ba\n", encoding="utf-8")
    result = run_lexicon("oov", lexicon, text)
    assert result.stdout.splitlines() == ["2\tdida", "1\tBA", "1\tz!"]
    assert f"4 of 6 words (66.67 %) and 3 of 4 different ones are not in {lexicon}" in result.stderr
    assert "1 of them it has in another case, such as 'BA'" in result.stderr
    lines = run_lexicon("oov", lexicon, text, "--guess").stdout.splitlines()
    assert lines[0] == "2\tdida\td i d a"
    assert lines[2].startswith("1\tz!\t# 'z!': no word that pronunciations were learnt from has 'z'")
    plain = tmp_path / "plain"
    plain.write_text("ba da\n", encoding="utf-8")
    assert run_lexicon("oov", lexicon, plain, "--text-column", "plain").stdout == ""
    plain.write_text("", encoding="utf-8")
    with pytest.raises(DataError):
        run_lexicon("oov", lexicon, plain)


def test_check_says_what_stands_for_the_phones_that_a_model_lacks(lexicon, tmp_path):
    experiment = tmp_path / "exp"
    PhoneInventory(["a", "b", "t", "i"]).save(experiment / "phones" / "xx.txt")
    shown = run_lexicon("check", lexicon, "--experiment", experiment).stdout.splitlines()
    assert shown[2] == f"{experiment}: its model has 3 of the 4 phones"
    assert shown[3:] == ["  d -> t   in bada bidi da dabi di"]
    PhoneInventory(["a", "b", "d", "i"]).save(experiment / "phones" / "yy.txt")
    with pytest.raises(LexiconError, match="its languages are xx yy; name one with --language"):
        run_lexicon("check", lexicon, "--experiment", experiment)
    assert run_lexicon("check", lexicon, "--experiment", experiment, "--language", "yy").stdout.endswith(
        "4 of the 4 phones\n"
    )
    with pytest.raises(LexiconError, match=r"no phones/\*\.txt in it"):
        run_lexicon("check", lexicon, "--experiment", tmp_path)


def test_check_says_what_a_lexicon_holds(tmp_path):
    path = write(tmp_path / "lexicon.txt", "a a\nb b i\nb b e\n")
    shown = run_lexicon("check", path).output
    assert shown == f"{path}: 2 words, 3 pronunciations, 4 phones\na b e i\n"


def test_check_against_a_model_lists_what_it_lacks(tmp_path):
    path = write(tmp_path / "lexicon.txt", "a a\nb b i\nc y\n")
    PhoneInventory(["a", "b", "u"]).save(tmp_path / "phones.txt")
    with pytest.raises(LexiconError) as error:
        run_lexicon("check", path, "--phones", tmp_path / "phones.txt")
    assert str(error.value).split("\n") == [
        f"{path}: 2 phones not in {tmp_path / 'phones.txt'}",
        "  phone 'i' is unknown; nearest known: a u b; needed by: b",
        "  phone 'y' is unknown; nearest known: u a b; needed by: c",
    ]


def test_convert(tmp_path):
    source = write(tmp_path / "an4.dic", "A  AH0\nA(2)  EY1\nTWO T UW1\n")
    target = tmp_path / "out" / "lexicon.txt"
    run_lexicon("convert", source, target, "--notation", "arpabet", "--stress", "keep", "--case", "lower")
    assert target.read_text(encoding="utf-8") == "a ə\na ˈe͡ɪ\ntwo t ˈu\n"


def test_build_english(tmp_path):
    pytest.importorskip("pocketsphinx")
    target = tmp_path / "lexicon.txt"
    shown = run_lexicon("build-english", target, "--case", "upper").output
    assert shown == f"{target}: 126052 words, 134860 pronunciations, 39 phones\n"
    lines = target.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 134_860
    assert lines == sorted(lines, key=lambda line: line.split(" ", 1)[0])
    assert "SPEECH s p i t͡ʃ" in lines


def test_help_names_every_language_that_has_rules():
    shown = " ".join(run_lexicon("g2p", "--help").stdout.replace("│", " ").split())
    assert f"guess by the spelling rules of a language: {' '.join(rule_languages())}." in shown


def test_convert_writes_a_lexicon_in_the_phones_of_a_model_and_says_what_it_replaced(tmp_path):
    (tmp_path / "lexicon.txt").write_text("tub t ʌ b\nto t u˥\n", encoding="utf-8")
    (tmp_path / "exp/phones").mkdir(parents=True)
    PhoneInventory(["d", "b", "ʌ", "u"]).save(tmp_path / "exp/phones/en.txt")
    options = ("--notation", "ipa", "--tone", "drop", "--experiment", tmp_path / "exp")
    shown = run_lexicon("convert", tmp_path / "lexicon.txt", tmp_path / "mapped.txt", *options).stdout
    assert "t -> d" in shown
    mapped = Lexicon.load(tmp_path / "mapped.txt")
    assert mapped.phones_of(["tub", "to"]) == ["d", "ʌ", "b", "d", "u"]
