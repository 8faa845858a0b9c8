"""How a model is made ready for audio."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class RecogniserOptions:
    """How a model is made ready.

    Attributes:
        speaker: a speaker's layers (file or folder) to put on top of the model.
        language: of the model's; None for the only one, or for that which is recognised in each segment.
        words: False for phones alone; True insists on a lexicon; None recognises words if there is a lexicon.
        whole: recordings are not cut at pauses: each is one segment, of ten minutes at most.
        one_speaker: all recordings are of one speaker, and normalised together.
        nbest: hypotheses for each segment, at most; of phones alone, phones listed at each place.
        jobs: threads of the search; None for as many as there are processors.
        config: a TOML file whose ``[decoding]`` goes over the experiment's, and whose ``[segmentation]`` is used.
        settings: ``decoding.key=value`` and ``segmentation.key=value`` over both.
    """

    speaker: Path | None = None
    language: str | None = None
    words: bool | None = None
    whole: bool = False
    one_speaker: bool = False
    nbest: int = 1
    jobs: int | None = None
    config: Path | None = None
    settings: tuple[str, ...] = ()
