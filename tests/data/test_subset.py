import itertools

import pytest
from datadir_strategies import data_dirs, few_examples, write_recordings
from hypothesis import given
from hypothesis import strategies as st

from speechtl.data.datadir import DataDir
from speechtl.data.durations import durations, short_speakers
from speechtl.data.subset import subset
from speechtl.data.validate import validate
from speechtl.errors import DataError

LENGTHS = {f"{speaker}-{number:02}": 0.2 + 0.1 * (number % 5) for speaker in "ab" for number in range(12)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    data = write_recordings(tmp_path_factory.mktemp("subset") / "d", LENGTHS)
    data.save(data.path)
    return data


@few_examples
@given(drawn=data_dirs(), number=st.integers(1, 20), order=st.sampled_from(["random", "first", "last"]))
def test_subsets_are_valid_and_of_the_size_asked_for(tmp_path_factory, drawn, number, order):
    if number > len(drawn):
        with pytest.raises(DataError, match=f"{number} utterances requested, {len(drawn)} meet the conditions"):
            subset(drawn, utterances=number, order=order)
        return
    part = subset(drawn, utterances=number, order=order)
    assert len(part) == number
    assert part.utt2spk.items() <= drawn.utt2spk.items()
    folder = tmp_path_factory.mktemp("data") / "x"
    part.save(folder)
    assert validate(folder, check_audio=False).errors == []


@pytest.mark.parametrize("wanted", [0.1, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_seconds_per_speaker_are_met_within_one_utterance(data, wanted, seed):
    part = subset(data, seconds_per_speaker=wanted, seed=seed)
    assert list(part.spk2utt) == ["a", "b"]
    for utterances in part.spk2utt.values():
        total = sum(LENGTHS[utterance] for utterance in utterances)
        assert wanted <= total + 1e-6
        assert total < wanted + max(LENGTHS.values())
    assert short_speakers(part, wanted) == {}


def test_a_speaker_with_too_little_speech_is_kept_whole(data):
    part = subset(data, seconds_per_speaker=1000)
    assert part.utterance_ids == data.utterance_ids
    assert short_speakers(part, 1000) == pytest.approx({"a": sum(LENGTHS.values()) / 2, "b": sum(LENGTHS.values()) / 2})


def test_random_subsets_of_one_seed_are_nested_and_reproducible(data):
    sizes = [set(subset(data, utterances=number, seed=3).utt2spk) for number in range(1, 25)]
    assert all(small < large for small, large in itertools.pairwise(sizes))
    short, long = (set(subset(data, seconds_per_speaker=length, seed=3).utt2spk) for length in (1.0, 2.0))
    assert short < long
    assert set(subset(data, utterances=10, seed=4).utt2spk) != sizes[9]
    # The order is a property of the seed and the ids: the same on every machine and in every version.
    assert sorted(sizes[3]) == sorted(subset(data.select(sizes[10]), utterances=4, seed=3).utt2spk)


def test_first_last_and_shortest(data):
    ids = data.utterance_ids
    assert subset(data, utterances=3, order="first").utterance_ids == ids[:3]
    assert subset(data, utterances=3, order="last").utterance_ids == ids[-3:]
    assert subset(data, utterances_per_speaker=2, order="first").utterance_ids == ["a-00", "a-01", "b-00", "b-01"]
    shortest = subset(data, utterances_per_speaker=3, order="shortest").utterance_ids
    assert shortest == ["a-00", "a-05", "a-10", "b-00", "b-05", "b-10"]


def test_conditions_add_up(data):
    part = subset(data, speakers=["b"], utterance_ids=["a-01", "b-01", "b-02", "b-03"], utterances=2, order="first")
    assert part.utterance_ids == ["b-01", "b-02"]
    part = subset(data, speakers=["b"], excluded=["b-00", "b-02", "a-01"], utterances=2, order="first")
    assert part.utterance_ids == ["b-01", "b-03"]


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"speakers": ["a", "y", "x"]}, "2 unknown speakers; see its spk2utt\n  no speaker 'x'\n  no speaker 'y'"),
        ({"utterance_ids": ["a-00", "z"]}, "1 unknown utterances; see its utt2spk\n  no utterance 'z'"),
        ({"excluded": ["a-00", "z"]}, "1 unknown utterances; see its utt2spk\n  no utterance 'z'"),
        ({"speakers": ["a"], "utterance_ids": ["b-00"]}, "no utterance meets all conditions"),
        ({"utterances": 0}, "utterances must be more than 0 (got 0)"),
        ({"seconds_per_speaker": float("nan")}, "seconds per speaker must be more than 0 (got nan)"),
        ({"speakers": ["a"], "utterances": 13}, "13 utterances requested, 12 meet the conditions"),
    ],
)
def test_conditions_that_cannot_be_met(data, conditions, message):
    with pytest.raises(DataError) as error:
        subset(data, **conditions)
    assert message in str(error.value)


def test_durations_come_from_tables_before_audio(tmp_path):
    data = write_recordings(tmp_path / "d", {"a-1": 0.5, "a-2": 1.0})
    data.reco2speed = {"a-2": 0.5}
    assert durations(data) == pytest.approx({"a-1": 0.5, "a-2": 2.0})
    data.utt2dur = {"a-1": 7.0}
    assert durations(data, ["a-1"]) == {"a-1": 7.0}
    data.reco2dur = {"a-2": 3.0}
    assert durations(data) == pytest.approx({"a-1": 7.0, "a-2": 6.0})


def test_recordings_that_cannot_be_measured_are_all_listed(tmp_path):
    data = DataDir(tmp_path, utt2spk={"a": "a", "b": "b"}, wav_scp={"a": "none.wav", "b": "cat x |"})
    with pytest.raises(DataError) as error:
        durations(data)
    assert "2 recordings cannot be measured" in str(error.value)
    assert "recording 'a': none.wav: cannot read: No such file or directory" in str(error.value)
    assert "recording 'b': cat x |: is a shell command" in str(error.value)
