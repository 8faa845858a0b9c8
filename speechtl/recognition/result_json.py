"""What was found in speech as JSON: one shape for transcripts, decoded utterances and alignments.

``result.schema.json`` in this folder describes it (JSON Schema, draft 2020-12).
"""

import math
from collections.abc import Sequence
from typing import Any

from speechtl.alignment.aligned_utterance import AlignedUtterance
from speechtl.alignment.span import Hypothesis
from speechtl.data.ctm import TimedLabel
from speechtl.data.datadir import DataDir
from speechtl.errors import printable
from speechtl.experiment.language_choice import NEW_LANGUAGE
from speechtl.recognition.spoken_language import SpokenLanguage
from speechtl.recognition.spoken_segment import spoken_segment
from speechtl.recognition.transcript import SpokenPhone, SpokenSegment, SpokenWord, Transcript


def as_json(transcript: Transcript) -> dict[str, Any]:
    """Return everything that is known of a transcript, times in seconds."""
    segments = [segment_as_json(segment) for segment in transcript.segments]
    result = _result(printable(transcript.name), None, transcript.seconds, segments)
    if transcript.error is not None:
        result["error"] = str(transcript.error)
    return result


def decoded_as_json(
    utterance: str,
    hypotheses: Sequence[Hypothesis],
    data: DataDir,
    *,
    frames: int,
    frame_shift: float | None,
    language: SpokenLanguage | None = None,
) -> dict[str, Any]:
    """Return what was found in an utterance, in the time of its recording.

    Args:
        utterance: its id.
        hypotheses: best first.
        data: the data directory.
        frames: frames of posteriors.
        frame_shift: seconds from one to the next; None where words have no times.
        language: that it was decoded as, where that is not one for all.
    """
    recording, start, speed = _place(utterance, data)
    seconds = data.utt2dur.get(utterance, None if frame_shift is None else frames * frame_shift)
    end = None if seconds is None else start + seconds * speed
    best, spoken = hypotheses[0], language or SpokenLanguage("")
    said = spoken_segment(start, math.inf if end is None else end, hypotheses, (frame_shift or 0.0) * speed, spoken)
    segment = segment_as_json(said, end)
    if frame_shift is None:
        segment["text"] = " ".join(best.words)
        segment["words"] = [{"word": word} for word in best.words]
        segment["phones"] = [{"phone": phone} for phone in best.phones]
    segment |= _parts_of_score(best)
    others = [
        {
            "text": " ".join(one.words),
            "score": _score(one.score),
            "phones": " ".join(one.phones),
            **_parts_of_score(one),
        }
        for one in hypotheses[1:]
    ]
    segment |= {"alternatives": others} if others else {}
    return _result(recording, utterance, seconds, [segment], frames)


def aligned_as_json(utterance: str, one: AlignedUtterance, data: DataDir) -> dict[str, Any]:
    """Return when each word and phone of an utterance was said, in the time of its recording."""
    recording, start, speed = _place(utterance, data)

    def at(label: TimedLabel) -> tuple[str, float, float, float | None]:
        return label.label, start + label.start * speed, start + label.end * speed, label.confidence

    words = []
    for word in one.words:
        own = tuple(phone.label for phone in one.phones if word.start <= phone.start and phone.end <= word.end)
        words.append(SpokenWord(*at(word), own))
    phones = tuple(SpokenPhone(*at(phone)) for phone in one.phones)
    segment = segment_as_json(SpokenSegment(start, start + one.duration * speed, tuple(words), phones, one.score))
    sure = [phone.confidence or 0.0 for phone in one.phones]
    segment |= {
        "score_per_frame": round(one.score / max(one.frames, 1), 4),
        "confidence": round(sum(sure) / max(len(sure), 1), 4),
        "refined": one.refined,
    }
    return _result(recording, utterance, one.duration, [segment], one.frames)


def _place(utterance: str, data: DataDir) -> tuple[str, float, float]:
    """Return the recording of an utterance, the second at which it starts there, and its speed."""
    if utterance not in data.utt2spk:
        return utterance, 0.0, 1.0
    found = data.utterance(utterance)
    return found.recording, found.start or 0.0, found.speed


def _result(
    recording: str,
    utterance: str | None,
    seconds: float | None,
    segments: list[dict[str, Any]],
    frames: int | None = None,
) -> dict[str, Any]:
    result: dict[str, Any] = {"recording": recording}
    if utterance is not None:
        result["utterance"] = utterance
    result["seconds"] = None if seconds is None else _rounded(seconds)
    result["text"] = " ".join(segment["text"] for segment in segments if segment["text"])
    result["segments"] = segments
    if frames is not None:
        result["frames"] = frames
    return result


def segment_as_json(segment: SpokenSegment, end: float | None = math.inf) -> dict[str, Any]:
    """Return everything that is known of a segment, times in seconds; ``end`` takes the place of its own."""
    words = [
        {"word": word.label, **_times(word), "confidence": _confidence(word), "phones": list(word.phones)}
        for word in segment.words
    ]
    end = segment.end if end == math.inf else end
    result: dict[str, Any] = {"start": _rounded(segment.start), "end": None if end is None else _rounded(end)}
    result["text"] = segment.text
    if segment.language and segment.language != NEW_LANGUAGE:
        result["language"] = segment.language
    if segment.language_probability is not None:
        result["language_probability"] = round(segment.language_probability, 4)
    result["words"] = words
    result["phones"] = [_phone(phone) for phone in segment.phones]
    result["score"] = _score(segment.score)
    result["complete"] = segment.complete
    if segment.beginning:
        result["beginning"] = segment.beginning
    if segment.alternatives:
        result["alternatives"] = [{"text": text, "score": _score(score)} for text, score in segment.alternatives]
    return result


def _parts_of_score(hypothesis: Hypothesis) -> dict[str, Any]:
    return {
        "acoustic_score": round(hypothesis.acoustic_score, 3),
        "graph_score": round(hypothesis.graph_score, 3),
        "complete": hypothesis.complete,
    }


def _phone(phone: SpokenPhone) -> dict[str, Any]:
    result: dict[str, Any] = {"phone": phone.label, **_times(phone)}
    if phone.confidence is not None:
        result["confidence"] = _confidence(phone)
    if phone.alternatives:
        found = [{"phone": other, "probability": round(probability, 3)} for other, probability in phone.alternatives]
        result["alternatives"] = found
    return result


def _times(label: TimedLabel) -> dict[str, float]:
    return {"start": _rounded(label.start), "end": _rounded(label.end)}


def _confidence(word: TimedLabel) -> float | None:
    return None if word.confidence is None else round(word.confidence, 3)


def _rounded(seconds: float) -> float:
    return round(seconds, 3)


def _score(score: float) -> float | None:
    # A search that found nothing at all scores -inf, which JSON does not have.
    return round(score, 3) if score > -math.inf else None
