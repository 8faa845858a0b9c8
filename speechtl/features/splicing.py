"""Make new utterances from pieces of others, so that a model cannot learn phones by the words they stand in.

Where training has few different words, each phone stands in few contexts, and a model that sees a second of speech at
a time learns the words instead. Pieces of one to a few phones in random order have no words in them.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from speechtl.config import Section
from speechtl.data.ctm import Timed
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, list_problems
from speechtl.features.archives import read_matrix, write_ark_scp
from speechtl.features.config import FeatureConfig

_LONGEST_PHONE = 0.35  # seconds; a longer one has a pause in it, or is at a wrong place
_SHORTEST_PHONE = 0.02
_SHORTEST_PAUSE = 0.06  # between two phones
_LONGEST_PAUSE = 0.3  # of one, as it is put between pieces
_PAUSE_MARGIN = 0.02  # cut from both ends of a pause, since boundaries are not exact


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


class _Piece(NamedTuple):
    """Some phones of an utterance.

    Attributes:
        features: ``(before + frames + behind, bins)``: with up to ``overlap`` frames more on both sides.
        before: frames in front of the first phone.
        behind: frames behind the last one.
        phones: what it says; nothing in a pause.
    """

    features: np.ndarray
    before: int
    behind: int
    phones: tuple[str, ...]


def splice(
    data: DataDir,
    phones: Mapping[str, Sequence[Timed]],
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
    pieces, pauses = _Cutter(data, phones, config, features).cut()
    out = Path(out)
    spliced = DataDir(out)
    archives = out.absolute() / "feats"
    rng = random.Random(f"{config.seed} order")
    shift = features.frame_shift / features.sample_rate
    with write_ark_scp(archives / "spliced.ark", archives / "spliced.scp") as write:
        for speaker, own in sorted(pieces.items()):
            rng.shuffle(own)
            for number, chosen in enumerate(_utterances(own, pauses.get(speaker, []), config, rng), 1):
                key = f"{speaker}-spliced{config.seed}-{number:04}"
                matrix = join(chosen)
                spliced.feats_scp[key] = write(key, matrix)
                spliced.text[key] = " ".join(label.format(phone) for piece in chosen for phone in piece.phones)
                spliced.utt2spk[key], spliced.utt2num_frames[key] = speaker, len(matrix)
                spliced.utt2dur[key] = round(len(matrix) * shift, 4)
    for table in ("cmvn_scp", "spk2gender"):
        entries = getattr(data, table)
        getattr(spliced, table).update({speaker: entries[speaker] for speaker in pieces if speaker in entries})
    spliced.save(out)
    return spliced


def join(pieces: Sequence[_Piece]) -> np.ndarray:
    """Put pieces end to end, faded into each other over the frames that they have beyond their ends.

    Returns:
        ``(frames, bins)`` float32, as many frames as the pieces have without what is beyond their ends.
    """
    sizes = [len(piece.features) - piece.before - piece.behind for piece in pieces]
    total = np.zeros((sum(sizes), pieces[0].features.shape[1]))
    weights = np.zeros((len(total), 1))
    place = 0
    for piece, size in zip(pieces, sizes, strict=True):
        # Ramps are symmetric about the cut, so two whole ones add up to 1; the division takes care of short ones.
        rise, fall = 2 * piece.before + 1, 2 * piece.behind + 1
        weight = np.minimum(
            np.minimum(np.arange(1, len(piece.features) + 1) / rise, 1),
            np.minimum(np.arange(len(piece.features), 0, -1) / fall, 1),
        )[:, np.newaxis]
        first, last = max(place - piece.before, 0), min(place + size + piece.behind, len(total))
        inside = slice(first - (place - piece.before), last - (place - piece.before))
        total[first:last] += (weight * piece.features)[inside]
        weights[first:last] += weight[inside]
        place += size
    return (total / weights).astype(np.float32)


class _Cutter:
    """Cuts the features of all utterances into pieces and pauses, by speaker."""

    def __init__(
        self, data: DataDir, phones: Mapping[str, Sequence[Timed]], config: SplicingConfig, features: FeatureConfig
    ):
        problems = [f"utterance '{key}' has no features" for key in phones if key not in data.feats_scp]
        if problems:
            raise DataError(list_problems(f"{data.path}: run speechtl features on it first", problems))
        self.data, self.phones, self.config = data, phones, config
        self.shift = features.frame_shift / features.sample_rate
        window = features.frame_length / features.sample_rate
        # A frame stands for one shift in the middle of its window.
        self.offset = (window - self.shift) / 2 if features.snip_edges else 0.0

    def cut(self) -> tuple[dict[str, list[_Piece]], dict[str, list[_Piece]]]:
        """Return speaker -> pieces and speaker -> pauses, both in the order of the recordings."""
        rng = random.Random(f"{self.config.seed} cuts")
        pieces: dict[str, list[_Piece]] = {}
        pauses: dict[str, list[_Piece]] = {}
        for key, timed in self.phones.items():
            matrix, speaker = read_matrix(self.data.feats_scp[key]), self.data.utt2spk[key]
            spans = [self._frames(one, len(matrix)) for one in timed]
            labels = [one.label for one in timed]
            for _ in range(self.config.copies):
                pieces.setdefault(speaker, []).extend(self._pieces(matrix, spans, labels, rng))
            pauses.setdefault(speaker, []).extend(self._pauses(matrix, spans))
        if not any(pieces.values()):
            heading = f"{self.data.path}: no phone to splice; each must last {_SHORTEST_PHONE} to {_LONGEST_PHONE} s"
            raise DataError(f"{heading} (got {sum(map(len, self.phones.values()))} phones)")
        return {speaker: own for speaker, own in pieces.items() if own}, pauses

    def _frames(self, timed: Timed, count: int) -> tuple[int, int]:
        """Return the first frame and the one behind the last."""
        first, last = (round((seconds - self.offset) / self.shift) for seconds in (timed.start, timed.end))
        return min(max(first, 0), count), min(max(last, 0), count)

    def _pieces(
        self, matrix: np.ndarray, spans: Sequence[tuple[int, int]], labels: Sequence[str], rng: random.Random
    ) -> list[_Piece]:
        usable = [_SHORTEST_PHONE <= (last - first) * self.shift + 1e-6 <= _LONGEST_PHONE for first, last in spans]
        pieces, here = [], 0
        while here < len(spans):
            there, size = here + 1, rng.randint(1, self.config.longest_piece)
            while there < len(spans) and there - here < size and spans[there][0] - spans[there - 1][1] <= 1:
                there += 1
            if all(usable[here:there]):
                pieces.append(self._piece(matrix, spans[here][0], spans[there - 1][1], tuple(labels[here:there])))
            here = there
        return pieces

    def _piece(self, matrix: np.ndarray, first: int, last: int, phones: tuple[str, ...]) -> _Piece:
        before, behind = min(self.config.overlap, first), min(self.config.overlap, len(matrix) - last)
        return _Piece(matrix[first - before : last + behind], before, behind, phones)

    def _pauses(self, matrix: np.ndarray, spans: Sequence[tuple[int, int]]) -> list[_Piece]:
        shortest, longest, margin = (
            round(seconds / self.shift) for seconds in (_SHORTEST_PAUSE, _LONGEST_PAUSE, _PAUSE_MARGIN)
        )
        ends, starts = [0, *(last for _, last in spans)], [*(first for first, _ in spans), len(matrix)]
        return [
            self._piece(matrix, last + margin, min(first - margin, last + margin + longest), ())
            for last, first in zip(ends, starts, strict=True)
            if first - last >= max(shortest, 2 * margin + 1)
        ]


def _utterances(pieces: Sequence[_Piece], pauses: Sequence[_Piece], config: SplicingConfig, rng: random.Random):
    """Yield lists of pieces: every piece once, pauses at both ends and here and there between."""

    def pause() -> list[_Piece]:
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
