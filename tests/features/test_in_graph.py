"""Features computed inside tf.data against stored ones."""

import builtins

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from speechtl.audio.digital_silence import fill_digital_silence as outside_the_graph
from speechtl.data.datadir import DataDir, Segment
from speechtl.errors import DataError
from speechtl.features import in_graph
from speechtl.features.archives import read_matrix
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig
from speechtl.features.repair_in_graph import fill_digital_silence as inside_the_graph

tensorflow_io = pytest.importorskip("tensorflow_io")


def recording(path, rate=16000, channels=1, seconds=1.0, **options):
    time = np.arange(int(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(size=len(time))
    mono = 0.3 * np.sin(2 * np.pi * 200 * (time + 0.01 * np.sin(5 * time))) + 0.02 * noise
    soundfile.write(path, mono[:, np.newaxis] * np.linspace(1, 0.5, channels), rate, **options)
    return str(path)


def stored_and_computed(data, config, folder):
    data.save(data.path)
    assert not compute_features(data, config, folder).broken
    elements = list(in_graph.features_dataset(data, config).as_numpy_iterator())
    assert [element["id"].decode() for element in elements] == data.utterance_ids
    return {e["id"].decode(): (read_matrix(data.feats_scp[e["id"].decode()]), e["features"]) for e in elements}


def directory(folder, wav_scp, **tables):
    return DataDir(folder / "data", utt2spk={key: key for key in wav_scp}, wav_scp=wav_scp, **tables)


@pytest.mark.parametrize("options", [{}, {"kind": "mfcc", "snip_edges": False, "channel": 1}], ids=str)
def test_equal_to_stored_features(tmp_path, options):
    wav_scp = {
        "flac16": recording(tmp_path / "a.flac", channels=2),
        "flac24": recording(tmp_path / "b.flac", channels=2, subtype="PCM_24"),
        "flac8": recording(tmp_path / "c.flac", channels=2, subtype="PCM_S8"),
        "wav16": recording(tmp_path / "d.wav", channels=2),
        "wav24": recording(tmp_path / "e.wav", channels=2, subtype="PCM_24"),
        "wav8": recording(tmp_path / "f.wav", channels=2, subtype="PCM_U8"),
        "wavfloat": recording(tmp_path / "g.wav", channels=2, subtype="FLOAT"),
        "wavx": recording(tmp_path / "h.wav", channels=2, format="WAVEX"),
        "ogg": recording(tmp_path / "i.ogg", channels=2),
    }
    pairs = stored_and_computed(directory(tmp_path, wav_scp), FeatureConfig(**options), tmp_path / "feats")
    for name, (stored, computed) in pairs.items():
        np.testing.assert_allclose(computed, stored, atol=1e-3, err_msg=name)


def test_segments_are_cut_alike(tmp_path):
    segments = {"a": Segment("r", 0.1, 0.5), "b": Segment("r", 0.3333, -1), "c": Segment("r", 0.0, 1.2)}
    data = DataDir(tmp_path / "data", utt2spk=dict.fromkeys("abc", "s"), segments=segments)
    data.wav_scp = {"r": recording(tmp_path / "r.flac")}
    for stored, computed in stored_and_computed(data, FeatureConfig(), tmp_path / "feats").values():
        np.testing.assert_allclose(computed, stored, atol=1e-3)


def test_other_rates_and_speeds_differ_only_at_the_edge_of_the_band(tmp_path):
    wav_scp = {
        "8k": recording(tmp_path / "8.flac", rate=8000),
        "48k": recording(tmp_path / "48.flac", rate=48000, channels=2, seconds=5),
        "fast": recording(tmp_path / "16.flac"),
        "slow": recording(tmp_path / "16.flac"),
    }
    data = directory(tmp_path, wav_scp, reco2speed={"fast": 1.1, "slow": 0.9})
    pairs = stored_and_computed(data, FeatureConfig(), tmp_path / "feats")
    # Bins above the edge of the narrower band hold what the filters let through: next to nothing.
    for name, bins in {"8k": 56, "48k": 78, "fast": 78, "slow": 72}.items():
        stored, computed = pairs[name]
        assert stored.shape == computed.shape
        difference = np.abs(stored - computed)[:, :bins]
        # The ends of the signal ring differently.
        assert difference[2:-2].max() < 0.02, name
        assert np.median(difference) < 1e-4, name


def test_no_python_runs_per_utterance(tmp_path):
    data = directory(tmp_path, {"a": recording(tmp_path / "a.flac")})
    graph = in_graph.features_dataset(data, FeatureConfig())._variant_tensor  # Serialising proves what it is made of.
    text = str(tf.raw_ops.DatasetToGraphV2(input_dataset=graph).numpy())
    assert "AudioDecodeFlac" in text
    assert "PyFunc" not in text and "EagerPyFunc" not in text


def test_a_damaged_file_stops_the_pipeline(tmp_path):
    path = recording(tmp_path / "a.flac")
    with open(path, "r+b") as file:
        file.truncate(9000)
    dataset = in_graph.features_dataset(directory(tmp_path, {"a": path}), FeatureConfig())
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(dataset)


def test_kinds_of_audio_that_no_operation_decodes_are_listed(tmp_path):
    data = directory(tmp_path, {"a": "cat a.wav |", "b": "b.sph", "c": "c.flac"})
    with pytest.raises(DataError) as error:
        in_graph.features_dataset(data, FeatureConfig())
    assert "use stored features (speechtl features) instead" in str(error.value)
    assert "utterance 'a'" in str(error.value) and "utterance 'b'" in str(error.value)
    assert "utterance 'c'" not in str(error.value)


def test_missing_tensorflow_io_is_explained(monkeypatch):
    def refuse(name, *arguments, original=builtins.__import__, **options):
        if name == "tensorflow_io":
            raise ModuleNotFoundError("No module named 'tensorflow_io'")
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DataError, match=r"needs tensorflow-io: No module.*install tensorflow-io==0\.37\.1"):
        in_graph.audio_operations()


def test_operations_that_do_not_load_are_explained(monkeypatch):
    def fail(*arguments, **options):
        raise NotImplementedError("unable to open file: libtensorflow_io.so")

    monkeypatch.setattr(tensorflow_io.audio, "decode_wav", fail)
    with pytest.raises(DataError, match="operations of tensorflow-io do not load"):
        in_graph.audio_operations()


def test_audio_is_repaired_alike(tmp_path):
    """Zeros, an offset, channels in antiphase, integers stored as floating point, the second of two channels."""
    clean, _ = soundfile.read(recording(tmp_path / "clean.flac"))
    pauses = clean.copy()
    pauses[3000:7123] = 0
    variants = {
        "antiphase": np.stack([clean, -0.8 * clean], axis=1),
        "integers": pauses * 32768,
        "offset": clean + 0.1,
        "pauses": pauses,
        "second": np.stack([pauses, np.flip(clean)], axis=1),
        "zeros": np.zeros(8000),
    }
    wav_scp = {name: str(tmp_path / f"{name}.wav") for name in variants}
    for name, samples in variants.items():
        soundfile.write(wav_scp[name], samples, 16000, subtype="FLOAT")
    data = directory(tmp_path, wav_scp, reco2file_and_channel={"second": "second B", "pauses": "pauses B"})
    for name, (stored, computed) in stored_and_computed(data, FeatureConfig(), tmp_path / "feats").items():
        np.testing.assert_allclose(computed, stored, atol=5e-3, err_msg=name)


def test_samples_that_are_not_numbers_stop_the_pipeline(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([0.1, np.nan] * 4000), 16000, subtype="FLOAT")
    data = directory(tmp_path, {"a": str(tmp_path / "a.wav")})
    with pytest.raises(tf.errors.InvalidArgumentError, match="not numbers"):
        list(in_graph.features_dataset(data, FeatureConfig()))


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("gap", ["zeros", "dither", "faint", "none"])
def test_digital_silence_is_filled_as_outside_the_graph(gap, level):
    rng = np.random.default_rng(4)
    loud, pause = rng.normal(0, 3000, 8000), np.convolve(rng.normal(0, 2, 8099), np.hanning(100), "valid")
    between = {"zeros": np.zeros(4000), "dither": np.round(rng.normal(0, 0.9, 4000)) / level, "faint": pause[:4000] / 9}
    samples = (level * np.concatenate([loud, between.get(gap, []), pause, loud[:77]])).astype(np.float32)
    expected = outside_the_graph(samples, 16000)
    filled = (expected != samples).mean()
    assert filled > 0.15 if gap == "zeros" else gap != "none" or filled < 0.03
    np.testing.assert_allclose(inside_the_graph(tf.constant(samples), 16000), expected, rtol=1e-4, atol=1e-4)
