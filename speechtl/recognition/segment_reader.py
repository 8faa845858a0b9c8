"""From a recording to its segments of speech, with normalised features."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from speechtl.audio.digital_silence import fill_digital_silence
from speechtl.audio.findings import Findings
from speechtl.audio.one_channel import OneChannel
from speechtl.audio.stream import resampled, stream_blocks
from speechtl.audio.voice_activity import SegmentationConfig, SpeechSegment, speech_segments
from speechtl.audio.waveform import FULL_SCALE, note_rate, read_waveform
from speechtl.data.datadir import Utterance
from speechtl.errors import DataError, SpeechtlError
from speechtl.experiment.speech_model import SpeechModel
from speechtl.features.cmvn import accumulate, add
from speechtl.features.signal_features import compute_many
from speechtl.recognition.transcript import Recording

# The statistics of the training speech weigh as much as this many seconds of the recording's own. Word error rate of
# AN4's dev speakers, one recording of 3 s at a time: 9.1 % with own statistics alone, 7.4 % with these (1 to 8 s are
# alike, 16 s 8.1 %); with all recordings of a speaker together 6.6 %, and 6.3 % with these.
_PRIOR_SECONDS = 4.0
# Recordings that are not segmented must fit into memory, with what the model computes from them.
_LONGEST_WHOLE = 600.0


@dataclasses.dataclass(frozen=True)
class Segment:
    """A stretch of speech of a recording.

    Attributes:
        recording: its name.
        start: seconds from the beginning of the recording.
        end: seconds.
        features: ``(frames, bins)``, normalised.
    """

    recording: str
    start: float
    end: float
    features: np.ndarray


class SegmentReader:
    """Cut recordings at pauses, and compute and normalise the features of what lies between.

    Where the model was normalised by speaker, a recording is taken as one speaker: the statistics are those of all its
    speech so far (of a short recording: of all its speech), plus some seconds' worth of the training speech if the
    experiment has kept its statistics. An experiment that was loaded with a speaker's layers begins with the statistics
    of the speech they were trained on.

    Args:
        experiment: the model.
        segmentation: how recordings are cut; None takes each as one segment, of ten minutes at most.
        one_speaker: all recordings are of one speaker, whose statistics grow from recording to recording.

    Attributes:
        findings: what was repaired in the recordings that were read, and what is remarkable about them.
    """

    def __init__(self, experiment: SpeechModel, segmentation: SegmentationConfig | None, one_speaker: bool):
        self.experiment, self.segmentation, self.one_speaker = experiment, segmentation, one_speaker
        self.findings = Findings()
        self._prior = training_statistics(experiment)
        self._known = [] if experiment.speaker_stats is None else [experiment.speaker_stats]
        self._stats: list[np.ndarray] = list(self._known)

    def read(self, recording: Recording, seconds: list[float]) -> Iterator[list[Segment]]:
        """Yield the segments of a recording, some minutes at a time.

        Args:
            recording: what to read.
            seconds: one number, to which the seconds that were read are added.

        Raises:
            DataError: the audio cannot be read to its end; raised after the segments of what could be read.
        """
        config = self.experiment.features
        rate = config.sample_rate
        problems: list[SpeechtlError] = []

        def counted(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
            try:
                for block in blocks:
                    seconds[0] += len(block) / rate
                    if self.segmentation is None and seconds[0] > _LONGEST_WHOLE:
                        raise DataError(
                            f"{recording.name}: longer than {_LONGEST_WHOLE:g} s, too long to be taken as one segment"
                        )
                    yield block
            except SpeechtlError as error:
                # What was read is transcribed before this is raised.
                problems.append(error)

        blocks = counted(_blocks(recording, rate, config.channel, self.findings))
        if self.segmentation is None:
            chunks = iter([[SpeechSegment(0, np.concatenate([np.zeros(0, np.float32), *blocks]))]])
        else:
            chunks = speech_segments(blocks, rate, self.segmentation)
        if not self.one_speaker:
            self._stats = list(self._known)
        for segments in chunks:
            signals = [
                fill_digital_silence(segment.samples, rate, recording.name, self.findings) for segment in segments
            ]
            features = self._normalise(compute_many(signals, config))
            yield [
                Segment(recording.name, segment.start / rate, (segment.start + len(segment.samples)) / rate, matrix)
                for segment, matrix in zip(segments, features, strict=True)
            ]
        if problems:
            raise problems[0]

    def _normalise(self, features: list[np.ndarray]) -> list[np.ndarray]:
        """Normalise segments of one recording, and remember their statistics."""
        normaliser = self.experiment.normaliser
        if normaliser.config.kind != "speaker" or not sum(map(len, features)):
            return [normaliser(matrix, None) for matrix in features]
        self._stats = [add([*self._stats, *map(accumulate, features)])]
        prior = [] if self._prior is None else [self._prior]
        stats = add([*self._stats, *prior])
        return [normaliser(matrix, stats) for matrix in features]


def training_statistics(experiment: SpeechModel) -> np.ndarray | None:
    """Return the statistics of the training speech as of a few seconds, where the experiment has kept them."""
    stats = experiment.directory.training_stats
    if stats is None:
        return None
    frames = _PRIOR_SECONDS * 1000 / experiment.features.frame_shift_ms
    return stats * (frames / stats[0, -1])


def _blocks(recording: Recording, sample_rate: int, channel: str | int, findings: Findings) -> Iterator[np.ndarray]:
    """Yield the audio of a recording at the model's rate, float32 ``(samples,)`` in the range of 16-bit integers."""
    channel = channel if recording.channel is None else recording.channel
    samples, rate, name = recording.audio, recording.rate, recording.name
    if isinstance(samples, Utterance):
        yield read_waveform(
            samples.audio,
            sample_rate,
            channel=channel,
            of_several=samples.channel if recording.channel is None else None,
            start=samples.start,
            end=samples.end,
            speed=samples.speed,
            findings=findings,
        )
        return
    if not isinstance(samples, np.ndarray):
        yield from stream_blocks(samples, sample_rate, channel=channel, raw_rate=rate, name=name, findings=findings)
        return
    if (
        samples.ndim > 2
        or not len(samples)
        or rate is None
        or not (samples.dtype.kind == "f" or samples.dtype == np.int16)
    ):
        raise DataError(
            f"{name}: cannot transcribe an array of shape {samples.shape} and type {samples.dtype} at {rate} Hz; give "
            "samples (x channels), floating-point in [-1, 1] or int16, and their rate"
        )
    scale = np.float32(1.0 if samples.dtype.kind == "f" else 1 / FULL_SCALE)
    note_rate(rate, sample_rate, name, findings)
    yield from resampled([samples.astype(np.float32) * scale], rate, sample_rate, OneChannel(channel, name, findings))
