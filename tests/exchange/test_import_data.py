"""Sources as their tools write them, written by hand after their documentation, and what is said of wrong ones."""

import gzip
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import run, verb

from speechtl.data.datadir import DataDir, Segment
from speechtl.data.textgrid import read_textgrid
from speechtl.data.validate import validate
from speechtl.errors import DataError
from speechtl.exchange.export_data import EXPORT_KINDS, export_data
from speechtl.exchange.import_data import import_data
from speechtl.exchange.named_audio import NamedAudio
from speechtl.exchange.read_source import KINDS, kind_of_source, read_source

GOLDEN = Path(__file__).parent / "golden"


def sound(path, seconds=1.0, rate=8000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(path.name)).normal(0, 0.1, (round(seconds * rate), channels))
    soundfile.write(path, noise, rate)
    return path


def imported(folder, source, **options):
    found = import_data(source, folder / "data", **options)
    assert not validate(folder / "data", require_text=False).errors
    return found.data, " ".join(found.notes)


def test_the_command_line_offers_what_there_is():
    for name, option, kinds in (("import", "--from", KINDS), ("export", "--to", EXPORT_KINDS)):
        shown = run(f"data {name}", help=True).stdout
        (offered,) = re.findall(rf"{option} +[<[]([a-z|-]+)[]>]", re.sub(r"\s+", " ", shown))
        assert set(offered.replace(" ", "").split("|")) == set(kinds)


@pytest.fixture
def lhotse(tmp_path):
    for name, channels in (("mono_c0.wav", 1), ("mono_c1.wav", 1), ("stereo.wav", 2), ("a.wav", 1)):
        sound(tmp_path / "m" / "audio" / name, channels=channels)
    shutil.copytree(GOLDEN / "lhotse", tmp_path / "m", dirs_exist_ok=True)
    (tmp_path / "m" / "cuts.jsonl").rename(tmp_path / "m" / "audio" / "cuts.jsonl")
    return tmp_path / "m"


def test_manifests_of_lhotse(lhotse, tmp_path):
    assert kind_of_source(lhotse) == "lhotse"
    data, _ = imported(tmp_path, lhotse)
    assert data.segments == {
        "segment-1": Segment("recording-2-A", 0.1, 0.4),
        "segment-2": Segment("recording-2-B", 0.5, 0.9),
        "segment-3": Segment("recording-1", 0.0, 1.0),
        "a": Segment("a", 0.0, -1),
    }
    assert data.utt2spk["segment-1"] == "Norman-Dyhrentfurth" and data.text["segment-2"] == "second"
    assert data.spk2gender == {"Norman-Dyhrentfurth": "m", "anna": "f"} and data.utt2lang["a"] == "german"
    assert [data.utterance(f"segment-{number}").channel for number in (1, 2, 3)] == [0, 1, None]
    assert data.utterance("segment-3").audio == str(lhotse / "audio" / "mono_c1.wav")
    # Either manifest names the other; packed ones are read, too.
    for file in lhotse.glob("*.jsonl"):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    for file in sorted(lhotse.glob("*.jsonl.gz")):
        again = import_data(file, tmp_path / file.name).data
        assert again.segments == data.segments and again.wav_scp == data.wav_scp


def test_cuts_of_lhotse(lhotse, tmp_path):
    (lhotse / "cuts").mkdir()
    cuts = (lhotse / "audio" / "cuts.jsonl").read_text()
    (lhotse / "cuts" / "c.jsonl").write_text(cuts.replace("audio/a.wav", str(lhotse / "audio" / "a.wav")))
    data, _ = imported(tmp_path, lhotse / "cuts")
    assert data.segments == {"sup-1": Segment("a", 0.3, 0.5), "sup-2": Segment("a", 0.55, 0.8)}
    assert data.utt2spk == {"sup-1": "anna", "sup-2": "ben"} and data.text == {"sup-1": "one", "sup-2": "two"}


