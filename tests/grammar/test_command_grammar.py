"""Grammars of commands: their languages against brute force and kaldifst, and every message."""

import functools
import gzip
import itertools
import math

import kaldifst
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.decoding.tune import tune
from speechtl.errors import LexiconError
from speechtl.grammar.automaton import MOST_STATES, Automaton
from speechtl.grammar.coverage import words_without_pronunciation
from speechtl.grammar.jsgf import parse_jsgf
from speechtl.grammar.jsgf_rules import automaton_of
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.read import read_grammar, read_language_model, read_lm_or_grammar
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

LONGEST = 4
HEADER = "#JSGF V1.0;\ngrammar test;\n"


def sentences(graph, longest=LONGEST):
    """Walk a graph: {sentence: score} of all sentences up to a length."""
    arrays = graph.arrays(1.0)
    words = {number: word for word, number in graph.vocabulary.items()}
    found, waiting = {}, [((), graph.start, 0.0)]
    while waiting:
        said, state, score = waiting.pop()
        if arrays.final[state] > -math.inf:
            assert said not in found
            found[said] = score + float(arrays.final[state])
        if len(said) < longest:
            for arc in range(arrays.first_arc[state], arrays.first_arc[state + 1]):
                after = score + float(arrays.score[arc])
                waiting.append(((*said, words[int(arrays.word[arc])]), int(arrays.target[arc]), after))
    return found


def jsgf(text, longest=LONGEST):
    """Return {sentence: probability of its best derivation} for rules after the header."""
    rules = parse_jsgf((HEADER + text).encode(), "test.gram")
    graph = automaton_of(rules, "test.gram").word_graph("test.gram")
    return {" ".join(said): math.exp(score) for said, score in sentences(graph, longest).items()}


def approximately(expected):
    return pytest.approx(expected, rel=1e-4)


# Trees: ("word", w), ("null",), ("series", [...]), ("choice", [(weight or None, tree)...]), ("?" | "*" | "+", tree)
def trees():
    leaves = st.sampled_from([("word", "a"), ("word", "b"), ("word", "c"), ("null",)])

    def larger(inner):
        several = st.lists(inner, min_size=1, max_size=3)
        weighted = st.lists(st.tuples(st.sampled_from([0, 0.25, 1, 3]), inner), min_size=1, max_size=3)
        return st.one_of(
            st.tuples(st.just("series"), several),
            st.tuples(st.just("choice"), several.map(lambda items: [(None, item) for item in items])),
            st.tuples(st.just("choice"), weighted.filter(lambda items: any(weight for weight, _ in items))),
            st.tuples(st.sampled_from("?*+"), inner),
        )

    return st.recursive(leaves, larger, max_leaves=7)


def written(tree, rules):
    """Write a tree in JSGF; every other bracket becomes a rule of its own."""
    kind = tree[0]
    if kind == "word":
        return f'"{tree[1]}"' if len(rules) % 3 == 0 else tree[1]
    if kind == "null":
        return "<NULL>"
    if kind == "?":
        return f"[ {written(tree[1], rules)} ]"
    if kind in "*+":
        return f"({written(tree[1], rules)}) {{a tag}}{kind}"
    if kind == "series":
        text = " ".join(written(item, rules) for item in tree[1])
    else:
        items = [("" if weight is None else f"/{weight}/ ") + written(item, rules) for weight, item in tree[1]]
        text = " | // or\n".join(items)
    if len(rules) % 2:
        rules.append("")
        return f"({text})"
    rules.append(f"<rule{len(rules)}> = {text};")
    return f"<rule{len(rules) - 1}>"


def best(*languages):
    result = {}
    for language in languages:
        for said, probability in language.items():
            if len(said) <= LONGEST:
                result[said] = max(result.get(said, 0.0), probability)
    return result


def joined(first, second, factor=1.0):
    return best(*({a + b: factor * p * q for b, q in second.items()} for a, p in first.items()))


