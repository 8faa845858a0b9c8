"""speechtl: speech transfer learning.

A model trained on many speakers, languages or recordings is made to work for few: one speaker, a small language, words
that no one has ever transcribed.

    >>> import speechtl
    >>> recogniser = speechtl.load("exp/base")
    >>> recogniser.add_word("Kubernetes", "k u b ə n ɛ t i z")
    >>> print(recogniser.transcribe("talk.wav").text)

This is the public face: a function for each verb of the command line, with a result that can be looked into. What it
needs is imported when it is called. Paths may be strings; a mistake of the user is a `SpeechtlError`. What a
user should know on the way is logged (``logging.getLogger("speechtl")``).
"""

from speechtl.api.adapt import adapt
from speechtl.api.align import align
from speechtl.api.decode import decode
from speechtl.api.export import export
from speechtl.api.import_checkpoint import import_checkpoint
from speechtl.api.load import load
from speechtl.api.package import package
from speechtl.api.score import score
from speechtl.api.train import train
from speechtl.api.transcribe import transcribe

__version__ = "0.1.0"
__all__ = ["adapt", "align", "decode", "export", "import_checkpoint", "load", "package", "score", "train", "transcribe"]
