"""Which utterances of a speaker are learned from and tested on, in a study."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from speechtl.data.datadir import DataDir


@dataclasses.dataclass(frozen=True)
class Draw:
    """One choice of utterances: the speaker, which part is the test, and what is trained on."""

    speaker: str
    part: int
    count: int
    learn: tuple[int, ...]
    test: tuple[int, ...]
    seed: int = 1

    @property
    def key(self) -> tuple[str, int, int, int]:
        """What distinguishes draws."""
        return self.speaker, self.part, self.count, self.seed


def draws(data: DataDir, ids: Sequence[str], counts: Sequence[int], folds: int, seed: int = 1) -> list[Draw]:
    """Choose utterances, the same for every system.

    The utterances of a smaller count are among those of a larger one. They come in random order, but those with a word
    that has not come yet before the others: who is asked for ten recordings is not asked to say one word twice.
    A count that a speaker does not reach is left out; 0 is all that there are.
    """
    place = {name: index for index, name in enumerate(ids)}
    chosen = []
    for number, (speaker, names) in enumerate(data.spk2utt.items()):
        own = np.array([place[name] for name in names if name in place])
        if len(own) < 2:
            continue
        # Seed 1 draws what was drawn when there were no seeds.
        rng = np.random.default_rng((6 + seed, number))
        own = rng.permutation(own)
        parts = min(folds, len(own))
        for part in range(parts):
            test = own[part::parts]
            rest = _new_words_first(rng.permutation(np.setdiff1d(own, test)), [data.text[name] for name in ids])
            for count in counts:
                if count <= len(rest):
                    learn = tuple(rest[: count or len(rest)])
                    chosen.append(Draw(speaker, part, count, learn, tuple(int(index) for index in test), seed))
    return chosen


def _new_words_first(order: np.ndarray, texts: Sequence[str]) -> list[int]:
    first: list[int] = []
    later: list[int] = []
    come: set[str] = set()
    for index in order:
        words = set(texts[index].split())
        (later if words <= come else first).append(int(index))
        come |= words
    return first + later
