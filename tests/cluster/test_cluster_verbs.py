"""Verbs on a real cluster of worker processes: the same bytes as without it, also if a worker is killed meanwhile."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import run, verb
from recordings_of_noise import write_six

from speechtl.cluster import dask_workers
from speechtl.data.datadir import DataDir
from speechtl.data.tables import read_table, write_table
from speechtl.errors import ConfigError, DataError
from speechtl.features import compute_parts
from speechtl.features.archives import read_matrix
from speechtl.features.config import FeatureConfig

distributed = pytest.importorskip("distributed")

TIMES = re.compile(r'"(wall|processor)": [-+.e0-9]+')


@pytest.fixture(scope="module")
def cluster():
    with dask_workers.dask_workers(dask_workers.ClusterSpec("local", fewest=2, most=2)) as workers:
        yield workers


@pytest.fixture(scope="module")
def address(cluster):
    return cluster.client.scheduler.address


@pytest.fixture(scope="module")
def speech(source, tmp_path_factory):
    """Return a data directory with features that ``source`` can read, in which those of one utterance are damaged."""
    folder = tmp_path_factory.mktemp("speech") / "dev"
    shutil.copytree(source.parent / "dev", folder)
    table = read_table(folder / "feats.scp")
    bad = sorted(table)[3]
    write_table(folder / "feats.scp", table | {bad: table[bad] + "99999"})
    return folder, bad


def left_by(folder):
    """Return the files of a folder without times, of which the table of a study is full."""
    names = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} - {Path("table.md")}
    return {str(name): TIMES.sub("", (folder / name).read_text()) for name in names if name.name[0] != "."}


def alike(folder, address, *arguments, **options):
    """Run a verb here and on the cluster; what both leave is the same, and is returned with what was said."""
    said = []
    for name, where in (("here", None), ("there", address)):
        name = folder / name
        words = [name if argument is OUT else argument for argument in arguments]
        options |= {key: f"{name}/" for key, value in options.items() if value is OUT or key == "out"}
        done = run(*words, **options, cluster=where)
        said.append(done.output.replace(str(name), "OUT"))
        assert done.exit_code == 0
    here, there = left_by(folder / "here"), left_by(folder / "there")
    assert here.keys() == there.keys() and here
    assert [name for name in here if here[name] != there[name]] == []
    return here, said


OUT = object()


def test_decode(source, speech, address, tmp_path):
    data, bad = speech
    lexicon = source.parent / "lexicon.txt"
    found, said = alike(tmp_path, address, "decode", source, data, OUT, lexicon=lexicon, nbest=2)
    assert len(found["text"].splitlines()) == 11
    # One is damaged: it is named, and all others are decoded.
    assert all(f"1 utterance could not be decoded\n  {bad}: " in one for one in said)


def test_align(source, speech, address, tmp_path):
    data, bad = speech
    found, said = alike(tmp_path, address, "align", source, data, OUT, textgrids=False)
    assert len(found["log.jsonl"].splitlines()) == 11
    assert all(f"1 utterance could not be aligned\n  {bad}: " in one for one in said)


def test_transcribe(source, address, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(5):
        noise = np.random.default_rng(number).normal(size=4000 + 3000 * number) * 0.1
        soundfile.write(tmp_path / "in" / f"{number}.wav", noise, 16000)
    found, _ = alike(tmp_path, address, "transcribe", source, tmp_path / "in", "--whole", out=OUT, format="json")
    assert sorted(found) == [f"{number}.json" for number in range(5)]
    assert all(json.loads(text)["segments"] for text in found.values())
    with pytest.raises(ConfigError, match="leave standard input, --live and --one-speaker out"):
        verb("transcribe", source, tmp_path / "in", "--one-speaker", cluster=address)


def test_study(source, address, tmp_path):
    data = source.parent / "dev"
    options = {"system": ["a=lhuc,epochs=1"], "counts": "1", "folds": 2}
    found, _ = alike(tmp_path, address, "study", source, data, OUT, **options)
    assert len(found["results.jsonl"].splitlines()) == 6


def kill_one(cluster):
    """Kill the process of a worker that has something to do."""
    pids = cluster.client.run(os.getpid)
    busy = [worker for worker, keys in cluster.client.processing().items() if keys]
    os.kill(pids[busy[0]], signal.SIGKILL)
    return pids[busy[0]]


def test_a_worker_that_is_killed_loses_nothing_and_leaves_nothing_twice(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(compute_parts, "_GROUP_UTTERANCES", 2)
    monkeypatch.setattr(compute_parts, "_UNIT_GROUPS", 1)
    data = write_six(tmp_path)
    for number in range(6, 40):
        soundfile.write(path := tmp_path / f"{number}.wav", np.random.default_rng(number).normal(size=9000), 16000)
        data.wav_scp[f"s3-u{number}"], data.utt2spk[f"s3-u{number}"] = str(path), "s3"
    (tmp_path / "11.wav").write_bytes(b"")
    data.save(data.path)
    config = FeatureConfig(sample_rate=8000, num_mel_bins=23)
    from speechtl.features.compute import compute_features

    alone = compute_features(DataDir.load(data.path), config, tmp_path / "here")
    matrices = {name: read_matrix(place) for name, place in DataDir.load(data.path).feats_scp.items()}
    killed = []

    def progress(description, done, total):
        if 0 < done < total and not killed:
            killed.append(kill_one(cluster))

    from speechtl.progress import watched

    with watched(progress):
        summary = compute_features(data, config, tmp_path / "there", workers=cluster)
    assert killed and killed[0] not in cluster.client.run(os.getpid).values()
    assert summary == alone
    assert list(summary.broken) == ["s3-u11"] and "empty (0 bytes)" in summary.broken["s3-u11"]
    assert data.feats_scp.keys() == matrices.keys() and len(matrices) == 39
    for name, place in data.feats_scp.items():
        np.testing.assert_array_equal(read_matrix(place), matrices[name])
    stored = [
        name for path in (tmp_path / "there").glob("*.json") for name in json.loads(path.read_text())["utterances"]
    ]
    assert sorted(stored) == sorted(matrices)
    assert not [path for path in (tmp_path / "there").iterdir() if path.name.startswith(".")]
    # As without a cluster, nothing is left to do.
    assert compute_features(data, config, tmp_path / "there").reused == 39


def test_features_are_sent_back_by_workers_that_do_not_see_the_folder(cluster, tmp_path, monkeypatch):
    from speechtl.features.compute import compute_features

    data = write_six(tmp_path)
    config = FeatureConfig(num_mel_bins=20)
    compute_features(DataDir.load(data.path), config, tmp_path / "here")
    matrices = {name: read_matrix(place) for name, place in DataDir.load(data.path).feats_scp.items()}
    seen = compute_parts.dataclasses.replace

    # What they look for is not there, as on a machine that does not share the disk.
    def replace(computer, probe):
        return seen(computer, probe=tmp_path / "nowhere" / probe.name)

    monkeypatch.setattr(compute_parts.dataclasses, "replace", replace)
    compute_features(data, config, tmp_path / "there", workers=cluster)
    assert data.feats_scp.keys() == matrices.keys()
    for name, place in data.feats_scp.items():
        assert str(tmp_path / "there") in place
        np.testing.assert_array_equal(read_matrix(place), matrices[name])


def test_workers_of_another_version_are_refused(cluster, monkeypatch):
    monkeypatch.setattr(dask_workers, "versions", lambda: {"speechtl": "0.0.1"})
    with pytest.raises(ConfigError, match=r"worker on .*: speechtl .*, expected 0\.0\.1; start it in the same env"):
        list(cluster.run(abs, [1]))


def test_workers_that_cannot_read_what_they_need(cluster, tmp_path, monkeypatch):
    cluster.require([tmp_path, None, tmp_path / "missing here as well"])
    monkeypatch.setattr(dask_workers, "unreadable", list)
    with pytest.raises(DataError, match=r"workers cannot read .* \(a shared disk\):\n  .*: not on tcp://"):
        cluster.require([tmp_path])


def test_a_piece_that_kills_every_worker_is_named(cluster):
    allowed = cluster.client.cluster.scheduler.allowed_failures
    cluster.client.cluster.scheduler.allowed_failures = 0
    with pytest.raises(DataError, match="every worker that was given a piece of the work died of it"):
        list(cluster.run(os._exit, [3]))
    cluster.client.cluster.scheduler.allowed_failures = allowed
