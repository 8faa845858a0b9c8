"""Make new utterances from pieces of others, so that a model cannot learn phones by the words they stand in.

Where training has few different words, each phone stands in few contexts, and a model that sees a second of speech at
a time learns the words instead. Pieces of one to a few phones in random order have no words in them.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from speechtl.config import Section
from speechtl.data.ctm import TimedLabel
from speechtl.data.datadir import DataDir
from speechtl.features.config import FeatureConfig
from speechtl.splicing.pieces import Piece, Spoken, read_spoken, write_joined


class SplicingConfig(Section):
    """How speech is cut and put together.

    Attributes:
        longest_piece: phones of a piece, at most.
        phones: fewest and most phones of an utterance (the last one of a speaker may have fewer).
        copies: times that every piece is used; each time it is cut and mixed anew.
        overlap: frames on each side of a cut that are faded from one piece into the next; what follows the one piece
            and precedes the other in their recordings is mixed there, linearly. 0 puts them end to end.
        pause: how often a pause follows a piece.
        seed: of all choices.
    """

    longest_piece: int = Field(default=2, gt=0)
    phones: tuple[int, int] = (4, 24)
    copies: int = Field(default=1, gt=0)
    overlap: int = Field(default=1, ge=0)
    pause: float = Field(default=0.15, ge=0, le=1)
    seed: int = 1


def splice(
    data: DataDir,
    phones: Mapping[str, Sequence[TimedLabel]],
    config: SplicingConfig,
    features: FeatureConfig,
    out: str | Path,
    *,
    label: str = "{}",
) -> DataDir:
    """Cut each speaker's features at phone boundaries and put the pieces together in random order.

    A speaker's pieces stay among themselves, and so do the statistics of the speaker. What is written has features and
    no audio: archives in ``out/feats``, and the tables.

    Args:
        data: with features.
        phones: utterance to its phones in time (``read_ctm`` of what ``speechtl align`` wrote).
        config: how to do it.
        features: what the features were computed with, for the time of a frame.
        out: the data directory to write.
        label: how a phone stands in ``text``, ``"_{}"`` for instance where a lexicon has words for phones.

    Returns:
        The new data directory.

    Raises:
        DataError: no features, or phones of utterances without; no phone can be used; nothing can be written.
    """
    cuts, order = random.Random(f"{config.seed} cuts"), random.Random(f"{config.seed} order")
    shift = features.frame_shift / features.sample_rate
    pieces: dict[str, list[Piece]] = {}
    pauses: dict[str, list[Piece]] = {}
    for spoken in read_spoken(data, phones, features):
        for _ in range(config.copies):
            pieces.setdefault(spoken.speaker, []).extend(_pieces(spoken, config, cuts))
        pauses.setdefault(spoken.speaker, []).extend(spoken.pauses(shift, config.overlap))

    def utterances() -> Iterator[tuple[str, str, str, Sequence[Piece]]]:
        for speaker, own in sorted(pieces.items()):
            order.shuffle(own)
            for number, chosen in enumerate(_utterances(own, pauses[speaker], config, order), 1):
                said = " ".join(label.format(phone) for piece in chosen for phone in piece.phones)
                yield f"{speaker}-spliced{config.seed}-{number:04}", speaker, said, chosen

    return write_joined(out, data, features, utterances())


def _pieces(spoken: Spoken, config: SplicingConfig, rng: random.Random) -> Iterator[Piece]:
    """Yield an utterance in pieces, without those that have a phone of the wrong length."""
    here = 0
    while here < len(spoken.phones):
        there, size = here + 1, rng.randint(1, config.longest_piece)
        while there < len(spoken.phones) and there - here < size and spoken.joined[there - 1]:
            there += 1
        if all(spoken.usable[here:there]):
            yield spoken.cut(here, there, config.overlap)
        here = there


def _utterances(
    pieces: Sequence[Piece], pauses: Sequence[Piece], config: SplicingConfig, rng: random.Random
) -> Iterator[list[Piece]]:
    """Yield lists of pieces: every piece once, pauses at both ends and here and there between."""

    def pause() -> list[Piece]:
        return [rng.choice(pauses)] if pauses else []

    wanted = list(pieces)
    while wanted:
        target, said = rng.randint(*config.phones), 0
        chosen = pause()
        while wanted and said < target:
            chosen.append(wanted.pop())
            said += len(chosen[-1].phones)
            if rng.random() < config.pause:
                chosen += pause()
        yield chosen + pause()
