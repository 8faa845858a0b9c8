import errno
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speechtl.errors import DataError, LexiconError
from speechtl.files import (
    atomic_write,
    decode_lines,
    field_name,
    file_name,
    new_folder,
    original_name,
    read_bytes,
    read_lines,
    read_text,
    replacing,
    user_cache,
)


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


def test_text_and_lines_without_byte_order_mark(tmp_path):
    path = tmp_path / "list"
    path.write_bytes(b"\xef\xbb\xbfgr\xc3\xb6\xc3\x9fe\r\n\nlast\xe2\x80\xa8line")
    assert read_text(path) == "größe\r\n\nlast\u2028line"
    assert read_lines(path) == ["größe", "", "last\u2028line"]
    (tmp_path / "empty").write_bytes(b"")
    assert read_text(tmp_path / "empty") == ""
    assert read_lines(tmp_path / "empty") == []


def test_every_line_that_is_not_utf_8_is_named(tmp_path):
    content = b"good\n\xe9t\xe9\n\nna\xefve\n"
    first = "not UTF-8 (byte 0xE9 at column 1); save the file as UTF-8"
    second = "not UTF-8 (byte 0xEF at column 3); save the file as UTF-8"
    assert list(decode_lines(content)) == [(1, "good", ""), (2, "", first), (3, "", ""), (4, "", second)]
    path = tmp_path / "words"
    path.write_bytes(content)
    with pytest.raises(LexiconError) as caught:
        read_lines(path, error=LexiconError)
    assert str(caught.value) == f"{path}: 2 problems\n  {path}:2: {first}\n  {path}:4: {second}"
    with pytest.raises(DataError) as caught:
        read_text(path)
    assert str(caught.value) == f"{path}:2: {first}"


@pytest.mark.parametrize("read", [read_bytes, read_lines, read_text])
def test_a_file_that_cannot_be_read_is_named_with_the_advice(tmp_path, read):
    with pytest.raises(LexiconError) as caught:
        read(tmp_path / "none", error=LexiconError, advice="give the path of a lexicon")
    assert str(caught.value) == f"{tmp_path}/none: cannot read: No such file or directory; give the path of a lexicon"


def test_the_cache_is_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("SPEECHTL_CACHE", raising=False)
    assert user_cache() == tmp_path / "home" / ".cache" / "speechtl"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert user_cache() == tmp_path / "home" / ".cache" / "speechtl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert user_cache() == tmp_path / "xdg" / "speechtl"
    monkeypatch.setenv("SPEECHTL_CACHE", "~/own")
    assert user_cache() == tmp_path / "home" / "own"
    monkeypatch.setenv("SPEECHTL_CACHE", "here")
    assert user_cache() == Path.cwd() / "here"


@given(st.text(), st.text())
@example("s1/a", "s1_a")
@example("s1/a", "s1%2Fa")
@example("", "%")
@example("a b", "a\u00a0b")
@example("caf\udce9", "caf\u00e9")
def test_names_made_from_ids_are_different_and_reversible(first, second):
    for make in (file_name, field_name):
        assert original_name(make(first)) == first
        assert (make(first) == make(second)) == (first == second)
    named = file_name(first)
    assert "/" not in named and "\0" not in named and named not in ("", ".", "..")
    assert field_name(first).split() == [field_name(first)]


@pytest.mark.parametrize("name", ["anna-1", "s1_a", "größe.2", "caf\udce9"])
def test_a_plain_id_is_its_own_name(name):
    assert file_name(name) == field_name(name) == name


def test_a_new_folder_is_there_whole_or_not_at_all(tmp_path):
    with new_folder(tmp_path / "a" / "out") as folder:
        (folder / "file").write_text("x")
        assert names(tmp_path / "a") == [folder.name] and folder.name != "out"
    assert names(tmp_path / "a") == ["out"] and (tmp_path / "a" / "out" / "file").read_text() == "x"
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "b") as folder:
        (folder / "file").write_text("x")
        raise ZeroDivisionError
    with pytest.raises(DataError, match=r"out: cannot write: .*not empty"), new_folder(tmp_path / "a" / "out"):
        pass
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty") as folder:
        (folder / "file").write_text("y")
    assert names(tmp_path) == ["a", "empty"] and names(tmp_path / "a") == ["out"]