def test_what_is_exported_for_lhotse_is_what_its_documentation_says(tmp_path):
    audio = sound(tmp_path / "a.wav")
    data = DataDir(tmp_path, {"anna-1": "anna"}, {"r": str(audio)}, {"anna-1": Segment("r", 0.25, 0.75)})
    data.text, data.utt2lang, data.spk2gender = {"anna-1": "ja"}, {"anna-1": "de"}, {"anna": "f"}
    export_data(data, tmp_path / "out", "lhotse")
    lines = {
        file.name.partition(".")[0]: [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
        for file in (tmp_path / "out").iterdir()
    }
    source = {"type": "file", "channels": [0], "source": str(audio)}
    assert lines == {
        "recordings": [
            {
                **{"id": "r", "sources": [source], "sampling_rate": 8000, "num_samples": 8000, "duration": 1.0},
                "channel_ids": [0],
            }
        ],
        "supervisions": [
            {
                **{"id": "anna-1", "recording_id": "r", "start": 0.25, "duration": 0.5, "channel": 0, "text": "ja"},
                **{"language": "de", "speaker": "anna", "gender": "f"},
            }
        ],
    }


def test_a_manifest_of_nemo(tmp_path):
    sound(tmp_path / "audio" / "one.wav")
    sound(tmp_path / "audio" / "two.wav")
    shutil.copy(GOLDEN / "nemo.jsonl", tmp_path / "train.jsonl")
    data, notes = imported(tmp_path, tmp_path / "train.jsonl")
    assert data.segments == {
        "train-audio-one-0000000-0000400": Segment("audio-one", 0.0, 0.4),
        "train-audio-one-0000400-0000900": Segment("audio-one", 0.4, 0.9),
        "7-audio-two": Segment("7-audio-two", 0.0, -1),
    }
    assert "no language, so none is written" in notes and not data.utt2lang
    export_data(data.select(["train-audio-one-0000400-0000900"]), tmp_path / "out.jsonl", "nemo")
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        **{"audio_filepath": str(tmp_path / "audio" / "one.wav"), "duration": 0.5, "offset": 0.4, "speaker": "train"},
        **{"text": "same audio file but using offset", "id": "train-audio-one-0000400-0000900"},
        "recording": "audio-one",
    }


def test_a_folder_of_the_forced_aligner(tmp_path):
    folder = tmp_path / "corpus"
    for name in ("anna/one.wav", "anna/talk.flac", "ben/one.wav", "ben/out.wav"):
        sound(folder / name)
    (folder / "anna" / "one.lab").write_text("to be\n")
    (folder / "ben" / "one.txt").write_text("or not")
    shutil.copy(GOLDEN / "mfa.TextGrid", folder / "anna" / "talk.TextGrid")
    content = (GOLDEN / "aligned_short.TextGrid").read_text()
    (folder / "ben" / "out.TextGrid").write_bytes(content.encode("utf-16"))
    data, _ = imported(tmp_path, folder)
    assert data.text == {
        "anna-one": "to be",
        "anna-talk-0000000-0000250": 'she said "no"',
        "anna-talk-0000500-0001000": "да, size = 3",
        "ben-one": "or not",
        "ben-out": "hello there",
        "ben-talk-0000400-0000750": "yes",
    }
    assert data.segments["ben-talk-0000400-0000750"] == Segment("talk", 0.4, 0.75)
    assert data.utt2spk["ben-talk-0000400-0000750"] == "ben"
    one, _ = imported(tmp_path / "other", folder, speaker="eva")
    assert set(one.utt2spk.values()) == {"eva"} and "eva-anna-one" in one.text


