import os
from pathlib import Path

import pytest

from speechtl.kept_files import remove_least_recent


@pytest.fixture
def folder(tmp_path):
    """Five files of 10 bytes that were used one after the other, and one that is none of them."""
    for number, name in enumerate("dbcae"):
        path = tmp_path / f"{name}.kept"
        path.write_bytes(b"0123456789")
        os.utime(path, ns=(number, number))
    (tmp_path / "old.txt").write_bytes(b"0123456789")
    os.utime(tmp_path / "old.txt", (0, 0))
    return tmp_path


def test_what_another_process_is_writing_stays(folder):
    (folder / ".new.~1-abcdef.kept").touch()
    os.utime(folder / ".new.~1-abcdef.kept", ns=(0, 0))
    remove_least_recent(folder, "*.kept", folder / "e.kept", files=1)
    assert names(folder) == {"e", ".new.~1-abcdef"}


def names(folder):
    return {path.stem for path in folder.glob("*.kept")}


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({}, "dbcae"),
        ({"files": 5, "size": 50}, "dbcae"),
        ({"files": 3}, "cae"),
        ({"size": 29}, "ae"),
        ({"size": 30}, "cae"),
        ({"files": 4, "size": 20}, "ae"),
        ({"files": 1, "size": 40}, "e"),
        ({"files": 0, "size": 0}, "e"),
    ],
)
def test_what_was_not_used_for_longest_goes_first(folder, limits, left):
    remove_least_recent(folder, "*.kept", folder / "e.kept", **limits)
    assert names(folder) == set(left)
    assert (folder / "old.txt").exists()


def test_what_has_just_been_made_stays(folder):
    remove_least_recent(folder, "*.kept", folder / "d.kept", files=2)
    assert names(folder) == {"d", "e"}
    remove_least_recent(folder, "*.kept", folder / "d.kept", size=5)
    assert names(folder) == {"d"}


def test_what_another_process_removed_meanwhile_is_not_missed(folder, monkeypatch):
    real = Path.stat

    def stat(path, **how):
        if path.name == "b.kept":
            path.unlink(missing_ok=True)
        return real(path, **how)

    monkeypatch.setattr(Path, "stat", stat)
    remove_least_recent(folder, "*.kept", folder / "e.kept", files=3)
    assert names(folder) == {"c", "a", "e"}


def test_what_may_not_be_removed_stays_and_another_goes(folder, monkeypatch):
    real = Path.unlink

    def unlink(path, **how):
        if path.name == "d.kept":
            raise PermissionError(13, "Permission denied", str(path))
        real(path, **how)

    monkeypatch.setattr(Path, "unlink", unlink)
    remove_least_recent(folder, "*.kept", folder / "e.kept", files=3)
    assert names(folder) == {"d", "a", "e"}


def test_a_folder_that_is_not_there_keeps_nothing(tmp_path):
    remove_least_recent(tmp_path / "none", "*.kept", tmp_path / "none" / "a.kept", files=1)
    assert not (tmp_path / "none").exists()
