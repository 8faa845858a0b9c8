"""The same recordings through every verb: damaged in the ways of real files, they give the same words everywhere."""

import io
import json

import numpy as np
import pytest
import soundfile
from command_line import run
from hypothesis import given, settings
from hypothesis import strategies as st
from whistled_speech import RATE, whistle

from speechtl.data.datadir import DataDir

TEXTS = {"one": "tak sit kus", "two": "ata si tak", "three": "kus ata"}


def spoken(text, seed):
    """Return words with pauses at their ends, in [-1, 1], and where the pauses are."""
    samples, times = whistle(text, seed, gap=0.3)
    quiet = np.ones(len(samples), bool)
    for start, end in times:
        quiet[round((start - 0.03) * RATE) : round((end + 0.03) * RATE)] = False
    return samples, quiet


def zeros(samples, quiet):
    return np.where(quiet, 0, samples)


def dither(samples, quiet):
    return np.where(quiet, np.round(np.random.default_rng(0).normal(0, 0.8, len(samples))) / 32768, samples)


DAMAGE = {
    "clean": lambda samples, quiet: samples,
    "zeros": zeros,
    "dither": dither,
    "offset": lambda samples, quiet: samples + 0.15,
    "offset and zeros": lambda samples, quiet: zeros(samples, quiet) + 0.1,
    "antiphase": lambda samples, quiet: np.stack([samples, -0.9 * samples], axis=1),
    "two channels": lambda samples, quiet: np.stack([samples, 0.3 * samples], axis=1),
    "one of two": lambda samples, quiet: np.stack([zeros(samples, quiet), 0 * samples], axis=1),
    "integers": lambda samples, quiet: samples * 32768,
}


def unfinished(path):
    content = bytearray(path.read_bytes())
    place = content.index(b"data")
    content[place + 4 : place + 8] = bytes(4)
    path.write_bytes(content)


def written(folder, damages=("clean",) * 3, header=False):
    """Write the recordings, each with its damage, and a data directory of them."""
    folder.mkdir(parents=True, exist_ok=True)
    wav = {}
    for seed, ((name, text), damage) in enumerate(zip(TEXTS.items(), damages, strict=True)):
        path = folder / f"{name}.wav"
        soundfile.write(path, DAMAGE[damage](*spoken(text, seed)), RATE, subtype="FLOAT")
        if header:
            unfinished(path)
        wav[name] = str(path)
    # Each recording is normalised by itself, as transcribe does it: their noise differs too much for one speaker's.
    data = DataDir(folder / "data", wav_scp=wav, text=dict(TEXTS), utt2spk={name: name for name in TEXTS})
    data.save(folder / "data")
    return folder


def words_of(experiment, folder):
    """Return the words of each recording by ``transcribe``, by ``features`` and ``decode``, and by ``align``."""
    found = run("transcribe", experiment, *(folder / f"{name}.wav" for name in TEXTS), format="json")
    transcribed = [json.loads(line)["text"] for line in found.stdout.splitlines()]
    computed = run("features", folder / "data", config=experiment / "config.toml", overwrite=True)
    lexicon = experiment / "lexicon" / "xx.txt"
    run("decode", experiment, folder / "data", folder / "decoded", lexicon=lexicon)
    decoded = dict(line.split(" ", 1) for line in (folder / "decoded" / "text").read_text().splitlines())
    run("align", experiment, folder / "data", folder / "aligned", refine="never")
    spans = [line.split() for line in (folder / "aligned" / "ctm").read_text().splitlines()]
    return transcribed, [decoded[name] for name in TEXTS], spans, found.stderr + computed.stderr


@settings(max_examples=5, deadline=None)
@given(damages=st.permutations(sorted(DAMAGE)), header=st.booleans())
def test_every_verb_hears_the_same_words(experiment, tmp_path_factory, damages, header):
    damages = damages[: len(TEXTS)]
    folder = written(tmp_path_factory.mktemp("damaged"), damages, header)
    transcribed, decoded, spans, said = words_of(experiment, folder)
    assert transcribed == decoded == list(TEXTS.values())
    for seed, (name, text) in enumerate(TEXTS.items()):
        starts = [float(start) for recording, _, start, *_ in spans if recording == name]
        assert np.abs(np.array(starts) - [start for start, _ in whistle(text, seed, gap=0.3)[1]]).max() < 0.1
    # What was repaired is one line of each verb that reads audio.
    repaired = {
        "the length in the header is too short": ["every"] * header,
        "digital silence, filled": {"zeros", "dither", "offset and zeros", "one of two"} & {*damages},
        "constant offset was taken out": {"offset", "offset and zeros"} & {*damages},
        "cancel each other": {"antiphase"} & {*damages},
        "taken for 16-bit integers": {"integers"} & {*damages},
    }
    assert {one: said.count(one) for one in repaired} == {one: 2 * bool(found) for one, found in repaired.items()}


