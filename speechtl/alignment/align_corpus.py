"""Forced alignment of a corpus: CTC first, then boundaries refined on the corpus itself."""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from speechtl.alignment.aligned_utterance import AlignedUtterance, CtcAlignedUtterance
from speechtl.alignment.config import AlignmentConfig
from speechtl.alignment.corpus import Corpus
from speechtl.alignment.corpus_refinement import refine_corpus
from speechtl.alignment.ctc_aligner import CtcAligned, CtcAligner
from speechtl.errors import DataError, list_problems
from speechtl.progress import progress_bar

WORTH_REFINING = 60.0
"""Seconds of speech from which on refined boundaries are better than coarse ones."""


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

    def align(aligner: CtcAligner) -> Iterable[CtcAligned]:
        return aligner((corpus.spoken(utterance), matrix) for utterance, matrix in posteriors)

    return align_corpus_by(align, corpus, config)


def align_corpus_by(
    align: Callable[[CtcAligner], Iterable[CtcAligned]], corpus: Corpus, config: AlignmentConfig | None = None
) -> CorpusAlignment:
    """Align the transcripts of a corpus with its speech, as `align_corpus` does.

    Args:
        align: applies the aligner that it is given to all utterances that have features.
        corpus: see `align_corpus`.
        config: how.

    Raises:
        DataError: see `align_corpus`.
    """
    config, data = config or AlignmentConfig(), corpus.data
    if not data.text:
        raise DataError(f"{data.path}/text: missing; alignment needs transcripts")
    corpus = corpus.with_lexicon_of_transcripts()
    found: dict[str, CtcAlignedUtterance] = {}
    problems: dict[str, str] = {}
    with progress_bar("aligning", len(data)) as advance:
        for one in align(CtcAligner(corpus.lexicon, corpus.inventory, corpus.clock, config)):
            if one.found is None:
                problems[one.utterance] = one.problem
            else:
                found[one.utterance] = one.found
            advance()
    for utterance in data.utterance_ids:
        if utterance not in data.feats_scp:
            problems[utterance] = f"has no features; run speechtl features {data.path} --model MODEL"
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
