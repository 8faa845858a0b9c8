"""Results of decoding and alignment in frames: spans of words and phones, hypotheses."""

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
        confidence: probability that it is right, in [0, 1]; None where it is unknown.
    """

    label: str
    start: int
    end: int
    confidence: float | None = None


@dataclasses.dataclass(frozen=True)
class PhoneSpan(Span):
    """A phone in time that was found without a lexicon.

    Attributes:
        alternatives: other phones that may have been said there with their probabilities, best first.
    """

    alternatives: tuple[tuple[str, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One word sequence for one utterance.

    Attributes:
        words: the words.
        phones: the phones of the best alignment, silence included: each word's chosen pronunciation in turn.
        score: the maximised score (natural logarithm, weights and penalties included):
            ``acoustic_score + graph_score``.
        acoustic_score: the scaled part of the posteriors, blank penalty included.
        graph_score: the weighted part of language model, pronunciation probabilities and word penalties.
        complete: False where no word ended in the last frame (too narrow a beam, or too few frames for any word): then
            the words are those of the best beginning. Under a grammar, where the beginning of a command is no command,
            there are no words then.
        beginning: under a grammar, the words of the best beginning.
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
    beginning: tuple[str, ...] = ()


def in_seconds(
    spans: Iterable[Span], frame_shift: float, *, offset: float = 0.0, duration: float | None = None
) -> tuple[TimedLabel, ...]:
    """Convert spans of frames to seconds.

    Args:
        spans: of a hypothesis or an alignment.
        frame_shift: seconds from one frame to the next.
        offset: seconds to add, for example where the utterance starts in its recording.
        duration: seconds that the utterance lasts; nothing ends after it.
    """
    limit = float("inf") if duration is None else duration

    def seconds(frame: int) -> float:
        return min(frame * frame_shift, limit) + offset

    return tuple(TimedLabel(span.label, seconds(span.start), seconds(span.end), span.confidence) for span in spans)
