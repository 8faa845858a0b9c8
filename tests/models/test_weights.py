import os

import h5py
import numpy as np
import pytest

from speechtl.errors import DataError, ModelError
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.weights import arrays_of, assign, average, load_arrays, save_arrays


def make(units=5, size=8):
    config = ModelConfig.model_validate({"encoder": {"kind": "tdnn", "size": size, "dilations": (1,)}})
    return AcousticModel(config, 6, {"xx": units})


def test_saved_weights_come_back_bit_for_bit(tmp_path):
    source, target = make(), make()
    save_arrays(tmp_path / "weights.h5", arrays_of(source.variables()))
    copied = assign(target.variables(), load_arrays(tmp_path / "weights.h5")[0], "weights.h5")
    assert copied == sorted(source.variables())
    for path, variable in target.variables().items():
        np.testing.assert_array_equal(variable.value, source.variables()[path].value)


def test_what_is_said_of_the_arrays_comes_back(tmp_path):
    save_arrays(tmp_path / "speaker.h5", {"scale": np.ones(2)}, {"source": "exp/café", "fingerprint": "ab"})
    arrays, said = load_arrays(tmp_path / "speaker.h5")
    assert list(arrays) == ["scale"] and said == {"source": "exp/café", "fingerprint": "ab"}


@pytest.mark.parametrize("said", [b"[1]", b'{"source": 1}', b"{", b"\xff"])
def test_what_is_said_of_the_arrays_is_texts_under_names(said, tmp_path):
    with h5py.File(tmp_path / "speaker.h5", "w") as file:
        file["attributes.json"] = np.frombuffer(said, np.uint8)
    with pytest.raises(ModelError, match="not a readable weight file"):
        load_arrays(tmp_path / "speaker.h5")


def test_the_attributes_of_hdf5_are_not_read(tmp_path):
    """Its library may read the text of a damaged one without end."""
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["scale"] = np.ones(2)
        file.attrs["source"] = "exp/x"
    assert load_arrays(tmp_path / "weights.h5")[1] == {}


def test_what_does_not_match_is_listed_from_both_sides():
    arrays = arrays_of(make().variables())
    arrays["encoder/old/kernel"] = np.zeros(3)
    del arrays["encoder/tdnn1/conv/bias"]
    with pytest.raises(ModelError) as error:
        assign(make(units=9).variables(), arrays, "exp/x")
    text = str(error.value)
    assert "encoder/old/kernel: in the source only" in text
    assert "encoder/tdnn1/conv/bias: not in the source" in text
    assert "heads/xx/output/kernel: shape (8, 9) here, (8, 5) in the source" in text
    assert "fresh" in text


def test_fresh_patterns_keep_their_own_weights():
    source, target = make(), make(units=9)
    own = arrays_of(target.variables())
    copied = assign(target.variables(), arrays_of(source.variables()), "exp/x", fresh=["heads/*"])
    assert not any(path.startswith("heads/") for path in copied)
    for path, variable in target.variables().items():
        expected = own[path] if path.startswith("heads/") else source.variables()[path].value
        np.testing.assert_array_equal(variable.value, expected)


def test_nothing_is_copied_when_something_does_not_match():
    target = make()
    own = arrays_of(target.variables())
    arrays = arrays_of(make().variables())
    del arrays["heads/xx/output/bias"]
    with pytest.raises(ModelError):
        assign(target.variables(), arrays, "exp/x")
    for path, variable in target.variables().items():
        np.testing.assert_array_equal(variable.value, own[path])


def test_average_is_the_mean(tmp_path):
    files = [tmp_path / f"{number}.h5" for number in range(3)]
    for number, file in enumerate(files):
        save_arrays(file, {"a/b": np.array([1.0, 2.0], np.float32) * number})
    np.testing.assert_allclose(average(files)["a/b"], [1.0, 2.0])
    save_arrays(files[1], {"a/c": np.zeros(2, np.float32)})
    with pytest.raises(ModelError, match=r"1\.h5: other weights"):
        average(files)


def test_a_damaged_file_is_one_clear_error(tmp_path):
    path = tmp_path / "weights.h5"
    save_arrays(path, {"a": np.zeros(5000)})
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"weights\.h5: not a readable weight file"):
        load_arrays(path)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.h5"
    save_arrays(path, {"a": np.arange(3)})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DataError, match=r"weights\.h5: cannot write: No space left on device"):
            save_arrays(path, {"a": np.arange(4)})
    np.testing.assert_array_equal(load_arrays(path)[0]["a"], np.arange(3))
    assert [file.name for file in tmp_path.iterdir()] == ["weights.h5"]


def test_arrays_that_are_larger_than_the_file_or_elsewhere_are_refused(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(range(64)))
    np.arange(16, dtype=np.float32).tofile(tmp_path / "other.bin")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = np.ones(4, np.float32)
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "a", (4,))
    ways = {
        "never written": lambda file: file.create_dataset("a", (10**7, 10**7), np.float32),
        "compressed": lambda file: file.create_dataset("a", data=np.zeros(10**6), compression="gzip"),
        "elsewhere": lambda file: file.create_dataset(
            "a", (16,), np.float32, external=[(str(tmp_path / "other.bin"), 0, 64)]
        ),
        "virtual": lambda file: file.create_virtual_dataset("a", layout),
        "texts": lambda file: file.create_dataset("a", data=["x", "y"]),
    }
    for name, make_file in ways.items():
        with h5py.File(tmp_path / "w.h5", "w") as file:
            make_file(file)
        with pytest.raises(ModelError, match=r"w\.h5: 'a' of shape .* nothing that speechtl wrote"):
            load_arrays(tmp_path / "w.h5")
            pytest.fail(name)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["a"] = np.ones((0, 3))
        file["b"] = np.float32(2)
        file["c"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "a")
    arrays = load_arrays(tmp_path / "w.h5")[0]
    assert arrays.keys() == {"a", "b"} and arrays["a"].shape == (0, 3) and arrays["b"] == 2
