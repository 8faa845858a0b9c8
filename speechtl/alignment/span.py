"""What a search found."""

import dataclasses
from collections.abc import Iterable

from speechtl.data.ctm import TimedLabel


@dataclasses.dataclass(frozen=True)
class Span:
    """One word or phone in time.

    Attributes:
        label: the word or phone.
        start: its first frame of posteriors; seconds are this times the experiment's ``frame_shift``.
        end: one past its last frame.
        confidence: how likely it is right, in [0, 1]; None where nothing computed it.
    """

    label: str
    start: int
    end: int
    confidence: float | None = None


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
        word_spans: the words in time.
        phone_spans: the phones in time, silence included.
    """

    words: tuple[str, ...]
    phones: tuple[str, ...]
    score: float
    acoustic_score: float = 0.0
    graph_score: float = 0.0
    complete: bool = True
    word_spans: tuple[Span, ...] = ()
    phone_spans: tuple[Span, ...] = ()


def in_seconds(
    spans: Iterable[Span], frame_shift: float, *, offset: float = 0.0, duration: float | None = None
) -> tuple[TimedLabel, ...]:
    """Turn spans of frames into seconds.

    Args:
        spans: what a search or an alignment found.
        frame_shift: seconds from one frame to the next.
        offset: seconds to add, for example where the utterance starts in its recording.
        duration: seconds that the utterance lasts; nothing ends after it.
    """
    limit = float("inf") if duration is None else duration

    def seconds(frame: int) -> float:
        return min(frame * frame_shift, limit) + offset

    return tuple(TimedLabel(span.label, seconds(span.start), seconds(span.end), span.confidence) for span in spans)