def language(tree):
    """Expand a tree by its definition: {sentence: probability of its best derivation}."""
    kind = tree[0]
    if kind == "word":
        return {(tree[1],): 1.0}
    if kind == "null":
        return {(): 1.0}
    if kind == "series":
        result = {(): 1.0}
        for item in tree[1]:
            result = joined(result, language(item))
        return result
    if kind == "choice":
        total = sum(1 if weight is None else weight for weight, _ in tree[1])
        shares = [((1 if weight is None else weight) / total, language(item)) for weight, item in tree[1]]
        return best(*({said: share * p for said, p in inner.items()} for share, inner in shares if share))
    inner = language(tree[1])
    if kind == "?":
        return best({(): 0.5}, {said: 0.5 * p for said, p in inner.items()})
    repeated = {(): 0.5}
    for _ in range(LONGEST + 1):
        repeated = best(repeated, joined(inner, repeated, 0.5))
    return repeated if kind == "*" else joined(inner, repeated)


def says_words(tree):
    """Whether any sentence of a tree, of whatever length, has a word."""
    kind = tree[0]
    if kind == "series":
        return any(map(says_words, tree[1]))
    if kind == "choice":
        return any(says_words(inner) for weight, inner in tree[1] if weight != 0)
    return kind == "word" or (kind != "null" and says_words(tree[1]))


@settings(max_examples=80)
@given(tree=trees())
@example(tree=("series", [("word", "a")] * 6))
@example(tree=("?", ("series", [("word", "a")] * 6)))
def test_rules_say_what_their_expansion_says(tmp_path_factory, tree):
    rules = []
    body = written(tree, rules)
    path = tmp_path_factory.mktemp("jsgf") / "test.gram"
    path.write_text(HEADER + f"public <test> = {body};\n" + "\n".join(rules), encoding="utf-8")
    expected = language(tree)
    if not says_words(tree):
        with pytest.raises(LexiconError, match="allows only the sentence without words"):
            read_grammar(path)
        return
    found = {said: math.exp(score) for said, score in sentences(read_grammar(path)).items()}
    assert found == approximately(expected)


@functools.cache
def all_lines():
    """Return an automaton for each sentence of the words a and b, labels 1 and 2."""
    lines = {}
    for said in itertools.chain.from_iterable(itertools.product("ab", repeat=n) for n in range(LONGEST + 1)):
        arcs = [f"{n} {n + 1} {' ab'.index(word)} {' ab'.index(word)}" for n, word in enumerate(said)]
        lines[said] = kaldifst.compile("\n".join([*arcs, str(len(said))]) + "\n")
    return lines


COST = st.sampled_from([0.0, 0.5, 1.0, 2.5])
ARCS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(["a", "b", "<eps>"]), COST), min_size=1, max_size=9
)


@settings(max_examples=50)
@given(
    arcs=ARCS, final=st.dictionaries(st.integers(0, 3), COST, min_size=1), form=st.sampled_from(["1", "2", "2 cost"])
)
def test_automata_say_what_kaldifst_says(tmp_path_factory, arcs, final, form):
    if form == "2":
        arcs = [(*arc[:3], 0.0) for arc in arcs]
    labels = {"<eps>": 0, "a": 1, "b": 2}
    body = {"1": "{2} {3}", "2": "{2} {2}", "2 cost": "{2} {2} {3}"}[form]
    ends = [f"{state} {cost}" for state, cost in final.items()]
    path = tmp_path_factory.mktemp("fst") / "test.fst"
    path.write_text("\n".join([f"{a[0]}\t{a[1]} " + body.format(*a) for a in arcs] + ends), encoding="utf-8")
    peer = kaldifst.compile("\n".join([f"{s} {t} {labels[w]} {labels[w]} {c}" for s, t, w, c in arcs] + ends) + "\n")
    kaldifst.arcsort(peer, "ilabel")
    expected = {}
    for said, line in all_lines().items():
        path_of = kaldifst.shortest_path(kaldifst.compose(line, peer))
        if path_of.start >= 0:
            expected[said] = -kaldifst.get_linear_symbol_sequence(path_of)[3].value
    if not any(expected):
        with pytest.raises(LexiconError, match=r"allows (no sentence|only the sentence without words)"):
            read_grammar(path)
        return
    assert sentences(read_grammar(path)) == pytest.approx(expected, abs=1e-4)


