"""Decode batches of utterances, in any process: here, or on the worker of a cluster."""

import dataclasses
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from speechtl.alignment.span import Hypothesis
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.decode import decode
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.decoding.phone_recognition import recognise_phones
from speechtl.decoding.phone_runs import find_phones
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.recognition.posteriors import Posteriors, SpokenBatch
from speechtl.recognition.vocabulary import Vocabulary


class DecodedUtterance(NamedTuple):
    """What was found in an utterance.

    Attributes:
        id: its name.
        problem: why nothing was found, and what is wrong; or "".
        frames: of its posteriors.
        phones: without a lexicon, with spaces between them.
        hypotheses: the words, best first; empty where none were looked for.
        alone: where no words were looked for, its phones in time.
        posteriors: ``(frames, units)``, where they are to be kept.
    """

    id: str
    problem: str = ""
    frames: int = 0
    phones: str = ""
    hypotheses: tuple[Hypothesis, ...] = ()
    alone: Hypothesis | None = None
    posteriors: np.ndarray | None = None


@dataclasses.dataclass
class BatchDecoder:
    """Decodes batches; pickled, it leaves out what is quickly made again from files.

    Attributes:
        source: of the posteriors.
        inventories: phones by language.
        lexicons: words by language, in its phones; empty where phones alone are looked for.
        vocabulary: names the language model or grammar.
        config: of the search.
        nbest: hypotheses for each utterance, at most.
        times: also find the times of words and phones.
        jobs: threads of the search; elsewhere 1.
        keep: also return the posteriors.
    """

    source: Posteriors
    inventories: dict[str, PhoneInventory]
    lexicons: dict[str, Lexicon]
    vocabulary: Vocabulary
    config: DecodingConfig
    nbest: int = 1
    times: bool = True
    jobs: int | None = 1
    keep: bool = False

    @cached_property
    def rules(self) -> NgramModel | WordGraph | None:
        """The language model or grammar."""
        return self.vocabulary.read_rules(next(iter(self.lexicons.values()))) if self.lexicons else None

    @cached_property
    def decoders(self) -> dict[str, LexiconDecoder]:
        """What finds words, by language."""
        return {
            name: LexiconDecoder(words, self.inventories[name], self.rules, self.config)
            for name, words in self.lexicons.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("rules", "decoders")} | {"jobs": 1}

    def __call__(self, batches: Iterable[SpokenBatch]) -> Iterator[DecodedUtterance]:
        """Yield what is found in each utterance, in order; those that cannot be decoded when they are noticed."""
        problems: dict[str, str] = {}
        waiting: dict[str, tuple[DecodedUtterance, str]] = {}

        def matrices() -> Iterator[tuple[str, np.ndarray]]:
            for batch in batches:
                inventory = self.inventories[batch.language]
                for name, matrix in self.source.read(batch, len(inventory) + 1, problems):
                    alone = None if self.decoders else recognise_phones(matrix, inventory, self.config)
                    if alone is None:
                        # All settings but this one are those of the search for words.
                        phones = find_phones(matrix, inventory, self.config.phone_decision)
                    else:
                        phones = list(alone.phones)
                    kept = matrix if self.keep else None
                    found = DecodedUtterance(name, "", len(matrix), " ".join(phones), (), alone, kept)
                    waiting[name] = found, batch.language
                    yield name, matrix

        def decoder_of(utterance: str) -> LexiconDecoder:
            return self.decoders[waiting[utterance][1]]

        if self.decoders:
            some = decode(matrices(), decoder_of, nbest=self.nbest, times=self.times, jobs=self.jobs, problems=problems)
            for name, best in some:
                yield waiting.pop(name)[0]._replace(hypotheses=tuple(best))
                yield from _told(problems)
        else:
            for name, _ in matrices():
                yield waiting.pop(name)[0]
                yield from _told(problems)
        yield from _told(problems)


def _told(problems: dict[str, str]) -> Iterator[DecodedUtterance]:
    while problems:
        yield DecodedUtterance(*problems.popitem())
