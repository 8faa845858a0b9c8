"""Files of torch.save: what is in them is read, and nothing in them is executed."""

import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from torch_archive import Call, pickled, tensor, write_archive

from speechtl.errors import ModelError
from speechtl.pretrained.torch_file import read_torch_file

ROW = np.arange(12, dtype=np.float32)


def test_a_file_made_by_torch():
    # By torch 2.13: the state of a linear layer, with a parameter, a transposed and a cut tensor added.
    found = read_torch_file(Path(__file__).parent / "made_by_torch.bin")
    numbers = {name: tensor.number for name, tensor in found.items()}
    assert numbers == {
        "weight": "float32",
        "bias": "float32",
        "turned": "float16",
        "part": "bfloat16",
        "scalar": "float32",
        "steps": "int64",
    }
    np.testing.assert_array_equal(found["weight"].read(), np.arange(6).reshape(2, 3) / 4)
    np.testing.assert_array_equal(found["bias"].read(), [-1.5, 2.0])
    np.testing.assert_array_equal(found["turned"].read(), np.arange(6).reshape(2, 3).T)
    np.testing.assert_array_equal(found["part"].read(), [-2.5, 3.0])
    assert found["scalar"].read() == 0.5 and found["scalar"].shape == ()
    with pytest.raises(ModelError, match="a tensor of int64 where weights are expected"):
        found["steps"].read()


def test_a_file_laid_out_by_hand(tmp_path):
    half = np.arange(6, dtype=np.float16).reshape(3, 2)
    path = write_archive(tmp_path / "x.bin", {"a": tensor("0", ROW.reshape(3, 4)), "b": tensor("1", half)}, [ROW, half])
    found = read_torch_file(path)
    np.testing.assert_array_equal(found["a"].read(), ROW.reshape(3, 4))
    np.testing.assert_array_equal(found["b"].read(), half)


@given(data=st.data())
def test_views_of_a_storage_are_as_numpy_has_them(tmp_path_factory, data):
    size = tuple(data.draw(st.lists(st.integers(0, 4), max_size=3)))
    stride = tuple(data.draw(st.integers(0, 5)) for _ in size)
    offset = data.draw(st.integers(0, 13))
    path = tmp_path_factory.getbasetemp() / "views.bin"
    write_archive(path, {"a": tensor("0", ROW, size, stride, offset)}, [ROW])
    places = [offset + sum(i * s for i, s in zip(index, stride)) for index in np.ndindex(*size)]
    if places and (max(places) >= ROW.size or len(places) > ROW.size):
        with pytest.raises(ModelError, match="reaches beyond archive/data/0"):
            read_torch_file(path)
    else:
        np.testing.assert_array_equal(read_torch_file(path)["a"].read().ravel(), ROW[places] if places else [])


class Malicious:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize(
    ("function", "name"), [(os.system, "posix.system"), (eval, "builtins.eval"), (getattr, "builtins.getattr")]
)
def test_nothing_is_executed(tmp_path, function, name):
    mark = tmp_path / "executed"
    content = pickle.dumps({"weight": Malicious(function, f"open({str(mark)!r}, 'w')")}, protocol=2)
    content = content.replace(b"__builtin__", b"builtins") if name.startswith("builtins") else content
    path = write_archive(tmp_path / "x.bin", content)
    with pytest.raises(ModelError, match=f"names {name}, which tensors do not need.*nothing was executed"):
        read_torch_file(path)
    shell = write_archive(tmp_path / "y.bin", pickle.dumps(Malicious(os.system, f"touch {mark}"), protocol=4))
    with pytest.raises(ModelError, match=r"posix\.system"):
        read_torch_file(shell)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["_load_global_deps", "_utils", "FloatTensor", "__builtins__"])
def test_other_names_of_torch_are_refused(tmp_path, name):
    path = write_archive(tmp_path / "x.bin", {"a": Call("torch", name)})
    with pytest.raises(ModelError, match=rf"names torch\.{name}, which"):
        read_torch_file(path)


