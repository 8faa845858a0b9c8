"""Decode many utterances, in this process or in several."""

import itertools
import multiprocessing
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import kaldifst
import numpy as np

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.graph import Graph
from speechtl.decoding.hypothesis import Hypothesis
from speechtl.decoding.lexicon_search import LexiconDecoder
from speechtl.errors import DataError
from speechtl.lang.phones import PhoneInventory

# Utterances in flight for each process: enough that none waits, few enough that posteriors do not pile up.
_QUEUED = 8


def decode(
    posteriors: Iterable[tuple[str, np.ndarray]], decoder: LexiconDecoder, *, nbest: int = 1, jobs: int = 1
) -> Iterator[tuple[str, list[Hypothesis]]]:
    """Decode utterances.

    Args:
        posteriors: utterance ids with natural logarithms ``(frames, units)``; read as far as needed.
        decoder: the search.
        nbest: hypotheses for each utterance, at most.
        jobs: processes. The search holds Python's lock, so threads would not help.

    Yields:
        The utterance's id and its hypotheses, best first (at least one), in the order of ``posteriors``.

    Raises:
        DataError: posteriors that the model cannot have computed; names the utterance.
    """
    if jobs <= 1:
        for utterance, matrix in posteriors:
            yield utterance, _decode_one(decoder, utterance, matrix, nbest)
        return
    posteriors = iter(posteriors)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.fst"
        graph = decoder.graph
        if not graph.fst.write(str(path)):
            raise DataError(f"{path}: cannot write the search graph; free some space or set TMPDIR to another folder")
        shared = (str(path), graph.words, decoder.inventory, decoder.config, nbest)
        # Not fork: TensorFlow's threads do not survive it.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context, _start_process, shared) as pool:
            queue: list[tuple[str, Future[list[Hypothesis]]]] = []
            while True:
                for utterance, matrix in itertools.islice(posteriors, jobs * _QUEUED - len(queue)):
                    queue.append((utterance, pool.submit(_decode_in_process, utterance, matrix)))
                if not queue:
                    return
                utterance, result = queue.pop(0)
                yield utterance, result.result()


def _decode_one(decoder: LexiconDecoder, utterance: str, matrix: np.ndarray, nbest: int) -> list[Hypothesis]:
    try:
        return decoder.decode_nbest(matrix, nbest)
    except DataError as error:
        raise DataError(f"utterance {utterance}: {error}") from error


_process: tuple[LexiconDecoder, int] | None = None


def _start_process(
    path: str, words: tuple[str, ...], inventory: PhoneInventory, config: DecodingConfig, nbest: int
) -> None:
    global _process
    graph = Graph(kaldifst.StdConstFst.read(path), words, (), ())
    _process = LexiconDecoder.of_graph(graph, inventory, config), nbest


def _decode_in_process(utterance: str, matrix: np.ndarray) -> list[Hypothesis]:
    if _process is None:
        raise RuntimeError("the process was not started with a decoder")
    decoder, nbest = _process
    return _decode_one(decoder, utterance, matrix, nbest)