def test_a_bad_recording_costs_itself_alone(experiment, tmp_path):
    """NaN, a click that is too short, no audio at all: every verb goes on, and says which."""
    folder = written(tmp_path / "mixed")
    soundfile.write(folder / "nan.wav", np.array([0.1] * 4000 + [np.nan] + [0.1] * 4000), RATE, subtype="FLOAT")
    soundfile.write(folder / "click.wav", whistle("tak")[0][:72], RATE)
    (folder / "text.wav").write_text("this is no audio")
    data = DataDir.load(folder / "data")
    for name in ("nan", "click", "text"):
        data.wav_scp[name], data.utt2spk[name], data.text[name] = str(folder / f"{name}.wav"), "s", "tak"
    data.save(folder / "data")
    found = run("transcribe", experiment, folder)
    assert found.exit_code == 1
    lines = dict(line.split("\t") for line in found.stdout.splitlines())
    assert {name: lines[str(folder / f"{name}.wav")] for name in TEXTS} == TEXTS
    assert "nan.wav: holds samples that are not numbers" in found.stderr
    computed = run("features", folder / "data", "--skip-broken", config=experiment / "config.toml")
    assert "nan.wav: holds samples that are not numbers" in computed.stderr
    assert "3 utterances computed" in computed.stdout
    decoded = run("decode", experiment, folder / "data", folder / "o", lexicon=experiment / "lexicon" / "xx.txt")
    assert "3 utterances: no features, not decoded (click; nan; text)" in decoded.stderr
    assert dict(line.split(" ", 1) for line in (folder / "o" / "text").read_text().splitlines()) == TEXTS
    aligned = run("align", experiment, folder / "data", folder / "a")
    assert "3 utterances could not be aligned" in aligned.stderr and "3 utterances, " in aligned.stdout


def call(folder):
    """Write a call: one speaker on each channel."""
    one, other = spoken("tak sit", 3)[0], spoken("kus ata si", 4)[0]
    length = max(len(one), len(other))
    channels = [np.pad(side, (0, length - len(side))) for side in (one, other)]
    soundfile.write(folder / "call.wav", np.stack(channels, axis=1), RATE)
    return folder / "call.wav"


def test_a_channel_is_chosen_in_every_verb(experiment, tmp_path):
    path = call(tmp_path)
    for channel, text in (("0", "tak sit"), ("1", "kus ata si"), ("first", "tak sit")):
        assert run("transcribe", experiment, path, channel=channel).stdout == f"{text}\n"
    each = run("transcribe", experiment, path, channel="each")
    assert each.stdout == f"{path}#0\ttak sit\n{path}#1\tkus ata si\n"
    tables = {"wav_scp": {"a": str(path), "b": str(path)}, "utt2spk": {"a": "a", "b": "b"}}
    sides = {"a": "call A", "b": "call 2"}
    DataDir(tmp_path / "data", **tables, reco2file_and_channel=sides).save(tmp_path / "data")
    run("features", tmp_path / "data", config=experiment / "config.toml")
    lexicon = experiment / "lexicon" / "xx.txt"
    run("decode", experiment, tmp_path / "data", tmp_path / "o", lexicon=lexicon)
    assert (tmp_path / "o" / "text").read_text() == "a tak sit\nb kus ata si\n"
    DataDir(tmp_path / "other", **tables).save(tmp_path / "other")
    run("features", tmp_path / "other", config=experiment / "config.toml", channel=1)
    run("decode", experiment, tmp_path / "other", tmp_path / "p", lexicon=lexicon)
    assert (tmp_path / "p" / "text").read_text() == "a kus ata si\nb kus ata si\n"


def test_file_names_that_are_not_utf8(experiment, tmp_path):
    folder = tmp_path / "takes [v2]"
    folder.mkdir()
    soundfile.write(folder / "a.wav", whistle("tak sit")[0], RATE)
    (folder / "b.wav").write_bytes((folder / "a.wav").read_bytes())
    (folder / "b.wav").rename(str(folder) + "/caf\udce9.wav")
    for form in ("text", "json", "ctm"):
        found = run("transcribe", experiment, folder, format=form)
        assert "caf\\xe9" in found.stdout.replace("\\\\", "\\") and "tak" in found.stdout
        found.stdout.encode("utf-8")
    run("transcribe", experiment, folder, out=f"{tmp_path}/out/")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "caf\udce9.txt"]


def test_what_the_telephone_has_is_said_once(experiment, tmp_path):
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", whistle("tak sit", rate=6000)[0], 6000)
    said = run("transcribe", experiment, tmp_path).stderr
    assert said.count("audio at 6000 Hz has nothing above 3000 Hz, and the features are of 8000 Hz") == 1
    assert "2 recordings: audio" in said


@pytest.mark.parametrize("kind", ["m4a", "webm"])
def test_what_telephones_and_browsers_record_is_heard(experiment, tmp_path, kind, monkeypatch):
    pytest.importorskip("av")
    from encoded_audio import encode

    container, codec = {"m4a": ("ipod", "aac"), "webm": ("webm", "libopus")}[kind]
    folder = tmp_path / "audio"
    folder.mkdir()
    path = folder / "tak.mp3"
    encode(path, container, codec, 48000, signal=np.repeat(spoken("tak sit kus", 0)[0], 2).astype(np.float32))
    assert run("transcribe", experiment, path).stdout == "tak sit kus\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert run("transcribe", experiment, "-").stdout == "tak sit kus\n"
    DataDir(tmp_path / "data", wav_scp={"a": str(path)}, utt2spk={"a": "a"}).save(tmp_path / "data")
    run("features", tmp_path / "data", config=experiment / "config.toml")
    run("decode", experiment, tmp_path / "data", tmp_path / "o", lexicon=experiment / "lexicon" / "xx.txt")
    assert (tmp_path / "o" / "text").read_text() == "a tak sit kus\n"
