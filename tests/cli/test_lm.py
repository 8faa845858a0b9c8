"""``speechtl lm`` as a person runs it."""

import pytest
from command_line import run

from speechtl.errors import DataError, LexiconError, SpeechtlError
from speechtl.grammar.kneser_ney import START
from speechtl.grammar.ngram_model import NgramModel


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def test_it_trains_from_tables_and_data_directories(tmp_path):
    (tmp_path / "dir").mkdir()
    table = write(tmp_path / "dir" / "text", "u1 a b\nu2 b  a\nu3\n")
    lexicon = write(tmp_path / "lexicon.txt", "a x\na y\nb x y\nnew z\n")
    out = tmp_path / "new" / "g.arpa"
    result = run("lm", table, tmp_path / "dir", "-o", out, "--order", 2, "--vocabulary", lexicon, "--dev", table)
    assert result.exit_code == 0, result.output
    model = NgramModel.read_arpa(out)
    assert model.vocabulary == {"<s>", "</s>", "<unk>", "a", "b", "new"}
    assert f"{out}: 6 1-grams, 6 2-grams from 4 sentences, 8 words" in result.output
    perplexity = model.perplexity([["a", "b"], ["b", "a"]])
    assert f"{table}: perplexity {perplexity:.2f} (2 sentences, 4 words)" in result.output
    plain = run("lm", table, "-o", out, "--order", 2, "--text-column", "plain")
    assert plain.exit_code == 0, plain.output
    assert "u1" in NgramModel.read_arpa(out).vocabulary


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"u1\nu2\n", [], "no sentence with words; give a text to train on"),
        (b"u1 a\nu2 \xe9\n", [], ":2: not UTF-8 (byte 0xE9"),
        (b"a\nb \xe9\n", ["--text-column", "plain"], ":2: not UTF-8 (byte 0xE9 at column 3); save the file as UTF-8"),
        (b"u1 a\nu1 b\n", [], ":2: 'u1' appears again"),
        (b"u1 a\n", ["--prune", "0,x"], "--prune 0,x: expected whole numbers with commas, like 0,0,1"),
        (b"u1 a\n", ["--vocabulary", "/dev/null"], "/dev/null: no words; give a lexicon or a word list"),
        (b"u1 a\n", ["--dev", "/none/text"], "/none/text: cannot read: No such file or directory"),
    ],
)
def test_bad_input_is_named_and_nothing_written(tmp_path, content, options, message):
    with pytest.raises((DataError, LexiconError)) as error:
        run("lm", write(tmp_path / "text", content), "-o", tmp_path / "g.arpa", *options)
    assert message in str(error.value)
    assert not (tmp_path / "g.arpa").exists()


def test_it_mixes_by_a_share_that_it_chooses(tmp_path):
    def lm(*arguments):
        return run("lm", *arguments, "--text-column", "plain")

    for name, lines in {"one": "a b\na b a\n", "other": "c d\nd c c\n", "dev": "a b\nc d\nd c\na b\n"}.items():
        (tmp_path / name).write_text(lines)
    (tmp_path / "words").write_text("a\nb\nc\nd\n")
    vocabulary = ("--vocabulary", tmp_path / "words")
    assert lm(tmp_path / "other", "-o", tmp_path / "other.arpa", *vocabulary).exit_code == 0
    arguments = (tmp_path / "one", "-o", tmp_path / "mixed.arpa", *vocabulary, "--mix", tmp_path / "other.arpa")
    shown = lm(*arguments, "--dev", tmp_path / "dev").output
    assert "share 0.5" in shown or "share 0.4" in shown
    mixed = NgramModel.read_arpa(tmp_path / "mixed.arpa")
    assert mixed.log10_probability("d", [START, "c"]) > mixed.log10_probability("b", [START, "c"])
    with pytest.raises(SpeechtlError, match="--dev text to choose it on"):
        lm(*arguments)
    with pytest.raises(SpeechtlError, match="with --mix"):
        lm(tmp_path / "one", "-o", tmp_path / "x.arpa", "--share", "0.5")
