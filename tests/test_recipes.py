"""What the recipes do before speechtl takes over: set-up and corpus preparation."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from speechtl.data.datadir import DataDir
from speechtl.lang.lexicon import Lexicon

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
SCRIPTS = sorted([*RECIPES.glob("*.sh"), *RECIPES.glob("*/*.sh"), RECIPES.parent / "tests/run.sh"])


def run_python(*arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(RECIPES.parent)))
def test_shell_scripts_parse(script):
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


@pytest.mark.parametrize("recipe", ["an4", "quickstart"])
def test_an_unknown_option_prints_the_usage(recipe):
    result = subprocess.run(["bash", RECIPES / recipe / "run.sh", "--nosuch", "1"], capture_output=True, text=True)
    assert result.returncode == 1
    assert f"recipes/{recipe}/run.sh" in result.stderr


def test_the_small_tensorflow_replaces_the_big_one_and_nothing_else():
    requirements = runpy.run_path(str(RECIPES / "requirements.py"))
    before = requirements["required"](["test"])
    after = [requirements["without_gpu"](line) for line in before]
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed
    for old, new in changed:
        assert re.match(r"tensorflow[<>=]", old)
        assert new == old.replace("tensorflow", "tensorflow-cpu", 1)
    assert any(line.startswith("tensorflow-io==") for line in after)
    assert any(line.startswith("pytest") for line in after)


def test_an_unknown_extra_is_one_line():
    result = run_python(RECIPES / "requirements.py", "nosuch")
    assert result.returncode == 1
    assert re.fullmatch(r"error: no extra nosuch in \S+pyproject.toml; there are .*synthesis.*test.*\n", result.stderr)


@pytest.fixture
def an4(tmp_path):
    """Make a corpus in AN4's layout: three training speakers, one test speaker."""
    corpus = tmp_path / "an4"
    (corpus / "etc").mkdir(parents=True)
    parts = {
        "train": ("an4_clstk", {"fash": ".sph", "mdcs": ".wav", "mdcs2": ".flac"}),
        "test": ("an4test_clstk", {"fcaw": ".wav"}),
    }
    for part, (folder, speakers) in parts.items():
        ids, texts = [], []
        for speaker, suffix in speakers.items():
            audio = corpus / "wav" / folder / speaker
            audio.mkdir(parents=True)
            for number in (2, 10):
                name = f"an{number}-{speaker}-b"
                (audio / (name + suffix)).write_bytes(b"")
                ids.append(f"{folder}/{speaker}/{name}")
                texts.append(f"<s> GO ++COUGH++ ENTER A </s> ({name})" if part == "train" else f"GO ENTER ({name})")
        (corpus / "etc" / f"an4_{part}.fileids").write_text("\n".join(ids) + "\n")
        (corpus / "etc" / f"an4_{part}.transcription").write_text("\n".join(texts) + "\n")
    (corpus / "etc" / "an4.dic").write_text("A   AH\nA(2)   EY\nENTER   EH N ER\nGO   G OW\n")
    (tmp_path / "dev").write_text("# held out\nmdcs\nmdcs2\n")
    return tmp_path


def prepare(folder):
    script = RECIPES / "an4" / "local" / "prepare.py"
    return run_python(script, "--corpus", folder / "an4", "--dev-speakers", folder / "dev", "--out", folder / "data")


def test_an4_becomes_data_directories(an4):
    assert prepare(an4).returncode == 0
    parts = {name: DataDir.load(an4 / "data" / name) for name in ("train_all", "train", "dev", "test")}
    assert {name: sorted(part.spk2utt) for name, part in parts.items()} == {
        "train_all": ["fash", "mdcs", "mdcs2"],
        "train": ["fash"],
        "dev": ["mdcs", "mdcs2"],
        "test": ["fcaw"],
    }
    assert parts["dev"].utterance_ids == sorted(f"{s}-an{n}-{s}-b" for s in ("mdcs", "mdcs2") for n in (2, 10))
    assert set(parts["train_all"].text.values()) == {"GO ENTER A"}
    assert parts["train"].spk2gender == {"fash": "f"}
    assert parts["train"].wav_scp["fash-an2-fash-b"] == str(an4 / "an4/wav/an4_clstk/fash/an2-fash-b.sph")
    lexicon = Lexicon.load(an4 / "data" / "dict" / "lexicon.txt", notation="arpabet")
    assert sorted(lexicon.words) == ["A", "ENTER", "GO"]
    assert len(lexicon.pronounce("A")) == 2


def test_an4_that_is_not_there_says_how_to_get_it(an4):
    (an4 / "an4" / "etc" / "an4.dic").unlink()
    result = prepare(an4)
    assert result.returncode == 1
    assert "is not the AN4 corpus, these are missing: etc/an4.dic. AN4 is free: clone" in result.stderr


def test_an4_lists_all_missing_recordings_and_transcripts(an4):
    for path in (an4 / "an4/wav/an4_clstk/fash").iterdir():
        path.unlink()
    (an4 / "an4/etc/an4_test.transcription").write_text("GO (an2-fcaw-b)\nENTER\n")
    result = prepare(an4)
    assert result.returncode == 1
    assert "4 problems" in result.stderr
    assert "an4_train.fileids:1: no audio file" in result.stderr
    assert "an4_test.transcription:2: no (utterance id)" in result.stderr
    assert "an4_test.fileids:2: an10-fcaw-b is not in" in result.stderr
    assert not (an4 / "data").exists()


def test_one_person_is_never_on_both_sides(an4):
    (an4 / "dev").write_text("mdcs\nmnosuch\n")
    result = prepare(an4)
    assert result.returncode == 1
    assert "mdcs2 may be the same person as a dev speaker; list both or neither" in result.stderr
    assert "mnosuch is not a speaker of the training part" in result.stderr