def test_all_of_the_notation():
    found = jsgf("""
        /** What a house understands. */
        public <command> = /0.8/ [please] {polite} <switch> | /0.2/ stop /* at once */;
        <switch> = turn (on {1} | off {0}) [the] <thing>;  // not a <word>
        <thing> = light | "New York" | "a\\"c;";
        """)
    assert len(found) == 15  # All that have four words at most.
    assert found["stop"] == approximately(0.2)
    assert found["turn on light"] == approximately(0.8 * 0.5 * 0.5 * 0.5 / 3)
    assert found["turn off New York"] == found["turn on light"]
    assert 'turn off a"c;' in found


def test_public_rules_are_alternatives():
    found = jsgf("public <a> = x; public <b> = y | z; <c> = hidden;")
    assert found == approximately({"x": 0.5, "y": 0.25, "z": 0.25})


def test_nothing_and_the_impossible():
    assert jsgf("public <a> = x <NULL> [y <VOID>] | <VOID> | /**/ <NULL> z;") == approximately({"x": 1 / 6, "z": 1 / 3})


@pytest.mark.parametrize(
    "rules",
    [
        "public <s> = <d>+; <d> = a | b;",
        "public <s> = <d> | <d> <s>; <d> = a | b;",
        "public <s> = <d> (<NULL> | <s> {again}); <d> = a | b;",
        "public <s> = a <end> | b <end>; <end> = <NULL> | <test.s>;",
        "public <s> = (a | b) [<s>];",
    ],
)
def test_rules_that_end_in_themselves_are_loops(rules):
    found = jsgf(rules, longest=3)
    texts = [" ".join(said) for n in (1, 2, 3) for said in itertools.product("ab", repeat=n)]
    assert set(found) == set(texts)
    assert found["b a b"] == approximately(found["a"] / 16)


def test_many_rules_that_end_in_the_next_one():
    rules = [f"<s{n}> = w{n} <s{n + 1}>;" for n in range(1500)]
    graph = automaton_of(parse_jsgf((HEADER + "public " + " ".join(rules) + "<s1500> = x;").encode(), "g"), "g")
    assert len(graph.word_graph("g").vocabulary) == 1501


def test_a_long_list_in_a_loop_is_quick():
    words = " | ".join(f"word{number}" for number in range(2000))
    rules = parse_jsgf((HEADER + f"public <s> = (<w> | the <w>)+; <w> = {words};").encode(), "g")
    assert len(automaton_of(rules, "g").word_graph("g").arrays(1.0).final) == 3


@pytest.mark.parametrize("rule", ["[a] " * 3000, "a+ " * 3000, "([a] b* a) " * 2000])
def test_words_that_may_be_left_out_in_thousands_of_places_are_refused(rule):
    with pytest.raises(LexiconError, match="it says the same words in too many ways"):
        automaton_of(parse_jsgf(f"{HEADER}public <r> = {rule};".encode(), "g"), "g").word_graph("g")


def test_weights_at_the_limits_of_numbers():
    graph = automaton_of(parse_jsgf(f"{HEADER}public <r> = /1e308/ a | /1e308/ b | /1e-300/ c;".encode(), "g"), "g")
    assert sentences(graph.word_graph("g")) == pytest.approx({("a",): -math.log(2), ("b",): -math.log(2)})


@pytest.mark.parametrize(
    ("opening", "message"),
    [
        ("{", "a tag is never closed; end it with }"),
        ('"\\', "a word in double quotes has no end in its line"),
        ("<", "a rule name has no end; write <name> in one line"),
        ("/* ", "a comment is never closed; end it with */"),
    ],
)
def test_what_is_opened_ever_so_often_and_never_closed_is_read_over_once(opening, message):
    with pytest.raises(LexiconError) as error:
        parse_jsgf(f"{HEADER}public <r> = a {opening * 200_000}".encode(), "g")
    assert str(error.value) == f"g: not a grammar in JSGF:\n  g:3: {message}"


