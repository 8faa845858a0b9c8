"""What a large lexicon teaches is learned once, whatever happens to the cache."""

import logging

import pytest

from speechtl.g2p import kept_model
from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
from speechtl.g2p.new_words import choose_pronouncer
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.stored_lexicon import StoredLexicon

WORDS = "ban b a n\nbin b i n\nnab n a b\nnib n i b\nbib b i b\n"


@pytest.fixture
def learn(tmp_path, monkeypatch, caplog):
    """Return a function that makes a pronouncer of a text, and says whether it was learned anew and what was logged."""
    caplog.set_level(logging.INFO, "speechtl")
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kept_model, "WORTH_KEEPING", 10)
    trained = []
    train = GraphemeToPhoneme.train
    monkeypatch.setattr(GraphemeToPhoneme, "train", lambda lexicon: trained.append(lexicon) or train(lexicon))

    def run(text=WORDS):
        trained.clear()
        caplog.clear()
        (tmp_path / "lexicon.txt").write_text(text)
        pronouncer = choose_pronouncer(StoredLexicon(tmp_path / "lexicon.txt"))
        return [one.phones for one in pronouncer.pronounce("nan", 1)], bool(trained), caplog.text

    return run


def test_a_large_lexicon_is_learned_once_for_each_content(learn):
    guess, anew, said = learn()
    assert (guess, anew) == (
        [("n", "a", "n")],
        True,
    ) and "learning how 5 words of lexicon.txt are spelled, once" in said
    assert learn() == (guess, False, "")
    assert learn(WORDS.replace(" a ", " o "))[:2] == ([("n", "o", "n")], True)
    assert learn() == (guess, False, "")


def test_without_a_cache_that_can_be_used_it_is_learned_again(learn, tmp_path):
    guess, *_ = learn()
    (file,) = (tmp_path / "cache").rglob("*.g2p")
    file.write_bytes(b"damaged")
    again, anew, said = learn()
    assert (again, anew) == (guess, True) and "it is learned again" in said
    assert learn() == (guess, False, "")
    file.unlink()
    file.parent.rmdir()
    file.parent.touch()
    again, anew, said = learn()
    assert (again, anew) == (guess, True) and "at every start (SPEECHTL_CACHE)" in said


def test_only_so_many_are_kept(learn, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_model, "_MOST", 2)
    for letter in "aeo":
        learn(WORDS.replace(" a ", f" {letter} "))
    assert len(list((tmp_path / "cache").rglob("*.g2p"))) == 2
    assert not learn(WORDS.replace(" a ", " o "))[1]


def test_what_is_small_or_in_no_file_is_not_kept(learn, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_model, "WORTH_KEEPING", 1000)
    assert learn()[1:] == (True, "") and learn()[1:] == (True, "")
    lexicon = Lexicon()
    lexicon.add("ban", ["b", "a", "n"])
    assert isinstance(choose_pronouncer(lexicon), GraphemeToPhoneme)
    assert not (tmp_path / "cache").exists()
