"""The model, the decoder and what lies between them and a recording."""

import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from speechtl.alignment.span import Hypothesis
from speechtl.audio.voice_activity import SegmentationConfig
from speechtl.batches.padding import pad_features
from speechtl.batches.plan import plan_once
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.decode import decode
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.decoding.phone_recognition import recognise_phones
from speechtl.errors import SpeechtlError
from speechtl.experiment.speech_model import SpeechModel
from speechtl.recognition.language_identifier import LanguageIdentifier
from speechtl.recognition.segment_reader import Segment, SegmentReader
from speechtl.recognition.spoken_language import SpokenLanguage
from speechtl.recognition.spoken_segment import spoken_segment
from speechtl.recognition.transcript import Recording, SpokenSegment, Transcript

_logger = logging.getLogger(__name__)
DEFAULT_SEGMENTATION = SegmentationConfig()


@dataclasses.dataclass
class _Piece:
    """A segment on its way through the model."""

    segment: Segment
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

    Features are normalised as `SegmentReader` says: little speech of one's own makes poor statistics, so give several
    recordings of one speaker together, with ``one_speaker``.

    Args:
        experiment: the model.
        decoder: finds words, or by language what finds its words; None for phones alone.
        language: which head; may be left out if there is only one, or if the model recognises languages: then that of
            each segment is recognised.
        segmentation: how recordings are cut; None takes each as one segment, of ten minutes at most.
        nbest: hypotheses for each segment, at most; of phones alone, phones listed at each place.
        config: settings of the search for phones alone; words have those of their decoder.
        one_speaker: all recordings are of one speaker, whose statistics grow from recording to recording.
        jobs: threads of the search; None for as many as there are processors.

    Raises:
        ModelError: the model lacks the language, or has several, none was named and it does not recognise them.
    """

    def __init__(
        self,
        experiment: SpeechModel,
        decoder: LexiconDecoder | Mapping[str, LexiconDecoder] | None = None,
        *,
        language: str | None = None,
        segmentation: SegmentationConfig | None = DEFAULT_SEGMENTATION,
        nbest: int = 1,
        config: DecodingConfig | None = None,
        one_speaker: bool = False,
        jobs: int | None = 1,
    ):
        self.experiment = experiment
        recognised = language is None and len(experiment.languages) > 1
        self.identifier = LanguageIdentifier(experiment) if recognised else None
        self._default = self.identifier.languages[0] if self.identifier else experiment.language(language)
        languages = self.identifier.languages if self.identifier else [self._default]
        self.nbest, self.jobs, self.config = nbest, jobs, config
        self._reader = SegmentReader(experiment, segmentation, one_speaker)
        # One decoder is right for all languages only where they are one.
        self.decoders: Mapping[str, LexiconDecoder] = {}
        if isinstance(decoder, LexiconDecoder):
            self.decoders = dict.fromkeys(languages, decoder)
        elif decoder is not None:
            self.decoders = decoder
        self._inventories = {language: experiment.inventory(language) for language in languages}

    def transcribe_all(
        self,
        recordings: Iterable[Recording],
        advance: Callable[[float], object] = lambda seconds: None,
        *,
        phones_alone: bool = False,
    ) -> Iterator[Transcript]:
        """Transcribe recordings: segments of several pass through the model together.

        Args:
            recordings: read one after the other.
            advance: called with the seconds of audio that have been transcribed since the last call.
            phones_alone: look for no words.

        Yields:
            A transcript for each recording, in order; one that cannot be read has its ``error`` and what could be read.
        """
        # What the search has been given and what lies between it, so that its results find their recordings.
        waiting: deque[_Piece | _End] = deque()
        segments: list[SpokenSegment] = []
        reported = 0.0

        languages: dict[str, str] = {}
        decoders = {} if phones_alone else self.decoders

        def pieces() -> Iterator[tuple[str, np.ndarray]]:
            for item in self._items(recordings):
                waiting.append(item)
                if isinstance(item, _Piece):
                    segment = item.segment
                    name = f"{segment.recording}, {segment.start:.2f} to {segment.end:.2f} s"
                    languages[name] = item.language.name
                    yield name, item.posteriors

        for _, hypotheses in self._search(pieces(), languages, decoders):
            while isinstance(item := waiting.popleft(), _End):
                advance(item.seconds - reported)
                yield Transcript(item.name, item.seconds, tuple(segments), item.error, not decoders)
                segments, reported = [], 0.0
            segment, shift = item.segment, self.experiment.frame_shift
            segments.append(spoken_segment(segment.start, segment.end, hypotheses, shift, item.language))
            advance(item.segment.end - reported)
            reported = item.segment.end
        for item in waiting:
            if isinstance(item, _End):
                advance(item.seconds - reported)
                yield Transcript(item.name, item.seconds, tuple(segments), item.error, not decoders)
                segments, reported = [], 0.0
        self._reader.findings.log(_logger)

    def _search(
        self,
        pieces: Iterator[tuple[str, np.ndarray]],
        languages: Mapping[str, str],
        decoders: Mapping[str, LexiconDecoder],
    ) -> Iterator[tuple[str, list[Hypothesis]]]:
        if not decoders:
            return ((name, [self._phones_alone(matrix, languages[name])]) for name, matrix in pieces)
        return decode(pieces, lambda name: decoders[languages[name]], nbest=self.nbest, times=True, jobs=self.jobs)

    def _phones_alone(self, posteriors: np.ndarray, language: str) -> Hypothesis:
        return recognise_phones(posteriors, self._inventories[language], self.config, nbest=self.nbest)

    def _items(self, recordings: Iterable[Recording]) -> Iterator[_Piece | _End]:
        """Yield the pieces of all recordings with their posteriors, and the ends between them."""
        gathered: list[_Piece | _End] = []
        frames = group = 0
        for recording in recordings:
            if recording.group != group:
                self._compute(gathered)
                yield from gathered
                gathered, frames, group = [], 0, recording.group
            seconds = [0.0]
            error = None
            try:
                for segments in self._reader.read(recording, seconds):
                    gathered += [self._piece(segment) for segment in segments]
                    frames += sum(len(segment.features) for segment in segments)
                    if frames >= self.experiment.batches.frames:
                        self._compute(gathered)
                        yield from gathered
                        gathered, frames = [], 0
            except SpeechtlError as caught:
                error = caught
            gathered.append(_End(recording.name, seconds[0], error))
        self._compute(gathered)
        yield from gathered

    def _piece(self, segment: Segment) -> _Piece:
        units = len(self._inventories[self._default]) + 1
        return _Piece(segment, np.zeros((0, units), np.float32), SpokenLanguage(self._default))

    def _compute(self, items: list[_Piece | _End]) -> None:
        """Compute the posteriors of pieces, those of one language and similar length together."""
        pieces = [item for item in items if isinstance(item, _Piece) and len(item.segment.features)]
        if self.identifier is not None:
            spoken = self.identifier.recognise_all([piece.segment.features for piece in pieces])
            for piece, language in zip(pieces, spoken, strict=True):
                piece.language = language
        for name in self._inventories:
            own = [piece for piece in pieces if piece.language.name == name]
            lengths = np.array([len(piece.segment.features) for piece in own], np.int32)
            for batch in plan_once([lengths], self.experiment.batches):
                chosen = [own[index] for index in batch.utterances]
                matrices = [piece.segment.features for piece in chosen]
                padded = pad_features(matrices, self.experiment.features.dimension)
                for piece, posteriors in zip(chosen, self.experiment.batch_posteriors(*padded, name), strict=True):
                    piece.posteriors = posteriors
