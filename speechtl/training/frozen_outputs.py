"""Frozen blocks are computed once: their outputs are stored, and training begins after them."""

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from speechtl.batches.config import AugmentationConfig, BatchConfig
from speechtl.batches.output_source import OutputSource
from speechtl.batches.output_store import OutputStore, Stored, digest_of
from speechtl.batches.padding import pad_features
from speechtl.batches.plan import plan_once
from speechtl.batches.source import Source
from speechtl.errors import ConfigError
from speechtl.features.archives import map_matrix
from speechtl.files import user_cache
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.frozen import frozen_blocks, weights_of
from speechtl.models.weights import arrays_of, digest
from speechtl.progress import progress_bar
from speechtl.training.config import CacheFrozen
from speechtl.training.training_data import TrainingData
from speechtl.transfer.method import TransferMethod

logger = logging.getLogger(__name__)

# Part of the key: outputs that another version computes in another way are not read.
_FORMAT = 1
# With fewer weights than these, computing blocks costs little more than reading their outputs.
_MANY = 1_000_000
# Bytes of outputs that are collected before they are written.
_PART = 2**27


class FrozenOutputs:
    """The first blocks of a model that stay frozen, and the stored outputs that replace them in training.

    Attributes:
        model: the model without these blocks (`AcousticModel.after_frozen`), which shares all weights with the whole.
        blocks: the blocks that are left out.
        kept: those of them whose outputs are stored, side by side: the last, and what is read later.
        store: where the outputs are.
    """

    def __init__(self, whole: AcousticModel, blocks: list[str], kept: Sequence[str]):
        """Open the store; see `frozen_outputs`."""
        self.whole, self.blocks = whole, blocks
        self.model = whole.after_frozen(kept)
        self.kept = self.model.given
        about = _about(whole, blocks, self.kept)
        self.key = digest(arrays_of(weights_of(whole, blocks)), json.dumps(about, sort_keys=True))
        self.store = OutputStore(user_cache() / "outputs" / self.key, about)
        signature = (tf.TensorSpec((None, None, whole.inputs)), tf.TensorSpec((None,), tf.int32))
        self._sources: list[OutputSource] = []
        self._forward = tf.function(self._outputs_of_batch, input_signature=signature, autograph=False)

    @property
    def sizes(self) -> list[int]:
        """Sizes of the blocks in ``kept``."""
        return [self.whole.block(name).output_size for name in self.kept]

    def speech(self, data: TrainingData) -> TrainingData:
        """Return training data with outputs in place of features; `compute` must run before they are read."""
        train, dev = ([self._source(source) for source in sources] for sources in (data.train, data.dev))
        self._sources = [*train, *dev]
        return dataclasses.replace(data, train=train, dev=dev)

    def _source(self, source: Source) -> OutputSource:
        frames = np.asarray(self.whole.lengths_at(self.blocks[-1], source.frames), np.int32)
        return OutputSource(source, frames, self.sizes)

    def compute(self) -> None:
        """Find the outputs for all utterances of `speech`, and compute those that are not stored yet.

        Raises:
            DataError: they cannot be stored.
        """
        pairs = [(source, index) for source in self._sources for index in range(len(source))]
        frames = np.array([source.feature_frames[index] for source, index in pairs], np.int32)
        found = iter(self._find(lambda number: pairs[number][0].source.features(pairs[number][1]), frames))
        for source in self._sources:
            source.places = [next(found).place for _ in range(len(source))]

    def outputs(self, features: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs ``(frames', sum of sizes)`` for normalised features ``(frames, bins)``.

        They stay on disk until they are looked at.

        Raises:
            DataError: they cannot be stored.
        """
        frames = np.array([len(matrix) for matrix in features], np.int32)
        return [map_matrix(*stored) for stored in self._find(features.__getitem__, frames)]

    def _find(self, read: Callable[[int], np.ndarray], frames: np.ndarray) -> list[Stored]:
        """Return where the outputs of all utterances are; ``read`` gives the features of one by its number."""
        with progress_bar("frozen blocks", len(frames)) as advance:
            digests, missing = [], {}
            for number in range(len(frames)):
                digests.append(digest_of(read(number)))
                if self.store.get(digests[-1]) is None and digests[-1] not in missing:
                    missing[digests[-1]] = number
                else:
                    advance()
            if missing:
                self.store.open()
            part, size = [], 0
            for number, matrix in self._computed(read, frames, list(missing.values())):
                part.append((digests[number], matrix))
                size += matrix.nbytes
                if size >= _PART:
                    self.store.add(part)
                    part, size = [], 0
                advance()
            if part:
                self.store.add(part)
        found = [stored for stored in map(self.store.get, digests) if stored is not None]
        megabytes = sum(
            4 * stored.frames * stored.columns for stored in dict(zip(digests, found, strict=True)).values()
        )
        logger.info(
            f"frozen blocks {self.blocks[0]} to {self.blocks[-1]}: outputs of {len(missing)} utterances computed, of "
            f"{len(frames) - len(missing)} found; {megabytes / 1e6:,.0f} MB in {self.store.folder}"
        )
        return found

    def _computed(
        self, read: Callable[[int], np.ndarray], frames: np.ndarray, numbers: Sequence[int]
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the outputs of some utterances, in batches by length."""
        for planned in plan_once([frames[list(numbers)]], BatchConfig()) if numbers else ():
            chosen = [numbers[place] for place in planned.utterances]
            outputs, lengths = self._forward(*pad_features([read(number) for number in chosen], self.whole.inputs))
            for number, matrix, length in zip(chosen, outputs.numpy(), lengths.numpy(), strict=True):
                # A copy, so that the padding is not kept in memory.
                yield number, matrix[:length].copy()

    def _outputs_of_batch(self, features: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        encoded = self.whole.encode(features, lengths)
        lengths = encoded.lengths[self.kept[-1]]
        longest = tf.reduce_max(lengths)
        return tf.concat([encoded.outputs[name][:, :longest] for name in self.kept], axis=-1), lengths


def frozen_outputs(
    model: AcousticModel,
    methods: Sequence[TransferMethod],
    choice: CacheFrozen,
    augmentation: AugmentationConfig | None = None,
    sources: Sequence[Source] = (),
) -> FrozenOutputs | None:
    """Return the frozen blocks whose outputs are computed once, or None if every pass of the model is of all blocks.

    Args:
        model: prepared by every method.
        methods: which may look at features, or at outputs of blocks.
        choice: ``cache_frozen`` of ``[training]``.
        augmentation: of the training speech, or None.
        sources: the speech, if it has been read already.

    Raises:
        ConfigError: ``augmentation.after`` names a block whose outputs are not computed once; says why.
    """
    after = "input" if augmentation is None else augmentation.after
    blocks = [] if choice == "never" else frozen_blocks(model, dropout=choice == "always")
    reason = _obstacle(model, methods, choice, blocks, sources)
    if after != "input":
        if reason is None and after not in blocks:
            reason = f"it is not among the blocks that stay frozen: {', '.join(blocks)}"
        if reason is None and any(block.attend_to_padding for block in model.blocks[blocks.index(after) + 1 :][:1]):
            reason = "the block after it attends to padding (model.encoder.pad), which is not stored"
        if reason is not None:
            raise ConfigError(
                f"augmentation.after = '{after}': only outputs that are computed once can be masked; {reason}"
            )
        blocks = blocks[: blocks.index(after) + 1]
    elif reason is not None or not is_worthwhile(model, blocks, choice):
        return None
    elif augmentation is not None and not augmentation.changes_nothing:
        logger.info(
            f"blocks {blocks[0]} to {blocks[-1]} ({_size(model, blocks):,} weights) are frozen, but [augmentation] "
            "changes the features before them in every epoch; with augmentation.after = "
            f'"{blocks[-1]}" (and without noise) their outputs are masked, which are computed once'
        )
        return None
    return FrozenOutputs(model, blocks, _kept(model, methods, blocks))


def move_masks(model: AcousticModel, masks: AugmentationConfig, after: str) -> AugmentationConfig:
    """Return masks at another place of a model that hide as much there as ``masks`` do where they are.

    Args:
        model: the whole model.
        masks: of the features, or of the outputs of a block.
        after: the block whose outputs are to be masked, or ``"input"``.
    """
    (size, rate), (new_size, new_rate) = (
        (model.inputs, 1) if name == "input" else (model.block(name).output_size, model.subsampling_at(name))
        for name in (masks.after, after)
    )
    widths = {
        "frequency_width": round(masks.frequency_width * new_size / size),
        "time_width": round(masks.time_width * rate / new_rate),
    }
    return masks.model_copy(update={"after": after, **widths})


def is_worthwhile(model: AcousticModel, blocks: list[str], choice: CacheFrozen) -> bool:
    """Whether the outputs of the first blocks of a model are to be stored rather than computed in every step."""
    return bool(blocks) and (choice == "always" or (choice == "auto" and _size(model, blocks) >= _MANY))


def _size(model: AcousticModel, blocks: list[str]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in weights_of(model, blocks).values())


def _obstacle(
    model: AcousticModel,
    methods: Sequence[TransferMethod],
    choice: CacheFrozen,
    blocks: list[str],
    sources: Sequence[Source],
) -> str | None:
    """Return why nothing can be computed once, or None."""
    if choice == "never":
        return 'cache_frozen is "never"'
    if not blocks:
        if choice == "auto" and frozen_blocks(model):
            return 'the frozen blocks have dropout; with cache_frozen = "always" they run without'
        return "the first block does not stay as it is: it is trained, or something before it is"
    if any(source.reader is not None for source in sources):
        return "features are computed in the graph (data.in_graph); store them"
    for method in methods:
        if "input" in method.reads(model):
            return f"the method {method.method} needs the features"
    kept = _kept(model, methods, blocks)
    if len({model.subsampling_at(name) for name in kept}) > 1:
        return f"the outputs of {', '.join(kept)} are needed, which differ in their frame rates"
    return None


def _kept(model: AcousticModel, methods: Sequence[TransferMethod], blocks: list[str]) -> list[str]:
    """Return the blocks whose outputs must be stored: the last, and those that something after it reads."""
    read = {name for block in model.blocks[len(blocks) :] for name in block.reads}
    read |= {name for method in methods for name in method.reads(model)}
    return [name for name in blocks if name in read or name == blocks[-1]]


def _about(model: AcousticModel, blocks: Sequence[str], kept: Sequence[str]) -> dict[str, Any]:
    """Return what the outputs depend on besides features and weights."""
    # A head on top, and blocks there, may differ from run to run.
    above = {} if blocks[-1] in model.core else model.config.model_dump(mode="json", include={"sum_over", "top"})
    return {
        **above,
        "format": _FORMAT,
        "blocks": list(blocks),
        "kept": list(kept),
        "inputs": model.inputs,
        "precision": model.config.precision,
        "encoder": model.config.encoder.model_dump(mode="json"),
    }
