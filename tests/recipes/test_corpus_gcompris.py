"""The preparation of GCompris' voices, on a small copy of their layout and of the resource file with their texts."""

import json
import runpy
import struct
import zlib
from pathlib import Path

import pytest

from speechtl.data.datadir import DataDir

CORPORA = Path(__file__).resolve().parents[2] / "recipes" / "corpora"


def write_resources(path, files, version=3, flags=None):
    """Write a resource file of Qt with one folder; files of the names in ``flags`` have these."""
    flags = flags or {}
    names, data, places = b"", b"", {}
    for name in ("inside", *files):
        places[name] = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    times = struct.pack(">Q", 0) if version >= 2 else b""
    tree = struct.pack(">IHII", 0, 2, 1, 1) + times
    tree += struct.pack(">IHII", places["inside"], 2, len(files), 2) + times
    for name, content in files.items():
        kind = flags.get(name, 0)
        tree += struct.pack(">IHHHI", places[name], kind, 0, 0, len(data)) + times
        stored = struct.pack(">I", len(content)) + zlib.compress(content) if kind == 1 else content
        data += struct.pack(">I", len(stored)) + stored
    ends = (20, 20 + len(tree), 20 + len(tree) + len(data))
    path.write_bytes(struct.pack(">4sIIII", b"qres", version, *ends) + tree + data + names)


@pytest.fixture(scope="module")
def read_resources():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CORPORA))
        return runpy.run_path(str(CORPORA / "qt_resources.py"))["read_resources"]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_resource_files_are_read(tmp_path, version, read_resources):
    files = {"short.json": b"{}", "long.txt": b"abc" * 1000, "empty": b"", "ö": "ö".encode()}
    write_resources(tmp_path / "a.rcc", files, version, {"long.txt": 1})
    assert read_resources(tmp_path / "a.rcc") == {f"inside/{name}": content for name, content in files.items()}


def test_other_files_and_other_compression_are_refused(tmp_path, read_resources):
    (tmp_path / "a.rcc").write_bytes(b"notes")
    with pytest.raises(SystemExit, match="not a resource file of Qt"):
        read_resources(tmp_path / "a.rcc")
    write_resources(tmp_path / "a.rcc", {"a": b"x"}, flags={"a": 4})
    with pytest.raises(SystemExit, match="inside/a is compressed with Zstandard"):
        read_resources(tmp_path / "a.rcc")


LICENCES = {
    "fr/words": {"dog": "Marie Curie 2015 / GPL V3+", "big": "Public Domain", "oven": "Marie Curie / GPL"},
    "fr/alphabet": {"U0033": "Marie Curie (2016) / GPL V3+", "U0061": "GPL V3+", "15": "GPL V3+"},
    "fr/colors": {"orange": "GPL V3+", "red": "GPL V3+"},
    "fr/geography/asia": {"japan": "Public Domain"},
    "zh_CN/words": {"dog": "Feng Jie 2010 / GPL"},
}


@pytest.fixture
def corpus(tmp_path):
    lines = ["README GPL"]
    for folder, files in LICENCES.items():
        lines += ["", f"./{folder}:", "voices.sh  GPL"]
        for name, licence in files.items():
            lines.append(f"{name}.ogg\t\t{licence}")
            path = tmp_path / "voices" / folder / f"{name}.ogg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    (tmp_path / "voices" / "fr" / "words" / "cat.ogg").write_bytes(b"")
    (tmp_path / "voices" / "fr" / "words" / "dog.wav").write_bytes(b"")
    (tmp_path / "voices" / "LICENSE").write_text("\n".join(lines), encoding="utf-8")
    french = {"dog.ogg": "un chien", "big.ogg": "Grand", "oven.ogg": "four (à pain)", "U0033.ogg": "trois"}
    french |= {"U0061.ogg": "a", "15.ogg": "15", "orange.ogg": "une orange", "red.ogg": "rouge"}
    texts = {"content-fr.json": french, "content-zh_CN.json": {"dog.ogg": "小狗"}, "words.json": {}}
    write_resources(tmp_path / "lang.rcc", {name: json.dumps(text).encode() for name, text in texts.items()})
    return tmp_path / "voices"


def test_only_texts_that_are_surely_said_are_taken(corpus, tmp_path, prepare_corpus):
    result = prepare_corpus("gcompris", corpus, tmp_path / "data", "--texts", tmp_path / "lang.rcc")
    assert result.returncode == 0, result.stderr
    assert "1 recordings are not in LICENSE" in result.stdout
    parts = [DataDir.load(path) for path in sorted((tmp_path / "data" / "fr").iterdir()) if path.is_dir()]
    spoken = {key.partition("-fr-")[2].partition("-")[2]: text for part in parts for key, text in part.text.items()}
    assert spoken == {"words-dog": "un chien", "words-big": "grand", "alphabet-U0033": "trois", "colors-red": "rouge"}
    unlabelled = DataDir.load(tmp_path / "data" / "fr" / "unlabelled")
    said = {key.partition("-fr-")[2].partition("-")[2] for key in unlabelled.wav_scp}
    assert said == {
        "words-oven", "words-cat", "alphabet-U0061", "alphabet-15", "colors-orange", "geography-asia-japan"
    }  # fmt: skip
    assert not unlabelled.text
    # The dog, the oven and the three are by one person.
    people = {key.partition("-fr-")[2].partition("-")[2]: who for part in parts for key, who in part.utt2spk.items()}
    assert len({people[name] for name in ("words-dog", "words-oven", "alphabet-U0033")}) == 1
    assert people["words-big"] != people["words-dog"]
    chinese = DataDir.load(tmp_path / "data" / "zh" / "test")
    assert list(chinese.text.values()) == ["小 狗"]


def test_the_public_domain_alone(corpus, tmp_path, prepare_corpus):
    assert prepare_corpus("gcompris", corpus, tmp_path / "data", "--public-domain").returncode == 0
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["fr"]
    # Without texts nothing has one.
    names = sorted(DataDir.load(tmp_path / "data" / "fr" / "unlabelled").wav_scp)
    assert [name.partition("-fr-")[2].partition("-")[2] for name in names] == ["geography-asia-japan", "words-big"]


def test_texts_that_are_not_there_or_something_else_are_named(corpus, tmp_path, prepare_corpus):
    result = prepare_corpus("gcompris", corpus, tmp_path / "data", "--texts", tmp_path / "nosuch.rcc")
    assert "nosuch.rcc: no such file" in result.stderr
    write_resources(tmp_path / "other.rcc", {"a.json": b"{}"})
    result = prepare_corpus("gcompris", corpus, tmp_path / "data", "--texts", tmp_path / "other.rcc")
    assert "no content-<language>.json in it" in result.stderr
