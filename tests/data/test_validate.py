import numpy as np
import pytest
import soundfile
from datadir_strategies import data_dirs, few_examples, write_recordings
from hypothesis import given

from speechtl.audio.audio_file import AudioFile
from speechtl.data.datadir import DataDir, Segment
from speechtl.data.tables import Problem, archive_of, problem_lines, write_table
from speechtl.data.validate import validate
from speechtl.errors import DataError


@pytest.fixture
def data(tmp_path):
    data = write_recordings(tmp_path / "d", {"a-1": 0.5, "a-2": 1.0, "b-1": 1.5})
    data.save(data.path)
    return data


def replace(data, table, old, new):
    path = data.path / table
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new if isinstance(new, bytes) else new.encode(), 1))


def found(data, warnings=False, **keywords):
    report = validate(data.path, **keywords)
    problems = report.warnings if warnings else report.errors
    return [str(problem).removeprefix(f"{data.path}/").replace(str(data.path), "DIR") for problem in problems]


@few_examples
@given(drawn=data_dirs())
def test_what_is_saved_is_valid(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("data") / "x"
    drawn.save(folder)
    report = validate(folder, check_audio=False)
    assert report.errors == []
    assert (report.utterances, report.speakers) == (len(drawn), len(drawn.spk2utt))


def test_clean_directory(data):
    report = validate(data.path, decode=True)
    assert report.problems == ()
    assert (
        report.summary()
        == f"{data.path}: 3 utterances, 2 speakers, 3 recordings, 0.00 h, 8000 Hz: 0 errors, 0 warnings"
    )


def test_many_problems_in_one_report(data, tmp_path):
    (tmp_path / "a-2.flac").write_bytes((tmp_path / "a-2.flac").read_bytes()[:3000])
    (tmp_path / "b-1.flac").unlink()
    replace(data, "text", "a-1 words of a-1", b"a-1 w\xf6rter\na-1\na-0 more")
    replace(data, "spk2utt", "a a-1 a-2", "a a-1 a-3")
    (data.path / "utt2lang").write_text("a-1 en\nb-1 en\n")
    assert found(data) == [
        "utt2spk:2: utterance 'a-2' is not in utt2lang; add it to DIR/utt2lang, or remove the utterance (fix does)",
        f"wav.scp:2: 'a-2': {tmp_path}/a-2.flac: truncated (the header promises 1.00 s, the end cannot be read); "
        "replace it",
        f"wav.scp:3: 'b-1': {tmp_path}/b-1.flac: cannot read: No such file or directory; correct the path (relative to "
        f"{tmp_path.cwd()}) or the permissions",
        "text:1: not UTF-8 (byte 0xF6 at column 6); save the file as UTF-8",
        "text:3: not sorted in C order ('a-0' after 'a-1'); sort with LC_ALL=C (fix does)",
        "text:3: 'a-0' is not in utt2spk; add it there or remove this line",
        "spk2utt:1: speaker 'a' lacks 'a-2', also has 'a-3', unlike utt2spk; rebuild spk2utt (fix does)",
    ]


@pytest.mark.parametrize(
    ("table", "old", "new", "expected"),
    [
        ("text", "a-2 words of a-2\n", "", "utt2spk:2: utterance 'a-2' is not in text"),
        ("text", "a-2", "a-1", "text:2: 'a-1' appears again with another value (first in line 1)"),
        ("utt2spk", "a-2 a\n", "a-2 a\na-2 a\n", "utt2spk:3: 'a-2' appears again (first in line 2)"),
        ("utt2spk", "a-1", "a\u00a01", "utt2spk:1: id 'a\\xa01' holds U+00A0 (no-break space)"),
        ("utt2spk", "a-1", "a\x7f1", "utt2spk:1: id 'a\\x7f1' holds U+007F (control character)"),
        ("utt2spk", "a-1", "c-1", "utt2spk:2: not sorted in C order ('a-2' after 'c-1')"),
        ("spk2utt", "a a-1 a-2", "a a-1 a-2 a-2", "spk2utt:1: speaker 'a' has an utterance twice"),
        ("spk2utt", "b b-1\n", "", "spk2utt: speaker 'b' of utt2spk is missing"),
        ("spk2utt", "b b-1", "b b-1\nc c-1", "spk2utt:3: speaker 'c' is not in utt2spk"),
        ("wav.scp", "a-1", "a-1\n", "wav.scp:1: 'a-1' has no value"),
    ],
)
def test_each_mistake_is_an_error_in_its_line(data, table, old, new, expected):
    replace(data, table, old, new)
    assert any(line.startswith(expected) for line in found(data)), found(data)


def test_a_transcript_without_words_is_a_warning(data):
    replace(data, "text", "a-2 words of a-2", "a-2 ")
    assert found(data) == []
    assert found(data, warnings=True) == [
        "text:2: 'a-2': no words; training and alignment leave it out, and what is found there counts as insertions"
    ]


def test_pipe_without_permission_is_an_error_and_does_not_run(data, tmp_path):
    replace(data, "wav.scp", f"{tmp_path}/a-1.flac", f"touch {tmp_path}/ran; cat {tmp_path}/a-1.flac |")
    assert found(data) == [
        "wav.scp:1: 'a-1' is a shell command; it runs only under --allow-pipes, for data that you trust"
    ]
    assert not (tmp_path / "ran").exists()
    assert found(data, allow_pipes=True) == []
    assert (tmp_path / "ran").exists()


def test_segments_are_held_against_the_recording(data):
    data.segments = {
        "a-1": Segment("a-1", 0.0, 0.505),
        "a-2": Segment("a-2", 0.2, 1.2),
        "b-1": Segment("b-1", 1.6, -1),
    }
    data.save(data.path)
    assert found(data) == [
        "segments:2: 'a-2' ends at 1.2 s, beyond the end of recording 'a-2' (1.000 s); correct it, or remove the "
        "utterance",
        "segments:3: 'b-1' starts at 1.6 s, beyond the end of recording 'b-1' (1.500 s); correct it, or remove the "
        "utterance",
    ]
    assert found(data, check_audio=False) == []


def test_zero_length_and_silent_recordings(data, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a-1.wav", [], 8000)
    soundfile.write(tmp_path / "a-2.wav", [0.0] * 800, 8000)
    replace(data, "wav.scp", "a-1.flac", "a-1.wav")
    replace(data, "wav.scp", "a-2.flac", "a-2.wav")
    assert found(data) == [
        f"wav.scp:1: 'a-1': {tmp_path}/a-1.wav: no samples (empty recording, or cut short); replace it"
    ]
    assert found(data, warnings=True) == []
    assert found(data, warnings=True, decode=True) == [
        "wav.scp:2: 'a-2': nothing but digital silence; check the recording"
    ]


def test_text_may_be_missing_if_that_is_said(data):
    (data.path / "text").unlink()
    assert found(data) == ["text: missing; write 'utterance transcript' lines, or pass --no-text"]
    assert found(data, require_text=False) == []


def test_unfinished_features_are_errors_of_a_finished_directory(data, tmp_path):
    (tmp_path / "f.ark").write_bytes(b"features")
    (data.path / "feats.scp").write_text(f"a-1 {tmp_path}/f.ark:5\na-2 {tmp_path}/g.ark:5\n")
    (data.path / "cmvn.scp").write_text(f"a {tmp_path}/f.ark:9\n")
    (data.path / "utt2num_frames").write_text("a-1 0\na-2 7\n")
    lines = found(data)
    assert len(lines) == 5
    assert lines[0].startswith("utt2spk:3: utterance 'b-1' is not in utt2num_frames; ")
    assert lines[1].startswith("utt2spk:3: utterance 'b-1' is not in feats.scp; ")
    assert lines[2].startswith("utt2spk:3: speaker 'b' is not in cmvn.scp; ")
    assert lines[3] == "utt2num_frames:1: 'a-1' has no frames; remove the utterance (fix does)"
    assert lines[4] == f"feats.scp:2: 'a-2': no such archive {tmp_path}/g.ark; recompute it, or remove feats.scp"


def test_warnings_leave_the_directory_usable(data, tmp_path):
    (data.path / "utt2spk").write_text("a-1 a\na-2 m\nb-1 b\n")
    (data.path / "spk2utt").write_text("a a-1\nb b-1\nm a-2\n")
    (data.path / "spk2gender").write_text("a male\nb f\nm m\n")
    (data.path / "utt2language").write_text("")
    replace(data, "text", "words of b", "words\u00a0of b")
    replace(data, "wav.scp", "b-1.flac", "a-1.flac")
    (data.path / "utt2dur").write_text("a-1 0.5\na-2 3.0\nb-1 0.5\n")
    assert found(data) == []
    assert found(data, warnings=True) == [
        "utt2spk:2: speaker 'm' is not the beginning of utterance id 'a-2'; Kaldi's tools expect that",
        "wav.scp:3: 'b-1' has the same audio as 'a-1' (line 1)",
        "text:3: 'b-1': transcript holds U+00A0 (no-break space); replace it by a space, or remove it",
        "utt2dur:2: 'a-2': 3.000 s (expected 1.000 s from the audio); remove utt2dur and recompute it",
        "spk2gender:1: speaker 'a': gender 'male' (Kaldi's tools expect m or f)",
        "utt2language: not a known table (did you mean utt2lang?); it is ignored, and not copied by subset or split",
    ]


def test_without_utt2spk_the_rest_is_still_checked(data):
    (data.path / "utt2spk").unlink()
    replace(data, "text", "a-1", "x-1")
    lines = found(data)
    assert lines[0] == "utt2spk: missing; create it from spk2utt (fix does)"
    assert "text:1: 'x-1' is not in utt2spk; add it there or remove this line" in lines


def test_no_directory(tmp_path):
    with pytest.raises(DataError, match="no such data directory"):
        validate(tmp_path / "none")


def test_a_folder_with_brackets(tmp_path):
    """Only behind the offset, brackets are a range of rows."""
    data = write_recordings(tmp_path / "takes [v2]", {"a-1": 0.5, "a-2": 1.0})
    data.save(data.path)
    (tmp_path / "takes [v2]" / "feats.ark").write_bytes(b"x")
    place = f"{tmp_path}/takes [v2]/feats.ark:12"
    for value in (place, f"{place}[0:9]", f"{tmp_path}/takes [v2]/feats.ark"):
        assert archive_of(value) == tmp_path / "takes [v2]" / "feats.ark"
        write_table(data.path / "feats.scp", dict.fromkeys(data.utterance_ids, value))
        assert not [
            problem for problem in validate(data.path, check_audio=False).problems if problem.kind == "no-archive"
        ]


def test_a_channel_that_a_recording_lacks(tmp_path):
    soundfile.write(tmp_path / "call.wav", np.random.default_rng(0).normal(0, 0.1, (8000, 2)), 8000)
    names = ("a", "b", "c")
    data = DataDir(tmp_path / "d", utt2spk={name: name for name in names}, text=dict.fromkeys(names, "x"))
    data.wav_scp = dict.fromkeys(names, str(tmp_path / "call.wav"))
    data.reco2file_and_channel = {"a": "call A", "b": "call B", "c": "call C"}
    data.save(data.path)
    assert found(data) == ["reco2file_and_channel:3: 'c': no channel 3, its audio has 2; correct the channel"]
    # Two sides of one call are not the same audio.
    assert found(data, warnings=True) == []


def test_three_problems_of_a_kind_are_enough(tmp_path):
    path = tmp_path / "text"
    many = [Problem(path, line, "odd", "odd", warning=True) for line in range(1, 100_001)]
    few = [Problem(path, line, "other", "other") for line in range(4)]
    lines = list(problem_lines([*many, *few]))
    assert lines[:3] == [f"warning: {path}:{line}: odd" for line in (1, 2, 3)]
    assert lines[3] == "  ... and 99997 more like these in text (--all lists them)"
    assert len(lines) == 4 + 4 and len(list(problem_lines(many, every=True))) == 100_000


def test_what_is_repaired_is_found_in_one_decoding(data, tmp_path, monkeypatch):
    import numpy as np
    import soundfile

    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 8000)
    soundfile.write(tmp_path / "a-1.wav", np.where(np.arange(8000) < 4000, 0, sound), 8000)
    soundfile.write(tmp_path / "a-2.wav", np.stack([sound + 0.2, 0.2 - sound], axis=1), 8000)
    soundfile.write(tmp_path / "b-1.wav", sound[:100], 8000)
    write_table(data.path / "wav.scp", {name: f"{tmp_path}/{name}.wav" for name in ("a-1", "a-2", "b-1")})
    opened = []
    monkeypatch.setattr("speechtl.audio.header.AudioFile", lambda *a, **k: opened.append(a) or AudioFile(*a, **k))
    assert [line.partition(" (")[0] for line in found(data, warnings=True, decode=True)] == [
        "wav.scp:1: 'a-1': 50% of it is digital silence; it is filled with faint noise",
        "wav.scp:2: 'a-2': the channels cancel each other when mixed; the louder one is taken",
        "wav.scp:2: 'a-2': a constant offset was taken out",
        "wav.scp:3: 'b-1': 0.013 s, shorter than a frame of features",
    ]
    assert len(opened) == 3
