import pytest
from command_line import WrongOption, run
from datadir_strategies import write_recordings

from speechtl.data.datadir import DataDir
from speechtl.errors import DataError


@pytest.fixture
def data(tmp_path):
    lengths = {f"{speaker}-{number}": 0.2 for speaker in "abcd" for number in range(3)}
    data = write_recordings(tmp_path / "d", lengths)
    data.save(data.path)
    return data


def test_validate_says_it_with_its_exit_code(data):
    result = run("data validate", data.path)
    assert result.exit_code == 0
    assert (
        result.output
        == f"{data.path}: 12 utterances, 4 speakers, 12 recordings, 0.00 h, 8000 Hz: 0 errors, 0 warnings\n"
    )
    (data.path / "utt2spik").write_text("")
    assert run("data validate", data.path).exit_code == 0
    assert "warning: " in run("data validate", data.path).output
    assert "warning: " not in run("data validate", "--quiet", data.path).output
    (data.path / "text").unlink()
    result = run("data validate", data.path)
    assert result.exit_code == 1
    assert f"error: {data.path}/text: missing" in result.output
    assert run("data validate", "--no-text", data.path).exit_code == 0


def test_validate_looks_at_audio_unless_told_not_to(data, tmp_path):
    (tmp_path / "a-0.flac").unlink()
    assert run("data validate", data.path).exit_code == 1
    assert run("data validate", "--no-audio-check", data.path).exit_code == 0


def test_fix(data):
    (data.path / "text").write_text("a-0 one\nb-1\n")
    assert run("data fix", "--dry-run", data.path).output.endswith("2 of 12 utterances kept; nothing written\n")
    result = run("data fix", data.path)
    # An empty transcript is one; a missing one is not.
    assert "utterance 'b-1' dropped: " not in result.output
    assert "utterance 'b-2' dropped: " in result.output
    assert result.output.endswith("2 of 12 utterances kept; old tables in .backup\n")
    assert run("data fix", data.path).output.endswith(f"{data.path}: 2 of 2 utterances kept; nothing to repair\n")


def test_subset(data, tmp_path):
    (tmp_path / "speakers").write_text("a\nc\n")
    (tmp_path / "utterances").write_text("a-0\nb-1\n")
    for number, (options, expected) in enumerate(
        {
            ("--speakers", "a, b"): {"a-0", "a-1", "a-2", "b-0", "b-1", "b-2"},
            ("--speaker-list", tmp_path / "speakers", "--utterances", 2, "--first"): {"a-0", "a-1"},
            ("--utterance-list", tmp_path / "utterances"): {"a-0", "b-1"},
            ("--utterances", 1, "--last"): {"d-2"},
            ("--speakers", "a", "--exclude", "a-1, b-0"): {"a-0", "a-2"},
        }.items()
    ):
        assert run("data subset", data.path, tmp_path / f"out{number}", *options).exit_code == 0
        assert set(DataDir.load(tmp_path / f"out{number}").utt2spk) == expected
    result = run("data subset", data.path, tmp_path / "seconds", "--seconds-per-speaker", 0.7)
    assert "warning: speaker 'd' has only 0.6 s" in result.stderr
    assert len(DataDir.load(tmp_path / "seconds")) == 12


@pytest.mark.parametrize(
    "options",
    [[], ["--first"], ["--utterances", "1", "--first", "--last"], ["--speakers", "a", "--speaker-list", "x"]],
)
def test_subset_with_options_that_make_no_sense(data, tmp_path, options):
    with pytest.raises(DataError):
        run("data subset", data.path, tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_split_and_combine(data, tmp_path):
    rest, held_out, joined = tmp_path / "rest", tmp_path / "held_out", tmp_path / "joined"
    assert run("data split", data.path, rest, held_out, "--fraction", 0.25).exit_code == 0
    assert (len(DataDir.load(rest)), len(DataDir.load(held_out))) == (9, 3)
    run("data split", data.path, rest, held_out, "--by", "utterance", "--fraction", 0.3, "--overwrite")
    assert (len(DataDir.load(rest)), len(DataDir.load(held_out))) == (8, 4)
    assert run("data combine", joined, rest, held_out).exit_code == 0
    for path in data.path.iterdir():
        assert (joined / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(WrongOption) as error:
        run("data split", data.path, rest, held_out, "--by", "recording")
    assert error.value.exit_code == 2


def test_perturb_speed(data, tmp_path):
    assert run("data perturb-speed", data.path, tmp_path / "p", "--factors", "0.9,1.0").exit_code == 0
    assert len(DataDir.load(tmp_path / "p")) == 24
    assert run("data validate", tmp_path / "p").exit_code == 0
    with pytest.raises(DataError, match="expected numbers separated by commas"):
        run("data perturb-speed", data.path, tmp_path / "q", "--factors", "slow")


def test_perturb_pitch(data, tmp_path):
    result = run("data perturb-pitch", data.path, tmp_path / "p", "--semitones", "-2,2", "--formants", "1.1")
    assert result.output == f"{tmp_path / 'p'}: 36 utterances of 12 speakers\n"
    assert run("data validate", tmp_path / "p").exit_code == 0
    with pytest.raises(DataError, match=r"--semitones high: expected numbers separated by commas, as in -2,0,2"):
        run("data perturb-pitch", data.path, tmp_path / "q", "--semitones", "high")


def test_no_verb_writes_over_a_directory_unasked(data, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").write_text("mine")
    for arguments in (
        ["data subset", data.path, tmp_path / "full", "--utterances", 1],
        ["data split", data.path, tmp_path / "full", tmp_path / "new", "--fraction", 0.5],
        ["data combine", tmp_path / "full", data.path],
        ["data perturb-speed", data.path, tmp_path / "full"],
        ["data perturb-pitch", data.path, tmp_path / "full"],
    ):
        with pytest.raises(DataError, match="exists and is not empty"):
            run(*arguments)
        with pytest.raises(DataError, match="also read"):
            run(*[data.path if argument == tmp_path / "full" else argument for argument in arguments], "--overwrite")
    assert not (tmp_path / "new").exists()
    assert run("data subset", data.path, tmp_path / "full", "--utterances", 1, "--overwrite").exit_code == 0
    assert (tmp_path / "full" / "notes").read_text() == "mine"


def test_every_verb_explains_itself():
    for verb in ("validate", "fix", "subset", "split", "combine", "perturb-speed", "perturb-pitch", "splice"):
        assert run(f"data {verb}", "--help").exit_code == 0
