"""Paths within an exported model against those of the directory that it holds: who reads them sees no difference."""

import pickle
import zipfile
from pathlib import Path

import pytest

from speechtl.errors import ModelError
from speechtl.layout import ExperimentLayout

CONTENTS = {
    "config.toml": b"x = 1\n",
    "speechtl.json": b"{}",
    "phones/en.txt": "<blk> 0\nə 1\r\n".encode(),
    "phones/ru.txt": b"<blk> 0\na 1\n",
    "lm/en.arpa.gz": bytes(range(256)) * 40,
    "graphs/encoder.onnx": b"graph",
    "graphs/encoder.data": b"none",
}
# What asks for the place on a disk, or changes what is there: no use of a path that may be within a file.
NOT_FOR_READING = {
    *(
        "absolute",
        "anchor",
        "as_uri",
        "chmod",
        "cwd",
        "drive",
        "expanduser",
        "from_uri",
        "group",
        "hardlink_to",
        "home",
    ),
    *("is_absolute", "is_block_device", "is_char_device", "is_fifo", "is_junction", "is_mount", "is_relative_to"),
    *("is_reserved", "is_socket", "is_symlink", "lchmod", "link_to", "lstat", "match", "mkdir", "owner", "parents"),
    *("parts", "readlink", "relative_to", "rename", "replace", "resolve", "rglob", "rmdir", "root", "samefile"),
    *("suffixes", "symlink_to", "touch", "unlink", "walk", "with_name", "with_segments", "with_stem", "with_suffix"),
    *("write_bytes", "write_text"),
    *("copy", "copy_into", "full_match", "info", "move", "move_into", "parser"),
}


@pytest.fixture
def places(tmp_path):
    """Return the layouts of a file and of a directory of the same content."""
    with zipfile.ZipFile(tmp_path / "m.speechtl", "w") as archive:
        for name, content in CONTENTS.items():
            archive.writestr(name, content)
            path = tmp_path / "directory" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return ExperimentLayout(tmp_path / "m.speechtl"), ExperimentLayout(tmp_path / "directory")


def test_paths_within_have_all_that_a_path_has_for_reading(places):
    inside, outside = places
    assert inside.exported and not outside.exported
    public = {name for name in dir(Path) if not name.startswith("_")}
    assert public - set(dir(inside.config)) <= NOT_FOR_READING
    paths = [layout.path for layout in places]
    for name in (*CONTENTS, "phones", "missing.txt", "missing/x"):
        one, other = (path / name for path in paths)
        for attribute in ("name", "stem", "suffix"):
            assert getattr(one, attribute) == getattr(other, attribute)
        for question in ("exists", "is_file", "is_dir"):
            assert getattr(one, question)() == getattr(other, question)(), (name, question)
        assert one.parent.name == other.parent.name or one.parent == inside.path
        for path in (one, other):
            if path.is_file():
                content = CONTENTS[name]
                assert path.read_bytes() == content and path.stat().st_size == len(content)
                with path.open("rb") as file:
                    assert file.read(3) == content[:3] and file.seek(0) == 0 and file.read() == content
            elif not path.is_dir():
                for read in (path.read_bytes, path.read_text, path.open, path.stat):
                    with pytest.raises(FileNotFoundError) as caught:
                        read()
                    assert caught.value.strerror == "No such file or directory"
    for name in ("config.toml", "phones/en.txt"):
        one, other = (path / name for path in paths)
        assert one.read_text(encoding="utf-8") == other.read_text(encoding="utf-8")
        with one.open(encoding="utf-8") as first, other.open(encoding="utf-8") as second:
            assert list(first) == list(second)
    for folder, pattern in (("graphs", "*.onnx"), ("phones", "*"), ("missing", "*")):
        found = [[path.name for path in sorted((path / folder).glob(pattern))] for path in paths]
        assert found[0] == found[1]
    assert [path.name for path in sorted(paths[0].iterdir())] == [path.name for path in sorted(paths[1].iterdir())]
    assert inside.phone_tables().keys() == outside.phone_tables().keys() == {"en", "ru"}


def test_a_phone_table_that_is_being_written_is_no_language(tmp_path):
    for name in ("en.txt", ".ru.~1-abcdef.txt"):
        (tmp_path / "phones" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "phones" / name).write_text("a 1\n")
    assert list(ExperimentLayout(tmp_path).phone_tables()) == ["en"]


def test_paths_within_are_values_and_travel_to_other_processes(places):
    inside, _ = places
    again = ExperimentLayout(inside.origin)
    assert inside.config == again.config != inside.log and inside.config != Path(str(inside.config))
    assert len({inside.config, again.config, inside.log}) == 2
    for path in (inside.path, inside.language_model("en")):
        assert pickle.loads(pickle.dumps(path)) == path
    assert pickle.loads(pickle.dumps(inside.language_model("en"))).read_bytes() == CONTENTS["lm/en.arpa.gz"]


def test_nothing_is_written_into_an_exported_model(places):
    for mode in ("w", "wb", "a", "r+b", "xb"):
        with pytest.raises(OSError, match="Read-only"):
            places[0].config.open(mode)


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_an_error_of_reading_at_any_byte(how, tmp_path):
    file = tmp_path / "m.speechtl"
    with zipfile.ZipFile(file, "w", how) as archive:
        archive.writestr("config.toml", b"x = 1\n" * 9)
    content = file.read_bytes()
    for place in range(0, len(content), 2):
        file.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            layout = ExperimentLayout(file)
            for read in (layout.config.read_bytes, layout.config.read_text, layout.config.open):
                try:
                    read()
                except OSError as error:
                    assert str(error)
        except ModelError:
            continue
