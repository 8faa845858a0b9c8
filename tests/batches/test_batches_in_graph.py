import numpy as np
import pytest
import soundfile
import tensorflow as tf

pytest.importorskip("tensorflow_io")

from speechtl.batches.config import BatchConfig, DataConfig, NormalisationConfig
from speechtl.batches.pipeline import Shard, make_dataset, read_batches
from speechtl.batches.plan import PlannedBatch, plan_once
from speechtl.batches.service_reader import ServiceReader
from speechtl.batches.source import Normaliser, Source
from speechtl.data.datadir import DataDir
from speechtl.errors import ConfigError, DataError
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig

FEATURES = FeatureConfig(num_mel_bins=20)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"s{number % 2}-u{number}" for number in range(5)]
    for number, name in enumerate(names):
        soundfile.write(tmp_path / f"{name}.flac", rng.normal(0, 0.1, 8000 + 3000 * number), 16000)
    wav_scp = {name: str(tmp_path / f"{name}.flac") for name in names}
    data = DataDir(path=tmp_path / "data", wav_scp=wav_scp, utt2spk={name: name[:2] for name in names})
    data.save(tmp_path / "data")
    compute_features(DataDir.load(tmp_path / "data"), FEATURES, tmp_path / "feats")
    return tmp_path / "data"


@pytest.mark.parametrize("kind", ["utterance", "none"])
def test_batches_from_audio_equal_batches_from_stored_features(folder, kind):
    normaliser = Normaliser(NormalisationConfig(kind=kind))
    batches = []
    for in_graph in (False, True):
        config = DataConfig(in_graph=in_graph)
        source = Source([folder], config, normaliser, FEATURES)
        plan = plan_once([source.frames], BatchConfig(frames=200))
        batches.append(list(make_dataset(source, plan, FEATURES.dimension)))
    stored, computed = batches
    assert len(stored) == len(computed) > 1
    for first, second in zip(stored, computed, strict=True):
        np.testing.assert_array_equal(first.lengths, second.lengths)
        np.testing.assert_array_equal(first.utterances, second.utterances)
        np.testing.assert_allclose(first.features, second.features, atol=2e-3)


@pytest.fixture
def service():
    """Return the address of a tf.data service with two workers."""
    parts = tf.data.experimental.service
    dispatcher = parts.DispatchServer(parts.DispatcherConfig(port=0))
    address = dispatcher.target.partition("://")[2]
    workers = [parts.WorkerServer(parts.WorkerConfig(dispatcher_address=address)) for _ in range(2)]
    yield dispatcher.target
    for server in (*workers, dispatcher):
        server._stop()


def test_workers_of_a_service_compute_the_same_in_the_same_order(folder, service, monkeypatch):
    normaliser = Normaliser(NormalisationConfig(kind="utterance"))
    batches, here, serialised = [], [], ServiceReader._serialised
    monkeypatch.setattr(ServiceReader, "_serialised", lambda self, index: here.append(index) or serialised(self, index))
    for data in (DataConfig(in_graph=True), DataConfig(in_graph=True, service=service)):
        source = Source([folder], data, normaliser, FEATURES)
        plan = [PlannedBatch(0, (index, other)) for index in range(5) for other in range(5) if index != other]
        parts = make_dataset(source, plan, FEATURES.dimension, shard=Shard([1, 0], 2))
        batches.append(list(read_batches(parts, source, [batch for batch in plan for _ in range(2)])))
    alone, distributed = batches
    assert len(alone) == len(distributed) == 40
    for first, second in zip(alone, distributed, strict=True):
        np.testing.assert_array_equal(first.utterances, second.utterances)
        np.testing.assert_array_equal(first.features, second.features)
    # Once, for the graph that the workers run; nothing of what they computed was lost.
    assert len(here) == 1
    # A damaged file is named as ever.
    with open(DataDir.load(folder).wav_scp["s0-u2"], "r+b") as file:
        file.truncate(9000)
    with pytest.raises(DataError, match=r"s0-u2: .*u2\.flac: "):
        list(read_batches(make_dataset(source, plan, FEATURES.dimension), source, plan))


def test_a_service_that_is_not_there_is_one_message(folder):
    with pytest.raises(DataError, match=r"no dispatcher of a tf\.data service answers at grpc://127\.0\.0\.1:9"):
        data = DataConfig(in_graph=True, service="grpc://127.0.0.1:9")
        Source([folder], data, Normaliser(NormalisationConfig(kind="none")), FEATURES)
    with pytest.raises(ValueError, match="set in_graph = true"):
        DataConfig(service="grpc://127.0.0.1:9")


def test_a_replica_without_a_share_gets_nothing(folder):
    normaliser = Normaliser(NormalisationConfig(kind="none"))
    source = Source([folder], DataConfig(in_graph=True), normaliser, FEATURES)
    plan = plan_once([source.frames[:1]], BatchConfig())
    (part,) = make_dataset(source, plan, FEATURES.dimension, shard=Shard([1], 2))
    assert list(part.lengths.numpy()) == [0] and list(part.label_lengths.numpy()) == [0]


def test_normalisation_by_speaker_is_refused(folder):
    normaliser = Normaliser(NormalisationConfig(kind="speaker"))
    with pytest.raises(ConfigError, match=r"set normalisation\.kind"):
        Source([folder], DataConfig(in_graph=True), normaliser, FEATURES)


def test_unlabelled_speech_is_computed_too(folder):
    normaliser = Normaliser(NormalisationConfig(kind="none"))
    batches = []
    for in_graph in (False, True):
        config = DataConfig(in_graph=in_graph)
        source = Source([], config, normaliser, FEATURES, unlabelled=[folder])
        (batch,) = make_dataset(source, plan_once([source.frames], BatchConfig()), FEATURES.dimension)
        batches.append(batch)
    stored, computed = batches
    assert int(computed.total) == 5 and int(computed.labelled) == 0
    np.testing.assert_array_equal(stored.lengths, computed.lengths)
    np.testing.assert_allclose(stored.features, computed.features, atol=2e-3)


def test_audio_that_stops_the_graph_is_named(folder):
    data = DataDir.load(folder)
    nan, damaged = (data.wav_scp[name] for name in data.utterance_ids[:2])
    samples = np.array([0.1] * 4000 + [np.inf] + [0.1] * 4000, np.float32)
    soundfile.write(nan.replace(".flac", ".wav"), samples, 16000, subtype="FLOAT")
    data.wav_scp[data.utterance_ids[0]] = nan.replace(".flac", ".wav")
    data.save(folder)
    source = Source([folder], DataConfig(in_graph=True), Normaliser(NormalisationConfig(kind="none")), FEATURES)
    plan = plan_once([source.frames], BatchConfig())
    with pytest.raises(DataError, match=r"data subset --exclude(.|\n)*s0-u0: .*u0\.wav: holds samples that are not"):
        list(read_batches(make_dataset(source, plan, FEATURES.dimension), source, plan))
    with open(damaged, "r+b") as file:
        file.truncate(9000)
    with pytest.raises(DataError, match=r"s0-u0: .*\n.*s0-u2: .*u2\.flac: "):
        list(read_batches(make_dataset(source, plan, FEATURES.dimension), source, plan))
