"""Tries that KenLM's build_binary made of grammar.arpa, plain, with -a (compressed pointers), with -q (quantised)."""

import itertools
from pathlib import Path

import pytest

from speechtl.errors import LexiconError
from speechtl.grammar.kenlm_binary import is_kenlm_binary, read_kenlm_binary
from speechtl.grammar.ngram_model import NgramModel

FOLDER = Path(__file__).parent / "kenlm"
ARPA = dict(NgramModel.read_arpa(FOLDER / "grammar.arpa").ngrams())
# Places of the header.
KIND, HAS_WORDS, VERSION = 96, 100, 49


@pytest.mark.parametrize("name", ["trie", "compressed"])
def test_a_trie_holds_what_the_arpa_file_has(name):
    assert is_kenlm_binary((FOLDER / f"{name}.binary").read_bytes()[:100])
    tables = read_kenlm_binary(FOLDER / f"{name}.binary")
    assert [len(table) for table in tables] == [9, 64, 224]
    found = {ngram: values for table in tables for ngram, values in table.items()}
    assert found.keys() == ARPA.keys()
    for ngram, values in ARPA.items():
        assert found[ngram] == pytest.approx(values, abs=1e-6)


@pytest.mark.parametrize("name", ["quantised", "quantised_compressed"])
def test_quantised_values_are_near(name):
    found = dict(NgramModel(read_kenlm_binary(FOLDER / f"{name}.binary")).ngrams())
    assert found.keys() == ARPA.keys()
    for ngram, values in ARPA.items():
        assert found[ngram] == pytest.approx(values, abs=0.03)


@pytest.mark.parametrize("name", ["trie", "compressed", "quantised", "quantised_compressed"])
def test_sentences_score_as_in_kenlm(name):
    kenlm = pytest.importorskip("kenlm", reason="ufal-kenlm is not installed")
    path = FOLDER / f"{name}.binary"
    peer, model = kenlm.Model(str(path)), NgramModel(read_kenlm_binary(path))
    words = sorted(model.vocabulary - {"<s>", "</s>"})
    for sentence in itertools.product(words, repeat=3):
        score = sum(model.sentence_log10_probabilities(sentence))
        assert score == pytest.approx(peer.score(" ".join(sentence)), abs=1e-5)


def broken(tmp_path, change):
    content = bytearray((FOLDER / "trie.binary").read_bytes())
    path = tmp_path / "grammar.binary"
    path.write_bytes(change(content) or content)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda content: content.__setitem__(KIND, 0),
            r"holds hash tables \(probing\), whose n-grams cannot be listed",
        ),
        (lambda content: content.__setitem__(KIND, 1), "holds hash tables with rest costs"),
        (lambda content: content.__setitem__(KIND, 9), "holds format 9"),
        (lambda content: content.__setitem__(HAS_WORDS, 0), "without the words"),
        (lambda content: content.__setitem__(VERSION, ord("4")), "incomplete or of another version"),
        (lambda content: content[:95], "a damaged binary of KenLM"),
        (lambda content: content[:150], r"a damaged binary of KenLM \(it is cut off\)"),
        (lambda content: content[:600], "a damaged binary of KenLM"),
        (lambda content: content[:-10], "its words are not where they should be"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(tmp_path, change, message):
    path = broken(tmp_path, change)
    with pytest.raises(LexiconError, match=message) as error:
        read_kenlm_binary(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "give the ARPA file that it was made from" in str(error.value)


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(LexiconError, match="cannot read: No such file"):
        read_kenlm_binary(tmp_path / "none")


@pytest.mark.parametrize("name", ["trie", "quantised_compressed"])
def test_no_numbers_that_are_wrong_break_more_than_the_file(tmp_path, name):
    """Pointers that grow beyond what an index can be, and so begin again below it: once, the process died of them."""
    content = (FOLDER / f"{name}.binary").read_bytes()
    path = tmp_path / "grammar.binary"
    refused = 0
    for start in range(0, len(content) - 40, 4):
        changed = bytearray(content)
        for entry, number in enumerate(((1 << 63) - 1, 1 << 63, (1 << 64) - 1)):
            place = start + 16 * entry
            changed[place : place + 8] = number.to_bytes(8, "little")
        path.write_bytes(changed)
        try:
            read_kenlm_binary(path)
        except LexiconError as error:
            assert str(error).startswith(f"{path}: ")
            refused += 1
    assert refused > len(content) // 16
