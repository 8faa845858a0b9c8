"""Alignment of a corpus with posteriors that are known, in place of a model."""

import dataclasses
import functools

import numpy as np
import pytest
from result_schema import valid

from speechtl.alignment.align_corpus import WORTH_REFINING, align_corpus
from speechtl.alignment.config import AlignmentConfig
from speechtl.alignment.corpus import Corpus
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError
from speechtl.features.archives import write_ark_scp
from speechtl.features.config import FeatureConfig
from speechtl.files import original_name
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.recognition.alignment_results import write_alignment

PHONES = PhoneInventory(["a", "i", "k", "s", "t"])
WORDS = {"tak": ["tak"], "sit": ["sit"], "aki": ["aki", "iki"]}
TEXTS = {"anna-1": "tak sit", "anna-2": "sit aki", "bert-1": "aki", "bert-2": "tak tak aki"}
BINS = 20


class World:
    """A corpus whose phone times are known, and posteriors as of a model in which every phone peaks for one frame."""

    def __init__(self, folder, utterances=4):
        self.folder, self.truth, self.posteriors = folder, {}, {}
        texts = {f"{key}{n or ''}": text for n in range(utterances // 4) for key, text in TEXTS.items()}
        self.data = DataDir(
            folder / "data",
            utt2spk={key: key[:4] for key in texts},
            wav_scp={key: f"{key}.wav" for key in texts},
            text=texts,
        )
        random = np.random.default_rng(0)
        patterns = random.normal(0, 4, (len(PHONES) + 1, BINS))
        patterns[0] = 0
        with write_ark_scp(folder / "feats.ark", folder / "feats.scp") as write:
            for key, text in texts.items():
                rows, truth, peaks = [0] * 45, [], []
                for number, word in enumerate(text.split()):
                    rows += [0] * (45 * bool(number))
                    for phone in WORDS[word][0]:
                        length = 3 * int(random.integers(3, 6))
                        truth.append((len(rows), len(rows) + length, phone))
                        peaks.append(((len(rows) + length // 2) // 3, PHONES.index(phone)))
                        rows += [PHONES.index(phone)] * length
                rows += [0] * 45
                features = patterns[rows] + random.normal(0, 0.5, (len(rows), BINS))
                self.data.feats_scp[key] = write(key, features.astype(np.float32))
                self.data.utt2dur[key] = len(rows) / 100 + 0.015
                probability = np.full((len(rows) // 3, len(PHONES) + 1), 0.01)
                probability[:, 0] = 0.95
                for frame, unit in peaks:
                    probability[frame] = 0.01
                    probability[frame, unit] = 0.95
                self.posteriors[key], self.truth[key] = np.log(probability).astype(np.float32), truth
        self.data.save(folder / "data")
        self.lexicon = Lexicon()
        for word, variants in WORDS.items():
            for said in variants:
                self.lexicon.add(word, list(said))

    def align(self, lexicon=None, textgrids=True, phones=False, **options):
        """Align with the world's lexicon or another one, and write the results."""
        data = DataDir.load(self.folder / "data")
        words = None if phones else lexicon or self.lexicon
        corpus = Corpus(data, PHONES, words, FeatureConfig(num_mel_bins=BINS), 3)
        alignment = align_corpus(corpus, iter(self.posteriors.items()), AlignmentConfig(**options))
        write_alignment(self.folder / "out", alignment, data, textgrids=textgrids)
        return alignment

    def rows(self, name):
        lines = (self.folder / "out" / name).read_text(encoding="utf-8").splitlines()
        return [line.split() for line in lines]


@pytest.fixture
def make_world(tmp_path):
    return functools.partial(World, tmp_path)


def test_words_and_phones_with_times(make_world):
    world = make_world()
    alignment = world.align(refine="never")
    assert [row[4] for row in world.rows("ctm")] == " ".join(TEXTS.values()).split()
    late = []
    phones = world.rows("phones.ctm")
    for key, truth in world.truth.items():
        mine = [row for row in phones if row[0] == key]
        assert [row[4] for row in mine] == [phone for _, _, phone in truth]
        late += [float(row[2]) - (start / 100 + 0.0075) for row, (start, _, _) in zip(mine, truth, strict=True)]
        assert all(0.9 < float(row[5]) <= 1 for row in mine)
    assert np.abs(late).max() < 0.08 and np.median(np.abs(late)) < 0.03
    grid = (world.folder / "out/textgrid/anna-1.TextGrid").read_text()
    assert 'name = "words"' in grid and 'name = "phones"' in grid
    lines = [valid(line) for line in (world.folder / "out/log.jsonl").read_text().splitlines()]
    assert [line["utterance"] for line in lines] == sorted(TEXTS)
    (segment,) = lines[0]["segments"]
    assert len(segment["phones"]) == 6 and not segment["refined"]
    assert [(word["word"], len(word["phones"])) for word in segment["words"]] == [("tak", 3), ("sit", 3)]
    rows = [row for row in world.rows("ctm") if row[0] == "anna-1"]
    assert [f"{word['start']:.3f}" for word in segment["words"]] == [row[2] for row in rows]
    assert segment["score_per_frame"] == pytest.approx(np.log(0.95), abs=1e-3)
    assert len(alignment.utterances) == 4 and alignment.seconds == pytest.approx(sum(world.data.utt2dur.values()))
    assert not alignment.refined and not alignment.problems


def test_refined_boundaries_are_exact(make_world):
    world = make_world(utterances=48)
    alignment = world.align(refine="always", jobs=2)
    phones = world.rows("phones.ctm")
    off = []
    for key, truth in world.truth.items():
        mine = [row for row in phones if row[0] == key]
        for number, (row, (start, end, _)) in enumerate(zip(mine, truth, strict=True)):
            # Inside a word. Beside a silence as steady as no real one is, the differences over two frames on either
            # side already hear the phone come.
            first = abs(float(row[2]) - (start / 100 + 0.0075))
            last = abs(float(row[2]) + float(row[3]) - (end / 100 + 0.0075))
            off += [late for late, inside in ((first, number % 3), (last, number % 3 < 2)) if inside]
            assert max(first, last) < 0.0511
    # A frame or two beside the boundary now and then, where the differences look like the neighbour.
    assert np.max(off) < 0.0211
    assert np.mean(np.array(off) < 0.0011) > 0.95
    assert alignment.refined and all(one.refined for one in alignment.utterances.values())


def test_auto_refines_where_there_is_enough_speech(make_world, monkeypatch):
    world = make_world()
    alignment = world.align()
    assert alignment.seconds < WORTH_REFINING and not alignment.refined
    monkeypatch.setattr("speechtl.alignment.align_corpus.WORTH_REFINING", alignment.seconds)
    assert world.align().refined


def test_transcripts_of_phones(make_world):
    world = make_world()
    world.data.text = {key: " ".join(phone for _, _, phone in truth) for key, truth in world.truth.items()}
    world.data.save(world.folder / "data")
    world.align(phones=True, refine="never")
    assert not (world.folder / "out/ctm").exists()
    assert 'name = "words"' not in (world.folder / "out/textgrid/anna-1.TextGrid").read_text()
    assert len(world.rows("phones.ctm")) == sum(map(len, world.truth.values()))


def test_what_cannot_be_aligned_is_listed_and_the_rest_is_done(make_world, caplog):
    world = make_world()
    world.data.text["anna-1"] = "tak foo bar sit"
    world.data.text["anna-2"] = "tak " * 50
    world.data.save(world.folder / "data")
    alignment = world.align(refine="never", textgrids=False)
    assert {row[0] for row in world.rows("ctm")} == {"bert-1", "bert-2"}
    assert "2 words are not in the lexicon; add them (speechtl lexicon add, g2p):\n  bar\n  foo" in caplog.text
    assert list(alignment.problems) == ["anna-1", "anna-2"]
    assert alignment.problems["anna-1"].startswith("2 words are not in the lexicon:")
    assert alignment.problems["anna-2"].startswith("too short for its text")
    assert not (world.folder / "out/textgrid").exists()


def test_phones_that_the_model_lacks_are_replaced_and_logged(make_world, caplog, tmp_path):
    caplog.set_level("INFO")
    world = make_world()
    (tmp_path / "other.txt").write_text("tak t a k\nsit z i t\naki a k i\n")
    world.align(lexicon=Lexicon.load(tmp_path / "other.txt"), refine="never")
    assert "as the nearest that it has: z -> s" in caplog.text
    assert [row[4] for row in world.rows("phones.ctm")][:6] == list("taksit")


def test_utterances_without_features(make_world):
    world = make_world()
    del world.data.feats_scp["bert-2"], world.posteriors["bert-2"]
    world.data.save(world.folder / "data")
    alignment = world.align(refine="never")
    assert "bert-2" not in alignment.utterances
    assert (
        alignment.problems["bert-2"] == f"has no features; run speechtl features {world.folder / 'data'} --model MODEL"
    )


def test_mistakes(make_world, tmp_path):
    world = make_world()
    world.data.text = dict.fromkeys(TEXTS, "unknown")
    world.data.save(world.folder / "data")
    with pytest.raises(DataError, match=r"no utterance could be aligned\n  anna-1: 'unknown' is not in the lexicon"):
        world.align()
    world.data.text = {}
    world.data.save(world.folder / "data")
    with pytest.raises(DataError, match="text: missing; alignment needs transcripts"):
        world.align()
    assert not (tmp_path / "out").exists()


def test_every_utterance_has_a_textgrid_of_its_own(make_world, tmp_path):
    world = make_world()
    alignment = world.align(refine="never")
    one = alignment.utterances["anna-1"]
    both = dataclasses.replace(alignment, utterances={"s1/a": one, "s1_a": one, "..": one})
    data = DataDir(tmp_path, utt2spk=dict.fromkeys(both.utterances, "s"), wav_scp=dict.fromkeys(both.utterances, "x"))
    write_alignment(tmp_path / "own", both, data)
    assert {original_name(path.stem) for path in (tmp_path / "own/textgrid").iterdir()} == {"s1/a", "s1_a", ".."}
