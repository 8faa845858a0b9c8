"""What a search found."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One word sequence for one utterance.

    Attributes:
        words: the words.
        phones: the phones of the best alignment, silence included: each word's chosen pronunciation in turn.
        score: what the search maximised (natural logarithm, weights and penalties included):
            ``acoustic_score + graph_score``.
        acoustic_score: the part of the posteriors, scaled, blank penalty included.
        graph_score: the part of grammar, pronunciation probabilities and word penalties, weighted.
        complete: False where no word ended in the last frame (too narrow a beam, or too few frames for any word): then
            the words are those of the best beginning.
    """

    words: tuple[str, ...]
    phones: tuple[str, ...]
    score: float
    acoustic_score: float = 0.0
    graph_score: float = 0.0
    complete: bool = True
