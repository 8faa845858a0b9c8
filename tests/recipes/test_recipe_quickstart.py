"""The quickstart's speech is the same in every run."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("espeakng_loader")

SCRIPT = Path(__file__).resolve().parents[2] / "recipes/quickstart/local/synthesise.py"
# Voices with breath in them, which is random.
SAY = """
import hashlib, runpy, sys
say = runpy.run_path(sys.argv[1])["Synthesiser"]().say
spoken = [say("seven bird", "en", voice, 150, 50) for voice in ("Alicia", "whisper", "f2")]
assert all(len(samples) > 5000 and samples.std() > 0.01 for samples in spoken)
print(*(hashlib.sha256(samples.tobytes()).hexdigest() for samples in spoken))
"""


def test_every_run_has_the_same_speech():
    def run():
        command = [sys.executable, "-c", SAY, str(SCRIPT)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    first = run()
    # The seed that espeak-ng would take is the time in seconds.
    time.sleep(1.1)
    assert run() == first
