"""Grammars against an independent estimation by the formulas, another tool's estimates and another tool's queries."""

import gzip
import itertools
import math
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechtl.errors import LexiconError
from speechtl.grammar.kneser_ney import count_ngrams, estimate_discounts
from speechtl.grammar.ngram_model import FALLBACK_DISCOUNTS, NgramModel, train_ngram

# text: 160 sentences drawn by a program. The .arpa files were made from it by lmplz of KenLM (kenlm 0.3.0, compiled
# from source): `lmplz -o 3`, the same with `--prune 0 0 1`, and of the first 12 sentences `-o 2 --discount_fallback`.
REFERENCE = Path(__file__).parent / "lmplz"

words = st.sampled_from(["a", "b", "c", "d", "e"])
texts = st.lists(st.lists(words, max_size=6), min_size=1, max_size=25)


def brute_force(text, order, discounts, vocabulary):
    """Return p(word, history), straight from the definitions."""
    sentences = [("<s>", *sentence, "</s>") for sentence in text]
    everything = {s[i:j] for s in sentences for i in range(len(s)) for j in range(i + 1, len(s) + 1)}

    def occurrences(ngram):
        n = len(ngram)
        return sum(s[i : i + n] == ngram for s in sentences for i in range(len(s) - n + 1))

    def adjusted(ngram):
        if len(ngram) == order or ngram[0] == "<s>":
            return occurrences(ngram)
        return sum((word, *ngram) in everything for word in ["<s>", *vocabulary])

    table = {
        ngram: adjusted(ngram)
        for ngram in everything
        if len(ngram) <= order and ngram != ("<s>",) and "<s>" not in ngram[1:]
    }

    def probability(word, history):
        history = history[max(0, len(history) - order + 1) :]
        lower = probability(word, history[1:]) if history else 1.0 / len(vocabulary)
        followers = {ngram[-1]: count for ngram, count in table.items() if ngram[:-1] == history}
        if not followers:
            return lower
        discount = discounts[len(history)]
        total = sum(followers.values())
        back_off = sum(discount[min(count, 3) - 1] for count in followers.values()) / total
        own = followers[word] - discount[min(followers[word], 3) - 1] if word in followers else 0.0
        return own / total + back_off * lower

    return probability


@settings(max_examples=40, deadline=None)
@given(texts, st.integers(1, 4), st.booleans())
def test_probabilities_are_those_of_the_formulas(text, order, with_unseen):
    order = min(order, max(map(len, text)) + 2)
    extra = ["a", "b", "c", "d", "e", "never"] if with_unseen else None
    model = train_ngram(text, order, vocabulary=extra)
    predicted = sorted({"</s>", "<unk>", *(extra or itertools.chain.from_iterable(text))})
    discounts = [estimate_discounts(c) or FALLBACK_DISCOUNTS for c in count_ngrams(text, order).adjusted]
    expected = brute_force(text, order, discounts, predicted)
    histories = {(), ("<s>",), ("a", "b"), ("<s>", "a"), ("e", "e", "e"), ("<unk>", "a")}
    histories |= {tuple(["<s>", *sentence][:end][-3:]) for sentence in text for end in range(len(sentence) + 2)}
    for history in histories:
        for word in predicted:
            assert 10 ** model.log10_probability(word, history) == pytest.approx(expected(word, history), rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(1, 4), st.sampled_from([(0,), (0, 1), (0, 0, 1), (0, 1, 2, 3)]))
def test_every_history_sums_to_one(text, order, prune):
    order = min(order, max(map(len, text)) + 2)
    model = train_ngram(text, order, vocabulary="abcdef", prune=prune)
    predicted = model.vocabulary - {"<s>"}
    histories = {ngram[:-1] for ngram, _ in model.ngrams()} | {("f",), ("never heard", "a")}
    for history in histories:
        assert sum(10 ** model.log10_probability(word, history) for word in predicted) == pytest.approx(1.0)


