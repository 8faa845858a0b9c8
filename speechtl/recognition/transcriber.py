"""The model, the decoder and what lies between them and a recording."""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import soxr
import tensorflow as tf

from speechtl.alignment.ctc import greedy_phones
from speechtl.alignment.span import Hypothesis, Span, in_seconds
from speechtl.audio.digital_silence import fill_digital_silence
from speechtl.audio.stream import stream_blocks
from speechtl.audio.voice_activity import SegmentationConfig, SpeechSegment, speech_segments
from speechtl.audio.waveform import FULL_SCALE, choose_channel
from speechtl.batches.padding import pad_features
from speechtl.batches.plan import plan_once
from speechtl.decoding.decode import decode
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.errors import DataError, SpeechtlError
from speechtl.experiment.experiment import Experiment
from speechtl.features.cmvn import accumulate, add
from speechtl.features.fbank import compute_many
from speechtl.models.weights import load_arrays
from speechtl.recognition.language_identifier import LanguageIdentifier
from speechtl.recognition.spoken_language import SpokenLanguage
from speechtl.recognition.transcript import Recording, SpokenSegment, SpokenWord, Transcript
from speechtl.training.evaluate import forward_function

# The statistics of the training speech weigh as much as this many seconds of the recording's own. Word error rate of
# AN4's dev speakers, one recording of 3 s at a time: 9.1 % with own statistics alone, 7.4 % with these (1 to 8 s are
# alike, 16 s 8.1 %); with all recordings of a speaker together 6.6 %, and 6.3 % with these.
_PRIOR_SECONDS = 4.0
DEFAULT_SEGMENTATION = SegmentationConfig()
# Recordings that are not segmented must fit into memory, with what the model computes from them.
_LONGEST_WHOLE = 600.0


@dataclasses.dataclass
class _Piece:
    """A segment on its way through the model."""

    name: str
    start: float
    end: float
    features: np.ndarray
    posteriors: np.ndarray
    language: SpokenLanguage


@dataclasses.dataclass
class _End:
    """The end of a recording among the pieces."""

    name: str
    seconds: float
    error: SpeechtlError | None