def test_encodings(tmp_path):
    path = tmp_path / "g"
    for encoding, name in (("iso8859-1", " ISO8859-1 fr"), ("utf-8", ""), ("utf-8-sig", ""), ("utf-8", " UTF-8 fr")):
        start = f"#JSGF V1.0{name};\r\ngrammar fr;\r\npublic <é> = écrire | été;\r\n"
        path.write_bytes(start.encode(encoding))
        assert set(sentences(read_grammar(path))) == {("écrire",), ("été",)}
        path.write_bytes(gzip.compress(start.encode(encoding)))
        assert set(sentences(read_grammar(path))) == {("écrire",), ("été",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#JSGF V2.0;\n", "1: expected '#JSGF V1.0;' (got '#JSGF V2.0;')"),
        ("#JSGF V1.0 klingon tlh;\n", "1: unknown encoding 'klingon'; save the file as UTF-8"),
        ("#JSGF V1.0;\npublic <a> = b;", "2: expected 'grammar NAME;' (got 'public')"),
        ("#JSGF V1.0;\n", "1: expected 'grammar NAME;' (got 'the end of the file')"),
        ("#JSGF V1.0;\ngrammar ;", "2: expected the grammar's name (got ';')"),
        ("#JSGF V1.0;\ngrammar a\npublic <a> = b;", "3: expected ';' after the grammar's name (got 'public')"),
        (HEADER, "1: no rule is public; write 'public' before the rules that may be spoken by themselves"),
        (HEADER + "<a> = b;", "1: no rule is public"),
        (HEADER + "import <other.*>;", "3: import is not supported; copy the rules into this file"),
        (HEADER + "public a = b;", "3: expected a rule: <name> = ... ; or public <name> = ... ; (got 'a')"),
        (HEADER + "public <a> b;", "3: expected '=' after <a> (got 'b')"),
        (HEADER + "public <a b> = b;", "3: '<a b>' is no rule name"),
        (HEADER + "public <NULL> = b;", "3: <NULL> has a meaning of its own and cannot be defined"),
        (HEADER + "public <a> = b", "3: expected ';' at the end of rule <a> (got the end of the file)"),
        (HEADER + "public <a> = b\npublic <c> = d;", "4: expected ';' at the end of rule <a> (got '=')"),
        (HEADER + "public <a> = ;", "3: expected a word, a rule or a bracket; what says nothing is <NULL> (got ';')"),
        (HEADER + "public <a> = b | ;", "3: expected a word, a rule or a bracket"),
        (HEADER + "public <a> =\n(b\n| c ];", "5: expected ')' for the '(' of line 4 (got ']')"),
        (HEADER + "public <a> = [b;", "3: expected ']' for the '[' of line 3 (got ';')"),
        (HEADER + "public <a> = b*+;", "3: '+' after '*'; put brackets around the first"),
        (HEADER + "public <a> = * b;", "3: expected a word, a rule or a bracket"),
        (HEADER + 'public <a> = " ";', "3: nothing stands between the double quotes; what says nothing is <NULL>"),
        (HEADER + 'public <a> = "b;\n', "3: a word in double quotes has no end in its line"),
        (HEADER + "public <a> = b {tag;\n", "3: a tag is never closed; end it with }"),
        (HEADER + "public <a> = b /* c;\n", "3: a comment is never closed; end it with */"),
        (HEADER + "public <a> = <b;\n", "3: a rule name has no end; write <name> in one line"),
        (HEADER + "public <a> = b/c;\n", "3: a weight stands between two slashes, as /0.3/; put a word that has a"),
        (HEADER + "public <a> = b } c;\n", "3: unexpected '}'; put such words into double quotes"),
        (HEADER + "public <a> = /x/ b;", "3: weight /x/ is not a number of at least 0"),
        (HEADER + "public <a> = /-1/ b;", "3: weight /-1/ is not a number of at least 0"),
        (HEADER + "public <a> = /1/ b | c;", "3: 1 of 2 alternatives have a weight; give one to all or none"),
        (HEADER + "public <a> = /0/ b | /0/ c;", "3: all weights are 0; at least one alternative must be possible"),
        (HEADER + "public <a> = b;\n<a> = c;", "4: rule <a> is defined twice (first in line 3)"),
        (HEADER + "public <a> = b\n<c>;", "4: rule <c> is not defined (this file defines <a>)"),
        (HEADER + f"public <a> = {'(' * 200}b{')' * 200};", "3: brackets are nested more than 100 deep; use rules"),
        (HEADER + "public <a> = <a> b | b;", "3: rule <a> refers to itself before its end"),
        (HEADER + "public <a> = b <c>;\n<c> = <a> d | e;", "4: rule <a> refers to itself before its end"),
        (HEADER + "public <a> = (b <a>)* c;", "3: rule <a> refers to itself before its end"),
        (HEADER + "public <a> = <VOID> | b <VOID>;", " the grammar allows no sentence"),
        (HEADER + "public <a> = b <a>;", " the grammar allows no sentence"),
        (HEADER + "public <a> = [<NULL>];", " the grammar allows only the sentence without words"),
    ],
)
def test_a_wrong_grammar_says_where_and_what(tmp_path, text, message):
    path = tmp_path / "test.gram"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LexiconError) as error:
        read_grammar(path)
    assert f"{path}:{message}" in str(error.value)


