"""Streams of one model, which share what is found out about it."""

import threading
from collections.abc import Mapping

import numpy as np

from speechtl.audio.voice_activity import SegmentationConfig
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.decoding.phone_recognition import PhoneSearch
from speechtl.errors import ConfigError
from speechtl.experiment.speech_model import SpeechModel
from speechtl.features.signal_features import compute_many
from speechtl.recognition.segment_reader import training_statistics
from speechtl.recognition.stream import SegmentSearch, Stream, StreamSettings
from speechtl.recognition.streamed_posteriors import StreamedModel, Windows


class StreamFactory:
    """Opens streams.

    Args:
        experiment: the model.
        decoders: by language, what finds words, with those that are added later; phones alone where there is none.
        segmentation: when segments begin and end.
        config: settings of the search for phones alone.
        nbest: hypotheses for each segment, at most.
        windows: by language, the windows of the model as far as they are known; found ones are added.
    """

    def __init__(
        self,
        experiment: SpeechModel,
        decoders: Mapping[str, LexiconDecoder],
        segmentation: SegmentationConfig,
        config: DecodingConfig,
        nbest: int,
        windows: dict[str, Windows],
    ):
        self.experiment, self.decoders, self.segmentation = experiment, decoders, segmentation
        self.config, self.nbest, self._windows = config, nbest, windows
        self._asking = threading.Lock()

    def open(self, rate: int, language: str) -> Stream:
        """Open a stream.

        Args:
            rate: Hz, of its samples.
            language: that is spoken.

        Raises:
            ConfigError: no such rate.
        """
        if rate < 1:
            raise ConfigError(f"a stream of {rate} samples per second; give its rate in Hz")
        experiment, features = self.experiment, self.experiment.features

        def posteriors(matrix: np.ndarray) -> np.ndarray:
            return experiment.posteriors(matrix, language)

        def begin() -> SegmentSearch:
            decoder = self.decoders.get(language)
            if decoder is not None:
                return decoder.begin(self.nbest, times=True)
            return PhoneSearch(experiment.inventory(language), self.config, nbest=self.nbest)

        model = StreamedModel(
            features,
            lambda signals: compute_many(signals, features),
            experiment.normaliser.config.kind,
            experiment.normaliser,
            posteriors,
            experiment.subsampling,
        )
        with self._asking:
            if language not in self._windows:
                self._windows[language] = model.windows()
        prior = training_statistics(experiment)
        settings = StreamSettings(self.segmentation, language, begin, experiment.speaker_stats, prior)
        return Stream(model, self._windows[language], settings, rate)
