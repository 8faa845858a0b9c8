import io
import json
import re
import shutil
import tarfile

import numpy as np
import pytest
import soundfile
from command_line import run
from datadir_strategies import same
from hypothesis import given
from hypothesis import strategies as st
from served_folder import served

from speechtl.audio.header import AudioHeader
from speechtl.audio.waveform import read_waveform
from speechtl.data import shard as shard_module
from speechtl.data.datadir import DataDir, Segment
from speechtl.data.shard import shard
from speechtl.data.shard_writer import sample_key
from speechtl.data.validate import validate
from speechtl.errors import DataError
from speechtl.files import original_name

RATE = 8000
SIZE = 0.012  # Megabytes: two or three utterances.


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a directory of segments, stereo, 24 bits and another speed, with every table that shards have."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    data = DataDir(folder / "data")
    for number in range(4):
        speaker = f"s{number}"
        samples = rng.normal(0, 0.1, (3 * RATE, 2) if number == 1 else 3 * RATE)
        path = folder / f"{speaker}.wav"
        soundfile.write(path, samples, RATE, subtype="PCM_24" if number == 2 else "PCM_16")
        data.wav_scp[speaker] = str(path)
        data.spk2gender[speaker] = "mf"[number % 2]
        for start in range(3):
            name = f"{speaker}-u.{start}"
            data.segments[name] = Segment(speaker, start, start + 0.7)
            data.utt2spk[name], data.text[name] = speaker, f"words œ of {name}"
            data.utt2lang[name], data.utt2dom[name], data.utt2dur[name] = "en", f"d{number}", 0.7
    data.reco2file_and_channel["s1"] = "s1 B"
    for name in ("s0", "s2", "s3"):
        data.reco2file_and_channel[name] = f"{name} A"
    data.save(data.path)
    return DataDir.load(data.path)


