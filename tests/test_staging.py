"""What is being written stays, what killed processes left goes, and several files change together or not at all."""

import ast
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import speechtl
from speechtl.errors import DataError
from speechtl.files import atomic_write, finish_replacing, new_folder, replacing_together
from speechtl.growing_file import GrowingFile, whole_lines
from speechtl.staging import scratch_folder, sweep

WRITE = """
import sys, time
from pathlib import Path
from speechtl.files import atomic_write, new_folder, replacing_together
folder = Path(sys.argv[1])
with atomic_write(folder / "text") as file, new_folder(folder / "new") as new, replacing_together(folder) as together:
    file.write("half")
    (new / "half").touch()
    (together / "half").touch()
    print("in", flush=True)
    time.sleep(60)
"""


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.fixture(autouse=True)
def nothing_is_swept_yet(monkeypatch):
    """A folder of another test that is gone may have had the same inode."""
    monkeypatch.setattr("speechtl.staging._swept", set())


@pytest.fixture
def writer(tmp_path):
    """Start a process that is writing three things into a folder."""
    process = subprocess.Popen([sys.executable, "-c", WRITE, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "in\n"
    yield process
    process.kill()
    process.wait()


def test_leftovers_of_the_dead_go_and_the_work_of_the_living_stays(tmp_path, writer):
    assert len(hidden(tmp_path)) == 3
    sweep(tmp_path)
    assert len(hidden(tmp_path)) == 3
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    own = [".text.2024-112233.txt", ".half-written", ".a.~b-112233.txt", ".git"]
    for name in own:
        (tmp_path / name).touch()
    with atomic_write(tmp_path / "other") as file:
        file.write("whole")
    assert hidden(tmp_path) == sorted(own)
    assert not (tmp_path / "new").exists() and not (tmp_path / "half").exists()


def test_where_there_are_no_locks_age_tells_what_is_left_over(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    young, old = tmp_path / ".text.~1-aaaaaa", tmp_path / ".text.~2-aaaaaa"
    for path in (young, old):
        path.touch()
    os.utime(old, (0, 0))
    # Whatever this machine believes what the time is.
    monkeypatch.setattr("time.time", lambda: 1e11)
    with atomic_write(tmp_path / "text") as file:
        file.write("whole")
    assert hidden(tmp_path) == [young.name]


def test_locks_of_another_machine_may_be_out_of_sight(tmp_path, monkeypatch):
    with atomic_write(tmp_path / "text") as file, monkeypatch.context() as patch:
        file.write("whole")
        patch.setattr("socket.gethostname", lambda: "another")
        # A file system where locks hold on one machine alone.
        patch.setattr(fcntl, "flock", lambda descriptor, operation: None)
        sweep(tmp_path)
        (staged,) = hidden(tmp_path)
    assert (tmp_path / "text").read_text() == "whole"
    (tmp_path / staged).touch()
    sweep(tmp_path)
    assert not hidden(tmp_path)


def test_scratch_is_private_and_what_the_dead_left_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "voice.wav").touch()
        name = folder.name
    assert not hidden(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / name / "voice.wav").touch()
    monkeypatch.setattr("speechtl.staging._swept", set())
    with scratch_folder() as folder:
        assert hidden(tmp_path) == [folder.name]


@pytest.mark.parametrize("name", ["ε" * 120, "a" * 255])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path, name):
    with atomic_write(tmp_path / name) as file:
        file.write("whole")
    assert (tmp_path / name).read_text() == "whole"


def test_files_change_together_or_not_at_all(tmp_path):
    for name in ("a", "b", "gone", "other"):
        (tmp_path / name).write_text("old")
    with pytest.raises(ZeroDivisionError), replacing_together(tmp_path, ["gone"]) as new:
        (new / "a").write_text("new")
        raise ZeroDivisionError
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        ["a", "b", "gone", "other"], "old"
    )
    with replacing_together(tmp_path, ["gone"]) as new:
        for name in ("a", "b"):
            (new / name).write_text("new")
        (new / "in").mkdir()
        (new / "in" / "c").write_text("new")
    assert {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == {
        **dict.fromkeys(["a", "b", "in/c"], "new"),
        "other": "old",
    }


def test_what_a_kill_left_half_replaced_is_finished(tmp_path, monkeypatch):
    for name in ("a", "b", "gone"):
        (tmp_path / name).write_text("old")
    replace, moved = os.replace, []

    def once(source, target):
        if Path(target).parent == tmp_path:
            moved.append(target)
            if len(moved) == 2:
                raise KeyboardInterrupt
        return replace(source, target)

    monkeypatch.setattr(os, "replace", once)
    with pytest.raises(KeyboardInterrupt), replacing_together(tmp_path, ["gone"]) as new:
        for name in ("a", "b"):
            (new / name).write_text("new")
    monkeypatch.undo()
    assert (tmp_path / "b").read_text() == "old"
    finish_replacing(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "new"}
    finish_replacing(tmp_path / "nowhere")


def test_a_half_replaced_folder_from_a_stranger_does_not_lead_out(tmp_path):
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    new = theirs / ".replacing" / "new"
    for removed in (["../mine"], ["x/../../mine"], [str(mine)], [".."], "no list", 3, [3], "[" * 100_000):
        shutil.rmtree(theirs, ignore_errors=True)
        new.mkdir(parents=True)
        mine.write_text("mine")
        content = removed if str(removed).startswith("[[") else json.dumps(removed)
        (theirs / ".replacing" / "removed.json").write_text(content)
        if removed == "no list":
            finish_replacing(theirs)
        else:
            with pytest.raises(DataError, match=r"(leads out of it|damaged).*; delete"):
                finish_replacing(theirs)
        assert mine.read_text() == "mine"
    mine.unlink()
    mine.mkdir()
    (new / "link").mkdir(parents=True)
    (new / "link" / "file").write_text("theirs")
    (theirs / "link").symlink_to(mine)
    (theirs / ".replacing" / "removed.json").write_text("[]")
    with pytest.raises(DataError, match="leads out of it"):
        finish_replacing(theirs)
    assert not list(mine.iterdir())


def test_an_error_names_the_place_where_the_file_was_to_be(tmp_path):
    for make in (replacing_together, new_folder):
        with pytest.raises(DataError) as caught, make(tmp_path / "out") as folder, atomic_write(folder / "text"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        start = f"{tmp_path}/out/text: cannot write: No space left on device"
        assert str(caught.value).startswith(start)


def test_an_error_in_a_folder_above_or_of_a_copy_is_one_of_writing(tmp_path, monkeypatch):
    (tmp_path / "source").write_text("source")

    def full(descriptor, *arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "sendfile", full)
    with (
        pytest.raises(DataError, match="out: cannot write: No space left on device"),
        new_folder(tmp_path / "out") as folder,
    ):
        shutil.copyfile(tmp_path / "source", folder / "copy")

    def refuse(self, *arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(tmp_path / "x"))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(DataError, match="x/y/z: cannot write: Read-only file system"),
        atomic_write(tmp_path / "x" / "y" / "z"),
    ):
        pass


def test_a_line_is_there_at_once_and_whole(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_text("first\nhalf")
    log = GrowingFile(path, whole_lines(path))
    log.add("größe")
    assert path.read_text() == "first\ngröße\n"
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:2]))
    with pytest.raises(DataError, match="log: cannot write"):
        log.add("third")
    monkeypatch.undo()
    assert path.read_text() == "first\ngröße\n"
    log.add("third")
    log.close()
    assert whole_lines(path) == ["first", "größe", "third"]


