"""What the search loads, and what it leaves to others."""

import subprocess
import sys

CODE = """
import sys
import numpy as np
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

lexicon = Lexicon()
lexicon.add("ab", ["a", "b"])
decoder = LexiconDecoder(lexicon, PhoneInventory(["a", "b"]), None, DecodingConfig(word_insertion_penalty=0.0))
scores = np.log(np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], np.float32))
print(*decoder.decode(scores, times=True).words, "numba" in sys.modules)

from speechtl.kernels.kernel import kernel
kernel(lambda x: x)(1)
print("scipy.linalg" in sys.modules)

import numba
product = numba.njit(lambda a, b: np.dot(a, b))
print(product(np.eye(2), np.full((2, 2), 3.0)).tolist())
"""


def test_numba_is_not_loaded_and_where_it_is_no_linear_algebra_with_it_but_numba_still_finds_it():
    # The first compiles what the second finds.
    first, second = (
        subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True) for _ in range(2)
    )
    assert first.stdout.splitlines()[0].split()[0] == "ab"
    assert second.stdout.splitlines() == ["ab False", "False", "[[3.0, 3.0], [3.0, 3.0]]"]


def test_recognition_comes_up_without_numba():
    code = "import sys; import speechtl.recognition.recording_transcriber; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
