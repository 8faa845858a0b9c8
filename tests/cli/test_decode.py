"""``speechtl decode`` on stored posteriors: no model is loaded."""

import json
import math

import numpy as np
import pytest
import tomli_w
from command_line import verb
from result_schema import valid

from speechtl.config import read_toml
from speechtl.data.tables import read_table
from speechtl.errors import ConfigError, DataError, LexiconError, ModelError
from speechtl.features.archives import write_ark_scp
from speechtl.lang.phone_inventory import PhoneInventory

PHONES = PhoneInventory(["a", "b", "k"])
TEXTS = {"anna-1": "abba", "anna-2": "back abba", "bert-1": "back", "bert-2": "abba abba"}
WORDS = {"abba": "a b b a", "back": "b a k"}


@pytest.fixture
def world(tmp_path):
    """Make an experiment directory, a data directory, a lexicon and a grammar, and posteriors of the data."""
    PHONES.save(tmp_path / "exp" / "phones" / "en.txt")
    config = {
        "data": [{"language": "en", "train": ["x"]}],
        "features": {"frame_shift_ms": 10.0},
        "model": {"encoder": {"subsampling": {"factor": 3}}},
        "decoding": {"word_insertion_penalty": 2.5},
    }
    (tmp_path / "exp" / "config.toml").write_text(tomli_w.dumps(config))
    data = tmp_path / "data"
    data.mkdir()
    (data / "wav.scp").write_text("".join(f"{key} {key}.wav\n" for key in TEXTS))
    (data / "utt2spk").write_text("".join(f"{key} {key[:4]}\n" for key in TEXTS))
    (data / "text").write_text("".join(f"{key} {text}\n" for key, text in TEXTS.items()))
    (tmp_path / "lexicon.txt").write_text("".join(f"{word} {phones}\n" for word, phones in WORDS.items()))
    write_posteriors(tmp_path, TEXTS)
    return tmp_path


def write_posteriors(folder, texts):
    random = np.random.default_rng(0)
    with write_ark_scp(folder / "posteriors.ark", folder / "posteriors.scp") as write:
        for key, text in texts.items():
            units = [u for word in text.split() for phone in WORDS[word].split() for u in [PHONES.index(phone), 0]]
            scores = random.normal(size=(len(units), 4))
            scores[np.arange(len(units)), units] += 6
            write(key, (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32))


def run(world, **options):
    options = {"posteriors": [world / "posteriors.scp"], "lexicon": world / "lexicon.txt", **options}
    assert verb("decode", world / "exp", world / "data", world / "out", **options) == 0


def test_phones_and_words(world):
    run(world, nbest=2)
    assert read_table(world / "out" / "text") == TEXTS
    phones = {key: " ".join(WORDS[word] for word in text.split()) for key, text in TEXTS.items()}
    assert read_table(world / "out" / "phones") == phones
    lines = [valid(line) for line in (world / "out" / "log.jsonl").read_text().splitlines()]
    assert [line["utterance"] for line in lines] == sorted(TEXTS)
    for line in lines:
        (best,) = line["segments"]
        assert best["text"] == line["text"] == TEXTS[line["utterance"]]
        assert best["score"] == pytest.approx(best["acoustic_score"] + best["graph_score"], abs=2e-3)
    assert read_toml(world / "out" / "decoding.toml")["decoding"]["word_insertion_penalty"] == 2.5


def test_without_a_lexicon_there_are_phones_alone(world):
    run(world, lexicon=None)
    assert (world / "out" / "phones").exists() and not (world / "out" / "text").exists()
    assert not (world / "out" / "ctm").exists()
    lines = [line.split() for line in (world / "out" / "phones.ctm").read_text().splitlines()]
    for name, phones in read_table(world / "out" / "phones").items():
        own = [line for line in lines if line[0] == name]
        assert " ".join(line[4] for line in own) == phones
        assert all(0 < float(line[5]) <= 1 for line in own)
    run(world, lexicon=None, times=False, set_=["decoding.blank_penalty=100"])
    longer = read_table(world / "out" / "phones")
    assert len(longer["anna-1"].split()) > 4
    for line in (world / "out" / "log.jsonl").read_text().splitlines():
        (segment,) = valid(line)["segments"]
        assert segment["words"] == [] and segment["end"] is None
        assert " ".join(phone["phone"] for phone in segment["phones"]) == longer[json.loads(line)["utterance"]]


