import pytest
from datadir_strategies import data_dirs, few_examples, same, write_recordings
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from speechtl.data.datadir import DataDir, Segment
from speechtl.data.fix import fix
from speechtl.data.validate import validate
from speechtl.errors import DataError


@pytest.fixture
def data(tmp_path):
    data = write_recordings(tmp_path / "d", {"a-1": 0.5, "a-2": 1.0, "b-1": 1.5})
    data.save(data.path)
    return data


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@few_examples
@given(drawn=data_dirs())
def test_a_clean_directory_stays_as_it_is(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("data") / "x"
    drawn.save(folder)
    before = contents(folder)
    mending = fix(folder, check_audio=False)
    assert (mending.actions, mending.before, mending.after) == ((), len(drawn), len(drawn))
    assert contents(folder) == before
    assert not (folder / ".backup").exists()


# Without shrinking, which takes many minutes for a shuffled directory and explains little.
@settings(few_examples, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(drawn=data_dirs(min_speakers=2, min_utterances=2), chance=st.randoms(use_true_random=False))
def test_whatever_lines_are_lost_or_doubled_the_result_is_valid(tmp_path_factory, drawn, chance):
    folder = tmp_path_factory.mktemp("data") / "x"
    drawn.save(folder)
    for path in sorted(folder.iterdir()):
        lines = [line + b"\n" for line in path.read_bytes().split(b"\n")[:-1]]
        damaged = []
        for line in lines:
            versions = {0: [], 1: [line, line], 2: [line.split(b" ")[0] + b"\n"], 3: [b"\xff" + line], 4: [b"\n", line]}
            damaged += versions.get(chance.randrange(12), [line])
        chance.shuffle(damaged)
        path.write_bytes(b"".join(damaged))
    before = contents(folder)
    try:
        mending = fix(folder, check_audio=False)
    except DataError as error:
        assert "no utterance would be left" in str(error) or "missing" in str(error)
        assert contents(folder) == before
        return
    assert validate(folder, check_audio=False, require_text=False).errors == []
    assert len(DataDir.load(folder)) == mending.after
    survivors = DataDir.load(folder)
    for utterance in survivors.utterance_ids:
        assert survivors.utt2spk[utterance] == drawn.utt2spk[utterance]
        # A line that has lost its words says that there are none.
        assert survivors.text.get(utterance, "") in (drawn.text[utterance], "")
    if mending.actions:
        assert contents(folder / ".backup") == before
    assert fix(folder, check_audio=False).actions == ()


def test_what_is_dropped_is_said_with_the_reason(data, tmp_path):
    (tmp_path / "b-1.flac").write_bytes(b"")
    (data.path / "text").write_bytes(b"b-1 x\na-2 two\n")
    (data.path / "spk2utt").write_text("a a-1\n")
    before = contents(data.path)
    planned = fix(data.path, dry_run=True)
    assert contents(data.path) == before
    mending = fix(data.path)
    assert mending.actions == planned.actions
    assert (mending.before, mending.after, mending.remaining) == (3, 1, ())
    assert [action.replace(str(tmp_path), "") for action in mending.actions] == [
        "utterance 'a-1' dropped: /d/utt2spk:1: utterance 'a-1' is not in text; add it to /d/text, or remove the "
        "utterance (fix does)",
        "recording 'b-1' dropped, with its utterances: /d/wav.scp:3: 'b-1': /b-1.flac: empty (0 bytes); "
        "restore the file or remove its utterances",
        "rewritten: /d/text:2: not sorted in C order ('a-2' after 'b-1'); sort with LC_ALL=C (fix does)",
        "rewritten: /d/spk2utt: speaker 'b' of utt2spk is missing; rebuild it (fix does)",
        "rewritten: /d/spk2utt:1: speaker 'a' lacks 'a-2', unlike utt2spk; rebuild spk2utt (fix does)",
    ]
    assert same(
        DataDir.load(data.path),
        DataDir(data.path, text={"a-2": "two"}, wav_scp={"a-2": data.wav_scp["a-2"]}, utt2spk={"a-2": "a"}),
    )
    assert contents(data.path / ".backup") == before


def test_contradicting_lines_are_both_disbelieved(data):
    (data.path / "text").write_text("a-1 one\na-1 other\na-2 two\nb-1 three\nb-1 three\n")
    fix(data.path)
    assert DataDir.load(data.path).text == {"a-2": "two", "b-1": "three"}


def test_segments_that_overshoot_are_cut_and_those_far_beyond_dropped(data):
    data.segments = {"a-1": Segment("a-1", 0.1, 0.9), "a-2": Segment("a-2", 0.2, 1.6), "b-1": Segment("b-1", 1.6, -1)}
    data.save(data.path)
    mending = fix(data.path)
    assert DataDir.load(data.path).segments == {"a-1": Segment("a-1", 0.1, 0.5)}
    assert mending.actions[0].startswith("segment 'a-1' truncated to end at 0.500 s: ")
    assert mending.actions[1].startswith("utterance 'a-2' dropped: ")
    assert validate(data.path).errors == []


def test_utt2spk_is_made_from_spk2utt(data):
    (data.path / "utt2spk").unlink()
    assert fix(data.path).actions[0].startswith("rebuilt: ")
    assert same(DataDir.load(data.path), data)


def test_computed_tables_go_and_utterances_stay(data, tmp_path):
    (data.path / "utt2dur").write_text("a-1 9\na-2 1.0\nb-1 1.5\n")
    (data.path / "feats.scp").write_text("".join(f"{utterance} {tmp_path}/gone.ark:1\n" for utterance in data.utt2spk))
    (data.path / "spk2gender").write_text("a f\nz m\n")
    mending = fix(data.path)
    assert mending.after == 3
    data.spk2gender = {"a": "f"}
    assert same(DataDir.load(data.path), data)


def test_utterances_whose_features_failed_are_dropped(data, tmp_path):
    (tmp_path / "f.ark").write_bytes(b"features")
    (data.path / "feats.scp").write_text(f"a-1 {tmp_path}/f.ark:1\nb-1 {tmp_path}/f.ark:9\n")
    fix(data.path)
    assert DataDir.load(data.path).utterance_ids == ["a-1", "b-1"]


def test_pipes_are_kept_and_not_run(data, tmp_path):
    (data.path / "wav.scp").write_text(
        f"a-1 touch {tmp_path}/ran |\na-2 {tmp_path}/a-2.flac\nb-1 {tmp_path}/b-1.flac\n"
    )
    mending = fix(data.path)
    assert (mending.actions, mending.after) == ((), 3)
    assert "--allow-pipes" in str(mending.remaining[0])
    assert not (tmp_path / "ran").exists()


def test_a_directory_of_which_nothing_is_left_is_not_touched(data):
    (data.path / "text").write_text("x y\n")
    before = contents(data.path)
    with pytest.raises(DataError, match="no utterance would be left; nothing was changed"):
        fix(data.path)
    assert contents(data.path) == before


def test_without_audio_table_there_is_nothing_to_mend(data):
    (data.path / "wav.scp").unlink()
    with pytest.raises(DataError, match=r"wav\.scp: missing"):
        fix(data.path)