class Transcriber:
    """A trained model, and a decoder if words are wanted, ready for audio.

    Features are normalised as in training. Where that was by speaker, a recording is taken as one speaker: the
    statistics are those of all its speech (of a recording longer than five minutes: of all its speech so far), plus
    four seconds' worth of the training speech if the experiment has kept its statistics. Little speech of one's own
    makes poor statistics: give several recordings of one speaker together, with ``one_speaker``. An experiment that was
    loaded with a speaker's layers begins with the statistics of the speech they were trained on.

    Args:
        experiment: the model.
        decoder: finds words, or by language what finds its words; None for phones alone.
        language: which head; may be left out if there is only one, or if the model recognises languages: then that of
            each segment is recognised.
        segmentation: how recordings are cut; None takes each as one segment, of ten minutes at most.
        nbest: hypotheses for each segment, at most.
        one_speaker: all recordings are of one speaker, whose statistics grow from recording to recording.
        jobs: threads of the search.

    Raises:
        ModelError: the model lacks the language, or has several, none was named and it does not recognise them.
    """

    def __init__(
        self,
        experiment: Experiment,
        decoder: LexiconDecoder | Mapping[str, LexiconDecoder] | None = None,
        *,
        language: str | None = None,
        segmentation: SegmentationConfig | None = DEFAULT_SEGMENTATION,
        nbest: int = 1,
        one_speaker: bool = False,
        jobs: int = 1,
    ):
        self.experiment = experiment
        recognised = language is None and len(experiment.languages) > 1
        self.identifier = LanguageIdentifier(experiment) if recognised else None
        self._default = self.identifier.languages[0] if self.identifier else experiment.language(language)
        languages = self.identifier.languages if self.identifier else [self._default]
        self.segmentation, self.nbest, self.one_speaker, self.jobs = segmentation, nbest, one_speaker, jobs
        # One decoder is right for all languages only where they are one.
        self.decoders = dict.fromkeys(languages, decoder) if isinstance(decoder, LexiconDecoder) else decoder
        self._forward = {language: forward_function(experiment.model, language) for language in languages}
        self._inventories = {language: experiment.inventory(language) for language in languages}
        self._prior = _prior(experiment)
        self._known = [] if experiment.speaker_stats is None else [experiment.speaker_stats]
        self._stats: list[np.ndarray] = list(self._known)

    def transcribe(self, audio: str | Path | IO[bytes] | np.ndarray, rate: int | None = None) -> list[SpokenSegment]:
        """Transcribe one recording; see `Recording` for what it may be.

        Raises:
            DataError: the audio cannot be read.
        """
        name = str(audio) if isinstance(audio, (str, Path)) else "the audio"
        (transcript,) = self.transcribe_all([Recording(name, audio, rate)])
        if transcript.error is not None:
            raise transcript.error
        return list(transcript.segments)

    def transcribe_all(
        self, recordings: Iterable[Recording], advance: Callable[[float], object] = lambda seconds: None
    ) -> Iterator[Transcript]:
        """Transcribe recordings: segments of several pass through the model together.

        Args:
            recordings: read one after the other.
            advance: called with the seconds of audio that have been transcribed since the last call.

        Yields:
            A transcript for each recording, in order; one that cannot be read has its ``error`` and what could be read.
        """
        # What the search has been given and what lies between it, so that its results find their recordings.
        waiting: deque[_Piece | _End] = deque()
        segments: list[SpokenSegment] = []
        reported = 0.0

        languages: dict[str, str] = {}

        def pieces() -> Iterator[tuple[str, np.ndarray]]:
            for item in self._items(recordings):
                waiting.append(item)
                if isinstance(item, _Piece):
                    name = f"{item.name}, {item.start:.2f} to {item.end:.2f} s"
                    languages[name] = item.language.name
                    yield name, item.posteriors

        for _, hypotheses in self._search(pieces(), languages):
            while isinstance(item := waiting.popleft(), _End):
                advance(item.seconds - reported)
                yield Transcript(item.name, item.seconds, tuple(segments), item.error)
                segments, reported = [], 0.0
            segments.append(self._segment(item, hypotheses))
            advance(item.end - reported)
            reported = item.end
        for item in waiting:
            if isinstance(item, _End):
                advance(item.seconds - reported)
                yield Transcript(item.name, item.seconds, tuple(segments), item.error)
                segments, reported = [], 0.0

    def _search(
        self, pieces: Iterator[tuple[str, np.ndarray]], languages: Mapping[str, str]
    ) -> Iterator[tuple[str, list[Hypothesis]]]:
        if (decoders := self.decoders) is None:
            return ((name, [self._phones_alone(matrix, languages[name])]) for name, matrix in pieces)
        return decode(pieces, lambda name: decoders[languages[name]], nbest=self.nbest, times=True, jobs=self.jobs)

    def _phones_alone(self, posteriors: np.ndarray, language: str) -> Hypothesis:
        """Make a hypothesis of the best unit of every frame."""
        inventory = self._inventories[language]
        best = posteriors.argmax(axis=1)
        edges = np.flatnonzero(np.diff(best, prepend=-1, append=-1))
        spans = tuple(Span(inventory.phone(int(best[s])), int(s), int(e)) for s, e in pairwise(edges) if best[s])
        return Hypothesis((), tuple(greedy_phones(posteriors, inventory)), 0.0, phone_spans=spans)

    def _items(self, recordings: Iterable[Recording]) -> Iterator[_Piece | _End]:
        """Yield the pieces of all recordings with their posteriors, and the ends between them."""
        gathered: list[_Piece | _End] = []
        frames = 0
        for recording in recordings:
            seconds = [0.0]
            error = None
            try:
                for pieces in self._pieces(recording, seconds):
                    gathered += pieces
                    frames += sum(len(piece.features) for piece in pieces)
                    if frames >= self.experiment.config.batches.frames:
                        self._compute(gathered)
                        yield from gathered
                        gathered, frames = [], 0
            except SpeechtlError as caught:
                error = caught
            gathered.append(_End(recording.name, seconds[0], error))
        self._compute(gathered)
        yield from gathered

    def _compute(self, items: list[_Piece | _End]) -> None:
        """Compute the posteriors of pieces, those of one language and similar length together."""
        pieces = [item for item in items if isinstance(item, _Piece) and len(item.features)]
        if self.identifier is not None:
            spoken = self.identifier.recognise_all([piece.features for piece in pieces])
            for piece, language in zip(pieces, spoken, strict=True):
                piece.language = language
        for name, forward in self._forward.items():
            own = [piece for piece in pieces if piece.language.name == name]
            lengths = np.array([len(piece.features) for piece in own], np.int32)
            for batch in plan_once([lengths], self.experiment.config.batches):
                chosen = [own[index] for index in batch.utterances]
                padded, counts = pad_features([piece.features for piece in chosen], self.experiment.model.inputs)
                logits, valid = forward(tf.constant(padded), tf.constant(counts))
                scores = tf.nn.log_softmax(logits).numpy()
                for piece, row, length in zip(chosen, scores, valid.numpy(), strict=True):
                    piece.posteriors = row[:length]

    def _pieces(self, recording: Recording, seconds: list[float]) -> Iterator[list[_Piece]]:
        """Yield the segments of a recording with normalised features, some minutes at a time; count its seconds."""
        config = self.experiment.config.features
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
                # What was read is transcribed before this is told.
                problems.append(error)

        blocks = counted(_blocks(recording, rate, config.channel))
        if self.segmentation is None:
            chunks = iter([[SpeechSegment(0, np.concatenate([np.zeros(0, np.float32), *blocks]))]])
        else:
            chunks = speech_segments(blocks, rate, self.segmentation)
        if not self.one_speaker:
            self._stats = list(self._known)
        units = len(self._inventories[self._default]) + 1
        for segments in chunks:
            signals = [fill_digital_silence(segment.samples, rate) for segment in segments]
            features = self._normalise(compute_many(signals, config))
            yield [
                _Piece(
                    recording.name,
                    segment.start / rate,
                    (segment.start + len(segment.samples)) / rate,
                    matrix,
                    np.zeros((0, units), np.float32),
                    SpokenLanguage(self._default),
                )
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
        prior = []
        if self._prior is not None:
            frames = _PRIOR_SECONDS * 1000 / self.experiment.config.features.frame_shift_ms
            prior = [self._prior * (frames / self._prior[0, -1])]
        stats = add([*self._stats, *prior])
        return [normaliser(matrix, stats) for matrix in features]

    def _segment(self, piece: _Piece, hypotheses: list[Hypothesis]) -> SpokenSegment:
        """Put hypotheses into the time of the recording."""
        best = hypotheses[0]
        place = {"offset": piece.start, "duration": piece.end - piece.start}
        words = in_seconds(best.word_spans, self.experiment.frame_shift, **place)
        said = [
            tuple(phone.label for phone in best.phone_spans if word.start <= phone.start and phone.end <= word.end)
            for word in best.word_spans
        ]
        return SpokenSegment(
            start=piece.start,
            end=piece.end,
            words=tuple(
                SpokenWord(word.label, word.start, word.end, word.confidence, phones)
                for word, phones in zip(words, said, strict=True)
            ),
            phones=in_seconds(best.phone_spans, self.experiment.frame_shift, **place),
            score=best.score,
            alternatives=tuple((" ".join(other.words), other.score) for other in hypotheses[1:]),
            complete=best.complete,
            language=piece.language.name,
            language_probability=piece.language.probability,
        )


def _prior(experiment: Experiment) -> np.ndarray | None:
    """Return the statistics of the training speech, where the experiment has kept them."""
    path = experiment.directory.cmvn
    return load_arrays(path)[0]["global"] if path.is_file() else None


def _blocks(recording: Recording, rate: int, channel: str | int) -> Iterator[np.ndarray]:
    """Yield the audio of a recording at the model's rate, float32 ``(samples,)`` in the range of 16-bit integers."""
    if not isinstance(recording.audio, np.ndarray):
        yield from stream_blocks(recording.audio, rate, channel=channel, raw_rate=recording.rate, name=recording.name)
        return
    samples = recording.audio
    if (
        samples.ndim > 2
        or not len(samples)
        or recording.rate is None
        or not (samples.dtype.kind == "f" or samples.dtype == np.int16)
    ):
        raise DataError(
            f"{recording.name}: cannot transcribe an array of shape {samples.shape} and type {samples.dtype} at "
            f"{recording.rate} Hz; give samples (x channels), floating-point in [-1, 1] or int16, and their rate"
        )
    scale = FULL_SCALE if samples.dtype.kind == "f" else 1.0
    signal = choose_channel(samples.astype(np.float32) * scale, channel, recording.name)
    yield soxr.resample(signal, recording.rate, rate, quality="HQ") if recording.rate != rate else signal
