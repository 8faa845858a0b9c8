import errno
import os

import pytest

from speechtl.errors import DataError
from speechtl.files import atomic_write, replacing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "text"
    with atomic_write(path) as file:
        file.write("größe\n")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == "größe\n".encode()
    assert names(path.parent) == ["text"]


def test_bytes(tmp_path):
    with atomic_write(tmp_path / "ark", "wb") as file:
        file.write(b"\0\xff")
    assert (tmp_path / "ark").read_bytes() == b"\0\xff"


def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "text"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write("new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["text"]


def test_an_interruption_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "text"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as file:
        file.write("new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert names(tmp_path) == ["text"]


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path, monkeypatch, moment):
    path = tmp_path / "text"
    path.write_text("old")

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if moment != "write":
        monkeypatch.setattr(os, moment, full)
    with pytest.raises(DataError) as caught, atomic_write(path) as file:
        file.write("new")
        if moment == "write":
            full()
    message = f"{path}: cannot write: No space left on device; free some space or choose another folder"
    assert str(caught.value) == message
    assert path.read_text() == "old"
    assert names(tmp_path) == ["text"]


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "text").mkdir()
    with pytest.raises(DataError, match="text: cannot write: Is a directory"), atomic_write(tmp_path / "text"):
        pass


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(DataError, match="text: cannot write: "), atomic_write(tmp_path / "data" / "text"):
        pass
    assert (tmp_path / "data").read_text() == ""


def test_a_missing_input_inside_the_block_keeps_its_own_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "text"):
        (tmp_path / "input").read_text()
    assert names(tmp_path) == []


def test_an_error_with_its_message_passes_through(tmp_path):
    with pytest.raises(DataError, match=r"^mine$"), atomic_write(tmp_path / "text"):
        raise DataError("mine")


def test_replacing_keeps_the_suffix_and_the_folder(tmp_path):
    path = tmp_path / "weights.h5"
    with replacing(path) as temporary:
        assert temporary.suffix == ".h5"
        assert temporary.parent == path.parent
        assert temporary != path
        temporary.write_bytes(b"1")
    assert path.read_bytes() == b"1"
    assert names(tmp_path) == ["weights.h5"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "text"
    with atomic_write(path) as first, atomic_write(path) as second:
        first.write("first")
        second.write("second")
    assert path.read_text() == "first"
    assert names(tmp_path) == ["text"]
