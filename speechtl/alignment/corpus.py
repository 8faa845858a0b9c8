"""Align all utterances of a corpus: CTC first, then boundaries sharpened on the corpus itself."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from speechtl.alignment.boundary_refinement import (
    SILENCE,
    BoundaryRefinement,
    Chain,
    RefinementConfig,
    boundary_features,
    cepstra_of_log_mel,
)
from speechtl.alignment.words import Pauses, WordAlignment, align_phones, align_words
from speechtl.data.ctm import TimedLabel
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, LexiconError
from speechtl.features.archives import read_matrix
from speechtl.features.cmvn import accumulate, add, apply
from speechtl.features.config import FeatureConfig
from speechtl.features.frame_clock import FrameClock
from speechtl.features.parts import check_features
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phones import PhoneInventory

WORTH_REFINING = 60.0
"""Seconds of speech from which on `refine` makes boundaries better than `coarse` ones."""

# Training on more speech than this (5 hours at 10 ms) takes longer and changes no boundary.
_TRAINING_FRAMES = 1_800_000
_QUEUED = 16  # utterances in flight for each thread


@dataclasses.dataclass(frozen=True)
class AlignedUtterance:
    """The words and phones of one utterance; what lies between them is silence.

    Attributes:
        words: in order.
        phones: in order; they tile their words.
        score: sum of the log posteriors on the CTC path.
        frames: frames of posteriors.
        refined: whether the boundaries are those of the refinement.
    """

    words: tuple[TimedLabel, ...]
    phones: tuple[TimedLabel, ...]
    score: float
    frames: int
    refined: bool


def align_corpus(
    posteriors: Iterable[tuple[str, np.ndarray]],
    texts: Mapping[str, Sequence[str]],
    inventory: PhoneInventory,
    lexicon: Lexicon | None,
    *,
    silence_phone: str = "sil",
    pauses: Pauses | None = None,
    jobs: int = 1,
    advance: Callable[..., None] = lambda step=1, status="": None,
) -> tuple[dict[str, tuple[WordAlignment, int]], dict[str, str]]:
    """Align utterances with the posteriors of a model.

    Args:
        posteriors: utterance ids with natural logarithms ``(frames, units)``; read as far as needed.
        texts: the words of each utterance, or its phones if there is no lexicon.
        inventory: the phones of the units.
        lexicon: pronunciations of the words.
        silence_phone: see `align_words`.
        pauses: when blanks are silence.
        jobs: threads.
        advance: called after each utterance.

    Returns:
        The alignment of each utterance and its frames of posteriors; and for the others, what is wrong with them.
    """

    def align(matrix: np.ndarray, words: Sequence[str]) -> WordAlignment:
        if not words:
            raise DataError("has no transcript; add one to text, or drop the utterance")
        if lexicon is None:
            return align_phones(matrix, words, inventory, pauses=pauses)
        return align_words(matrix, words, lexicon, inventory, silence_phone=silence_phone, pauses=pauses)

    found: dict[str, tuple[WordAlignment, int]] = {}
    problems: dict[str, str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for utterance, frames, result in _in_flight(
            pool, ((key, len(matrix), (align, matrix, texts.get(key, ()))) for key, matrix in posteriors), jobs
        ):
            try:
                found[utterance] = result.result(), frames
            except (DataError, LexiconError) as error:
                problems[utterance] = str(error)
            advance()
    return found, problems


def _in_flight(
    pool: ThreadPoolExecutor, tasks: Iterable[tuple[str, int, tuple]], jobs: int
) -> Iterator[tuple[str, int, "Future[WordAlignment]"]]:
    """Keep all threads busy without reading all posteriors into memory."""
    waiting: list[tuple[str, int, Future[WordAlignment]]] = []
    for key, frames, (function, *arguments) in tasks:
        waiting.append((key, frames, pool.submit(function, *arguments)))
        if len(waiting) >= jobs * _QUEUED:
            yield waiting.pop(0)
    yield from waiting


def coarse(alignment: WordAlignment, frames: int, clock: FrameClock, duration: float) -> AlignedUtterance:
    """Return an alignment in seconds, as precise as the frames of the posteriors."""
    spans = alignment.phones
    starts = np.array([clock.seconds(clock.boundary(span.start)) for span in spans])
    ends = np.array([clock.seconds(clock.boundary(span.end)) for span in spans])
    return _aligned(alignment, frames, starts, ends, duration, False)


def refine(
    data: DataDir,
    alignments: Mapping[str, tuple[WordAlignment, int]],
    inventory: PhoneInventory,
    features: FeatureConfig,
    clock: FrameClock,
    durations: Mapping[str, float],
    *,
    silence_phone: str = "sil",
    phones_only: bool = False,
    config: RefinementConfig | None = None,
    jobs: int = 1,
    advance: Callable[..., None] = lambda step=1, status="": None,
) -> dict[str, AlignedUtterance]:
    """Train models of the phones on a corpus, and take the boundaries from them.

    Args:
        data: the corpus, with features.
        alignments: of its utterances, by `align_corpus`.
        inventory: all phones.
        features: what the features of ``data`` were computed with.
        clock: how frames are seconds.
        durations: seconds of each utterance.
        silence_phone: a phone of the transcripts that is silence.
        phones_only: transcripts are phones: pauses are only where the first alignment found them.
        config: shape and training of the models.
        jobs: threads.
        advance: called `refinement_steps` times.

    Returns:
        The alignments in seconds. One that the models cannot improve (more phones than time) is as `coarse` has it.

    Raises:
        DataError: the features of ``data`` were computed with others than ``features``.
    """
    check_features(data, features)
    config = config or RefinementConfig()
    keys = sorted(alignments)
    speakers: dict[str, list[np.ndarray]] = {}
    for key in keys:
        speakers.setdefault(data.utt2spk[key], []).append(accumulate(_cepstra(data.feats_scp[key], features)))
    stats = {speaker: add(parts) for speaker, parts in speakers.items()}

    def chain_of(key: str) -> Chain:
        cepstra = apply(_cepstra(data.feats_scp[key], features), stats[data.utt2spk[key]])
        return _chain(alignments[key][0], cepstra, inventory, clock, silence_phone, phones_only)

    # A random part of a large corpus, the same in every run.
    chosen: dict[str, Chain] = {}
    frames = 0
    for key in np.random.default_rng(0).permutation(keys).tolist():
        if frames > _TRAINING_FRAMES:
            break
        chosen[key] = chain_of(key)
        frames += len(chosen[key].features)
    dimension = next(iter(chosen.values())).features.shape[1]
    models = BoundaryRefinement(len(inventory), dimension, config)
    models.train(list(chosen.values()), jobs=jobs, advance=advance)

    def align(key: str) -> AlignedUtterance:
        chain = chosen.get(key) or chain_of(key)
        found = models.align(chain)
        alignment, length = alignments[key]
        if found is None:
            return coarse(alignment, length, clock, durations[key])
        starts, ends = (clock.seconds(places) for places in found)
        return _aligned(alignment, length, starts, ends, durations[key], True)

    with ThreadPoolExecutor(jobs) as pool:
        return dict(zip(keys, pool.map(align, keys), strict=True))


def _cepstra(place: str, features: FeatureConfig) -> np.ndarray:
    matrix = read_matrix(place)
    # Energy, where it is used, stands in front of the bins.
    return matrix if features.kind == "mfcc" else cepstra_of_log_mel(matrix[:, -features.num_mel_bins :])


def _chain(
    alignment: WordAlignment,
    cepstra: np.ndarray,
    inventory: PhoneInventory,
    clock: FrameClock,
    silence_phone: str,
    phones_only: bool,
) -> Chain:
    spans, frames = alignment.phones, len(cepstra)
    starts, ends = (
        np.clip([round(clock.boundary(place)) for place in places], 0, frames).astype(np.int64)
        for places in ([span.start for span in spans], [span.end for span in spans])
    )
    may_pause = np.ones(len(spans) + 1, bool)
    if phones_only:
        may_pause[1:-1] = starts[1:] > ends[:-1]
    else:
        may_pause[1:-1] = np.diff(alignment.word_of_phone) != 0
    phones = [SILENCE if span.label == silence_phone else inventory.index(span.label) for span in spans]
    return Chain(boundary_features(cepstra), np.array(phones), starts, ends, may_pause)


def _aligned(
    alignment: WordAlignment, frames: int, starts: np.ndarray, ends: np.ndarray, duration: float, refined: bool
) -> AlignedUtterance:
    first, last = np.clip(starts, 0, duration).tolist(), np.clip(ends, 0, duration).tolist()
    phones = tuple(
        TimedLabel(span.label, start, end, span.confidence)
        for span, start, end in zip(alignment.phones, first, last, strict=True)
    )
    words = []
    for number, span in enumerate(alignment.words):
        mine = [place for place, word in enumerate(alignment.word_of_phone) if word == number]
        words.append(TimedLabel(span.label, first[mine[0]], last[mine[-1]], span.confidence))
    return AlignedUtterance(tuple(words), phones, alignment.score, frames, refined)
