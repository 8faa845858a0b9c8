"""Settings of the alignment of a corpus."""

import dataclasses
from typing import Literal

from speechtl.alignment.words import Pauses


@dataclasses.dataclass(frozen=True)
class RefinementConfig:
    """Shape and training of the phone HMMs.

    Attributes:
        states: per phone; also the fewest frames that a phone lasts.
        silence_states: of the silence.
        mixtures: largest number of Gaussians per state; only states with enough speech get them.
        frames_per_gaussian: smallest number of frames per Gaussian.
        iterations: rounds of Viterbi training.
        reach: frames by which a phone may leave its first alignment.
        prior: weight, in frames, of the overall mean and variance in the estimate of every Gaussian.
    """

    states: int = 3
    silence_states: int = 3
    mixtures: int = 8
    frames_per_gaussian: int = 40
    iterations: int = 15
    reach: int = 15
    prior: float = 5.0


@dataclasses.dataclass(frozen=True)
class AlignmentConfig:
    """How to align a corpus.

    Attributes:
        silence_phone: a phone of the model that is silence; optional between words, and silence in phone transcripts.
        pauses: which blanks are silence; None for those that suit the frame shift.
        refine: whether boundaries are refined on the corpus itself; ``"auto"`` does it if there is enough speech.
        refinement: the models that refine them.
        jobs: threads.
    """

    silence_phone: str = "sil"
    pauses: Pauses | None = None
    refine: Literal["auto", "always", "never"] = "auto"
    refinement: RefinementConfig = RefinementConfig()
    jobs: int = 1
