"""A recogniser without a model: numbers are said as levels, a tenth of a second each, and a pause is a zero.

It has what the server uses of a `Recogniser`, and answers in a way that a test can foretell.
"""

import dataclasses
import io
import threading
import time
from types import SimpleNamespace

import numpy as np
import soundfile

from speechtl.errors import ConfigError, DataError, LexiconError
from speechtl.g2p.new_words import parse_new_word
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.lexicon_file import Pronunciation
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.recognition.transcript import SpokenPhone, SpokenSegment, SpokenWord, Transcript

RATE = 8000
PHONES = PhoneInventory(["sil", "a", "b", "k", "s", "t"])
WORDS = {"one": "a b", "two": "a t", "three": "k a t", "four": "s a", "five": "b a s", "six": "t a k"}


def say(numbers):
    """Return ``(samples,)`` in [-1, 1]; the sign changes with every sample, since a constant would be taken out."""
    levels = np.repeat(np.asarray(numbers, np.float32) / 1000, RATE // 10)
    return levels * np.where(np.arange(len(levels)) % 2, -1, 1).astype(np.float32)


def as_bytes(samples):
    return (samples * 32768).round().astype("<i2").tobytes()


def wav(samples, rate=RATE):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, "PCM_16", format="WAV")
    return file.getvalue()


class Speller:
    """Guesses that a word is pronounced as it is written."""

    caution = ""

    def pronounce(self, word, n=3):
        if not all(letter in PHONES for letter in word):
            raise LexiconError(f"'{word}' cannot be pronounced by guess")
        return [Pronunciation(tuple(word))]


@dataclasses.dataclass
class Update:
    final: bool
    segment: SpokenSegment


class NumberRecogniser:
    languages = ("xx",)

    def __init__(self, delay=0.0, offset=0):
        self.delay, self.offset = delay, offset
        self.words = Lexicon()
        for word, phones in WORDS.items():
            self.words.add(word, phones.split())
        self.decoders = {"xx": SimpleNamespace(config=SimpleNamespace(silence_phone="sil"))}
        self.experiment = SimpleNamespace(
            features=SimpleNamespace(sample_rate=RATE),
            inventory=lambda language=None: PHONES,
        )
        self._busy = threading.Lock()

    def label(self, level):
        """A number's word: the last one that was added first, then the number, shifted for adapted models."""
        return str(level + self.offset)

    def segment(self, levels, start):
        words = tuple(
            SpokenWord(self.label(level), start + place / 10, start + (place + 1) / 10, 0.5, ("a", "b"))
            for place, level in enumerate(levels)
        )
        phones = tuple(SpokenPhone("a", word.start, word.end, 0.9) for word in words)
        return SpokenSegment(start, start + len(levels) / 10, words, phones, language="xx")

    def _segments(self, samples):
        levels = [round(1000 * abs(float(level))) for level in samples[RATE // 20 :: RATE // 10]]
        segments, current, begun = [], [], 0
        for place, level in enumerate([*levels, 0]):
            if level:
                begun = begun if current else place
                current.append(level)
            elif current:
                segments.append(self.segment(current, begun / 10))
                current = []
        return segments

    def transcribe(self, recording):
        # Two at once are what a real recogniser cannot bear.
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("two recordings at once")
        try:
            time.sleep(self.delay)
            segments = tuple(self._segments(recording.audio))
            return Transcript(recording.name, len(recording.audio) / recording.rate, segments)
        finally:
            self._busy.release()

    def phones(self, recording):
        return [SpokenPhone("sil", 0, 0.1), *(p for s in self._segments(recording.audio) for p in s.phones)]

    def pronounce(self, word, phones=None, *, language=None):
        if language not in (None, "xx"):
            raise LexiconError(f"language {language}")
        return parse_new_word(word if phones is None else f"{word}={phones}", Speller(), PHONES)

    def copy(self):
        other = NumberRecogniser(self.delay, self.offset)
        other.words.entries = dict(self.words.entries)
        return other

    def add_word(self, word, phones=None, *, language=None):
        if word == "refused":
            raise LexiconError("'refused' cannot be added")
        self.words.add(word, list(phones))
        # So that what is recognised says that the word is there.
        self.label = lambda level: word if level == len(word) else str(level + self.offset)

    def lexicon(self, language=None):
        lexicon = Lexicon()
        lexicon.entries = {word: self.words.entries[word] for word in WORDS}
        return lexicon

    def stream(self, rate=RATE, *, language=None):
        if language not in (None, "xx"):
            raise ConfigError(f"language {language}")
        if rate != RATE:
            raise DataError(f"numbers are said at {RATE} Hz")
        return NumberStream(self)


class NumberStream:
    def __init__(self, recogniser):
        self.recogniser = recogniser
        self._left = np.zeros(0, np.float32)
        self._levels, self._place, self._begun = [], 0, 0

    def feed(self, samples):
        if samples.dtype != np.float32 or samples.ndim != 1:
            raise TypeError(samples.dtype)
        time.sleep(self.recogniser.delay)
        samples = np.concatenate([self._left, samples])
        step = RATE // 10
        count = len(samples) // step
        self._left = samples[count * step :]
        updates = []
        for level in (round(1000 * abs(float(level))) for level in samples[step // 2 :: step][:count]):
            if level:
                self._begun = self._begun if self._levels else self._place
                self._levels.append(level)
                updates.append(Update(False, self.recogniser.segment(self._levels, self._begun / 10)))
            else:
                updates += self.finish()
            self._place += 1
        return updates

    def finish(self):
        if not self._levels:
            return []
        segment, self._levels = self.recogniser.segment(self._levels, self._begun / 10), []
        return [Update(True, segment)]
