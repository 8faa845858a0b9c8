"""Decode many utterances, one after the other or in several threads."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from speechtl.alignment.span import Hypothesis
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.errors import DataError
from speechtl.pieces import processors

# Utterances in flight per thread: enough that none waits, few enough that posteriors do not pile up.
_QUEUED = 8


def decode(
    posteriors: Iterable[tuple[str, np.ndarray]],
    decoder: LexiconDecoder | Callable[[str], LexiconDecoder],
    *,
    nbest: int = 1,
    times: bool = False,
    jobs: int | None = 1,
    problems: dict[str, str] | None = None,
) -> Iterator[tuple[str, list[Hypothesis]]]:
    """Decode utterances.

    Args:
        posteriors: utterance ids with natural logarithms ``(frames, units)``; read as far as needed.
        decoder: the decoder, or a function that chooses one for an utterance (by its language, for example).
        nbest: hypotheses for each utterance, at most.
        times: also fill the hypotheses' spans.
        jobs: threads, None for as many as there are processors. The search releases the GIL.
        problems: to which utterances are added that have posteriors of no model, with the reason; None raises it.

    Yields:
        The utterance's id and its hypotheses, best first (at least one), in the order of ``posteriors``.

    Raises:
        DataError: posteriors that the model cannot have computed; names the utterance.
    """

    def decode_one(utterance: str, matrix: np.ndarray) -> list[Hypothesis]:
        try:
            search = decoder if isinstance(decoder, LexiconDecoder) else decoder(utterance)
            return search.decode_nbest(matrix, nbest, times=times)
        except DataError as error:
            if problems is None:
                raise DataError(f"utterance {utterance}: {error}") from error
            problems[utterance] = str(error)
            return []

    jobs = jobs or processors()
    if jobs <= 1:
        for utterance, matrix in posteriors:
            if found := decode_one(utterance, matrix):
                yield utterance, found
        return
    posteriors = iter(posteriors)
    with ThreadPoolExecutor(jobs) as pool:
        queue: list[tuple[str, Future[list[Hypothesis]]]] = []
        while True:
            for utterance, matrix in itertools.islice(posteriors, jobs * _QUEUED - len(queue)):
                queue.append((utterance, pool.submit(decode_one, utterance, matrix)))
            if not queue:
                return
            utterance, result = queue.pop(0)
            if found := result.result():
                yield utterance, found