@pytest.fixture(scope="module")
def shards(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "set"
    shard(data, folder, megabytes=SIZE)
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_other_readers_find_audio_text_and_metadata(data, shards):
    webdataset = pytest.importorskip("webdataset")
    paths = sorted(map(str, shards.glob("*.tar")))
    assert len(paths) > 3
    found = {sample["__key__"]: sample for sample in webdataset.WebDataset(paths, shardshuffle=False)}
    assert {original_name(key) for key in found} == set(data.utterance_ids)
    for key, sample in found.items():
        one = data.utterance(original_name(key))
        samples, rate = soundfile.read(io.BytesIO(sample["flac"]))
        start = round(one.start * RATE)
        expected = soundfile.read(one.audio, start=start, stop=start + round(0.7 * RATE))[0]
        np.testing.assert_array_equal(samples, expected[:, 1] if expected.ndim == 2 else expected)
        assert rate == RATE and sample["txt"].decode() == one.text
        about = json.loads(sample["json"])
        assert (about["id"], about["speaker"], about["language"]) == (one.id, one.speaker, "en")
        assert about["duration"] == 0.7 and about["gender"] == data.spk2gender[one.speaker]


def test_the_index_says_where_tarfile_finds_them(shards):
    head, *lines = [json.loads(line) for line in (shards / "index.jsonl").read_text().splitlines()]
    assert head["shards"] == [{"file": path.name, "size": path.stat().st_size} for path in sorted(shards.glob("*.tar"))]
    assert {line["id"] for line in lines[:6]} != {line["id"] for line in sorted(lines, key=lambda one: one["id"])[:6]}
    for path in shards.glob("*.tar"):
        with tarfile.open(path) as tar:
            members = {member.name: (member.offset_data, member.size) for member in tar}
        of_shard = [line for line in lines if line["shard"] == path.name]
        assert of_shard
        for line in of_shard:
            assert members[sample_key(line["id"]) + line["suffix"]] == (line["offset"], line["size"])


def test_a_set_is_a_data_directory(data, shards, tmp_path):
    loaded = DataDir.load(shards)
    for name in ("utt2spk", "text", "utt2lang", "utt2dom", "utt2dur", "spk2gender"):
        assert getattr(loaded, name) == getattr(data, name)
    one, stored = data.utterance("s0-u.1"), loaded.utterance("s0-u.1")
    heard = read_waveform(one.audio, RATE, start=one.start, end=one.end)
    np.testing.assert_array_equal(read_waveform(stored.audio, RATE), heard)
    run("data subset", shards, tmp_path / "few", speakers="s1")
    few = DataDir.load(tmp_path / "few")
    assert AudioHeader.read(few.wav_scp["s1-u.2"]).frames == round(0.7 * RATE)
    with pytest.raises(DataError, match=r"set: is a set of shards, .*speechtl data combine OUT .*set"):
        run("features", shards)
    with served(shards.parent) as address:
        remote = DataDir.load(f"{address}/set")
        assert same(
            DataDir(remote.path, utt2spk=remote.utt2spk, text=remote.text),
            DataDir(remote.path, utt2spk=loaded.utt2spk, text=loaded.text),
        )
        np.testing.assert_array_equal(read_waveform(remote.wav_scp["s0-u.1"], RATE), heard)
        assert not validate(f"{address}/set").problems
    with served(shards.parent, ranges=False) as address:
        place = DataDir.load(f"{address}/set").wav_scp["s3-u.0"]
        np.testing.assert_array_equal(read_waveform(place, RATE), read_waveform(loaded.wav_scp["s3-u.0"], RATE))


def test_a_kill_before_anything_was_written_is_no_reason_to_refuse(data, shards, tmp_path):
    (tmp_path / "x" / ".unfinished").mkdir(parents=True)
    (tmp_path / "x" / ".lock").touch()
    shard(data, tmp_path / "x", megabytes=SIZE)
    assert contents(tmp_path / "x") == contents(shards)
    (tmp_path / "y" / ".unfinished").mkdir(parents=True)
    (tmp_path / "y" / "mine").touch()
    with pytest.raises(DataError, match="exists and is not empty"):
        shard(data, tmp_path / "y", megabytes=SIZE)


def test_the_same_bytes_by_any_number_of_threads_and_after_a_kill(data, shards, tmp_path, monkeypatch):
    shard(data, tmp_path / "three", megabytes=SIZE, jobs=3)
    assert contents(tmp_path / "three") == contents(shards)

    class Killed(BaseException):
        pass

    plain, left = shard_module.utterance_file, [8]

    def encode(*arguments, **options):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return plain(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(shard_module, "utterance_file", encode)
        with pytest.raises(Killed):
            shard(data, tmp_path / "killed", megabytes=SIZE)
    with pytest.raises(DataError, match="not a data directory"):
        DataDir.load(tmp_path / "killed")
    assert shard(data, tmp_path / "killed", megabytes=SIZE).found > 1
    assert contents(tmp_path / "killed") == contents(shards)
    # Again, there is nothing to do; other data is refused, unless it is to replace them.
    assert shard(data, tmp_path / "killed", megabytes=SIZE).found == len(contents(shards)) - 1
    with pytest.raises(DataError, match="--overwrite"):
        shard(data, tmp_path / "killed", megabytes=SIZE, seed=2)
    assert contents(tmp_path / "killed") == contents(shards)
    shard(data, tmp_path / "killed", megabytes=SIZE, seed=2, overwrite=True)
    assert contents(tmp_path / "killed") != contents(shards) and not validate(tmp_path / "killed").problems


@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_names_of_samples_are_as_different_as_ids(one, other):
    for name in (one, other):
        key = sample_key(name)
        assert "." not in key and "/" not in key and original_name(key) == name
    assert (sample_key(one) == sample_key(other)) == (one == other)


def test_ids_that_are_no_names_are_listed(data, tmp_path):
    long = DataDir(tmp_path / "data", wav_scp={"x" * 251: "x.wav"}, utt2spk={"x" * 251: "x"})
    with pytest.raises(DataError, match=r"utterance 'x+': as a file name it has 251 bytes \(at most 250\)"):
        shard(long, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damage_is_named(data, shards, tmp_path):
    assert run("data validate", shards, "--decode").exit_code == 0
    shard(data, tmp_path / "x", megabytes=SIZE)
    index = [json.loads(line) for line in (tmp_path / "x" / "index.jsonl").read_text().splitlines()]
    first = next(line for line in index[1:] if line["shard"] == "shard-000000.tar")
    last = [line for line in index[1:] if line["shard"] == "shard-000001.tar"][-1]
    content = bytearray((tmp_path / "x" / "shard-000000.tar").read_bytes())
    content[first["offset"] + 2000] ^= 1
    (tmp_path / "x" / "shard-000000.tar").write_bytes(content)
    with open(tmp_path / "x" / "shard-000001.tar", "r+b") as file:
        file.truncate(last["offset"] + 100)
    (tmp_path / "x" / "shard-000002.tar").unlink()
    found = [str(problem) for problem in validate(tmp_path / "x").errors]
    assert any(f"shard-000000.tar: '{first['id']}': damaged" in line for line in found)
    assert any("shard-000001.tar: has " in line for line in found)
    assert any(last["id"] in line and "shard-000001" in line for line in found)
    assert any("shard-000002.tar: cannot read" in line for line in found)
    places = DataDir.load(tmp_path / "x").wav_scp
    with pytest.raises(DataError, match=r"shard-000000\.tar: damaged \(the checksum"):
        read_waveform(places[first["id"]], RATE)
    with pytest.raises(DataError, match=r"shard-000001\.tar: truncated \(got 100 of"):
        read_waveform(places[last["id"]], RATE)
    lines = (tmp_path / "x" / "index.jsonl").read_text().splitlines()
    lines[3] = lines[3][:-9]
    (tmp_path / "x" / "index.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"index\.jsonl:4: "):
        DataDir.load(tmp_path / "x")


def test_sizes_of_an_index_that_are_no_numbers_are_refused(shards, tmp_path):
    shutil.copytree(shards, tmp_path / "x")
    index = tmp_path / "x" / "index.jsonl"
    lines = index.read_text().splitlines()
    for place, wanted in ((0, "size"), (1, "offset")):
        changed = [re.sub(rf'"{wanted}": ?\d+', f'"{wanted}": Infinity', line) for line in lines]
        index.write_text("\n".join(lines[:place] + changed[place : place + 1] + lines[place + 1 :]) + "\n")
        with pytest.raises(DataError, match=r"index\.jsonl"):
            DataDir.load(tmp_path / "x")


def test_whole_compressed_files_stay_as_they_are(tmp_path):
    rng = np.random.default_rng(0)
    data = DataDir(tmp_path / "data")
    for suffix in ("flac", "ogg"):
        path = tmp_path / f"a-{suffix}.{suffix}"
        soundfile.write(path, rng.normal(0, 0.1, RATE), RATE)
        data.wav_scp[f"a-{suffix}"], data.utt2spk[f"a-{suffix}"] = str(path), "a"
    shard(data, tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "shard-000000.tar") as tar:
        for name in ("a-flac.flac", "a-ogg.ogg"):
            assert tar.extractfile(name).read() == (tmp_path / name).read_bytes()
        assert not [name for name in tar.getnames() if name.endswith(".txt")]
    assert not validate(tmp_path / "out", require_text=False).problems
    assert len(validate(tmp_path / "out").errors) == 2
