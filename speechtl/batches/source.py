"""The utterances of one language: features, labels, speakers and domains."""

import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechtl.audio.tar_part import TarPart
from speechtl.batches.config import DataConfig, NormalisationConfig
from speechtl.batches.labelling import Labelling, Variants
from speechtl.batches.stored_batch import StoredUtterance
from speechtl.data.datadir import DataDir, Utterance
from speechtl.data.shard_index import is_shard_set
from speechtl.errors import ConfigError, DataError, counted, list_problems
from speechtl.features.archives import read_double_matrix, read_matrix
from speechtl.features.cmvn import accumulate, apply
from speechtl.features.config import FeatureConfig
from speechtl.features.parts import check_features
from speechtl.uncollected import uncollected

if TYPE_CHECKING:
    from speechtl.batches.graph_reader import GraphReader

_logger = logging.getLogger(__name__)


class Normaliser:
    """Mean and variance normalisation by speaker, globally or by utterance."""

    def __init__(self, config: NormalisationConfig, global_stats: np.ndarray | None = None):
        """Create a normaliser.

        Args:
            config: which statistics to use.
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
            # An utterance of an unknown speaker is normalised by its own statistics.
            stats = accumulate(features)
        return apply(features, stats, norm_vars=self.config.variance)


class _Row(NamedTuple):
    """The table entries of an utterance; ``archive`` and ``cmvn`` are empty if they are not used."""

    id: str
    speaker: str
    domain: str
    text: str
    archive: str
    cmvn: str
    frames: int


class Source:
    """Utterances of one language, ready to be batched.

    Attributes:
        language: their language.
        weight: how often to draw from the source, relative to its size.
        utterance_ids: in C order.
        frames: ``(utterances,)`` frames of what `features` returns.
        sizes: empty; of stored outputs of blocks, the size of each (`speechtl.batches.output_source`).
        variants: for each utterance, for each word, its pronunciations as unit numbers; empty without a transcript.
        labels: for each utterance, the current target unit numbers: initially of every word's first pronunciation.
        speakers: for each utterance, the name of its speaker.
        domains: for each utterance, the name of its domain or ``""``.
        reader: computes features from audio (`speechtl.batches.graph_reader`); None if they are stored.
        targets: what batches have for teachers besides features, by name: sources of the same utterances. ``"input"``
            is this source itself, without augmentation; stored outputs have the name of their teacher.
    """

    sizes: tuple[int, ...] = ()

    @uncollected()
    def __init__(
        self,
        directories: Sequence[str | Path],
        config: DataConfig,
        normaliser: Normaliser,
        features: FeatureConfig,
        labelling: Labelling | None = None,
        *,
        unlabelled: Sequence[str | Path] = (),
        report: bool = True,
    ):
        """Read the tables of one or more data directories.

        Args:
            directories: Kaldi data directories with features.
            config: the ``[[data]]`` table.
            normaliser: applied to every utterance.
            features: the model's; stored features must have been computed with them, and with ``config.in_graph`` they
                are computed during training.
            labelling: how transcripts become labels; every utterance of ``directories`` must then have one. None to
                read no transcripts.
            unlabelled: more data directories, whose transcripts are not read.
            report: whether utterances that are of no use (without features or transcript) are counted in the log. They
                are left out in any case.

        Raises:
            DataError: a directory has no utterance that is of use, or statistics of speakers are missing. Or stored
                features were computed with another configuration than the model's.
            LexiconError: words without a pronunciation, or phones that the inventory lacks; all are listed.
        """
        self.language, self.weight, self.normaliser = config.language, config.weight, normaliser
        in_graph = config.in_graph or any(is_shard_set(path) for path in (*directories, *unlabelled))
        tables = _Tables(features, in_graph, normaliser.config.kind == "speaker")
        rows = [row for path in directories for row in tables.read(path, require_text=labelling is not None)]
        rows += [row._replace(text="") for path in unlabelled for row in tables.read(path, require_text=False)]
        directories = [*directories, *unlabelled]
        if report:
            tables.log()
        if tables.problems:
            if len(tables.problems) == 1:
                raise DataError(tables.problems[0])
            raise DataError(list_problems(f"{len(tables.problems)} problems in the data", tables.problems))
        rows.sort()
        repeated = sorted({row.id for row, after in pairwise(rows) if row.id == after.id})
        if repeated:
            where = " and ".join(map(str, directories))
            raise DataError(list_problems(f"{where}: utterances that occur twice; make their ids unique", repeated))
        self._rows = rows
        self.utterance_ids = [row.id for row in rows]
        self.speakers, self.domains = [row.speaker for row in rows], [row.domain for row in rows]
        self.frames = np.array([row.frames for row in rows], dtype=np.int32)
        self.variants: list[Variants] = [[] for _ in rows]
        if labelling is not None:
            self.variants = labelling.variants({row.id: row.text for row in rows}, config.language)
        self.labels = [[unit for word in words for unit in word[0]] for words in self.variants]
        self.targets: dict[str, Source] = {}
        self._stats: dict[str, np.ndarray] = {}
        self.reader: GraphReader | None = None
        if in_graph:
            spoken = [tables.spoken[name] for name in self.utterance_ids]
            self.reader = _reader(spoken, features, normaliser, config.service)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def feature_frames(self) -> np.ndarray:
        """``(utterances,)`` feature frames, by which batches are planned."""
        return self.frames

    @property
    def shards(self) -> np.ndarray | None:
        """``(utterances,)`` numbers of the shards that the utterances are in; None if they are in none."""
        return getattr(self.reader, "numbers", None)

    def features(self, index: int) -> np.ndarray:
        """Read and normalise one utterance.

        Returns:
            ``(frames, bins)`` float32.
        """
        row = self._rows[index]
        return self.normaliser(read_matrix(row.archive), self._speaker_stats(row.cmvn) if row.cmvn else None)

    def stored(self, index: int) -> StoredUtterance:
        """Return where the features of one utterance are."""
        row = self._rows[index]
        return StoredUtterance(row.id, row.archive, row.cmvn, row.frames)

    def _speaker_stats(self, place: str) -> np.ndarray:
        if place not in self._stats:
            self._stats[place] = read_double_matrix(place)
        return self._stats[place]


def _reader(
    utterances: Sequence[Utterance], features: FeatureConfig, normaliser: Normaliser, service: str
) -> "GraphReader":
    from speechtl.batches.graph_reader import GraphReader
    from speechtl.batches.service_reader import ServiceReader
    from speechtl.batches.shard_reader import ShardReader

    what = utterances, features, normaliser.config, normaliser.global_stats
    if any(TarPart.parse(one.audio) for one in utterances):
        if service:
            raise ConfigError("data.service: speech in shards is decoded by the process that trains; leave service out")
        return ShardReader(*what)
    return ServiceReader(*what, service) if service else GraphReader(*what)


class _Tables:
    """Reads data directories, and collects the problems of all of them."""

    def __init__(self, features: FeatureConfig, in_graph: bool, by_speaker: bool):
        self.features, self.in_graph, self.by_speaker = features, in_graph, by_speaker and not in_graph
        self.problems: list[str] = []
        self.left_out: dict[str, dict[str, str]] = {}
        # Those whose audio is read in training.
        self.spoken: dict[str, Utterance] = {}

    def log(self) -> None:
        """Say what was left out, by reason."""
        for reason, utterances in self.left_out.items():
            _logger.warning(counted(f"left out, {reason}", utterances, "utterance"))

    def read(self, directory: str | Path, *, require_text: bool) -> list[_Row]:
        """Return the usable utterances."""
        data = DataDir.load(directory)
        if self.in_graph:
            from speechtl.batches.graph_reader import expected_frames

            frames, faults = expected_frames(data, self.features)
            self.spoken.update((one.id, one) for one in data.utterances())
            self._leave_out(f"{directory}: audio cannot be read; see speechtl data validate", faults)
            archives = dict.fromkeys(frames, "")
        elif not data.feats_scp:
            advice = f"run speechtl features {directory}, with --model MODEL or the --config of the training"
            self.problems.append(f"{directory}/feats.scp: missing; {advice}")
            return []
        elif not data.utt2num_frames:
            self.problems.append(f"{directory}/utt2num_frames: missing; run speechtl features {directory}")
            return []
        else:
            check_features(data, self.features)
            frames = data.utt2num_frames
            archives = data.feats_scp
        rows = []
        reasons = {
            "no features": f"{directory}: no features; run speechtl features again, with the same options",
            "too short": f"{directory}: too short for one frame of features",
            "no transcript": f"{directory}/text: no transcript",
        }
        for name in data.utterance_ids:
            speaker, text = data.utt2spk[name], data.text.get(name, "")
            if name not in archives or name not in frames:
                if not self.in_graph:
                    self._leave_out(reasons["no features"], {name: ""})
                continue
            if not frames[name]:
                self._leave_out(reasons["too short"], {name: ""})
                continue
            if require_text and not text.strip():
                self._leave_out(reasons["no transcript"], {name: ""})
                continue
            if self.by_speaker and speaker not in data.cmvn_scp:
                fault = f"/cmvn.scp: no statistics of '{speaker}'; run speechtl features {directory} again"
            else:
                cmvn = data.cmvn_scp[speaker] if self.by_speaker else ""
                rows.append(_Row(name, speaker, data.utt2dom.get(name, ""), text, archives[name], cmvn, frames[name]))
                continue
            self.problems.append(f"{directory}{fault}")
        if len(data) and not rows and not self.problems:
            why = "; ".join(reason for reason in self.left_out if reason.startswith(str(directory)))
            self.problems.append(f"{directory}: no utterance is of use ({why})")
        return rows

    def _leave_out(self, reason: str, utterances: Mapping[str, str]) -> None:
        if utterances:
            self.left_out.setdefault(reason, {}).update(utterances)
