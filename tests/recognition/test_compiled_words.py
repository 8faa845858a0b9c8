"""Vocabularies that were compiled before: the same words and scores as of those that are compiled now."""

import logging
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.errors import LexiconError
from speechtl.grammar.ngram_model import train_ngram
from speechtl.grammar.read import read_grammar
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.stored_lexicon import StoredLexicon
from speechtl.recognition import compiled_words
from speechtl.recognition.mapped_arrays import load_mapped, save_mapped
from speechtl.recognition.vocabulary import Vocabulary, make_decoder

PHONES = PhoneInventory(["a", "b", "d", "k", "sil"])
CONFIG = DecodingConfig(beam=20.0, blank_margin=math.inf, word_insertion_penalty=1.0, oov="phones")
LINES = ["one a b", "two d", "two k d a", "three b a", "four d d k", "five a ɡ"]


def noise(seed, frames=8):
    logits = np.random.default_rng(seed).normal(0, 2, (frames, len(PHONES) + 1))
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


def assert_same(one, other):
    for seed in range(2):
        assert one.decode_nbest(noise(seed), 5, times=True) == other.decode_nbest(noise(seed), 5, times=True)
    assert one.unknown_words == other.unknown_words and one.unreachable_words == other.unreachable_words


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled_words, "WORTH_KEEPING", 0)
    return tmp_path / "cache" / "words-1"


@pytest.fixture
def lexicon(tmp_path):
    (tmp_path / "lexicon.txt").write_text("\n".join(LINES))
    return tmp_path / "lexicon.txt"


@pytest.fixture
def lm(tmp_path):
    train_ngram([["one", "two", "one"], ["two", "three"], ["four"]], 2).write_arpa(tmp_path / "lm.arpa")
    return tmp_path / "lm.arpa"


@pytest.fixture
def nothing_is_read(monkeypatch):
    """Return what forbids to read or to compile any words from now on."""

    def forbid():
        def never(*arguments, **options):
            raise AssertionError("the words were read again")

        monkeypatch.setattr("speechtl.lang.stored_lexicon.read_lexicon", never)
        monkeypatch.setattr(LexiconDecoder, "__init__", never)

    return forbid


spelled = st.dictionaries(
    st.sampled_from(["one", "two", "three", "four", "„fünf“", "six"]),
    st.lists(st.lists(st.sampled_from("abdk"), min_size=1, max_size=4).map(tuple), min_size=1, max_size=3, unique=True),
    min_size=2,
)


@settings(max_examples=6)
@given(words=spelled, split=st.integers(1, 5), rules=st.sampled_from(["none", "lm", "commands"]))
def test_packed_and_unpacked_it_finds_the_same(tmp_path_factory, words, split, rules):
    folder = tmp_path_factory.mktemp("words")
    names = sorted(words)
    first, later = names[:split], names[split:]
    model = None
    if rules == "lm":
        model = train_ngram([[first[0], *names], ["other"]], 2)
    elif rules == "commands":
        (folder / "jsgf").write_text(f"#JSGF V1.0;\ngrammar g;\npublic <g> = ({' | '.join(names)})+;\n")
        model = read_grammar(folder / "jsgf")
    lexicon = Lexicon()
    for word in first:
        for number, said in enumerate(words[word]):
            lexicon.add(word, said, 1.0 / (number + 1))
    built = LexiconDecoder(lexicon, PHONES, model, CONFIG)
    save_mapped(folder / "words", built.pack(), ["about"])
    arrays, about = load_mapped(folder / "words")
    unpacked = LexiconDecoder.unpack(arrays, PHONES, CONFIG)
    assert about == ["about"]
    assert_same(unpacked, built)
    for word in later:
        for said in words[word]:
            assert unpacked.takes(word, said)
            built.add_word(word, said)
            unpacked.add_word(word, said)
            assert not unpacked.takes(word, said)
    assert_same(unpacked, built)
    # The file does not change with what is in memory, and what is built on it has all words.
    assert_same(unpacked.copy(), built.copy())
    narrow = CONFIG.model_copy(update={"beam": 3.0, "oov": "words"})
    assert_same(unpacked.with_config(narrow), built.with_config(narrow))
    again = LexiconDecoder.unpack(load_mapped(folder / "words")[0], PHONES, CONFIG)
    assert_same(again, LexiconDecoder(lexicon, PHONES, model, CONFIG))


@pytest.mark.parametrize("with_lm", [False, True])
def test_words_are_read_once(cache, lexicon, lm, caplog, with_lm, nothing_is_read):
    caplog.set_level(logging.INFO, "speechtl")
    vocabulary = Vocabulary(lexicon=lexicon, lm=lm if with_lm else None)
    first = make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, vocabulary)
    told = [record.getMessage() for record in caplog.records]
    assert any("ɡ -> k" in message for message in told)
    caplog.clear()
    plain = LexiconDecoder(
        *vocabulary.compile(Lexicon.load(lexicon), PHONES)[:1], PHONES, str(lm) if with_lm else None, CONFIG
    )
    caplog.clear()
    grown = make_decoder(Lexicon.load(lexicon), PHONES, CONFIG, vocabulary)
    grown.add_word("six", ["k", "k"])
    caplog.clear()
    nothing_is_read()
    second = make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, vocabulary)
    assert [record.getMessage() for record in caplog.records] == told
    assert_same(second, first)
    assert_same(second, plain)
    with_word = Vocabulary(lexicon=lexicon, lm=vocabulary.lm, add_words=("six=k k", "six=k k"))
    assert_same(make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, with_word), grown)
    # Settings of the search alone are those of the moment.
    narrow = CONFIG.model_copy(update={"beam": 2.0})
    assert make_decoder(StoredLexicon(lexicon), PHONES, narrow, vocabulary).config.beam == 2.0
    assert len(list(cache.iterdir())) == 1


