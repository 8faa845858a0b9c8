"""Hypotheses of a segment, put into the time of its recording."""

from collections.abc import Sequence

from speechtl.alignment.span import Hypothesis, PhoneSpan, in_seconds
from speechtl.recognition.spoken_language import SpokenLanguage
from speechtl.recognition.transcript import SpokenPhone, SpokenSegment, SpokenWord


def spoken_segment(
    start: float, end: float, hypotheses: Sequence[Hypothesis], frame_shift: float, language: SpokenLanguage
) -> SpokenSegment:
    """Return what was said in a segment.

    Args:
        start: of the segment, seconds from the beginning of the recording.
        end: seconds.
        hypotheses: best first.
        frame_shift: seconds from one frame of posteriors to the next.
        language: that it was decoded as.
    """
    best = hypotheses[0]
    place = {"offset": start, "duration": end - start}
    words = in_seconds(best.word_spans, frame_shift, **place)
    phones = in_seconds(best.phone_spans, frame_shift, **place)
    others = [span.alternatives if isinstance(span, PhoneSpan) else () for span in best.phone_spans]
    said = [
        tuple(phone.label for phone in best.phone_spans if word.start <= phone.start and phone.end <= word.end)
        for word in best.word_spans
    ]
    return SpokenSegment(
        start=start,
        end=end,
        words=tuple(
            SpokenWord(word.label, word.start, word.end, word.confidence, own)
            for word, own in zip(words, said, strict=True)
        ),
        phones=tuple(
            SpokenPhone(phone.label, phone.start, phone.end, phone.confidence, alternatives)
            for phone, alternatives in zip(phones, others, strict=True)
        ),
        score=best.score,
        alternatives=tuple((" ".join(other.words), other.score) for other in hypotheses[1:]),
        complete=best.complete,
        beginning=" ".join(best.beginning),
        language=language.name,
        language_probability=language.probability,
    )
