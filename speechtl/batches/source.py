"""The utterances of one language: their features, their labels, their speakers and domains."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from speechtl.batches.config import DataConfig, NormalisationConfig
from speechtl.batches.in_graph import GraphReader, expected_frames
from speechtl.data.datadir import DataDir
from speechtl.data.tables import read_table
from speechtl.errors import DataError, LexiconError, list_problems
from speechtl.features.archives import read_double_matrix, read_matrix
from speechtl.features.cmvn import accumulate, apply
from speechtl.features.config import FeatureConfig
from speechtl.features.parts import check_features
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phones import PhoneInventory


class Normaliser:
    """Subtract means and divide by standard deviations, by speaker, globally or by utterance."""

    def __init__(self, config: NormalisationConfig, global_stats: np.ndarray | None = None):
        """Keep what normalisation needs.

        Args:
            config: which statistics.
            global_stats: ``(2, bins + 1)`` statistics of the training speech, for ``kind = "global"``.
        """
        if config.kind == "global" and global_stats is None:
            raise DataError("global normalisation needs the statistics of the training speech; they are missing")
        self.config, self.global_stats = config, global_stats

    def __call__(self, features: np.ndarray, speaker_stats: np.ndarray | None) -> np.ndarray:
        """Normalise ``(frames, bins)``; ``speaker_stats`` are used when the kind is ``speaker``."""
        if self.config.kind == "none" or not len(features):
            return features
        stats = {"speaker": speaker_stats, "global": self.global_stats, "utterance": None}[self.config.kind]
        if stats is None:
            # An utterance without a known speaker is a speaker of its own.
            stats = accumulate(features)
        return apply(features, stats, norm_vars=self.config.variance)


class Source:
    """Utterances of one language, ready to be batched.

    Attributes:
        language: the language of all of them.
        weight: how often to draw from it, relative to its size.
        utterance_ids: in C order.
        frames: ``(utterances,)`` feature frames.
        variants: for each utterance, for each word, its pronunciations as unit numbers; empty without a transcript.
        labels: for each utterance, the unit numbers now trained on: at first every word's first pronunciation.
        speakers: for each utterance, the name of its speaker.
        domains: for each utterance, the name of its domain or ``""``.
        reader: computes features in the graph; None where they are stored.
    """

    def __init__(
        self,
        directories: Sequence[str | Path],
        config: DataConfig,
        normaliser: Normaliser,
        lexicon: Lexicon | None,
        inventory: PhoneInventory | None,
        require_text: bool = True,
        *,
        features: FeatureConfig,
        unlabelled: Sequence[str | Path] = (),
    ):
        """Read the tables of one or more data directories.

        Args:
            directories: Kaldi data directories with features.
            config: the ``[[data]]`` table.
            normaliser: applied to every utterance.
            lexicon: words to phones; None if ``text`` holds phones.
            inventory: phones to unit numbers; None to read no transcripts.
            require_text: whether an utterance without a transcript is an error.
            features: the model's; stored features must have been computed with them, and with ``config.in_graph`` they
                are computed now.
            unlabelled: more data directories, whose transcripts are not read.

        Raises:
            DataError: no features, a missing transcript, speaker statistics or archive; all utterances listed. Stored
                features that were computed otherwise than the model's.
            LexiconError: words without a pronunciation, phones that the inventory lacks; all listed.
        """
        self.language, self.weight, self.normaliser = config.language, config.weight, normaliser
        rows: list[tuple[str, str, str, str, str, str, int]] = []
        problems: list[str] = []
        computed = features if config.in_graph else None
        by_speaker = normaliser.config.kind == "speaker"
        for directory in directories:
            rows += _rows(Path(directory), by_speaker, require_text and inventory, features, config.in_graph, problems)
        for directory in unlabelled:
            silent = _rows(Path(directory), by_speaker, False, features, config.in_graph, problems)
            rows += [(*row[:3], "", *row[4:]) for row in silent]
        directories = [*directories, *unlabelled]
        if problems:
            heading = f"language {config.language}: {len(problems)} problem{'s' * (len(problems) > 1)} in the data"
            raise DataError(list_problems(heading, problems))
        rows.sort()
        repeated = sorted({row[0] for row, after in pairwise(rows) if row[0] == after[0]})
        if repeated:
            where = " and ".join(map(str, directories))
            raise DataError(list_problems(f"{where}: utterances that occur twice; make the ids unique", repeated))
        self.utterance_ids = [row[0] for row in rows]
        self.speakers, self.domains = [row[1] for row in rows], [row[2] for row in rows]
        self._texts, self._archives, self._cmvn = (
            [row[3] for row in rows],
            [row[4] for row in rows],
            [row[5] for row in rows],
        )
        self.frames = np.array([row[6] for row in rows], dtype=np.int32)
        self.variants = _variants(self, lexicon, inventory)
        self.labels = [[unit for word in words for unit in word[0]] for words in self.variants]
        self._stats: dict[str, np.ndarray] = {}
        self.reader = None
        if computed is not None:
            found = {u.id: u for directory in directories for u in DataDir.load(directory).utterances()}
            utterances = [found[name] for name in self.utterance_ids]
            self.reader = GraphReader(utterances, computed, normaliser.config, normaliser.global_stats)

    def __len__(self) -> int:
        return len(self.utterance_ids)

    def features(self, index: int) -> np.ndarray:
        """Read and normalise one utterance.

        Returns:
            ``(frames, bins)`` float32.
        """
        stats = self._speaker_stats(self._cmvn[index]) if self._cmvn[index] else None
        return self.normaliser(read_matrix(self._archives[index]), stats)

    def _speaker_stats(self, place: str) -> np.ndarray:
        if place not in self._stats:
            self._stats[place] = read_double_matrix(place)
        return self._stats[place]


def _rows(
    directory: Path,
    by_speaker: bool,
    require_text: object,
    features: FeatureConfig,
    in_graph: bool,
    problems: list[str],
) -> list[tuple[str, str, str, str, str, str, int]]:
    """Read one data directory into rows ``(id, speaker, domain, text, archive, cmvn, frames)``."""
    data = DataDir.load(directory)
    if in_graph:
        counts = expected_frames(directory, features)
        archives = dict.fromkeys(counts, "")
        by_speaker = False
    elif not data.feats_scp:
        problems.append(f"{directory}/feats.scp: missing; run speechtl features {directory}")
        return []
    else:
        check_features(data, features)
        counts = {name: int(count) for name, count in read_table(directory / "utt2num_frames").items()}
        archives = data.feats_scp
    rows = []
    for name in data.utterance_ids:
        speaker, text = data.utt2spk[name], data.text.get(name, "")
        if name not in archives or name not in counts:
            problems.append(f"{directory}: utterance {name} has no features; run speechtl features or data fix")
        elif require_text and not text.strip():
            problems.append(f"{directory}/text: utterance {name} has no transcript; add one or drop the utterance")
        elif by_speaker and speaker not in data.cmvn_scp:
            problems.append(f"{directory}/cmvn.scp: no statistics of {speaker}; run speechtl features {directory}")
        else:
            cmvn = data.cmvn_scp[speaker] if by_speaker else ""
            rows.append((name, speaker, data.utt2dom.get(name, ""), text, archives[name], cmvn, counts[name]))
    return rows


def _variants(source: Source, lexicon: Lexicon | None, inventory: PhoneInventory | None) -> list[list[list[list[int]]]]:
    """Turn transcripts into unit numbers: utterance, word, pronunciation, units."""
    if inventory is None:
        return [[] for _ in source.utterance_ids]
    words = [text.split() for text in source._texts]
    if lexicon is None:
        unknown = sorted({phone for utterance in words for phone in utterance} - set(inventory.phones))
        if unknown:
            heading = f"language {source.language}: phones in text that the inventory lacks (or set lexicon for words)"
            raise LexiconError(list_problems(heading, unknown))
        return [[[inventory.encode([phone])] for phone in utterance] for utterance in words]
    used = {word for utterance in words for word in utterance}
    unknown = sorted(used - set(lexicon.words))
    if unknown:
        first = {
            word: name for name, text in reversed(list(zip(source.utterance_ids, words, strict=True))) for word in text
        }
        lines = [f"{word} (first in {first[word]})" for word in unknown]
        heading = f"language {source.language}: words without a pronunciation: {len(unknown)}; add them to the lexicon"
        raise LexiconError(list_problems(heading, lines))
    foreign = sorted(
        {p for word in used for said in lexicon.pronounce(word) for p in said.phones} - set(inventory.phones)
    )
    if foreign:
        lines = [f"{phone}: nearest here: {' '.join(inventory.nearest(phone))}" for phone in foreign]
        heading = f"language {source.language}: phones of the lexicon that the model's inventory lacks"
        raise LexiconError(list_problems(heading, lines))
    encoded = {word: [inventory.encode(said.phones) for said in lexicon.pronounce(word)] for word in used}
    return [[encoded[word] for word in utterance] for utterance in words]