def test_other_words_settings_and_phones_are_compiled_anew(cache, lexicon, lm):
    vocabulary = Vocabulary(lexicon=lexicon)
    first = make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, vocabulary)
    weights = CONFIG.model_copy(update={"word_insertion_penalty": 3.0})
    changed = make_decoder(StoredLexicon(lexicon), PHONES, weights, vocabulary)
    assert changed.decode(noise(0)).score != first.decode(noise(0)).score
    more = PhoneInventory([*PHONES, "ɡ"])
    make_decoder(StoredLexicon(lexicon), more, CONFIG, vocabulary)
    make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, Vocabulary(lexicon=lexicon, lm=lm))
    about = os.stat(lexicon)
    lexicon.write_text("\n".join(LINES).replace("two d", "two b"))
    os.utime(lexicon, ns=(about.st_atime_ns, about.st_mtime_ns))
    other = make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, vocabulary)
    assert_same(other, LexiconDecoder(vocabulary.fit(Lexicon.load(lexicon), PHONES), PHONES, None, CONFIG))
    assert len(list(cache.iterdir())) == 5


def test_added_words_that_a_kept_vocabulary_cannot_take(cache, lexicon, tmp_path):
    """Then the words are compiled together: a pronunciation that is there, a model without the words of the lexicon."""
    known = Vocabulary(lexicon=lexicon, add_words=("one=a b", "two=a a"))
    expected = make_decoder(Lexicon.load(lexicon), PHONES, CONFIG, known)
    assert_same(make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, known), expected)
    train_ngram([["nine"]], 1, vocabulary=["nine"]).write_arpa(tmp_path / "nine.arpa")
    text = (tmp_path / "nine.arpa").read_text()
    lines = [line for line in text.splitlines() if "<unk>" not in line]
    (tmp_path / "nine.arpa").write_text("\n".join(lines).replace("ngram 1=4", "ngram 1=3"))
    rules = {"lexicon": lexicon, "lm": tmp_path / "nine.arpa"}
    with pytest.raises(LexiconError, match="no word of the lexicon"):
        make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, Vocabulary(**rules))
    nine = Vocabulary(**rules, add_words=("nine=k a",))
    assert_same(
        make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, nine),
        make_decoder(Lexicon.load(lexicon), PHONES, CONFIG, nine),
    )


def test_damaged_files_are_made_again(cache, lexicon, caplog):
    vocabulary = Vocabulary(lexicon=lexicon)
    first = make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, vocabulary)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    places = [3, 18, 30, 200, len(whole) // 3, *rng.integers(4096, len(whole), 4).tolist()]
    damaged = [whole[:0], whole[:20], whole[: len(whole) // 2], whole[:-1], whole + b"x", b"{}" * 100]
    damaged += [whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :] for place in places]
    for content in damaged:
        file.write_bytes(content)
        caplog.clear()
        again = make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, vocabulary)
        # A bit between two arrays says nothing.
        if "the words are compiled again" in caplog.text:
            assert file.read_bytes() == whole
        else:
            assert len(content) == len(whole)
        assert again.decode_nbest(noise(1), 3) == first.decode_nbest(noise(1), 3)
    file.write_bytes(whole[:-1])
    make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, vocabulary)
    assert caplog.text.count("damaged (truncated)") >= 1


def test_what_was_not_used_for_longest_goes_first(cache, lexicon, monkeypatch):
    monkeypatch.setattr(compiled_words, "_LIMIT", 0)
    make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, Vocabulary(lexicon=lexicon))
    (first,) = cache.iterdir()
    size = first.stat().st_size
    monkeypatch.setattr(compiled_words, "_LIMIT", 2.5 * size)
    kept = [first]
    for penalty in (1.5, 2.5, 3.5):
        os.utime(first, (2e9, 2e9))
        other = CONFIG.model_copy(update={"word_insertion_penalty": penalty})
        make_decoder(StoredLexicon(lexicon), PHONES, other, Vocabulary(lexicon=lexicon))
        kept = list(cache.iterdir())
        assert first in kept
    assert len(kept) == 2


def test_a_cache_that_cannot_be_written_is_told(lexicon, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "speechtl")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(compiled_words, "WORTH_KEEPING", 0)
    assert make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, Vocabulary(lexicon=lexicon)).decode(noise(0)).words
    assert "the words are compiled at every start" in caplog.text


def test_small_vocabularies_are_not_kept(lexicon, tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "cache"))
    make_decoder(StoredLexicon(lexicon), PHONES, CONFIG, Vocabulary(lexicon=lexicon))
    assert not Path(tmp_path / "cache").exists()


def test_a_stored_lexicon_is_the_lexicon(lexicon):
    stored = StoredLexicon(lexicon)
    assert stored == Lexicon.load(lexicon) and len(stored) == 5 and "two" in stored
    assert stored.key == StoredLexicon(lexicon).key != StoredLexicon(lexicon, notation="xsampa").key
    with pytest.raises(LexiconError, match=r"nowhere\.txt: cannot read"):
        StoredLexicon(lexicon.with_name("nowhere.txt"))
