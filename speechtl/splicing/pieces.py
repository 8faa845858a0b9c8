"""Pieces of utterances, cut at phone boundaries, and utterances concatenated from them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechtl.data.ctm import TimedLabel, write_ctm
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, list_problems
from speechtl.features.archives import read_matrix, write_ark_scp
from speechtl.features.config import FeatureConfig
from speechtl.features.frame_clock import FrameClock
from speechtl.features.parts import Stored, write_journal

_LONGEST_PHONE = 0.35  # seconds; a longer one contains a pause or is misaligned
_SHORTEST_PHONE = 0.02
_SHORTEST_PAUSE = 0.06  # between two phones
_LONGEST_PAUSE = 0.3  # of a pause that is inserted between pieces
_PAUSE_MARGIN = 0.02  # removed from both ends of a pause, since boundaries are not exact


class Piece(NamedTuple):
    """Some phones of an utterance, or a pause.

    Attributes:
        features: ``(before + frames + after, bins)``: with additional frames on both sides for cross-fading.
        before: frames before the first phone.
        after: frames after the last phone.
        phones: its phones; empty for a pause.
        starts: first frame of each phone; the first phone starts at 0.
    """

    features: np.ndarray
    before: int
    after: int
    phones: tuple[str, ...]
    starts: tuple[int, ...]

    @property
    def frames(self) -> int:
        """Frames between the beginning of the first phone and the end of the last."""
        return len(self.features) - self.before - self.after


class Spoken(NamedTuple):
    """An utterance to cut pieces from.

    Attributes:
        speaker: its speaker.
        features: ``(frames, bins)``.
        phones: in order.
        spans: first frame and end (exclusive) of each phone.
        usable: whether each phone has a plausible duration.
        joined: for each phone but the last, whether the next one follows without a pause.
    """

    speaker: str
    features: np.ndarray
    phones: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    usable: tuple[bool, ...]
    joined: tuple[bool, ...]

    def cut(self, first: int, last: int, overlap: int) -> Piece:
        """Return the phones ``first`` to ``last`` (exclusive), with up to ``overlap`` more frames on both sides."""
        return self._piece(self.spans[first][0], self.spans[last - 1][1], overlap, first, last)

    def pauses(self, shift: float, overlap: int) -> list[Piece]:
        """Return the pauses before, between and after the phones; ``shift`` is the frame shift in seconds."""
        shortest, longest, margin = (
            round(seconds / shift) for seconds in (_SHORTEST_PAUSE, _LONGEST_PAUSE, _PAUSE_MARGIN)
        )
        ends = [0, *(last for _, last in self.spans)]
        starts = [*(first for first, _ in self.spans), len(self.features)]
        return [
            self._piece(last + margin, min(first - margin, last + margin + longest), overlap, 0, 0)
            for last, first in zip(ends, starts, strict=True)
            if first - last >= max(shortest, 2 * margin + 1)
        ]

    def _piece(self, start: int, end: int, overlap: int, first: int, last: int) -> Piece:
        before, after = min(overlap, start), min(overlap, len(self.features) - end)
        starts = tuple(place - start for place, _ in self.spans[first:last])
        return Piece(self.features[start - before : end + after], before, after, self.phones[first:last], starts)


def read_spoken(data: DataDir, phones: Mapping[str, Sequence[TimedLabel]], features: FeatureConfig) -> list[Spoken]:
    """Read the features of all utterances with given phones.

    Args:
        data: a data directory with features.
        phones: utterance -> its phones with their times.
        features: configuration of the features, for the times of frames.

    Raises:
        DataError: utterances without features (all are listed), no usable phone, or features that cannot be spliced.
    """
    if features.kind == "waveform":
        raise DataError(
            f"{data.path}: has frames of samples, and those of different pieces do not continue each other; splice "
            'features of kind "fbank", "mfcc" or "whisper"'
        )
    problems = [f"utterance '{key}' has no features" for key in phones if key not in data.feats_scp]
    if problems:
        raise DataError(list_problems(f"{data.path}: run speechtl features on it first", problems))
    clock = FrameClock.of(features)
    spoken = []
    for key, timed in phones.items():
        matrix = read_matrix(data.feats_scp[key])
        spans = np.array(clock.spans(timed, len(matrix))).reshape(-1, 2)
        seconds = (spans[:, 1] - spans[:, 0]) * clock.shift
        usable = (seconds > _SHORTEST_PHONE - clock.shift / 2) & (seconds < _LONGEST_PHONE + clock.shift / 2)
        joined = spans[1:, 0] - spans[:-1, 1] <= 1
        spoken.append(
            Spoken(
                data.utt2spk[key],
                matrix,
                tuple(one.label for one in timed),
                tuple((int(first), int(last)) for first, last in spans),
                tuple(usable.tolist()),
                tuple(joined.tolist()),
            )
        )
    if not any(any(one.usable) for one in spoken):
        heading = f"{data.path}: no phone to splice; each must last {_SHORTEST_PHONE} to {_LONGEST_PHONE} s"
        raise DataError(f"{heading} (got {sum(map(len, phones.values()))} phones)")
    return spoken


def join(pieces: Sequence[Piece]) -> np.ndarray:
    """Concatenate pieces, cross-faded over their additional frames.

    Returns:
        ``(frames, bins)`` float32, as many frames as all pieces without their additional frames.
    """
    sizes = [piece.frames for piece in pieces]
    total = np.zeros((sum(sizes), pieces[0].features.shape[1]))
    weights = np.zeros((len(total), 1))
    place = 0
    for piece, size in zip(pieces, sizes, strict=True):
        # Ramps are symmetric about the cut, so two complete ones add up to 1; the division corrects for shorter ones.
        rise, fall = 2 * piece.before + 1, 2 * piece.after + 1
        weight = np.minimum(
            np.minimum(np.arange(1, len(piece.features) + 1) / rise, 1),
            np.minimum(np.arange(len(piece.features), 0, -1) / fall, 1),
        )[:, np.newaxis]
        first, last = max(place - piece.before, 0), min(place + size + piece.after, len(total))
        inside = slice(first - (place - piece.before), last - (place - piece.before))
        total[first:last] += (weight * piece.features)[inside]
        weights[first:last] += weight[inside]
        place += size
    return (total / weights).astype(np.float32)


def write_joined(
    out: str | Path,
    data: DataDir,
    features: FeatureConfig,
    utterances: Iterable[tuple[str, str, str, Sequence[Piece]]],
    place: str | Path | None = None,
) -> DataDir:
    """Write a data directory of spliced utterances: archives in ``out/feats``, tables and ``phones.ctm``; no audio.

    Args:
        out: the directory.
        data: the origin of the pieces, with the statistics and gender of each speaker.
        features: configuration of the features.
        utterances: ``(id, speaker, transcript, pieces)`` of each.
        place: where the directory will be, if it is moved there when all of it is written.

    Raises:
        DataError: it cannot be written.
    """
    joined, archives = DataDir(Path(out)), Path(out).absolute() / "feats"
    final = (Path(out) if place is None else Path(place)).absolute() / "feats"
    clock = FrameClock.of(features)
    timed: dict[str, list[TimedLabel]] = {}
    stored: dict[str, Stored] = {}
    # Named like an archive of computed features, so that its configuration is recorded in the same way.
    stem = archives / "spliced.000001-joined"
    with write_ark_scp(Path(f"{stem}.ark"), Path(f"{stem}.scp"), final) as write:
        for key, speaker, text, pieces in utterances:
            matrix = join(pieces)
            joined.feats_scp[key], joined.utt2num_frames[key] = write(key, matrix), len(matrix)
            joined.utt2spk[key], joined.text[key] = speaker, text
            joined.utt2dur[key] = round(len(matrix) * clock.shift, 4)
            stored[key] = Stored(joined.feats_scp[key], "", len(matrix), joined.utt2dur[key], False, "")
            timed[key] = [
                TimedLabel(label, clock.seconds(first), clock.seconds(last)) for label, first, last in _placed(pieces)
            ]
    write_journal(stem, 1, features, stored)
    speakers = set(joined.utt2spk.values())
    for table in ("cmvn_scp", "spk2gender"):
        entries = getattr(data, table)
        getattr(joined, table).update({speaker: value for speaker, value in entries.items() if speaker in speakers})
    joined.save(out)
    write_ctm(joined.path / "phones.ctm", timed)
    return joined


def _placed(pieces: Sequence[Piece]) -> Iterator[tuple[str, int, int]]:
    """Yield every phone of concatenated pieces with its first frame and end (exclusive)."""
    place = 0
    for piece in pieces:
        ends = [*piece.starts[1:], piece.frames]
        for phone, first, last in zip(piece.phones, piece.starts, ends, strict=False):
            yield phone, place + first, place + last
        place += piece.frames
