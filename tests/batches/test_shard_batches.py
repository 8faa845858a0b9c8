import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings_of_noise import write_six
from served_folder import served

from speechtl.batches import shard_copies as shard_copies_module
from speechtl.batches.config import BatchConfig, DataConfig, NormalisationConfig
from speechtl.batches.global_stats import global_stats
from speechtl.batches.pipeline import Shard, make_dataset, read_batches
from speechtl.batches.plan import plan_epoch, plan_once
from speechtl.batches.shard_copies import shard_copies
from speechtl.batches.source import Normaliser, Source
from speechtl.data.datadir import DataDir
from speechtl.data.shard import shard
from speechtl.errors import DataError
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig
from speechtl.files import user_cache
from speechtl.remote_file import fetch

FEATURES = FeatureConfig(num_mel_bins=20)
NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=80).map(np.array)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a data directory, ``data``, with features, and ``shards`` of one to three utterances."""
    root = tmp_path_factory.mktemp("corpus")
    data = write_six(root)
    shard(data, root / "shards", megabytes=0.02)
    compute_features(data, FEATURES, root / "feats")
    assert len(list((root / "shards").glob("*.tar"))) == 3
    return root


def batches(place, plan_of, normalisation="none", stats=None, **options):
    source = Source([place], DataConfig(), Normaliser(NormalisationConfig(kind=normalisation), stats), FEATURES)
    plan = plan_of(source)
    return list(read_batches(make_dataset(source, plan, FEATURES.dimension, **options), source, plan))


def one_pass(source):
    return plan_once([source.frames], BatchConfig(frames=150))


@pytest.mark.parametrize("kind", ["utterance", "global"])
def test_batches_from_shards_equal_batches_from_stored_features(folder, kind):
    stats = [global_stats([DataConfig(train=str(folder / name))], FEATURES) for name in ("data", "shards")]
    np.testing.assert_allclose(stats[1], stats[0], rtol=1e-4)
    stored, computed = (batches(folder / name, one_pass, kind, stats[0]) for name in ("data", "shards"))
    assert len(stored) == len(computed) > 1
    for first, second in zip(stored, computed, strict=True):
        np.testing.assert_array_equal(first.lengths, second.lengths)
        np.testing.assert_array_equal(first.utterances, second.utterances)
        np.testing.assert_allclose(first.features, second.features, atol=2e-3)
    # A replica without a share.
    (part,) = batches(folder / "shards", lambda source: one_pass(source)[-1:], shard=Shard([7], 8))
    assert list(part.lengths.numpy()) == [0] and list(part.label_lengths.numpy()) == [0]


def test_shards_from_elsewhere_are_copied_once_and_removed(folder, monkeypatch):
    copied = []
    monkeypatch.setattr(shard_copies_module, "fetch", lambda *places: (copied.append(places[0]), fetch(*places)))

    def in_shards(source):
        return plan_epoch([source.frames], [1.0], BatchConfig(frames=100, shards=2), 1, 0, [source.shards])

    local = batches(folder / "shards", in_shards)
    with served(folder) as address:
        source = Source([f"{address}/shards"], DataConfig(), Normaliser(NormalisationConfig(kind="none")), FEATURES)
        plan = in_shards(source)
        remote = list(read_batches(make_dataset(source, plan, FEATURES.dimension), source, plan))
    assert sorted(copied) == [f"{address}/shards/shard-{number:06d}.tar" for number in range(3)]
    assert not list(user_cache().glob(".shards.*"))
    for first, second in zip(local, remote, strict=True):
        np.testing.assert_array_equal(first.utterances, second.utterances)
        np.testing.assert_array_equal(first.features, second.features)


def test_no_more_copies_than_are_in_use_and_a_few_ahead(monkeypatch):
    made = []
    monkeypatch.setattr(shard_copies_module, "fetch", lambda file, path: (made.append(file), path.touch()))
    needed = [{f"f{number}", f"f{number + 1}"} for number in range(12)]
    with shard_copies(needed) as copies:
        for step, files in enumerate(needed):
            found = copies(step)
            assert found.keys() == files
            assert len(list(user_cache().glob(".shards.*/*.tar"))) <= len(files) + 4
    assert sorted(made) == sorted({file for files in needed for file in files})


def test_a_shard_that_is_missing_or_damaged_is_named(folder, tmp_path):
    shutil.copytree(folder / "shards", tmp_path / "set")
    place = DataDir.load(tmp_path / "set").wav_scp["s1-u3"]
    file, offset = place.split(":")[:2]
    with open(file, "r+b") as opened:
        opened.seek(int(offset) + 500)
        opened.write(b"damaged!")
    with pytest.raises(DataError, match=r"s1-u3: .*shard-\d+\.tar: damaged"):
        batches(tmp_path / "set", one_pass)
    with served(tmp_path) as address:
        with pytest.raises(DataError, match=r"s1-u3: .*shard-\d+\.tar: damaged"):
            batches(f"{address}/set", one_pass)
        (tmp_path / "set" / "shard-000001.tar").unlink()
        with pytest.raises(DataError, match=r"s\d-u\d: http.*shard-000001\.tar: cannot read: 404"):
            batches(f"{address}/set", one_pass)


@given(NUMBERS, st.integers(1, 4), st.integers(0, 3))
def test_an_epoch_has_every_utterance_once_and_few_shards_open_at_a_time(numbers, at_once, epoch):
    config = BatchConfig(frames=1000, utterances=3, shuffle_pool=8, shards=at_once)
    frames = np.random.default_rng(1).integers(50, 400, len(numbers))
    plan = plan_epoch([frames], [1.0], config, 3, epoch, [numbers])
    assert sorted(index for batch in plan for index in batch.utterances) == list(range(len(numbers)))
    assert plan == plan_epoch([frames], [1.0], config, 3, epoch, [numbers])
    for planned in (plan, plan_once([frames], config, [numbers])):
        uses = {}
        for step, batch in enumerate(planned):
            for index in batch.utterances:
                uses.setdefault(numbers[index], []).append(step)
        for step in range(len(planned)):
            assert sum(steps[0] <= step <= steps[-1] for steps in uses.values()) <= at_once
        assert sorted(index for batch in planned for index in batch.utterances) == list(range(len(numbers)))


def test_languages_are_mixed_evenly_by_their_weights():
    frames, numbers = [np.full(400, 100), np.full(100, 100)], [np.arange(400) // 20, None]
    config = BatchConfig(frames=1000, temperature=0.5, shards=3)
    plan = plan_epoch(frames, [1.0, 1.0], config, 1, 0, numbers)
    counts = [sum(len(batch.utterances) for batch in plan if batch.source == number) for number in (0, 1)]
    np.testing.assert_allclose(np.array(counts) / 500, [2 / 3, 1 / 3], atol=0.02)
    places = np.flatnonzero([batch.source for batch in plan]) / len(plan)
    np.testing.assert_allclose(places, np.linspace(0, 1, len(places)), atol=0.1)