def test_phones_beside_words_are_those_without_words(world):
    scores = [[0.1, 6, 0.1, 0.1], [6, 0.1, 0.1, 0.1], [0.1, 0.1, 6, 0.1], [6, 0.1, 0.1, 0.1]] * 2
    # Between b and k: neither beats the blank.
    scores += [[4, 0.1, 3.2, 3]]
    matrix = np.log(np.array(scores) / np.sum(scores, axis=1, keepdims=True)).astype(np.float32)
    with write_ark_scp(world / "posteriors.ark", world / "posteriors.scp") as write:
        for key in TEXTS:
            write(key, matrix)
    for decision, expected in (("best_path", "a b a b"), ("pooled", "a b a b b")):
        for lexicon in (world / "lexicon.txt", None):
            run(world, lexicon=lexicon, set=[f"decoding.phone_decision={decision}"])
            assert set(read_table(world / "out" / "phones").values()) == {expected}


def test_a_config_with_an_impossible_rate_is_damaged(world):
    path = world / "exp" / "config.toml"
    path.write_text(path.read_text().replace("factor = 3", "factor = inf"))
    with pytest.raises(ModelError, match=r"config\.toml: \[model\] is not whole"):
        run(world)


def test_settings_go_over_the_config_over_the_experiment(world):
    (world / "my.toml").write_text("[decoding]\nbeam = 9.5\nlm_weight = 2.0\n[model]\nanything = 1\n")
    run(world, config=world / "my.toml", set_=["decoding.lm_weight=3.0"])
    used = read_toml(world / "out" / "decoding.toml")["decoding"]
    assert (used["beam"], used["lm_weight"], used["word_insertion_penalty"]) == (9.5, 3.0, 2.5)


def test_times_are_in_a_ctm(world, capsys):
    run(world)
    lines = [line.split() for line in (world / "out" / "ctm").read_text().splitlines()]
    assert [line[4] for line in lines if line[0] == "anna-2"] == ["back", "abba"]
    # Three phones, each one frame of 30 ms and one of blank.
    times = [(float(line[2]), float(line[3])) for line in lines if line[0] == "anna-2"]
    assert times[0][0] == pytest.approx(0.0) and sum(times[0]) == pytest.approx(0.18, abs=0.061)
    assert all(0 < float(line[5]) < 1 for line in lines)
    assert len((world / "out" / "phones.ctm").read_text().splitlines()) == sum(
        len(WORDS[word].split()) for text in TEXTS.values() for word in text.split()
    )
    assert "confidence of 6 words: mean 0." in capsys.readouterr().out
    found = [valid(line) for line in (world / "out" / "log.jsonl").read_text().splitlines()]
    words = [(line["recording"], word) for line in found for word in line["segments"][0]["words"]]
    assert [[name, word["word"], f"{word['start']:.3f}"] for name, word in words] == [
        [line[0], line[4], line[2]] for line in lines
    ]
    assert {word["word"]: " ".join(word["phones"]) for _, word in words} == WORDS
    run(world, times=False)
    untimed = [valid(line)["segments"][0] for line in (world / "out" / "log.jsonl").read_text().splitlines()]
    assert [word for segment in untimed for word in segment["words"]] == [{"word": word["word"]} for _, word in words]


def test_phones_that_the_model_lacks_are_the_nearest_or_refused(world, capsys):
    (world / "other.dict").write_text("abba 0.9 aː bʲ b a\nback 1.0 p a ɡ\n")
    with pytest.raises(LexiconError, match=r"the model lacks phones of the lexicon(?s:.)*'bʲ' is unknown"):
        run(world, lexicon=world / "other.dict", missing_phones="refuse")
    capsys.readouterr()
    run(world, lexicon=world / "other.dict")
    assert read_table(world / "out" / "text") == TEXTS
    assert capsys.readouterr().out.count("as the nearest that it has: aː -> a, bʲ -> b, p -> b, ɡ -> k") == 1


def test_phones_where_no_word_fits(world):
    (world / "few.txt").write_text(f"back {WORDS['back']}\n")
    run(world, lexicon=world / "few.txt", oov="phones", set_=["decoding.filler_phone_penalty=2"])
    assert read_table(world / "out" / "text")["anna-2"] == f"back <oov:{WORDS['abba'].replace(' ', '_')}>"
    run(world, lexicon=world / "few.txt", oov="words")
    assert "<oov" not in (world / "out" / "text").read_text()


def test_without_times(world):
    run(world, times=False)
    assert read_table(world / "out" / "text") == TEXTS
    assert not (world / "out" / "ctm").exists()


