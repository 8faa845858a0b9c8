import pytest
from datadir_strategies import data_dirs, few_examples, same
from hypothesis import given
from hypothesis import strategies as st

from speechtl.data.combine import combine
from speechtl.data.perturb import perturb_speed
from speechtl.data.split import split
from speechtl.data.validate import validate
from speechtl.errors import DataError

ways = st.sampled_from(["speaker", "utterance"])


@few_examples
@given(
    data=data_dirs(min_speakers=2, min_utterances=2), by=ways, fraction=st.floats(0.01, 0.99), seed=st.integers(0, 9)
)
def test_parts_are_valid_and_add_up(tmp_path_factory, data, by, fraction, seed):
    try:
        parts = split(data, by=by, fraction=fraction, seed=seed)
    except DataError as error:
        assert by == "speaker"
        assert "both parts need one" in str(error)
        return
    folder = tmp_path_factory.mktemp("data")
    for number, part in enumerate(parts):
        assert len(part) > 0
        part.save(folder / str(number))
        assert validate(folder / str(number), check_audio=False).errors == []
    assert not parts[0].utt2spk.keys() & parts[1].utt2spk.keys()
    joined, notes = combine(parts)
    assert notes == []
    assert same(joined, data)


@few_examples
@given(data=data_dirs(min_speakers=3), number=st.integers(1, 2), seed=st.integers(0, 9))
def test_speakers_are_on_one_side_also_their_perturbed_copies(data, number, seed):
    rest, held_out = split(perturb_speed(data), speakers=number, seed=seed)
    people = [
        {speaker.removeprefix("sp0.9-").removeprefix("sp1.1-") for speaker in part.spk2utt} for part in (rest, held_out)
    ]
    assert not people[0] & people[1]
    assert len(people[1]) == number
    assert len(held_out.spk2utt) == 3 * number


@few_examples
@given(data=data_dirs(min_utterances=2), fraction=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_every_speaker_is_held_out_in_part_and_copies_stay_together(data, fraction, seed):
    perturbed = perturb_speed(data)
    rest, held_out = split(perturbed, by="utterance", fraction=fraction, seed=seed)
    assert rest.spk2utt.keys() == held_out.spk2utt.keys() == perturbed.spk2utt.keys()
    assert not set(rest.utt2uniq.values()) & set(held_out.utt2uniq.values())
    for speaker, utterances in data.spk2utt.items():
        expected = min(max(1, int(fraction * len(utterances) + 0.5)), len(utterances) - 1)
        assert len(held_out.spk2utt[speaker]) == expected


@few_examples
@given(data=data_dirs(min_speakers=3))
def test_the_seed_decides(data):
    assert same(split(data, speakers=1, seed=5)[1], split(data, speakers=1, seed=5)[1])
    assert len({tuple(split(data, speakers=1, seed=seed)[1].spk2utt) for seed in range(40)}) > 1


@given(data=data_dirs(min_speakers=2, min_utterances=1))
@few_examples
def test_what_cannot_be_split(data):
    speakers = len(data.spk2utt)
    for arguments, message in [
        ({}, "either the fraction or the number"),
        ({"fraction": 0.1, "speakers": 1}, "either the fraction or the number"),
        ({"fraction": 0.1, "by": "utterance", "speakers": None}, ""),
        ({"speakers": 1, "by": "utterance"}, "give a fraction"),
        ({"fraction": 1.0}, "must lie between 0 and 1 (got 1)"),
        ({"speakers": speakers}, f"cannot hold out {speakers} of {speakers} speakers"),
        ({"speakers": 0}, f"cannot hold out 0 of {speakers} speakers"),
    ]:
        if message:
            with pytest.raises(DataError) as error:
                split(data, **arguments)
            assert message in str(error.value)


def test_speakers_with_one_utterance_each_cannot_be_held_out_by_utterance():
    from pathlib import Path

    from speechtl.data.datadir import DataDir

    data = DataDir(Path("d"), utt2spk={"a-1": "a", "b-1": "b"}, wav_scp={"a-1": "x", "b-1": "y"})
    with pytest.raises(DataError, match="no speaker has two utterances"):
        split(data, by="utterance", fraction=0.5)
