"""Which phones a model in training gets, and what is said where a lexicon and transcripts do not fit."""

import pytest

from speechtl.batches.config import DataConfig
from speechtl.batches.labelling import Labelling
from speechtl.batches.needed_phones import needed_phones
from speechtl.data.datadir import DataDir
from speechtl.errors import LexiconError
from speechtl.lang.lexicon import Lexicon


@pytest.fixture
def needed(tmp_path):
    lexicon = Lexicon()
    lexicon.add("ano", ["a", "n", "o"])
    lexicon.add("ne", ["n", "ɛ"])

    def run(text, phones="transcripts"):
        data = DataDir(tmp_path / "train", utt2spk={"s-1": "s"}, wav_scp={"s-1": "x.wav"}, text={"s-1": text})
        data.save(tmp_path / "train")
        table = DataConfig(language="cs", train=(str(tmp_path / "train"),), lexicon="cs.txt", phones=phones)
        return needed_phones([(table, lexicon)]), lexicon

    return run


def test_phones_are_those_of_the_transcripts_or_of_the_lexicon(needed):
    assert set(needed("ne ne")[0]) == {"n", "ɛ"}
    assert set(needed("ne", "lexicon")[0]) == {"a", "n", "o", "ɛ"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ANO NE", "it has 'ano' for 'ANO': write both alike (speechtl lexicon convert --case)"),
        ("yes no oh well", "they have 'no', 'oh', 'well'; is it a lexicon of their language?"),
    ],
)
def test_a_lexicon_of_other_words_is_told_from_one_in_another_case(needed, text, message):
    with pytest.raises(LexiconError) as error:
        needed(text)
    assert str(error.value) == f"cs.txt: contains no word of the training transcripts; {message}"


def test_a_phone_that_training_lacks_is_named_with_a_word_and_what_to_do(needed):
    inventory, lexicon = needed("ne")
    with pytest.raises(LexiconError) as error:
        Labelling(inventory, lexicon).variants({"s-2": "ne ano"}, "cs")
    heading, *lines = str(error.value).splitlines()
    assert "that the model's inventory lacks" in heading and 'phones = "lexicon" in [[data]]' in heading
    assert [line.split(": nearest")[0] for line in lines] == [
        "  a (in 'ano', first in s-2)",
        "  o (in 'ano', first in s-2)",
    ]
