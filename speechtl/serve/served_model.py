"""The model that is served: a recogniser that many sessions share, and what loads it for a speaker."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from speechtl.recognition.recogniser import Recogniser
    from speechtl.recognition.stream import Stream
    from speechtl.recognition.transcript import Recording, SpokenPhone, Transcript


class Listener:
    """A recogniser that several threads may ask: whole recordings one after the other, streams side by side.

    Args:
        recogniser: to share. Its words stay as they are.
    """

    def __init__(self, recogniser: "Recogniser"):
        self.recogniser = recogniser
        # A recogniser reads whole recordings one at a time: it keeps the statistics of the one it is in.
        self._turn = threading.Lock()
        self._guessing = threading.Lock()

    def transcribe(self, recording: "Recording") -> "Transcript":
        """Transcribe a recording; see `Recogniser.transcribe`."""
        with self._turn:
            return self.recogniser.transcribe(recording)

    def phones(self, recording: "Recording") -> "list[SpokenPhone]":
        """Return the phones of a recording; see `Recogniser.phones`."""
        with self._turn:
            return self.recogniser.phones(recording)

    def stream(self, rate: int, language: str | None = None) -> "Stream":
        """Return a stream of its own state; see `Recogniser.stream`."""
        return self.recogniser.stream(rate=rate, language=language)

    def pronounce(self, word: str, phones: str | None, language: str | None) -> tuple[list[tuple[str, ...]], list[str]]:
        """Return pronunciations of a word in phones of the model, best first, and notes on them.

        Raises:
            LexiconError, ConfigError: see `Recogniser.add_word`.
        """
        # Guessing first trains a grapheme-to-phoneme model, once: with a large lexicon for minutes.
        with self._guessing:
            new = self.recogniser.pronounce(word, phones, language=language)
        return [option.phones for option in new.pronunciations], new.notes

    def with_words(self, words: "Sequence[Word]") -> "Listener":
        """Return a listener of the same model that also knows these words.

        Raises:
            LexiconError: a word has one of these pronunciations already, or the grammar does not allow it.
        """
        if not words:
            return self
        recogniser = self.recogniser.copy()
        for word in words:
            known = recogniser.lexicon(word.language).entries.get(word.text, ())
            for phones in word.pronunciations:
                # A model that was adapted with a word has it.
                if phones not in [option.phones for option in known]:
                    recogniser.add_word(word.text, phones, language=word.language)
        return Listener(recogniser)


class Word:
    """A word that a session has added.

    Attributes:
        text: as it is written.
        language: of the model's, or None for the only one.
        pronunciations: in phones of the model, best first.
        notes: that they are guessed, which phones were replaced.
    """

    def __init__(self, text: str, language: str | None, pronunciations: list[tuple[str, ...]], notes: list[str]):
        self.text, self.language, self.pronunciations, self.notes = text, language, pronunciations, notes

    def as_json(self) -> dict[str, Any]:
        """Return what the interface shows."""
        said = [" ".join(phones) for phones in self.pronunciations]
        return {"word": self.text, "language": self.language, "pronunciations": said, "notes": self.notes}


class ServedModel:
    """What is served.

    Args:
        model: as it was named: an experiment directory, an exported file, or a model of the package.
        load: loads a model with everything the server was started with: ``load(model, speaker)``.
        source: returns the experiment directory of the model, which may have to be made first; None where the model is
            an exported file.
        adaptation: what of that `speechtl.adapt` takes as well, by its name there.

    Attributes:
        name: of the model, for people.
        listener: of the model as it is.

    Raises:
        SpeechtlError: the model cannot be loaded.
    """

    def __init__(
        self,
        model: str,
        load: "Callable[[str, Path | None], Recogniser]",
        source: Callable[[], Path] | None = None,
        adaptation: Mapping[str, Any] | None = None,
    ):
        self.model, self.source, self._load = model, source, load
        self.adaptation = dict(adaptation or {})
        self.name = Path(model).name
        self.listener = Listener(load(model, None))

    def warm_up(self) -> None:
        """Recognise a moment of noise, so that the first visitor does not wait until everything is compiled."""
        from speechtl.recognition.transcript import Recording

        rate = self.rate
        samples = np.random.default_rng(0).normal(0, 0.001, 3 * rate).astype(np.float32)
        samples[rate : 2 * rate] *= 100
        self.listener.transcribe(Recording("noise", samples, rate))
        stream = self.listener.stream(rate, self.languages[0])
        stream.feed(samples)
        stream.finish()

    @property
    def languages(self) -> list[str]:
        """Languages that may be spoken."""
        return list(self.listener.recogniser.languages)

    @property
    def finds_words(self) -> bool:
        """Whether there is a lexicon; without one, phones are found until words are added."""
        return bool(self.listener.recogniser.decoders)

    @property
    def why_not_adaptable(self) -> str:
        """Why the model cannot be adapted to a speaker; empty if it can."""
        if self.source is None:
            return (
                "The model is an exported file: it recognises speech, and cannot be trained further. Start the server "
                "with the experiment directory that it was exported from."
            )
        if not self.finds_words:
            return "The model has no words, so there are no sentences to read. Start the server with --lexicon."
        return ""

    @property
    def rate(self) -> int:
        """Sample rate of the model's features, Hz."""
        return self.listener.recogniser.experiment.features.sample_rate

    @property
    def silence(self) -> str:
        """The phone that is silence, whether or not the model has it."""
        decoders = self.listener.recogniser.decoders.values()
        return next((decoder.config.silence_phone for decoder in decoders), "sil")

    def phones(self, language: str) -> list[str]:
        """Return the phones of a language, silence left out."""
        inventory = self.listener.recogniser.experiment.inventory(language)
        return [phone for phone in inventory.phones if phone != self.silence]

    def pronunciations(self, language: str) -> dict[str, list[tuple[str, ...]]]:
        """Return the words of a language with their pronunciations."""
        entries = self.listener.recogniser.lexicon(language).entries
        return {word: [option.phones for option in options] for word, options in entries.items()}

    def adapted(self, folder: Path, *, stored_alone: bool) -> Listener:
        """Load what `speechtl.adapt` wrote into a folder: a speaker's layers, or a model.

        Raises:
            SpeechtlError: it cannot be loaded.
        """
        if stored_alone:
            return Listener(self._load(self.model, folder))
        return Listener(self._load(str(folder), None))


def samples_of(block: bytes) -> np.ndarray:
    """Return 16-bit little-endian samples as float32 ``(samples,)`` in [-1, 1]."""
    return np.frombuffer(block, "<i2").astype(np.float32) / 32768