def test_tuning_writes_what_config_reads_back(world, capsys):
    dev = world / "data"
    run(world, tune=dev)
    tuned = read_toml(world / "out" / "tuned.toml")
    assert f"{dev}: WER 0.00 %" in capsys.readouterr().out
    assert len((world / "out" / "tuning.jsonl").read_text().splitlines()) == 21
    run(world, config=world / "out" / "tuned.toml")
    assert read_toml(world / "out" / "decoding.toml") == tuned
    run(world, tune=dev, grid=["word_insertion_penalty=2,3", "beam=9"])
    tuned = read_toml(world / "out" / "tuned.toml")["decoding"]
    assert (tuned["beam"], tuned["word_insertion_penalty"]) in {(9.0, 2.0), (9.0, 3.0)}
    assert len((world / "out" / "tuning.jsonl").read_text().splitlines()) == 2
    with pytest.raises(ConfigError, match="give a data directory with --tune"):
        run(world, grid=["beam=9"])


def test_utterances_without_posteriors_are_told(world, capsys):
    write_posteriors(world, {key: TEXTS[key] for key in ("anna-1", "bert-1")})
    run(world)
    assert sorted(read_table(world / "out" / "text")) == ["anna-1", "bert-1"]
    assert "2 utterances: no stored posteriors, not decoded (anna-2; bert-2)" in capsys.readouterr().err
    write_posteriors(world, {})
    with pytest.raises(DataError, match="no utterance has stored posteriors"):
        run(world)


def test_words_that_cannot_be_found_are_told(world, capsys):
    lm = world / "g.arpa"
    lm.write_text("\\data\\\nngram 1=3\n\n\\1-grams:\n-99 <s>\n-0.3 </s>\n-0.3 abba\n\n\\end\\\n")
    run(world, lm=lm)
    told = f"{lm} lacks 1 of the 2 words of {world / 'lexicon.txt'} (back); they cannot be found, for it has no <unk>"
    assert told in capsys.readouterr().err


def test_commands(world, capsys):
    grammar = world / "commands.gram"
    grammar.write_text("#JSGF V1.0;\ngrammar test;\npublic <s> = (abba | back) | back abba now | abba abba;\n")
    (world / "lexicon.txt").write_text("abba a b b a\nback b a k\nkabba k a b b a\n")
    run(world, grammar=grammar)
    # "now" has no pronunciation, so "back abba" is not the beginning of anything; words beside the commands are fine.
    warnings = capsys.readouterr().err
    assert (
        f"{grammar} has words that {world / 'lexicon.txt'} lacks; what has them cannot be found:\n  now\n" in warnings
    )
    assert "kabba" not in warnings
    found = read_table(world / "out" / "text")
    assert {key: found[key] for key in TEXTS if key != "anna-2"} == {k: TEXTS[k] for k in TEXTS if k != "anna-2"}
    assert found["anna-2"] in {"back", "abba", "abba abba"}
    run(world, grammar=grammar, tune=world / "data")
    assert (world / "out" / "tuned.toml").exists()


def test_matrices_that_are_not_posteriors(world):
    with write_ark_scp(world / "other.ark", world / "other.scp") as write:
        write("anna-1", np.zeros((5, 4), np.float32))
    with pytest.raises(DataError, match="utterance anna-1 has no log-posteriors"):
        run(world, posteriors=[world / "other.scp"])
    with write_ark_scp(world / "other.ark", world / "other.scp") as write:
        write("anna-1", np.full((5, 9), -math.log(9), np.float32))
    with pytest.raises(DataError, match="utterance anna-1 has 9 units, expected 4"):
        run(world, posteriors=[world / "other.scp"])


def test_mistakes(world):
    with pytest.raises(ModelError, match="no head for language 'de'; this model has: en"):
        run(world, language="de")
    with pytest.raises(ConfigError, match="give their pronunciations with --lexicon"):
        run(world, lexicon=None, tune=world / "data")
    with pytest.raises(ConfigError, match="--lm and --grammar both define the word sequences; give one of them"):
        run(world, lm=world / "g.arpa", grammar=world / "g.gram")
    with pytest.raises(LexiconError, match="not a grammar in a known format"):
        run(world, grammar=world / "lexicon.txt")
    with pytest.raises(ConfigError, match=r"expected decoding\.key=value"):
        run(world, set_=["model.blocks=3"])
    with pytest.raises(ConfigError, match=r"beem: unknown key; known keys: .*beam"):
        run(world, set_=["decoding.beem=3"])
    (world / "lexicon.txt").write_text("key k i\n")
    with pytest.raises(LexiconError, match="phone 'i' is unknown"):
        run(world, missing_phones="refuse")
    with pytest.raises(ModelError, match="not an experiment directory"):
        verb("decode", world, world / "data", world / "out")
    assert not (world / "out").exists()
