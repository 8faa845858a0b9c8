"""Folders as transformers writes them: whole, in parts, in several types of numbers, and damaged."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_checkpoints import write_checkpoint, write_parts
from torch_archive import tensor, write_archive

from speechtl.errors import ModelError
from speechtl.pretrained.checkpoint import Checkpoint

A = np.array([[0.5, -2.0, 3.0]], np.float32)
B = np.array([1.0, 0.25], np.float32)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    return tmp_path


def values(folder):
    return {name: tensor.read() for name, tensor in Checkpoint(folder).tensors.items()}


def refuses(folder, match):
    with pytest.raises(ModelError, match=match) as caught:
        _ = Checkpoint(folder).tensors
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("number", [np.float16, ml_dtypes.bfloat16, np.float32])
def test_types_of_numbers(folder, number):
    save_file({"a": A.astype(number)}, folder / "model.safetensors")
    found = values(folder)
    np.testing.assert_array_equal(found["a"], A)
    assert found["a"].dtype == np.float32


def test_other_numbers_are_no_weights(folder):
    save_file({"a": A.astype(np.int8)}, folder / "model.safetensors")
    with pytest.raises(ModelError, match="a tensor of I8 where weights are expected; only float16, bfloat16, float32"):
        values(folder)


def test_in_parts(folder):
    save_file({"a": A}, folder / "model-00001-of-00002.safetensors")
    save_file({"b": B}, folder / "model-00002-of-00002.safetensors")
    write_parts(folder, {"model-00001-of-00002.safetensors": ["a"], "model-00002-of-00002.safetensors": ["b"]})
    found = values(folder)
    np.testing.assert_array_equal(found["a"], A)
    np.testing.assert_array_equal(found["b"], B)
    assert len(Checkpoint(folder).digests) == 3

    write_parts(folder, {"model-00001-of-00002.safetensors": ["a", "c"], "model-00002-of-00002.safetensors": ["b"]})
    refuses(folder, "tensors that are not in the files it names.*\n  c: not in model-00001")
    (folder / "model-00002-of-00002.safetensors").unlink()
    refuses(folder, "files that it names are missing.*\n  model-00002-of-00002.safetensors")
    write_parts(folder, {"../x.safetensors": ["a"]})
    refuses(folder, "no weights|not the name of a file beside it")


def test_an_index_leads_nowhere_else(folder):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../secret.safetensors"}}))
    refuses(folder, r"'../secret\.safetensors' is not the name of a file beside it")
    (folder / "model.safetensors.index.json").write_text("{}")
    refuses(folder, "no weight_map")


def test_files_of_torch(folder):
    write_archive(folder / "pytorch_model-00001-of-00002.bin", {"a": tensor("0", A)}, [A])
    write_archive(folder / "pytorch_model-00002-of-00002.bin", {"b": tensor("0", B)}, [B])
    write_parts(folder, {f"pytorch_model-0000{n}-of-00002.bin": [name] for n, name in ((1, "a"), (2, "b"))})
    np.testing.assert_array_equal(values(folder)["b"], B)
    write_archive(folder / "pytorch_model.bin", {"a": tensor("0", 2 * A)}, [2 * A])
    np.testing.assert_array_equal(values(folder)["a"], 2 * A)
    # The format in which nothing can be executed is preferred.
    save_file({"a": 3 * A}, folder / "model.safetensors")
    np.testing.assert_array_equal(values(folder)["a"], 3 * A)


def test_truncated_at_any_place(tmp_path):
    whole = (write_checkpoint(tmp_path) / "model.safetensors").read_bytes()
    for length in (0, 1, 7, 8, 20, 3000, len(whole) // 2, len(whole) - 1):
        (tmp_path / "model.safetensors").write_bytes(whole[:length])
        refuses(tmp_path, "is empty" if length == 0 else "not a whole safetensors file.*download it again")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_what_is_left_of_a_failed_download(tmp_path, name):
    write_checkpoint(tmp_path)
    (tmp_path / name).write_text("\n<!DOCTYPE html>\n<html><body>404</body></html>")
    refuses(tmp_path, f"{name}: is a web page")
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 34\n")
    refuses(tmp_path, f"{name}: is a pointer of Git LFS.*git lfs pull")


def test_configs_that_are_none(tmp_path):
    write_checkpoint(tmp_path)
    for text, match in (("{", "config.json:1: not JSON"), ("[]", "not a JSON object"), ("", "is empty")):
        (tmp_path / "config.json").write_text(text)
        refuses(tmp_path, match)
    (tmp_path / "config.json").unlink()
    refuses(tmp_path, "no config.json; give the folder of a checkpoint")


def test_no_weights(folder):
    refuses(folder, r"no weights \(model\.safetensors or pytorch_model\.bin")
