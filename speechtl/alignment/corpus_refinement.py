"""Boundaries of a whole corpus, refined with phone HMMs that are trained on the corpus itself."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from speechtl.alignment.aligned_utterance import AlignedUtterance, CtcAlignedUtterance
from speechtl.alignment.boundary_refinement import BoundaryRefinement
from speechtl.alignment.chain import SILENCE, Chain, boundary_features, cepstra_of_log_mel
from speechtl.alignment.config import AlignmentConfig
from speechtl.alignment.corpus import Corpus
from speechtl.features.archives import read_matrix
from speechtl.features.cmvn import accumulate, add, apply
from speechtl.features.config import FeatureConfig
from speechtl.features.frame_clock import FrameClock
from speechtl.features.parts import check_features
from speechtl.progress import progress_bar

# Training on more speech than this (5 hours at 10 ms) takes longer and changes no boundary.
_TRAINING_FRAMES = 1_800_000


def refine_corpus(
    corpus: Corpus, utterances: Mapping[str, CtcAlignedUtterance], config: AlignmentConfig | None = None
) -> dict[str, AlignedUtterance]:
    """Train phone HMMs on a corpus, and take the boundaries from them.

    Args:
        corpus: with features.
        utterances: its CTC alignments.
        config: the models, the silence phone, threads.

    Returns:
        The alignments in seconds. Those that the models cannot improve (more phones than time) stay coarse.

    Raises:
        DataError: the features of the corpus were computed with another configuration than ``corpus.features``.
    """
    check_features(corpus.data, corpus.features)
    config = config or AlignmentConfig()
    chains = _Chains(corpus, utterances, config.silence_phone)
    chosen = chains.sample(_TRAINING_FRAMES)
    dimension = next(iter(chosen.values())).features.shape[1]
    models = BoundaryRefinement(len(corpus.inventory), dimension, config.refinement)
    with progress_bar("refining", len(chosen) * config.refinement.iterations) as advance:
        models.train(list(chosen.values()), jobs=config.jobs, advance=advance)

    def align(key: str) -> AlignedUtterance:
        found = models.align(chosen.get(key) or chains.of(key))
        if found is None:
            return utterances[key].coarse(corpus.clock)
        starts, ends = (chains.clock.seconds(places) for places in found)
        return utterances[key].refined(starts, ends)

    with ThreadPoolExecutor(config.jobs) as pool:
        return dict(zip(chains.keys, pool.map(align, chains.keys), strict=True))


class _Chains:
    """The phone chains of a corpus, with cepstra normalised per speaker.

    Attributes:
        clock: the time of the frames of cepstra.
    """

    def __init__(self, corpus: Corpus, utterances: Mapping[str, CtcAlignedUtterance], silence_phone: str):
        self.corpus, self.utterances, self.silence_phone = corpus, utterances, silence_phone
        # Frames of samples are too far apart for phones: cepstra are computed of the signal that they make up.
        samples = corpus.features.kind == "waveform"
        rate = corpus.features.sample_rate
        self._mfcc = FeatureConfig(kind="mfcc", sample_rate=rate) if samples else None
        self.clock = corpus.clock if self._mfcc is None else FrameClock.of(self._mfcc)
        self.keys = sorted(utterances)
        speakers: dict[str, list[np.ndarray]] = {}
        for key in self.keys:
            speakers.setdefault(corpus.data.utt2spk[key], []).append(accumulate(self._cepstra(key)))
        self._stats = {speaker: add(parts) for speaker, parts in speakers.items()}

    def sample(self, frames: int) -> dict[str, Chain]:
        """Return the chains of random utterances, the same in every run, until they have more than ``frames``."""
        chosen: dict[str, Chain] = {}
        count = 0
        for key in np.random.default_rng(0).permutation(self.keys).tolist():
            if count > frames:
                break
            chosen[key] = self.of(key)
            count += len(chosen[key].features)
        return chosen

    def of(self, key: str) -> Chain:
        """Return the chain of an utterance."""
        alignment, inventory, clock = self.utterances[key].alignment, self.corpus.inventory, self.corpus.clock
        cepstra = apply(self._cepstra(key), self._stats[self.corpus.data.utt2spk[key]])
        spans = alignment.phones
        starts, ends = (
            np.clip([round(self._here(clock.boundary(place))) for place in places], 0, len(cepstra)).astype(np.int64)
            for places in ([span.start for span in spans], [span.end for span in spans])
        )
        may_pause = np.ones(len(spans) + 1, bool)
        if self.corpus.lexicon is None:
            # Phone transcripts say nothing of pauses: they are where the first alignment found them.
            may_pause[1:-1] = starts[1:] > ends[:-1]
        else:
            may_pause[1:-1] = np.diff(alignment.word_of_phone) != 0
        phones = [SILENCE if span.label == self.silence_phone else inventory.index(span.label) for span in spans]
        return Chain(boundary_features(cepstra), np.array(phones), starts, ends, may_pause)

    def _here(self, boundary: float) -> float:
        """Return the boundary between frames of cepstra at one between frames of features."""
        if self._mfcc is None:
            return boundary
        return (self.corpus.clock.seconds(boundary) - self.clock.offset) / self.clock.shift

    def _cepstra(self, key: str) -> np.ndarray:
        matrix, features = read_matrix(self.corpus.data.feats_scp[key]), self.corpus.features
        if self._mfcc is not None:
            from speechtl.features.fbank import compute_many  # Loads TensorFlow.
            from speechtl.features.waveform_frames import join_frames

            return compute_many([join_frames(matrix, features)], self._mfcc)[0]
        # Energy, where it is used, stands in front of the bins.
        return matrix if features.kind == "mfcc" else cepstra_of_log_mel(matrix[:, -features.num_mel_bins :])