def test_all_faults_are_listed_at_once(tmp_path):
    path = tmp_path / "test.gram"
    path.write_text(HEADER + "public <a> = (b;\n<c> = /2/ d | e;\n<f> = g;\n<f> = h;\n", encoding="utf-8")
    with pytest.raises(LexiconError) as error:
        read_grammar(path)
    lines = str(error.value).splitlines()
    assert lines[0] == f"{path}: not a grammar in JSGF:"
    assert [line.partition(" ")[0] for line in map(str.strip, lines[1:])] == [f"{path}:{n}:" for n in (3, 4, 6)]


def test_a_grammar_that_is_not_in_its_encoding(tmp_path):
    path = tmp_path / "test.gram"
    path.write_bytes((HEADER + "public <a> =\né;").encode("latin-1"))
    with pytest.raises(LexiconError) as error:
        read_grammar(path)
    assert str(error.value) == f"{path}:4: not UTF-8 (byte 0xE9); save the file as UTF-8"


def test_rules_that_multiply_are_stopped():
    rules = "".join(f"<r{n}> = [<r{n + 1}> a] <r{n + 1}>;" for n in range(30)) + "<r30> = b;"
    with pytest.raises(LexiconError, match="g: the rules unfold to more than 2000 states"):
        automaton_of(parse_jsgf((HEADER + "public " + rules).encode(), "g"), "g", most_states=2000)


def test_a_sentence_that_is_too_long_is_told_before_it_is_built():
    grammar = HEADER + "public <a> = b | <c>; <c> = " + "a " * (MOST_STATES + 1) + ";"
    with pytest.raises(LexiconError, match=f"^g: more than {MOST_STATES} words follow each other"):
        automaton_of(parse_jsgf(grammar.encode(), "g"), "g")


def automaton(arcs, final):
    made = Automaton()
    for _ in range(1 + max(max(arc[0], arc[3]) for arc in arcs)):
        made.add_state()
    for arc in arcs:
        made.add_arc(*arc)
    made.final = final
    return made


def test_loops_of_the_same_words_and_different_costs():
    # Which loop it was shows after the last a only, so no finite set of states has all costs; all words are right,
    # and costs where the loops differ by no more than 30.
    twins = automaton(
        [(0, None, 0.0, 1), (0, None, 0.0, 2), (1, "a", 1.0, 1), (2, "a", 2.0, 2), (1, "b", 0.0, 3), (2, "c", 0.0, 3)],
        {3: 0.0},
    )
    found = sentences(twins.word_graph("g"), longest=50)
    assert found[("a",) * 25 + ("b",)] == pytest.approx(-25)
    assert found[("a",) * 25 + ("c",)] == pytest.approx(-50)
    assert found[("a",) * 49 + ("b",)] == pytest.approx(-49)
    assert found[("a",) * 49 + ("c",)] == pytest.approx(-49 - 30)
    with pytest.raises(LexiconError, match="g: the grammar needs more than 20 states; it says the same words in too"):
        twins.word_graph("g", most_states=20)


