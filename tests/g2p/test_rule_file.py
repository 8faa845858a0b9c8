import pytest

from speechtl.errors import LexiconError
from speechtl.g2p.rule_file import read_rule_file
from speechtl.g2p.spelling_rules import SpellingRules


def rules_of(tmp_path, text, name="xx"):
    path = tmp_path / f"{name}.rules"
    path.write_text(text, encoding="utf-8")
    return SpellingRules("xx", read_rule_file(path))


def said(rules, word, n=5):
    return [" ".join(option.phones) for option in rules.pronounce(word, n)]


def test_the_longest_letters_win_and_of_those_the_last_rule_that_fits(tmp_path):
    rules = rules_of(
        tmp_path,
        """
        front = e i
        [letters]
        a -> a
        e -> e
        i -> i
        c -> k        // everywhere else
        c -> s / _ {front}
        c -> ʃ / # _ i
        ch -> x
        ch -> ɡ / a _ !{a}
        """,
    )
    assert said(rules, "ca") == ["k a"]
    assert said(rules, "ace") == ["a s e"]
    assert said(rules, "cici") == ["ʃ i s i"]
    assert said(rules, "cha") == ["x a"]
    assert said(rules, "acha") == ["a x a"]
    assert said(rules, "ache") == ["a ɡ e"]


def test_phones_are_rewritten_item_by_item_and_all_at_once(tmp_path):
    rules = rules_of(
        tmp_path,
        """
        voiced = b d
        voiceless = p t
        [letters]
        a -> a
        b -> b
        d -> d
        t -> t
        [phones]
        {voiced} -> {voiceless} / _ {voiced}* #
        {voiced} -> {voiceless} / _ {voiceless}
        a a -> aː
        a -> ə / _ #
        """,
    )
    assert said(rules, "bad") == ["b a t"]
    assert said(rules, "abd") == ["a p t"]
    assert said(rules, "abta") == ["a p t ə"]
    assert said(rules, "baab") == ["b aː p"]


def test_words_spelling_ways_and_options(tmp_path):
    rules = rules_of(
        tmp_path,
        """
        name: Test
        upper: I=ı
        ignore: *
        needs: a a word needs an a; write one
        [words]
        aha -> a x a | a h a
        [spelling]
        (.)\\1 -> \\1
        x -> - / _ #
        [letters]
        a -> a
        ı -> ɯ
        h -> h | -
        x -> k s
        """,
    )
    assert rules.caution == "by Test's spelling rules, which know few exceptions"
    assert said(rules, "aha") == ["a x a", "a h a"]
    assert said(rules, "AAI*xAx") == ["a ɯ k s a"]
    assert said(rules, "ha") == ["h a", "a"]
    with pytest.raises(LexiconError, match="'hı': a word needs an a; write one"):
        rules.pronounce("hı")


@pytest.mark.parametrize(("stress", "phones"), [("first", "A b a b a"), ("penult", "a b A b a"), ("last", "a b a b A")])
def test_stress_falls_where_the_language_has_it_and_is_no_part_of_the_phones(tmp_path, stress, phones):
    text = f"stress: {stress}\n[letters]\na -> a\nb -> b\n[phones]\nˈa -> ɑ\n"
    assert said(rules_of(tmp_path, text), "ababa") == [phones.replace("A", "ɑ")]


def test_tones_attach_to_the_vowel_before_them(tmp_path):
    rules = rules_of(tmp_path, "[letters]\nm -> m\na -> a\nn -> n\n1 -> ˥\n4 -> ˥˩\n")
    assert said(rules, "man4ma1") == ["m a˥˩ n m a˥"]


def test_every_bad_line_is_named(tmp_path):
    path = tmp_path / "xx.rules"
    path.write_text("colour: red\n[letters]\na b\na -> Q\n[sounds]\n[letters]\na -> a / b\n[spelling]\n( -> x\n")
    with pytest.raises(LexiconError) as error:
        read_rule_file(path)
    lines = str(error.value).splitlines()
    assert lines[0] == f"{path}: 6 problems"
    for number, part in {
        1: "not an option",
        3: "what -> result",
        4: "'Q'",
        5: "no section 'sounds'",
        7: "no '_'",
    }.items():
        assert any(f"{path}:{number}: " in line and part in line for line in lines), (number, part)
    assert any(f"{path}:9: " in line for line in lines)
    path.write_text("[phones]\n{a b} -> {c} / _\n[letters]\na -> a\n")
    with pytest.raises(LexiconError, match="different numbers of phones"):
        read_rule_file(path)
    path.write_text("")
    with pytest.raises(LexiconError, match=r"no rules in the section \[letters\]"):
        read_rule_file(path)
    path.write_bytes(b"[letters]\n\xff")
    with pytest.raises(LexiconError, match=r"2: not UTF-8 \(byte 0xFF at column 1\); save the file as UTF-8"):
        read_rule_file(path)