# Where the mode stands among the arguments of what opens a file, and of what changes or writes one without asking.
OPENS = {"open": 1, "File": 1, "SoundFile": 1, "fdopen": 1, "GzipFile": 1, "ZipFile": 1, "TarFile": 1, "memmap": 2}
WRITES = {"write_text", "write_bytes", "tofile", "touch", "savez", "savez_compressed", "savefig", "savetxt"}
WRITES |= {"rename", "replace", "copy", "copy2", "copyfile", "copytree", "move", "symlink", "symlink_to", "hardlink_to"}
WRITES |= {"NamedTemporaryFile", "TemporaryDirectory", "mkstemp", "mkdtemp", "save_weights", "save_model", "truncate"}
# What they belong to where the name alone says too little.
OWNERS = {"replace": {"os"}, "copy": {"shutil"}, "rename": {"os"}, "move": {"shutil"}}
# The place for it; a lock, which is no result; and what writes to a temporary path from `replacing` or `new_folder`.
MAY_WRITE = {"files.py", "staging.py", "growing_file.py", "lock.py"}
BY_WAY_OF_REPLACING = {
    ("models/weight_files.py", "File"),  # In memory.
    ("report/picture.py", "savefig"),
    ("grammar/arpa.py", "GzipFile"),
    ("g2p/grapheme_to_phoneme.py", "open"),
    ("g2p/grapheme_to_phoneme.py", "savez_compressed"),
    # In memory.
    ("audio/encode.py", "SoundFile"),
    ("pretrained/package_model.py", "copyfile"),
    # A copy that goes at once.
    ("pretrained/package_model.py", "copytree"),
    ("pretrained/expand_model.py", "copyfile"),
    ("pretrained/expand_model.py", "ZipFile"),
    ("serve/session.py", "copytree"),
    ("exporting/export_model.py", "ZipFile"),
    ("exchange/import_data.py", "copyfile"),
    ("exchange/lhotse_manifests.py", "write_bytes"),
    ("exchange/export_audio.py", "write_text"),
    ("exchange/export_audio.py", "copyfile"),
    ("exchange/export_audio.py", "write_bytes"),
    # Into a staged folder.
    ("data/shard.py", "rename"),
    ("remote_file.py", "open"),
    # A stream of speech, no file.
    ("recognition/recogniser.py", "open"),
    # A lock, which has nothing in it.
    ("kernels/kept.py", "os.open"),
}


