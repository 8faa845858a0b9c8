"""Splice new utterances from phones of recorded ones, so that a model learns phones rather than words.

If the training data have few different words, each phone occurs in few contexts, and a model with a context of a second
learns the words instead. Pieces of one to a few phones in random order contain no words.
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
    """Settings of phone splicing.

    Attributes:
        longest_piece: maximum number of phones in a piece.
        phones: minimum and maximum number of phones in an utterance (the last one of a speaker may have fewer).
        copies: number of times that all speech is used; each time it is cut and shuffled differently.
        overlap: frames on each side of a cut that are cross-faded linearly, using what follows the one piece and
            precedes the other in their recordings. 0 concatenates the pieces without fading.
        pause: probability of a pause after a piece.
        seed: of all random choices.
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
    place: str | Path | None = None,
) -> DataDir:
    """Cut each speaker's features at phone boundaries and concatenate the pieces in random order.

    Pieces of different speakers are not mixed, so the statistics of each speaker are kept. The result has features but
    no audio: archives in ``out/feats``, and the tables.

    Args:
        data: a data directory with features.
        phones: utterance -> its phones with their times (`read_ctm` of the output of ``speechtl align``).
        config: settings.
        features: configuration of the features, for the times of frames.
        out: data directory to write.
        label: format of a phone in ``text``, for example ``"_{}"`` if a lexicon has words for phones.
        place: where the directory will be, if it is moved there when all of it is written.

    Returns:
        The new data directory.

    Raises:
        DataError: features are missing; no phone is usable; or the directory cannot be written.
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

    return write_joined(out, data, features, utterances(), place)


def _pieces(spoken: Spoken, config: SplicingConfig, rng: random.Random) -> Iterator[Piece]:
    """Yield the pieces of an utterance, without those that contain a phone of implausible duration."""
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
    """Yield lists of pieces: every piece once, with pauses at both ends and at random places."""

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