def test_a_tensor_cannot_be_changed_after_it_was_checked(tmp_path):
    # BUILD gives an object a state; with that, a tensor could reach beyond its storage or into another file.
    whole = pickled({"a": tensor("0", ROW)})
    for state in ({"offset": 10**6}, (None, {"offset": 10**6})):
        inner = pickle.dumps(state, protocol=2)[2:-1] + b"b"
        place = whole.rindex(b"R") + 1
        path = write_archive(tmp_path / "x.bin", whole[:place] + inner + whole[place:], [ROW])
        with pytest.raises(ModelError, match="damaged"):
            read_torch_file(path)


def test_files_that_are_something_else(tmp_path):
    path = tmp_path / "x.bin"

    def refuses(match):
        with pytest.raises(ModelError, match=match) as caught:
            read_torch_file(path)
        assert str(path) in str(caught.value)

    write_archive(path, {"a": tensor("0", ROW)}, [ROW[:5]])
    refuses("archive/data/0 has 20 bytes, not 48")
    write_archive(path, {"a": tensor("0", ROW)}, [ROW], compression=zipfile.ZIP_DEFLATED)
    refuses("damaged")
    write_archive(path, {"a": tensor("0", ROW)}, [ROW], byteorder="big")
    refuses("big-endian")
    write_archive(path, [1, 2])
    refuses("holds list")
    write_archive(path, {"model": {"a": tensor("0", ROW)}, "epoch": 3}, [ROW])
    refuses(r"holds more than tensors \(model, epoch\)")
    write_archive(path, {"a": tensor("0", ROW)}, [ROW])
    whole = path.read_bytes()
    for length in (1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refuses("not a whole file of torch.save")
    # As torch wrote it before 1.6: pickles one after the other.
    path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + pickle.dumps(1001, protocol=2))
    refuses("before 1.6")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refuses("without data.pkl")


@pytest.mark.parametrize(
    ("program", "match"),
    [
        # The memo is a table up to its highest number: 16 GB.
        (b"\x80\x02}r\xff\xff\xff\x7f.", "a memo of 2147483647 entries"),
        # Sixty tuples, each twice in the next: their hash takes for ever.
        (b"\x80\x02})" + b"2\x86" * 60 + b"Ns.", "a key that is not text"),
        (b"\x80\x02}()" + b"2\x86" * 60 + b"Nu.", "a key that is not text"),
        (b"\x80\x02ccollections\nOrderedDict\n(]" + b"()" + b"2\x86" * 60 + b"Nteatz.", "damaged"),
        (b"\x80\x04(" + b")" + b"2\x86" * 60 + b"\x91.", "FROZENSET is nothing that tensors need"),
        (b"\x80\x05\x96" + (10**12).to_bytes(8, "little") + b".", "damaged"),
        (b"\x80\x02}X\x01\x00\x00\x00a", "damaged"),
    ],
)
def test_a_program_that_claims_more_than_it_has_is_refused_at_once(tmp_path, program, match):
    path = write_archive(tmp_path / "x.bin", program)
    with pytest.raises(ModelError, match=match):
        read_torch_file(path)


def test_nothing_compressed_is_unpacked(tmp_path):
    """A program of a gigabyte in a file of a megabyte."""
    path = tmp_path / "x.bin"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a/data.pkl", "w") as file:
        for _ in range(64):
            file.write(b"N" * 2**20)
    tracemalloc.start()
    with pytest.raises(ModelError, match=r"data\.pkl is compressed"):
        read_torch_file(path)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


# A length of 72 petabytes that no file has.
@example(b"\x96\x00\x00\x00\x00\x00\x00\x00\x01")
@given(st.binary(max_size=80))
def test_noise_is_an_error_of_the_file(tmp_path_factory, noise):
    path = write_archive(tmp_path_factory.getbasetemp() / "noise.bin", noise)
    with pytest.raises(ModelError):
        read_torch_file(path)
