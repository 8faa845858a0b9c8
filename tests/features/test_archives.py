"""Archives: read back, by other programs too, and never half of one."""

import errno
import threading

import kaldi_native_io
import kaldiio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from speechtl.errors import DataError
from speechtl.features.archives import append_matrix, map_matrix, read_double_matrix, read_matrix, write_ark_scp

matrices = arrays.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.tuples(st.integers(1, 6), st.integers(1, 4)),
    elements=st.floats(-1000, 1000, width=32),
)


def scp(path):
    return dict(line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.dictionaries(st.text("abcé語-_", min_size=1, max_size=5), matrices, min_size=1, max_size=4))
def test_what_was_written_is_read_here_and_by_others(tmp_path, contents):
    with write_ark_scp(tmp_path / "f.ark", tmp_path / "f.scp") as write:
        places = {key: write(key, matrix) for key, matrix in contents.items()}
    assert scp(tmp_path / "f.scp") == places
    for key, matrix in contents.items():
        np.testing.assert_array_equal(read_matrix(places[key]), matrix.astype(np.float32))
        np.testing.assert_array_equal(read_double_matrix(places[key]), matrix)
        np.testing.assert_array_equal(kaldi_native_io.FloatMatrix.read(places[key]).numpy(), matrix.astype(np.float32))
    for key, matrix in kaldiio.load_scp(str(tmp_path / "f.scp")).items():
        np.testing.assert_array_equal(matrix, contents[key])
    assert [key for key, _ in kaldiio.load_ark(str(tmp_path / "f.ark"))] == list(contents)


def test_reads_the_other_forms_of_kaldi(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    compression = kaldi_native_io.CompressionMethod.kAutomaticMethod
    with kaldi_native_io.CompressedMatrixWriter(f"ark,scp:{tmp_path}/c.ark,{tmp_path}/c.scp") as writer:
        writer.write("a", matrix, compression)
    with kaldi_native_io.FloatMatrixWriter(f"ark,t,scp:{tmp_path}/t.ark,{tmp_path}/t.scp") as writer:
        writer.write("a", matrix)
    with kaldi_native_io.FloatMatrixWriter(f"ark,scp:{tmp_path}/f.ark,{tmp_path}/f.scp") as writer:
        writer.write("a", matrix)
    np.testing.assert_allclose(read_matrix(scp(tmp_path / "c.scp")["a"]), matrix, atol=0.05)
    np.testing.assert_allclose(read_matrix(scp(tmp_path / "t.scp")["a"]), matrix, atol=1e-4)
    np.testing.assert_array_equal(read_matrix(scp(tmp_path / "f.scp")["a"]), matrix)
    np.testing.assert_array_equal(read_matrix(scp(tmp_path / "f.scp")["a"] + "[2:4]"), matrix[2:5])


def test_no_more_memory_is_taken_than_the_file_has_numbers(tmp_path):
    """Kaldi's own code, which reads all but plain matrices, takes what the header claims."""
    path = tmp_path / "a.ark"
    sizes = b"\x04" + (30_000).to_bytes(4, "little")
    for content in (
        b"\0B FM " + 2 * sizes,
        b"\0BCM " + bytes(8) + 2 * (200_000).to_bytes(4, "little") + bytes(100),
        b"\0BCM2 " + bytes(8) + 2 * (200_000).to_bytes(4, "little") + bytes(100),
        b"\0BCM3 " + bytes(8) + 2 * (200_000).to_bytes(4, "little") + bytes(100),
        b"\0BCM " + bytes(8) + (-5).to_bytes(4, "little", signed=True) + (3).to_bytes(4, "little") + bytes(100),
    ):
        path.write_bytes(b"a " + content)
        with pytest.raises(DataError, match=r"no Kaldi matrix there|claims more than there is"):
            read_matrix(f"{path}:2")
    path.write_bytes(b"a \0BFM " + 2 * sizes)
    with pytest.raises(DataError, match="damaged, it claims more than there is"):
        read_matrix(f"{path}:2[0:1]")


def test_a_matrix_file_without_key(tmp_path):
    stats = np.arange(6.0).reshape(2, 3)
    with open(tmp_path / "a.mat", "wb") as file:
        append_matrix(file, "", stats)
    np.testing.assert_array_equal(read_double_matrix(str(tmp_path / "a.mat")), stats)
    np.testing.assert_array_equal(kaldiio.load_mat(str(tmp_path / "a.mat")), stats)


def test_read_matrices_may_be_changed_and_read_by_many_threads(tmp_path):
    contents = {f"u{i}": np.full((50, 8), i, np.float32) for i in range(20)}
    with write_ark_scp(tmp_path / "f.ark", tmp_path / "f.scp") as write:
        places = {key: write(key, matrix) for key, matrix in contents.items()}
    wrong = []

    def read():
        for key, place in places.items():
            matrix = read_matrix(place)
            if not (matrix == contents[key]).all():
                wrong.append(key)
            matrix += 1

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_places_without_a_matrix_are_errors(tmp_path):
    with write_ark_scp(tmp_path / "f.ark", tmp_path / "f.scp") as write:
        place = write("u", np.ones((10, 4), np.float32))
    with pytest.raises(DataError, match=r"none\.ark:2: cannot read: No such file"):
        read_matrix(f"{tmp_path}/none.ark:2")
    for offset in (1, 5, 10_000):
        with pytest.raises(DataError, match="no Kaldi matrix there"):
            read_matrix(f"{tmp_path}/f.ark:{offset}")
    content = (tmp_path / "f.ark").read_bytes()
    (tmp_path / "f.ark").write_bytes(content[:-8])
    with pytest.raises(DataError, match=r"truncated \(got 38 of 40 numbers\); run speechtl features again"):
        read_matrix(place)


def test_a_failed_write_leaves_the_old_archive(tmp_path):
    with write_ark_scp(tmp_path / "f.ark", tmp_path / "f.scp") as write:
        place = write("u", np.ones((3, 2), np.float32))

    def fail():
        with write_ark_scp(tmp_path / "f.ark", tmp_path / "f.scp") as write:
            write("u", np.zeros((3, 2), np.float32))
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DataError, match="cannot write: No space left on device"):
        fail()
    np.testing.assert_array_equal(read_matrix(place), np.ones((3, 2)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.ark", "f.scp"]


def test_mapped_matrices_are_those_that_were_written(tmp_path):
    rng = np.random.default_rng(0)
    matrices = {f"u{rows}": rng.normal(size=(rows, 3)).astype(np.float32) for rows in (4, 0, 900)}
    with open(tmp_path / "a.ark", "wb") as file:
        places = {name: append_matrix(file, name, matrix) for name, matrix in matrices.items()}
    for name, matrix in matrices.items():
        found = map_matrix(f"{tmp_path / 'a.ark'}:{places[name]}", *matrix.shape)
        np.testing.assert_array_equal(found, matrix)
        assert found.dtype == np.float32
    with pytest.raises(DataError, match=r"cannot read"):
        map_matrix(f"{tmp_path / 'a.ark'}:{places['u900']}", 901, 3)
    with pytest.raises(DataError, match=r"cannot read"):
        map_matrix(f"{tmp_path / 'b.ark'}:0", 1, 3)
