import dataclasses
from pathlib import Path

import pytest
from datadir_strategies import data_dirs, few_examples, same, write_recordings
from hypothesis import given

from speechtl.data.combine import combine
from speechtl.data.datadir import DataDir, Segment
from speechtl.data.durations import durations
from speechtl.data.perturb import perturb_speed
from speechtl.data.validate import validate
from speechtl.errors import DataError


def simple(name, utterances="a-1", **tables):
    ids = utterances.split()
    data = DataDir(
        Path(name), utt2spk={id_: id_.split("-")[0] for id_ in ids}, wav_scp={id_: f"{id_}.wav" for id_ in ids}
    )
    return dataclasses.replace(data, **tables)


@few_examples
@given(one=data_dirs(prefix="x"), other=data_dirs(prefix="y"))
def test_what_is_joined_is_valid_and_splits_again(tmp_path_factory, one, other):
    joined, notes = combine([one, other])
    folder = tmp_path_factory.mktemp("data") / "x"
    joined.save(folder)
    assert validate(folder, check_audio=False).errors == []
    part = joined.select(one.utt2spk)
    assert (part.utt2spk, part.wav_scp, part.text) == (one.utt2spk, one.wav_scp, one.text)
    assert all("omitted" in note for note in notes)


@few_examples
@given(data=data_dirs())
def test_joining_one_directory_changes_nothing(data):
    joined, notes = combine([data])
    assert same(joined, data)
    assert notes == []


def test_recordings_become_segments_beside_segments():
    joined, _ = combine([simple("x"), simple("y", "b-1", wav_scp={"r": "r.wav"}, segments={"b-1": Segment("r", 1, 2)})])
    assert joined.segments == {"a-1": Segment("a-1", 0.0, -1), "b-1": Segment("r", 1, 2)}


def test_originals_are_their_own_originals_beside_copies():
    joined, _ = combine([simple("x"), simple("y", "b-1", utt2uniq={"b-1": "b-0"})])
    assert joined.utt2uniq == {"a-1": "a-1", "b-1": "b-0"}


def test_tables_that_could_not_be_complete_are_left_out_and_named():
    joined, notes = combine([simple("x", text={"a-1": "one"}), simple("y", "b-1", utt2lang={"b-1": "en"})])
    assert (joined.text, joined.utt2lang) == ({}, {})
    assert notes == ["text omitted: y has none", "utt2lang omitted: x has none"]


def test_speaker_statistics_of_another_part_are_left_out():
    joined, notes = combine([simple("x", cmvn_scp={"a": "x.ark:1"}), simple("y", "a-2", cmvn_scp={"a": "y.ark:1"})])
    assert joined.cmvn_scp == {}
    assert notes == ["cmvn.scp omitted: the statistics of speaker 'a' differ between the parts; recompute them"]


def test_all_conflicts_are_listed():
    one = simple("x", "a-1 a-2", spk2gender={"a": "f"})
    other = simple("y", "a-2 b-1", wav_scp={"a-2": "other.wav", "b-1": "b.wav"}, spk2gender={"a": "m", "b": "m"})
    other.wav_scp["a-1"] = "a-1.wav"
    other.reco2speed = {"a-1": 0.9}
    with pytest.raises(DataError) as error:
        combine([one, other])
    assert str(error.value).splitlines() == [
        "cannot combine: 4 conflicts",
        "  utterance 'a-2' is in x and y; remove it from one",
        "  recording 'a-1' has different speeds in x and y; rename it in one",
        "  recording 'a-2' has different entries in wav.scp of x and y; rename it in one",
        "  speaker 'a' has different entries in spk2gender of x and y; rename it in one",
    ]


def test_nothing_to_combine():
    with pytest.raises(DataError, match="nothing to combine"):
        combine([])


@few_examples
@given(data=data_dirs())
def test_perturbed_directories_are_valid(tmp_path_factory, data):
    perturbed = perturb_speed(data)
    folder = tmp_path_factory.mktemp("data") / "x"
    perturbed.save(folder)
    assert validate(folder, check_audio=False).errors == []
    assert len(perturbed) == 3 * len(data)
    original = dataclasses.replace(perturbed.select(data.utt2spk), utt2uniq={})
    assert same(original, data)
    for utterance in data.utterances():
        for factor in (0.9, 1.1):
            copy = perturbed.utterance(f"sp{factor}-{utterance.id}")
            assert copy.speed == pytest.approx(factor * utterance.speed)
            assert (copy.speaker, copy.text) == (f"sp{factor}-{utterance.speaker}", utterance.text)
            assert (copy.audio, copy.start, copy.end) == (utterance.audio, utterance.start, utterance.end)
            assert perturbed.utt2uniq[copy.id] == utterance.id


def test_names_are_those_of_kaldi_and_durations_follow(tmp_path):
    data = write_recordings(tmp_path / "d", {"a-1": 0.9})
    data.feats_scp = {"a-1": "f.ark:1"}
    perturbed = perturb_speed(data, [0.9, 1.0, 1.1])
    assert perturbed.utt2spk == {"sp0.9-a-1": "sp0.9-a", "a-1": "a", "sp1.1-a-1": "sp1.1-a"}
    assert perturbed.reco2speed == {"sp0.9-a-1": 0.9, "sp1.1-a-1": 1.1}
    assert perturbed.feats_scp == {}
    assert durations(perturbed) == pytest.approx({"sp0.9-a-1": 1.0, "a-1": 0.9, "sp1.1-a-1": 0.9 / 1.1})
    perturbed.utt2dur = durations(perturbed)
    perturbed.save(tmp_path / "p")
    assert validate(tmp_path / "p").problems == ()


def test_a_perturbed_directory_can_be_perturbed_on():
    twice = perturb_speed(perturb_speed(simple("x"), [0.9, 1.0]), [1.0, 1.1])
    assert twice.reco2speed == pytest.approx({"sp0.9-a-1": 0.9, "sp1.1-a-1": 1.1, "sp1.1-sp0.9-a-1": 0.99})
    assert set(twice.utt2uniq.values()) == {"a-1"}


@pytest.mark.parametrize("factors", [[], [0.9, 0.9], [0.0], [-1.0], [float("inf")], [float("nan")]])
def test_factors_must_make_sense(factors):
    with pytest.raises(DataError, match="speed factors must be different numbers above 0"):
        perturb_speed(simple("x"), factors)


def test_a_taken_name_is_refused():
    with pytest.raises(DataError, match=r"'sp0\.9-a-1' already exists"):
        perturb_speed(simple("x", "a-1 sp0.9-a-1"), [0.9, 1.0])
