"""Search for the words of a lexicon that explain the posteriors of an utterance best."""

from pathlib import Path

import kaldi_decoder
import kaldifst
import numpy as np

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.graph import Graph, compile_graph
from speechtl.decoding.greedy import merge_repeats
from speechtl.decoding.hypothesis import Hypothesis
from speechtl.errors import DataError
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.ngram import NgramModel
from speechtl.lang.phones import PhoneInventory


class LexiconDecoder:
    """Words from CTC posteriors, through a pronunciation lexicon and a word grammar.

    The graph is compiled once, here; ``decode`` may then be called for any number of utterances. The search is a
    Viterbi beam search (token passing, frame by frame): with a wide beam it finds the best path exactly.

    Args:
        lexicon: the words and their pronunciations, any lexicon.
        inventory: the phones of the model's units 1, 2, ...
        grammar: a back-off n-gram model, the path of its ARPA file, or None: any word may follow any word.
        config: weights, penalties and beams.

    Attributes:
        graph: the compiled graph.
        inventory: the phones.
        config: the settings.

    Raises:
        LexiconError: see ``compile_graph``.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        inventory: PhoneInventory,
        grammar: NgramModel | str | Path | None = None,
        config: DecodingConfig | None = None,
    ):
        config = config or DecodingConfig()
        if isinstance(grammar, (str, Path)):
            grammar = NgramModel.read_arpa(grammar)
        self._take(compile_graph(lexicon, inventory, grammar, config), inventory, config)

    @classmethod
    def of_graph(cls, graph: Graph, inventory: PhoneInventory, config: DecodingConfig) -> "LexiconDecoder":
        """Make a decoder of a graph that was compiled before, with a config of equal weights and penalties."""
        decoder = cls.__new__(cls)
        decoder._take(graph, inventory, config)
        return decoder

    def _take(self, graph: Graph, inventory: PhoneInventory, config: DecodingConfig) -> None:
        self.graph, self.inventory, self.config = graph, inventory, config

    @property
    def unknown_words(self) -> tuple[str, ...]:
        """Words of the lexicon that the grammar lacks and that share its ``<unk>``."""
        return self.graph.unknown

    @property
    def unreachable_words(self) -> tuple[str, ...]:
        """Words of the lexicon that cannot be found: the grammar lacks them and has no ``<unk>``."""
        return self.graph.unreachable

    def decode(self, log_posteriors: np.ndarray) -> Hypothesis:
        """Find the best word sequence.

        Args:
            log_posteriors: natural logarithms ``(frames, units)``, unit 0 the blank.

        Returns:
            The best hypothesis; without frames, the empty one. Where no word ends in the last frame within the beam,
            the best beginning, marked as not ``complete``.

        Raises:
            DataError: the posteriors do not have the model's units, or are not numbers.
        """
        scores = self._scores(log_posteriors)
        if not len(scores):
            return Hypothesis((), (), 0.0)
        options = kaldi_decoder.FasterDecoderOptions(
            beam=self.config.beam,
            max_active=self.config.max_active,
            min_active=min(self.config.min_active, self.config.max_active - 1),
        )
        search = kaldi_decoder.FasterDecoder(self.graph.fst, options)
        search.decode(kaldi_decoder.DecodableCtc(scores))
        complete = search.reached_final()
        found, lattice = search.get_best_path()
        if not found:
            return Hypothesis((), (), -np.inf, complete=False)
        _, labels, words, weight = kaldifst.get_linear_symbol_sequence(lattice)
        return self._hypothesis(scores, labels, words, weight.value1, complete)

    def decode_nbest(self, log_posteriors: np.ndarray, count: int) -> list[Hypothesis]:
        """Find up to ``count`` different word sequences, best first, each with its best alignment.

        Slower than ``decode``, and with memory for all that is within ``lattice_beam``.

        Args:
            log_posteriors: natural logarithms ``(frames, units)``, unit 0 the blank.
            count: at least 1.

        Returns:
            At least one hypothesis, that of ``decode``; scores of the others are exact to about 0.001.

        Raises:
            DataError: the posteriors do not have the model's units, or are not numbers.
        """
        best = self.decode(log_posteriors)
        scores = self._scores(log_posteriors)
        if count == 1 or not len(scores):
            return [best]
        # This search has no limits of number, so it runs away where posteriors are flat; the best is known already.
        options = kaldi_decoder.LatticeSimpleDecoderConfig(
            beam=min(self.config.beam, self.config.lattice_beam), lattice_beam=self.config.lattice_beam
        )
        search = kaldi_decoder.LatticeSimpleDecoder(self.graph.fst, options)
        if not search.decode(kaldi_decoder.DecodableCtc(scores)):
            return [best]
        paths, sentences = _paths_and_sentences(search.get_raw_lattice()[1])
        # Many alignments say the same words: made deterministic, every word sequence is there once, with its best cost.
        kaldifst.determinize_star(sentences)
        hypotheses = {best.words: best}
        for sentence in kaldifst.convert_nbest_to_vector(kaldifst.shortest_path(sentences, n=count)):
            # Its words alone: their costs are those of the paths.
            sentence = kaldifst.make_linear_acceptor(kaldifst.get_linear_symbol_sequence(sentence)[1])
            path = kaldifst.shortest_path(kaldifst.compose(paths, sentence))
            _, labels, words, cost = kaldifst.get_linear_symbol_sequence(path)
            acoustic_cost = -self._acoustic(scores, labels)
            found = self._hypothesis(scores, labels, words, cost.value - acoustic_cost, True)
            hypotheses.setdefault(found.words, found)
        return sorted(hypotheses.values(), key=lambda hypothesis: (not hypothesis.complete, -hypothesis.score))[:count]

    def _scores(self, log_posteriors: np.ndarray) -> np.ndarray:
        """Check the posteriors and apply scale and blank penalty: ``(frames, units)`` float32."""
        units = len(self.inventory) + 1
        scores = np.array(log_posteriors, dtype=np.float32, order="C")
        if scores.size == 0:
            return np.zeros((0, units), np.float32)
        if scores.ndim != 2 or scores.shape[1] != units:
            shape = " x ".join(map(str, scores.shape))
            raise DataError(
                f"posteriors of shape {shape}, expected frames x {units} (the blank and {units - 1} phones); "
                "take posteriors and phones from the same model"
            )
        if np.isnan(scores).any() or np.isposinf(scores).any():
            raise DataError("posteriors are NaN or inf in places; the model that computed them is broken")
        scores[:, 0] -= self.config.blank_penalty
        scores *= self.config.acoustic_scale
        return scores

    def _hypothesis(
        self, scores: np.ndarray, labels: list[int], words: list[int], graph_cost: float, complete: bool
    ) -> Hypothesis:
        """Make a hypothesis of the labels of all frames and the words of a path."""
        acoustic = self._acoustic(scores, labels)
        return Hypothesis(
            words=tuple(self.graph.words[word] for word in words),
            phones=tuple(self.inventory.decode(merge_repeats(np.array(labels, dtype=np.int64) - 1))),
            score=acoustic - graph_cost,
            acoustic_score=acoustic,
            graph_score=-graph_cost,
            complete=complete,
        )

    @staticmethod
    def _acoustic(scores: np.ndarray, labels: list[int]) -> float:
        """Sum the scores of a path. One that was cut short has fewer labels than there are frames."""
        return float(scores[np.arange(len(labels)), np.array(labels, dtype=np.int64) - 1].sum(dtype=np.float64))


def _paths_and_sentences(lattice: kaldifst.Lattice) -> tuple[kaldifst.StdVectorFst, kaldifst.StdVectorFst]:
    """Turn a lattice into a transducer from labels to words (sorted by word) and an acceptor of its words."""
    paths, sentences = [], []
    # Python sees a lattice as text alone, with six digits of each cost.
    for line in str(lattice).splitlines():
        fields = line.split()
        labels = fields[2:4] if len(fields) >= 4 else []
        ends = fields[: 2 if labels else 1]
        weight = fields[len(ends) + len(labels) :]
        cost = sum(map(float, weight[0].split(","))) if weight else 0.0
        paths.append(" ".join([*ends, *labels, repr(cost)]))
        sentences.append(" ".join([*ends, *labels[1:] * 2, repr(cost)]))
    transducer = kaldifst.compile("\n".join(paths) + "\n")
    kaldifst.arcsort(transducer, "olabel")
    return transducer, kaldifst.compile("\n".join(sentences) + "\n")
