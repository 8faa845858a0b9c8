import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
QUICKSTART = ROOT / "recipes" / "quickstart"

# A part of what conf/words.toml of the quickstart says: fewer voices, fewer utterances of each.
VOICES = {"train": "Andy Alicia boris f1 m1", "dev": "m7", "test": "m4"}
UTTERANCES = {
    "train": "{ en = 30, de = 12, es = 3 }",
    "dev": "{ en = 6, de = 6, es = 3 }",
    "test": "{ en = 6, de = 6, es = 3 }",
    "unseen": "{ en = 6 }",
    "adapt": "{ en = 15 }",
    "new": "{ en = 12 }",
}


def fewer(words):
    """Return the text of a words.toml with fewer voices and utterances."""
    head, voices, counts = words.partition("[voices]")[0], dict(VOICES, new="whisper"), UTTERANCES
    tables = ["[voices]", *(f'{part} = "{names}"' for part, names in voices.items())]
    return "\n".join([head, *tables, "[utterances]", *(f"{part} = {count}" for part, count in counts.items())])


@pytest.fixture(scope="session")
def small_repository(tmp_path_factory):
    """Return a folder like the repository after stage 2 of the quickstart, with less speech and shorter training."""
    root = tmp_path_factory.mktemp("repository")
    quickstart = root / "recipes" / "quickstart"
    shutil.copytree(QUICKSTART / "conf", quickstart / "conf")
    shutil.copytree(ROOT / "docs" / "notebooks", root / "docs" / "notebooks")
    for path in (quickstart / "conf" / "lecture").glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"epochs = \d+", "epochs = 1", text), encoding="utf-8")
    words = quickstart / "words.toml"
    words.write_text(fewer((QUICKSTART / "conf" / "words.toml").read_text(encoding="utf-8")), encoding="utf-8")

    def run(*command):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        result = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=quickstart,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr

    run(QUICKSTART / "local" / "synthesise.py", "--words", words, "--lexicons", ROOT / "lexicons", "--out", "data")
    parts = [path.relative_to(quickstart) for path in sorted((quickstart / "data").glob("*_*"))]
    run("-m", "speechtl.cli.main", "features", *parts, "--config", "conf/base.toml")
    run("-m", "speechtl.cli.main", "train", "conf/base.toml", "exp/base", "--set", "training.epochs=8")
    return root