def test_textgrids_are_what_an_independent_reader_reads():
    textgrid = pytest.importorskip("praatio.textgrid")
    for name in ("mfa", "aligned_short"):
        path = GOLDEN / f"{name}.TextGrid"
        other = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
        tiers = {tier.name: [(one.label, one.start, one.end) for one in tier.labels] for tier in read_textgrid(path)}
        assert tiers == {
            tier.name: [(one.label.replace('""', '"'), one.start, one.end) for one in tier.entries]
            for tier in other.tiers
            if tier.name in tiers
        }
        assert len(tiers) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("xmax = 0.4 ", "xmax = ? ", ':45: expected a number, got ""; save'),
        ('"yes"', '"yes', ":48: expected a text in quotes, got the end of the file"),
        ("xmax = 0.75", "xmax = 0.3", ":49: 'yes' ends at 0.3 s, before it starts"),
        ('"TextGrid"', '"Pitch"', ":1: not a TextGrid of Praat"),
    ],
)
def test_a_damaged_textgrid_names_the_line(tmp_path, old, new, message):
    path = tmp_path / "a.TextGrid"
    path.write_text((GOLDEN / "mfa.TextGrid").read_text().replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.TextGrid" + message):
        read_textgrid(path)


def test_common_voice(tmp_path):
    for number in (1, 2):
        sound(tmp_path / "cv" / "clips" / f"cv_de_{number}.mp3", rate=16000)
    header = "client_id\tpath\tsentence_id\tsentence\tup_votes\tage\tgender\taccents\tlocale\tsegment"
    rows = [
        'ab12\tcv_de_1.mp3\tx\tEr sagte: "Nein\t2\t\tfemale_feminine\t\tde\t',
        "cd34\tcv_de_2.mp3\ty\tJa.\t2\t\t\t\tde\t",
    ]
    (tmp_path / "cv" / "validated.tsv").write_text("\n".join([header, *rows]) + "\n")
    (tmp_path / "cv" / "train.tsv").write_text("\n".join([header, rows[1]]) + "\n")
    data, notes = imported(tmp_path, tmp_path / "cv")
    assert data.text == {"ab12-cv_de_1": 'Er sagte: "Nein', "cd34-cv_de_2": "Ja."}
    assert data.utt2lang == dict.fromkeys(data.utt2spk, "de") and data.spk2gender == {"ab12": "f"}
    assert "read validated.tsv; the other tables can be given as files: train.tsv" in notes
    assert len(import_data(tmp_path / "cv" / "train.tsv", tmp_path / "train").data) == 1


def test_audio_folders_of_hugging_face(tmp_path):
    for name in ("train/a.wav", "train/b.wav", "test/a.wav"):
        sound(tmp_path / "hf" / name)
    (tmp_path / "hf" / "train" / "metadata.csv").write_text('file_name,transcription\na.wav,"Ja, ja"\nb.wav,Nein\n')
    (tmp_path / "hf" / "test" / "metadata.jsonl").write_text('{"file_name": "a.wav", "text": "Doch"}\n')
    data, _ = imported(tmp_path, tmp_path / "hf", language="de")
    assert data.text == {"hf-test-a": "Doch", "hf-train-a": "Ja, ja", "hf-train-b": "Nein"}
    assert set(data.utt2lang.values()) == {"de"}


def test_lj_speech(tmp_path):
    sound(tmp_path / "LJ" / "wavs" / "LJ001-0001.wav")
    (tmp_path / "LJ" / "metadata.csv").write_text("LJ001-0001|In 1455, no.|In fourteen fifty-five, no.\n")
    data, notes = imported(tmp_path, tmp_path / "LJ")
    assert kind_of_source(tmp_path / "LJ") == "ljspeech"
    assert data.text == {"LJ-LJ001-0001": "In fourteen fifty-five, no."}
    assert "1 utterance: the id is a new one, which begins with the speaker (LJ001-0001: now LJ-LJ001-0001)" in notes


def test_kaldi_is_repaired_on_the_way(tmp_path):
    source = tmp_path / "s5" / "data" / "train"
    source.mkdir(parents=True)
    sound(tmp_path / "s5" / "audio" / "b.wav")
    (source / "wav.scp").write_text("r2 audio/b.wav\nr1 sox x.wav -t wav - |\n")
    (source / "segments").write_text("ben-1 r2 0 0.5\nanna-1 r1 0 0.5\n")
    (source / "utt2spk").write_text("ben-1 ben\nanna-1 anna\nghost ben\n")
    (source / "text").write_text("ben-1 ja\nanna-1 nein\n")
    found = import_data(source, tmp_path / "out")
    assert found.data.wav_scp == {"r1": "sox x.wav -t wav - |", "r2": str(tmp_path / "s5" / "audio" / "b.wav")}
    assert found.data.text == {"anna-1": "nein", "ben-1": "ja"}
    assert any("utterance 'ghost' dropped" in note for note in found.notes)
    assert not (tmp_path / "out" / ".backup").exists() and (source / "utt2spk").read_text().startswith("ben-1")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", '{"id": "a", "recording_id": "r", "start": 0, "duration": 1}\n', "no manifest of its recordings"),
        (
            "x_recordings.jsonl",
            '{"id": "r", "sources": [], "duration": 1}\nfoo\n',
            r"recordings\.jsonl:2: not a JSON ob",
        ),
        (
            "x.jsonl",
            '{"id": "c", "start": 0, "duration": 1, "supervisions": []}\n',
            r"x\.jsonl:1: 'c' is a cut without",
        ),
        (
            "x.jsonl",
            '{"id": "c", "start": 0, "duration": 1, "supervisions": [], "recording": {"id": "r", "duration": 1}}\n',
            r"x\.jsonl:1: lacks 'sources', which manifests of lhotse have",
        ),
        ("x.csv", "file,text,start\na.wav,x,soon\n", r"x\.csv:2: expected seconds, 0 or more \(got 'soon'\)"),
        ("x.csv", "file,id\na.wav,u\na.wav,u\n", r"x\.csv:3: another utterance is 'u', too \(.*x\.csv:2\); rename"),
        ("x.csv", "file,words\na.wav,u\n", r"x\.csv:1: a header without a column of texts"),
    ],
)
def test_what_is_wrong_names_file_and_line(tmp_path, name, content, message):
    sound(tmp_path / "a.wav")
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        import_data(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_verbs(tmp_path):
    sound(tmp_path / "a.wav")
    (tmp_path / "t.csv").write_text("file,text\na.wav,hello\n")
    found = run("data import", tmp_path / "t.csv", tmp_path / "data", speaker="eva", language="en")
    assert found.stdout == f"{tmp_path}/data: 1 utterance of 1 speaker\n"
    assert "note: 1 utterance: the id is a new one" in found.stderr
    assert DataDir.load(tmp_path / "data").utt2lang == {"eva-a": "en"}
    with pytest.raises(DataError, match="exists and is not empty"):
        verb("data import", tmp_path / "t.csv", tmp_path / "data")
    run("data export", tmp_path / "data", tmp_path / "mfa", to="mfa")
    assert (tmp_path / "mfa" / "eva" / "eva-a.lab").read_text() == "hello\n"
    with pytest.raises(DataError, match="exists and is not empty"):
        verb("data export", tmp_path / "data", tmp_path / "mfa", to="mfa")


def test_what_a_format_cannot_say_is_refused(tmp_path):
    data = DataDir(tmp_path, {"a": "a"}, {"a": str(sound(tmp_path / "a.wav"))}, reco2speed={"a": 0.9})
    with pytest.raises(DataError, match=r"recording 'a' is played at 0\.9 times its speed; export"):
        export_data(data, tmp_path / "x.csv", "csv")
    data.reco2speed, data.text = {}, {"a": "x|y"}
    with pytest.raises(DataError, match=r"text of 'a' holds '\|'"):
        export_data(data, tmp_path / "lj", "ljspeech")
    data.wav_scp = {"a": "cat x.wav |"}
    with pytest.raises(DataError, match="recording 'a' is a command"):
        export_data(data, tmp_path / "x.csv", "csv")
    assert not (tmp_path / "x.csv").exists() and not (tmp_path / "lj").exists()


@pytest.fixture
def asked(monkeypatch):
    """What the file system is asked for: folders and files."""
    questions = []

    def asking(real):
        def ask(place, *more, **also):
            questions.append(str(place))
            return real(place, *more, **also)

        return ask

    for module, name in ((os, "listdir"), (os.path, "isfile"), (os, "stat")):
        monkeypatch.setattr(module, name, asking(getattr(module, name)))
    return questions


def test_the_file_system_is_not_asked_for_each_name_that_leads_nowhere(tmp_path, asked):
    (tmp_path / "wavs" / "sub").mkdir(parents=True)
    for name in ("b.flac", "c", "sub/d.WAV", "É.wav"):
        (tmp_path / "wavs" / name).touch()
    audio = NamedAudio(tmp_path / "list.csv")
    wavs = tmp_path / "wavs"
    right = {"b": "b.flac", "./b": "b.flac", "c": "c", "sub/d.WAV": "sub/d.WAV", "wavs/b.flac": "b.flac", "É": "É.wav"}
    assert {name: audio.find(name) for name in right} == {name: wavs / file for name, file in right.items()}
    names = [name for number in range(1000) for name in (f"{number}", f"{number}.wav", f"{number}/b", f"sub/{number}")]
    # Of another case, and no names of files at all.
    names += ["B.flac.", "sub/D", "wavs/sub", "", ".", "sub/..", "\ud800/x", "\ud800", "a\0b", "x" * 5000]
    assert [name for name in names if audio.find(name)] == []
    assert len(asked) < 60  # Of thousands of names.


def test_a_list_of_recordings_none_of_which_exists(tmp_path, asked):
    table = tmp_path / "list.csv"
    table.write_text("path,text\n" + "".join(f"{number}.wav,she turn\n" for number in range(10_000)))
    asked.clear()
    with pytest.raises(DataError) as error:
        read_source(table)
    listed = [
        f"  {table}:{line}: no audio file '{line - 2}.wav' (paths are relative to {tmp_path})" for line in (2, 3, 4)
    ]
    assert str(error.value).splitlines() == [f"{table}: 10000 problems", *listed, "  ... and 9997 more like these"]
    assert len(asked) < 60  # Of thousands of names.


def test_a_folder_that_nobody_may_list_is_looked_into(tmp_path, monkeypatch):
    (tmp_path / "a.wav").touch()

    def refuse(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "listdir", refuse)
    assert NamedAudio(tmp_path / "list.csv").find("a") == tmp_path / "a.wav"