def writes(tree):
    """Yield the names of the calls that may write a file."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        owner = getattr(getattr(node.func, "value", None), "id", None)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in WRITES and owner in OWNERS.get(name, {owner}):
            yield name
        elif name in OPENS and owner != "os":
            modes = [keyword.value for keyword in node.keywords if keyword.arg == "mode"]
            modes += node.args[OPENS[name] :][:1] if owner != "self" else []
            # Path.open has no path.
            if name == "open" and len(node.args) == 1 and owner not in (None, "gzip", "av"):
                modes += node.args
            given = [mode.value if isinstance(mode, ast.Constant) else "w" for mode in modes]
            if any(set("wax+") & set(str(mode)) for mode in given):
                yield name
        elif name == "open" and any(isinstance(one, ast.Attribute) and one.attr == "O_CREAT" for one in ast.walk(node)):
            yield "os.open"


def test_every_way_of_writing_is_seen():
    source = """
open(path, "w"); open(path, mode="ab"); path.open("r+"); path.write_text(""); os.open(path, os.O_CREAT)
np.savez(path); shutil.copy(a, b); os.replace(a, b); h5py.File(path, "w"); soundfile.SoundFile(path, "w", 1, 2)
tempfile.TemporaryDirectory(); open(path, way)
open(path); open(path, "rb"); text.replace("w", "a"); array.copy(); h5py.File(path, "r"); self._stack.open("a")
"""
    found = list(writes(ast.parse(source)))
    assert len(found) == 12, found


def test_files_are_written_through_files_alone():
    package = Path(speechtl.__file__).parent
    found = set()
    for path in package.rglob("*.py"):
        name = str(path.relative_to(package))
        if name not in MAY_WRITE:
            found |= {(name, call) for call in writes(ast.parse(path.read_text(encoding="utf-8")))}
    assert found == BY_WAY_OF_REPLACING