def test_a_silent_loop_of_negative_cost():
    with pytest.raises(LexiconError, match="g: silent arcs form a loop of negative cost"):
        automaton([(0, None, -1.0, 1), (1, None, 0.5, 0), (1, "a", 0.0, 1)], {1: 0.0}).word_graph("g")


def test_negative_costs_elsewhere():
    made = automaton([(0, None, -1.0, 1), (0, "a", 0.5, 2), (1, "a", -2.0, 2), (2, None, -0.5, 1)], {2: -0.25, 1: 1.0})
    assert sentences(made.word_graph("g"), longest=2) == approximately({(): 0.0, ("a",): 3.25, ("a", "a"): 5.75})


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("0 1 a\n1 x\n", ["2: cost 'x' is not a number above -infinity"]),
        ("0 1 a nan\n1\n", ["1: cost 'nan' is not a number above -infinity"]),
        ("0 1 a b 1\n1\n", ["1: the words 'a' and 'b' of one arc differ; grammars are acceptors: fstproject"]),
        ("0 1 a b\n1 2 c d\n2", ["1: the words 'a' and 'b'", "2: the words 'c' and 'd'"]),
        ("0 1 a 1\n1 2 a 1 1 1\none 2 a\n-1 0.5", ["2: 6 fields", "3: state 'one' is not", "4: state '-1' is not"]),
        ("0 1 a\n1 0 b\n", [" the grammar allows no sentence; no path leads from its start to an end"]),
        ("0 1 a\n1 Infinity\n", [" the grammar allows no sentence"]),
        ("0 1 a Infinity\n1\n", [" the grammar allows no sentence"]),
        ("0 0.5\n", [" the grammar allows only the sentence without words"]),
    ],
)
def test_a_wrong_automaton_says_where_and_what(tmp_path, text, messages):
    path = tmp_path / "test.fst"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LexiconError) as error:
        read_grammar(path)
    for message in messages:
        assert f"{path}:{message}" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a grammar in a known format (starts with '')"),
        (b"turn left\nturn right\n", "not a grammar in a known format (starts with 'turn left\nturn right')"),
        (b"\xd6\xfd\xb2\x7e\x06\x00", "a compiled automaton of OpenFst; give it as text: fstprint --acceptor"),
        (b"\x1f\x8b\x08broken", "damaged gzip file"),
        (b"0 1 a\n1 2 \xe9\n2\n", "not UTF-8 (byte 0xE9 at column 5); save the file as UTF-8"),
        (b"mmap lm http://kheafield.com/code incomplete\n", "a language model (n-grams), not a grammar of commands"),
        (b"\\data\\\nngram 1=1\n", "a language model (n-grams), not a grammar of commands; give it with --lm"),
    ],
)
def test_files_that_are_no_grammar(tmp_path, content, message):
    path = tmp_path / "grammar"
    for stored in (content, gzip.compress(content)) if not content.startswith(b"\x1f\x8b") else (content,):
        path.write_bytes(stored)
        with pytest.raises(LexiconError) as error:
            read_grammar(path)
        assert str(error.value).startswith(str(path)) and message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no \\data\\ line; is this an ARPA file?"),
        (b"turn left\nturn right\n", "no \\data\\ line; is this an ARPA file?"),
        (
            b"#JSGF V1.0;\ngrammar a;\npublic <a> = b;\n",
            "a grammar of commands, not a language model; give it with --gr",
        ),
        (b"0 1 a\n1\n", "a grammar of commands, not a language model; give it with --grammar"),
        (b"\xd6\xfd\xb2\x7e\x06\x00", "a grammar of commands, not a language model; give it with --grammar"),
        (b"\x1f\x8b\x08broken", "damaged gzip file"),
        (b"mmap lm http://kheafield.com/code incomplete\n", "a binary of KenLM that is incomplete"),
    ],
)
def test_files_that_are_no_language_model(tmp_path, content, message):
    path = tmp_path / "lm"
    path.write_bytes(content)
    with pytest.raises(LexiconError) as error:
        read_language_model(path)
    assert str(error.value).startswith(str(path)) and message in str(error.value)