def test_discounts_are_those_of_chen_and_goodman():
    # t1 = 4, t2 = 2, t3 = 1, t4 = 1: Y = 4 / (4 + 2 * 2) = 1/2.
    counts = Counter(
        {("a",): 1, ("b",): 1, ("c",): 1, ("d",): 1, ("e",): 2, ("f",): 2, ("g",): 3, ("h",): 4, ("i",): 9}
    )
    assert estimate_discounts(counts) == pytest.approx((1 - 2 * 0.5 * 2 / 4, 2 - 3 * 0.5 * 1 / 2, 3 - 4 * 0.5 * 1 / 1))
    # Markers that nothing predicts, or that stand for anything, do not count.
    assert estimate_discounts(counts + Counter({("<s>",): 1, ("<unk>",): 2})) == estimate_discounts(counts)
    assert estimate_discounts(Counter({("a",): 1, ("b",): 2})) is None


def read_reference(name):
    return [line.split() for line in (REFERENCE / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("name", "sentences", "order", "prune", "orders_without_discounts"),
    [("trigram.arpa", None, 3, (0,), 0), ("pruned.arpa", None, 3, (0, 0, 1), 0), ("small.arpa", 12, 2, (0,), 2)],
)
def test_model_is_that_of_lmplz(name, sentences, order, prune, orders_without_discounts, caplog):
    ours = dict(train_ngram(read_reference("text")[:sentences], order, prune=prune).ngrams())
    theirs = dict(NgramModel.read_arpa(REFERENCE / name).ngrams())
    assert len(caplog.messages) == orders_without_discounts
    assert ours.keys() == theirs.keys()
    for ngram, (probability, back_off) in theirs.items():
        # lmplz gives <s> probability 1; nothing ever asks for it.
        assert ngram == ("<s>",) or ours[ngram][0] == pytest.approx(probability, abs=1e-6), ngram
        assert ours[ngram][1] == pytest.approx(back_off, abs=1e-6), ngram


def test_kenlm_reads_what_we_write_and_gives_the_same_scores(tmp_path):
    kenlm = pytest.importorskip("kenlm", reason="ufal-kenlm is not installed")
    text = read_reference("text")
    model = train_ngram(text, 4, vocabulary=[*itertools.chain(*text), "new", "北京"])
    model.write_arpa(tmp_path / "x.arpa")
    peer = kenlm.Model(str(tmp_path / "x.arpa"))
    chance = random.Random(1)
    vocabulary = sorted(model.vocabulary - {"<s>", "</s>"})
    for _ in range(200):
        sentence = chance.choices([*vocabulary, "unheard"], k=chance.randrange(8))
        scores = [score for score, _, _ in peer.full_scores(" ".join(sentence), bos=True, eos=True)]
        assert model.sentence_log10_probabilities(sentence) == pytest.approx(scores, abs=1e-4)


def test_small_text_gets_fallback_discounts_and_says_so(caplog):
    model = train_ngram([["a", "b"], ["a"]], 2)
    assert [line[:55] for line in caplog.messages] == [
        "the text is too small to estimate the discounts of 1-gr",
        "the text is too small to estimate the discounts of 2-gr",
    ]
    # Adjusted unigram counts: a 1 (after <s>), b 1, </s> 2; discounts 0.5, 0.5, 1 of 4, uniform over a b </s> <unk>.
    assert 10 ** model.log10_probability("a") == pytest.approx(0.5 / 4 + 0.5 / 4)
    assert 10 ** model.log10_probability("</s>") == pytest.approx(1 / 4 + 0.5 / 4)
    assert 10 ** model.log10_probability("<unk>") == pytest.approx(0.5 / 4)
    # <s> a stands twice: discount 1 of 2.
    assert 10 ** model.log10_probability("a", ["<s>"]) == pytest.approx(1 / 2 + 1 / 2 * 0.25)


def test_words_of_the_vocabulary_that_the_text_lacks_share_with_unk_and_others_become_unk(caplog):
    model = train_ngram([["a", "b", "x"], ["a", "y"]], 2, vocabulary=["a", "b", "rare"])
    assert model.vocabulary == {"a", "b", "rare", "<s>", "</s>", "<unk>"}
    assert caplog.messages[0] == "2 words of the text (2 different: 'x', 'y') count as <unk>"
    assert model.log10_probability("x", ["b"]) == model.log10_probability("<unk>", ["b"])
    assert model.log10_probability("rare", ["b"]) < model.log10_probability("<unk>", ["b"])
    without = train_ngram([["a", "b"]], 2, vocabulary=["a", "b", "rare"])
    assert without.log10_probability("rare") == without.log10_probability("<unk>")


def test_markers_in_a_vocabulary_are_no_words():
    model = train_ngram([["a"]], 2, vocabulary=["a", "<s>", "</s>"])
    assert 10 ** sum(value for ngram, (value, _) in model.ngrams() if ngram == ("<s>",)) < 1e-90


def test_repeated_training_gives_the_same_file(tmp_path):
    text = read_reference("text")
    for name in ("a.arpa.gz", "b.arpa.gz"):
        train_ngram(text, 3).write_arpa(tmp_path / name)
    assert (tmp_path / "a.arpa.gz").read_bytes() == (tmp_path / "b.arpa.gz").read_bytes()


@settings(max_examples=30, deadline=None)
@given(texts, st.integers(1, 3), st.booleans())
def test_what_is_written_reads_back(tmp_path_factory, text, order, compressed):
    path = tmp_path_factory.mktemp("arpa") / ("x.arpa.gz" if compressed else "x.arpa")
    model = train_ngram(text, min(order, max(map(len, text)) + 2))
    model.write_arpa(path)
    again = NgramModel.read_arpa(path)
    assert again.order == model.order
    ours, read = dict(model.ngrams()), dict(again.ngrams())
    assert ours.keys() == read.keys()
    assert all(read[ngram] == pytest.approx(ours[ngram], rel=1e-7, abs=1e-7) for ngram in ours)


def test_fit_tells_known_from_unknown():
    model = train_ngram([["a", "b"], ["a", "a"]], 2)
    fit = model.fit([["a", "b"], ["a", "z"]])
    assert (fit.sentences, fit.words, fit.unknown) == (2, 4, 1)
    scores = [*model.sentence_log10_probabilities(["a", "b"]), *model.sentence_log10_probabilities(["a", "<unk>"])]
    assert fit.log10_probability == pytest.approx(sum(scores))
    assert fit.perplexity == pytest.approx(10 ** (-sum(scores) / 6))
    assert fit.perplexity_of_known == pytest.approx(10 ** (-(sum(scores) - scores[4]) / 5))
    assert model.perplexity([["a", "b"]]) == pytest.approx(10 ** (-sum(scores[:3]) / 3))
    assert math.isnan(model.perplexity([]))


def test_impossible_trainings_are_refused():
    with pytest.raises(LexiconError, match="no sentence to train"):
        train_ngram([])
    with pytest.raises(LexiconError, match=r"long enough for order 5 \(with <s> and </s>, the longest has 4 tokens\)"):
        train_ngram([["a", "b"]], 5)
    with pytest.raises(LexiconError, match="order must be at least 1"):
        train_ngram([["a"]], 0)
    with pytest.raises(LexiconError, match="prune must start with 0"):
        train_ngram([["a"]], 2, prune=(1,))
    with pytest.raises(LexiconError, match=r"2 sentences have markers(.|\n)*sentence 1 (.|\n)*sentence 3 "):
        train_ngram([["<s>", "a"], ["a"], ["b", "</s>"]], 2)


GOOD = """anything before
\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-1.0\t<s>\t-0.5
-0.5 </s>
-0.25\ta b\u00a0c\t-0.25
-0.75\tb

\\2-grams:
-0.1\t<s> b
-inf\tb </s>

\\end\\
"""


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def test_reader_takes_what_other_tools_write(tmp_path):
    text = GOOD.replace("a b\u00a0c", "b\u00a0c").replace("\n", "\r\n")
    model = NgramModel.read_arpa(write(tmp_path / "x", text))
    assert model.vocabulary == {"<s>", "</s>", "b\u00a0c", "b"}
    assert model.log10_probability("b", ["<s>"]) == -0.1
    # No back-off weight is weight 1; no <unk> is probability 0; minus infinity is the -99 of other tools.
    assert model.log10_probability("b", ["b"]) == -0.75
    assert model.log10_probability("b", ["<s>", "x"]) == -0.75
    assert model.log10_probability("x", ["b"]) == -math.inf
    assert model.log10_probability("</s>", ["b"]) == -99
    compressed = NgramModel.read_arpa(write(tmp_path / "y", gzip.compress(text.encode("utf-8"))))
    assert dict(compressed.ngrams()) == dict(model.ngrams())


def test_an_order_without_ngrams_needs_no_section_as_srilm_writes_it(tmp_path):
    text = "\\data\\\nngram  1=        4\nngram  2=        1\nngram  3=        0\nngram 4=0\n\n\\1-grams:\n"
    text += "-99\t<s>\t-0.3\n-1.0\t</s>\n-1.0\ta\t-0.2\n-1.0\tb\t-0.2\n\n\\2-grams:\n-0.3\ta b\n"
    for sections in ("", "\n\\3-grams:\n", "\n\\3-grams:\n\n\\4-grams:\n"):
        model = NgramModel.read_arpa(write(tmp_path / "x", text + sections + "\n\\end\\\n"))
        assert model.order == 2 and model.log10_probability("b", ["<s>", "a"]) == -0.3


def test_reader_lists_every_problem_with_its_line(tmp_path):
    text = GOOD.replace("ngram 2=2", "ngram 2=7\nngrams 3").replace("-0.1\t<s> b", "-0.1\t<s> b\n-0.1\t<s> b\n0.5\tb b")
    text = text.replace("-inf\tb </s>", "-1\tb z\n-1x\tb b").encode("utf-8").replace(b"-0.75\tb", b"-0.75\t\xff")
    path = write(tmp_path / "x.arpa", text)
    with pytest.raises(LexiconError) as caught:
        NgramModel.read_arpa(path)
    fields = "log10 probability, 1 word, back-off"
    assert str(caught.value).splitlines() == [
        f"{path}: 9 problems",
        f"  {path}:4: the header says 7 2-grams, the section has 5; is the file cut off?",
        f"  {path}:5: expected 'ngram N=COUNT' or '\\1-grams:' (got 'ngrams 3')",
        f"  {path}:10: 4 fields in \\1-grams: (expected {fields}): '-0.25\ta b\u00a0c\t-0.25'",
        f"  {path}:11: not UTF-8 (byte 0xFF at column 7); save the file as UTF-8",
        f"  {path}:14: 'b' not among the unigrams; add it there or remove this line",
        f"  {path}:15: '<s> b' stands twice; keep one",
        f"  {path}:16: log10 probability must be at most 0, back-off finite (got 0.5, 0)",
        f"  {path}:17: 'b', 'z' not among the unigrams; add it there or remove this line",
        f"  {path}:18: log10 probability or back-off is not a number: '-1x\tb b'",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no \\data\\ line; is this an ARPA file?"),
        ("\\data\\\nngram 1=1\n\n\\1-grams:\n-1 a\n", "no \\end\\ line; the file is cut off"),
        ("\\data\\\n\\end\\\n", "no unigrams"),
        (
            "\\data\\\nngram 1=1\nngram 2=3\n\\1-grams:\n-1 a\n\\end\\\n",
            ":3: the header says 3 2-grams, but there is no",
        ),
        ("\\data\\\nngram 1=1\n\\2-grams:\n-1 a a\n\\end\\\n", ":3: expected \\1-grams: (got \\2-grams:)"),
        ("\\data\\\n\\1-grams:\n-1 a\n\\end\\\n", ":2: the header has no 'ngram 1=COUNT'"),
        ("\\data\\\nngram 1=1\n\\1-grams:\nnan a\n\\end\\\n", ":4: log10 probability must be at most 0"),
        (
            "\\data\\\nngram 1=1\n\\1-grams:\n-1 a inf\n\\end\\\n",
            ":4: log10 probability must be at most 0, back-off fin",
        ),
        (gzip.compress(b"\\data\\", mtime=0)[:-3], "damaged gzip file"),
    ],
)
def test_broken_files_are_named(tmp_path, text, message):
    with pytest.raises(LexiconError) as caught:
        NgramModel.read_arpa(write(tmp_path / "x.arpa", text))
    assert str(tmp_path / "x.arpa") in str(caught.value)
    assert message in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(LexiconError, match=r"none\.arpa: cannot read: No such file"):
        NgramModel.read_arpa(tmp_path / "none.arpa")
