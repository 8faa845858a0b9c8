"""Forced alignment of a corpus: CTC first, then boundaries refined on the corpus itself."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from speechtl.alignment.aligned_utterance import AlignedUtterance, CtcAlignedUtterance
from speechtl.alignment.config import AlignmentConfig
from speechtl.alignment.corpus import Corpus
from speechtl.alignment.corpus_refinement import refine_corpus
from speechtl.alignment.words import Pauses, WordAlignment, align_phones, align_words
from speechtl.errors import DataError, LexiconError, list_problems
from speechtl.progress import progress_bar

WORTH_REFINING = 60.0
"""Seconds of speech from which on refined boundaries are better than coarse ones."""

_QUEUED = 16  # utterances in flight per thread


@dataclasses.dataclass(frozen=True)
class CorpusAlignment:
    """An aligned corpus.

    Attributes:
        utterances: by id.
        problems: of each utterance that could not be aligned, the reason.
        has_words: False where the transcripts are phones.
        refined: whether boundaries were refined.
    """

    utterances: dict[str, AlignedUtterance]
    problems: dict[str, str]
    has_words: bool
    refined: bool

    @property
    def seconds(self) -> float:
        """Duration of the aligned utterances."""
        return sum(one.duration for one in self.utterances.values())


def align_corpus(
    corpus: Corpus, posteriors: Iterable[tuple[str, np.ndarray]], config: AlignmentConfig | None = None
) -> CorpusAlignment:
    """Align the transcripts of a corpus with its speech.

    Args:
        corpus: with transcripts; phones of its lexicon that the model lacks are replaced by the nearest.
        posteriors: utterance ids with natural logarithms ``(frames, units)``, read as far as needed.
        config: how.

    Raises:
        DataError: there are no transcripts, or no utterance could be aligned (all reasons are listed).
    """
    config, data = config or AlignmentConfig(), corpus.data
    if not data.text:
        raise DataError(f"{data.path}/text: missing; alignment needs transcripts")
    corpus = corpus.with_lexicon_of_transcripts()
    found, problems = _align_ctc(corpus, posteriors, config)
    for utterance in data.utterance_ids:
        if utterance not in data.feats_scp:
            problems[utterance] = f"has no features; run speechtl features {data.path}"
    problems = dict(sorted(problems.items()))
    if not found:
        listed = [f"{utterance}: {problem}" for utterance, problem in problems.items()]
        raise DataError(list_problems(f"{data.path}: no utterance could be aligned", listed))
    seconds = sum(one.duration for one in found.values())
    refined = config.refine == "always" or (config.refine == "auto" and seconds >= WORTH_REFINING)
    if refined:
        aligned = refine_corpus(corpus, found, config)
    else:
        aligned = {utterance: one.coarse(corpus.clock) for utterance, one in found.items()}
    return CorpusAlignment(aligned, problems, corpus.lexicon is not None, refined)


def _align_ctc(
    corpus: Corpus, posteriors: Iterable[tuple[str, np.ndarray]], config: AlignmentConfig
) -> tuple[dict[str, CtcAlignedUtterance], dict[str, str]]:
    """Return the alignment of each utterance, and of the others what is wrong with them."""
    clock = corpus.clock
    pauses = config.pauses or Pauses.of(clock.shift * clock.subsampling)

    def align(matrix: np.ndarray, words: Sequence[str]) -> WordAlignment:
        if not words:
            raise DataError("has no transcript; add one to text, or drop the utterance")
        if corpus.lexicon is None:
            return align_phones(matrix, words, corpus.inventory, pauses=pauses)
        return align_words(
            matrix, words, corpus.lexicon, corpus.inventory, silence_phone=config.silence_phone, pauses=pauses
        )

    def submit(pool: ThreadPoolExecutor) -> Iterator[tuple[str, int, "Future[WordAlignment]"]]:
        """Keep all threads busy without reading all posteriors into memory."""
        waiting: list[tuple[str, int, Future[WordAlignment]]] = []
        for key, matrix in posteriors:
            words = corpus.data.text.get(key, "").split()
            waiting.append((key, len(matrix), pool.submit(align, matrix, words)))
            if len(waiting) >= config.jobs * _QUEUED:
                yield waiting.pop(0)
        yield from waiting

    found: dict[str, CtcAlignedUtterance] = {}
    problems: dict[str, str] = {}
    with ThreadPoolExecutor(config.jobs) as pool, progress_bar("aligning", len(corpus.data)) as advance:
        for utterance, frames, result in submit(pool):
            try:
                found[utterance] = CtcAlignedUtterance(result.result(), frames, corpus.duration(utterance, frames))
            except (DataError, LexiconError) as error:
                problems[utterance] = str(error)
            advance()
    return found, problems