@pytest.mark.parametrize("read", [read_grammar, read_language_model])
def test_a_file_that_is_missing(tmp_path, read):
    with pytest.raises(LexiconError, match=r"none: No such file or directory"):
        read(tmp_path / "none")


ARPA = "made by hand\n\\data\\\nngram 1=3\n\n\\1-grams:\n-99 <s>\n-0.3 </s>\n-0.3 hat\n\n\\end\\\n"


def test_ngrams_are_told_by_what_they_hold(tmp_path):
    path = tmp_path / "lm"
    for content in (ARPA.encode(), gzip.compress(ARPA.encode())):
        path.write_bytes(content)
        for model in (read_language_model(path), read_lm_or_grammar(path, None)):
            assert isinstance(model, NgramModel) and model.vocabulary == {"<s>", "</s>", "hat"}


def test_a_language_model_or_a_grammar_not_both(tmp_path):
    assert read_lm_or_grammar(None, None) is None
    with pytest.raises(LexiconError, match="give one of them"):
        read_lm_or_grammar(tmp_path / "lm", tmp_path / "grammar")


PHONES = PhoneInventory(["a", "b", "sil"])


def lexicon_of(**words):
    lexicon = Lexicon()
    for word, phones in words.items():
        lexicon.add(word, phones.split())
    return lexicon


def graph_of(tmp_path, text):
    path = tmp_path / "commands.gram"
    path.write_text(HEADER + text, encoding="utf-8")
    return read_grammar(path)


def test_words_without_pronunciation_are_listed(tmp_path):
    graph = graph_of(tmp_path, "public <a> = turn (left | right | around | back);")
    assert words_without_pronunciation(graph, lexicon_of(turn="a", left="b", other="b")) == ["around", "back", "right"]
    with pytest.raises(LexiconError, match=r"every sentence of the grammar has words that the lexicon lacks \(turn\)"):
        words_without_pronunciation(graph, lexicon_of(left="b", right="b", around="a", back="b a"))
    (tmp_path / "g.arpa").write_text(ARPA)
    assert words_without_pronunciation(read_language_model(tmp_path / "g.arpa"), lexicon_of(turn="a")) == ["hat"]


def posteriors_of(phones):
    units = [unit for phone in phones.split() for unit in (PHONES.index(phone), 0)]
    scores = np.zeros((len(units), 4), np.float32)
    scores[np.arange(len(units)), units] = 6
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def test_commands_are_decoded_and_homophones_told_apart(tmp_path):
    graph = graph_of(tmp_path, "public <a> = /1/ turn (right | left)+ | /1/ write <what>; <what> = it | wright;")
    lexicon = lexicon_of(turn="a a", right="a b", write="a b", wright="a b", left="b a", it="b", unused="b b b")
    decoder = LexiconDecoder(lexicon, PHONES, graph)
    assert decoder.unreachable_words == ("unused",)
    assert decoder.decode(posteriors_of("a a a b b a a b")).words == ("turn", "right", "left", "right")
    assert decoder.decode(posteriors_of("a b sil b")).words == ("write", "it")
    # The grammar has no sentence without words and none that begins so.
    assert decoder.decode(posteriors_of("b a a b")).words in {("write", "wright"), ("turn", "right"), ("write", "it")}
    best_ones = decoder.decode_nbest(posteriors_of("a b a b"), 2)
    assert best_ones[0].words == ("write", "wright")
    assert best_ones[0].graph_score == pytest.approx(math.log(0.25), abs=1e-3)


def test_tuning_takes_commands(tmp_path):
    graph = graph_of(tmp_path, "public <a> = right | write it;")
    lexicon = lexicon_of(right="a b", write="a b", it="b")
    posteriors = {"one": posteriors_of("a b"), "two": posteriors_of("a b b")}
    grid = {"lm_weight": (0.5, 1.0)}
    result = tune(posteriors, {"one": "right", "two": "write it"}, lexicon, PHONES, graph, DecodingConfig(), grid)
    assert result.best.errors == 0
