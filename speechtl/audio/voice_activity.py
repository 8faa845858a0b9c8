"""Voice activity detection (VAD): find the segments of speech in a recording of any length.

An energy-based detector: a frame is active if its level exceeds an adaptive noise floor by a margin. Active regions are
merged across short pauses, padded, and cut at their quietest point if they are too long. Thresholds favour recall:
missed speech cannot be recognised, while a false alarm is recognised as silence.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
import pydantic

from speechtl.config import Section

FRAMES_PER_SECOND = 100
# Percentiles of the levels around a frame that estimate the noise floor and the level of speech, and the seconds on
# each side that they are computed over.
_FLOOR, SPEECH, REACH = 5.0, 95.0, 10
# A recording shorter than _SHORT seconds may be speech from end to end. If its levels differ by more than _STEADY dB,
# it contains speech, and its noise floor is assumed to be at least _RANGE dB below the speech.
_SHORT, _STEADY, _RANGE = 5.0, 6.0, 20.0
# Upper limit of the noise floor (dB, samples in the 16-bit range): a steady level above it may be speech.
_LOUDEST_FLOOR = 50.0
# Frames up to this level (dB) are digital silence, which is not evidence of the noise floor. Exporting programs add
# noise of one step to it (dither): frames up to the second level are silence, too, where speech is this much louder.
# The quietest frame of AN4 is at 4.5 dB.
DIGITAL_SILENCE, DITHER, ABOVE_DITHER = 1.0, 4.0, 40.0
# Seconds over which the level is averaged to find a cut in long speech: longer than the closure of a plosive.
_QUIET = 0.2
# Seconds of a recording that are processed at once, and seconds before them that the noise floor takes into account.
_CHUNK, _CONTEXT = 300, 10


class SegmentationConfig(Section):
    """Settings of voice activity detection, the ``[segmentation]`` table of a config; durations in seconds."""

    pause: float = pydantic.Field(default=0.8, gt=0, le=10)
    """Minimum pause between two segments; shorter pauses stay inside a segment."""
    padding: float = pydantic.Field(default=0.4, ge=0, le=5)
    """Context kept on both sides of the active region of a segment (less if a neighbour is closer)."""
    longest: float = pydantic.Field(default=20.0, ge=1, le=100)
    """Maximum duration of a segment; longer ones are cut at the quietest point."""
    shortest: float = pydantic.Field(default=0.05, ge=0, le=1)
    """Minimum activity; anything shorter between two pauses is a click, not speech."""
    margin: float = pydantic.Field(default=8.0, gt=0)
    """dB above the noise floor at which a frame is active."""


@dataclasses.dataclass(frozen=True)
class SpeechSegment:
    """A segment of speech: its first sample in the recording, and its samples, float32 ``(samples,)``."""

    start: int
    samples: np.ndarray


def frame_levels(signal: np.ndarray, sample_rate: int, before: float | None = None) -> np.ndarray:
    """Return the level of every 10 ms frame of a signal.

    Args:
        signal: ``(samples,)`` in the range of 16-bit integers.
        sample_rate: Hz.
        before: the sample before the first one, where the signal continues another.

    Returns:
        ``(frames,)`` in dB, 0 for an amplitude of 1 or less; of the pre-emphasised signal, which attenuates hum and
        boosts fricatives. Samples after the last complete frame form one more frame.
    """
    step = max(sample_rate // FRAMES_PER_SECOND, 1)
    count = -(-len(signal) // step)
    emphasised = np.zeros(count * step, np.float32)
    emphasised[: len(signal)] = signal
    emphasised[1 : len(signal)] -= 0.97 * signal[:-1]
    # Where nothing precedes the first sample, it is as if that had been preceded by itself.
    emphasised[:1] -= 0.97 * (emphasised[:1] if before is None else before)
    power = np.einsum("fs,fs->f", *[emphasised.reshape(count, step)] * 2) / step
    if len(signal) % step:
        power[-1] *= step / (len(signal) % step)
    return 10.0 * np.log10(np.maximum(power, 1.0))


def silent_frames(levels: np.ndarray) -> np.ndarray:
    """Return which frames are digital silence, dithered or not.

    Args:
        levels: ``(frames,)`` dB, from `frame_levels`.
    """
    return levels <= silence_level(levels)


def silence_level(levels: np.ndarray) -> float:
    """Return the level in dB up to which frames are digital silence; see `silent_frames`."""
    heard = levels[levels > DITHER]
    if len(heard) == len(levels):
        # Nothing is silent at either level, and percentiles take time.
        return DIGITAL_SILENCE
    loud = len(heard) and np.percentile(heard, SPEECH) >= DITHER + ABOVE_DITHER
    return DITHER if loud else DIGITAL_SILENCE


def find_speech(levels: np.ndarray, config: SegmentationConfig, first: int = 0) -> list[tuple[int, int]]:
    """Detect speech in the levels of a recording.

    Args:
        levels: ``(frames,)`` dB, from `frame_levels`.
        config: durations and margin.
        first: frames before this one only contribute to the noise floor.

    Returns:
        First frame and end (exclusive) of each segment: in order, disjoint, none longer than ``config.longest``.
    """
    smooth = _moving_mean(levels, 3)
    active = smooth >= _noise_floor(smooth) + config.margin
    active[:first] = False
    pause, padding, longest = (_frames(x) for x in (config.pause, config.padding, config.longest))
    segments: list[tuple[int, int]] = []
    for start, end in _runs(active, pause, config.shortest):
        start, end = max(start - padding, first), min(end + padding, len(levels))
        if segments and start < segments[-1][1]:
            # The pause is shorter than both paddings together: each segment gets half of it.
            middle = (start + segments[-1][1]) // 2
            segments[-1], start = (segments[-1][0], middle), middle
        segments.append((start, end))
    return [part for start, end in segments for part in _cut(levels, start, end, longest)]


def speech_segments(
    blocks: Iterable[np.ndarray], sample_rate: int, config: SegmentationConfig
) -> Iterator[list[SpeechSegment]]:
    """Yield the segments of speech of a recording of any length; only some minutes of it are held in memory.

    Args:
        blocks: the recording in pieces of any length, float32 ``(samples,)`` in the range of 16-bit integers.
        sample_rate: Hz.
        config: settings of the detector.

    Yields:
        The segments of the next five minutes or so, in order; a list may be empty.
    """
    step = max(sample_rate // FRAMES_PER_SECOND, 1)
    size = _CHUNK * FRAMES_PER_SECOND * step
    before = np.zeros(0, np.float32)
    waiting: list[np.ndarray] = []
    held, offset = 0, 0

    def search(last: bool) -> list[SpeechSegment]:
        nonlocal before, held, offset, waiting
        signal = np.concatenate(waiting) if waiting else np.zeros(0, np.float32)
        if not last:  # Complete frames only, so that the frames of the next chunk continue them.
            signal, rest = np.split(signal, [len(signal) // step * step])
        levels = frame_levels(signal, sample_rate)
        context = len(before)
        everything = np.concatenate([before, levels])
        found = [(s - context, e - context) for s, e in find_speech(everything, config, context)]
        if last:
            return [SpeechSegment(offset + s * step, signal[s * step : e * step]) for s, e in found]
        # A segment near the end may continue in the next chunk, and one about to begin may have its padding here. No
        # segment is as long as a chunk, so some are always complete.
        done = len(levels) - _frames(config.pause) - _frames(config.padding)
        finished = [(s, e) for s, e in found if e < done]
        cut = found[len(finished)][0] if len(finished) < len(found) else done
        before = everything[: context + cut][-_CONTEXT * FRAMES_PER_SECOND :]
        segments = [SpeechSegment(offset + s * step, signal[s * step : e * step].copy()) for s, e in finished]
        waiting = [signal[cut * step :].copy(), rest]
        held, offset = sum(map(len, waiting)), offset + cut * step
        return segments

    for block in blocks:
        waiting.append(block)
        held += len(block)
        if held >= size:
            yield search(last=False)
    yield search(last=True)


def _frames(seconds: float) -> int:
    return round(seconds * FRAMES_PER_SECOND)


def _moving_mean(levels: np.ndarray, width: int) -> np.ndarray:
    """Return the mean of ``width`` frames around every frame, fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(levels, dtype=np.float64)])
    start = np.maximum(np.arange(len(levels)) - width // 2, 0)
    end = np.minimum(np.arange(len(levels)) - width // 2 + width, len(levels))
    return (total[end] - total[start]) / np.maximum(end - start, 1)


def _noise_floor(levels: np.ndarray) -> np.ndarray:
    """Return the noise floor at every frame, dB."""
    centres = np.arange(0, max(len(levels), 1), FRAMES_PER_SECOND)
    silence = silence_level(levels)
    reach = REACH * FRAMES_PER_SECOND
    around = (levels[max(centre - reach, 0) : centre + reach] for centre in centres)
    floors = [noise_floor(some, silence, len(levels)) for some in around]
    return np.interp(np.arange(len(levels)), centres, floors)


def noise_floor(levels: np.ndarray, silence: float, heard: int) -> float:
    """Return the noise floor in dB of some seconds of a recording.

    Args:
        levels: ``(frames,)`` dB.
        silence: up to this level frames are digital silence, see `silence_level`.
        heard: frames of the whole recording, as far as it is known.
    """
    levels = levels[levels > silence]
    floor, speech = np.percentile(levels, [_FLOOR, SPEECH]) if len(levels) else (0.0, 0.0)
    if heard < _SHORT * FRAMES_PER_SECOND and speech - floor > _STEADY:
        floor = min(floor, speech - _RANGE)
    return float(min(floor, _LOUDEST_FLOOR))


def _runs(active: np.ndarray, pause: int, shortest: float) -> list[tuple[int, int]]:
    """Return the active regions, merged across less than ``pause`` frames, without clicks."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    runs: list[tuple[int, int]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if runs and start - runs[-1][1] < pause:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return [(start, end) for start, end in runs if active[start:end].sum() >= shortest * FRAMES_PER_SECOND]


def _cut(levels: np.ndarray, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    """Cut a region at its quietest points into parts of ``longest / 4`` to ``longest`` frames."""
    quiet = _moving_mean(levels[start:end], _frames(_QUIET))
    place = 0
    length = end - start
    while length - place > longest:
        # The part after the last cut must be neither too long nor too short.
        least = place + longest // 4
        if length - place <= 2 * longest:
            least = max(least, length - longest)
        most = min(place + longest, length - longest // 4)
        cut = least + int(np.argmin(quiet[least : most + 1]))
        yield start + place, start + cut
        place = cut
    yield start + place, end
