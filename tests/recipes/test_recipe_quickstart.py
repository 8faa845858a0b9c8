"""The quickstart's speech is the same in every run."""

import runpy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("espeakng_loader")

SCRIPT = Path(__file__).resolve().parents[2] / "recipes/quickstart/local/synthesise.py"


@pytest.mark.parametrize("voice", ["Alicia", "whisper"])
def test_voices_with_breath_say_the_same_twice(voice):
    synthesiser = runpy.run_path(str(SCRIPT))["Synthesiser"]()
    first = synthesiser.say("seven bird", "en", voice, 150, 50)
    synthesiser.say("and something else", "en", voice, 150, 50)
    np.testing.assert_array_equal(synthesiser.say("seven bird", "en", voice, 150, 50), first)
    assert len(first) > 5000 and first.std() > 0.01
