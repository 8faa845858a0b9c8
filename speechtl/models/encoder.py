"""An encoder: a list of named blocks, and the places where transfer methods attach layers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from speechtl.errors import ModelError
from speechtl.models.blocks import Block, DilatedConv, Linear, linear_layers
from speechtl.models.config import ModelConfig
from speechtl.models.encoder_blocks import encoder_blocks
from speechtl.models.lateral import Lateral


@dataclass(frozen=True)
class Encoded:
    """The result of one forward pass of the encoder.

    Attributes:
        outputs: of every block, by name, in order: ``(batch, frames, size)`` at the block's frame rate.
        lengths: valid frames of each output, by block name: ``(batch,)`` int32.
        seed: ``(2,)`` int32 seed of all random operations in this pass; None for inference.
    """

    outputs: Mapping[str, tf.Tensor]
    lengths: Mapping[str, tf.Tensor]
    seed: tf.Tensor | None = None

    @property
    def last(self) -> str:
        """Name of the last block."""
        return next(reversed(list(self.outputs)))


class Encoder:
    """Named blocks in a row, from features to the input of the heads.

    Attributes:
        config: ``[model]``.
        inputs: feature dimension, or that of the outputs in ``given``.
        given: names of the blocks whose outputs `encode` takes instead of features; empty but in what `after_frozen`
            returns.
        blocks: the encoder's named blocks, in order, shared by all languages.
        private: by language, by name, blocks of this language that replace the shared ones of these names.
        after: layers attached by transfer methods after a block (``"input"``: the features), by its name. They act in
            this order, each on the output of the one before, and map ``(batch, frames, size)`` to the same shape.
        within: layers whose output is added to that of a linear layer within a block, by ``block/layer`` (see
            `correct`).
        core: names of the blocks of ``[model.encoder]``, without the weighted sum and the blocks on top of them.
        columns: frozen encoders that run in parallel on the same features, by number.
        laterals: lateral connections from the columns' outputs to this encoder, by block (`speechtl.models.lateral`).
    """

    def __init__(self, config: ModelConfig, inputs: int):
        """Build the blocks with new weights.

        Args:
            config: ``[model]``.
            inputs: feature dimension.
        """
        self.config, self.inputs = config, inputs
        self.given: tuple[str, ...] = ()
        self.blocks, self.core = encoder_blocks(config, inputs)
        self.private: dict[str, dict[str, Block]] = {}
        self.after: dict[str, list[keras.layers.Layer]] = {}
        self.within: dict[str, list[keras.layers.Layer]] = {}
        self.columns: dict[str, Encoder] = {}
        self.laterals: dict[str, Lateral] = {}

    def add_private_blocks(self, language: str, names: Iterable[str]) -> None:
        """Add private blocks of a language, initialised to the shared ones; those that it already has are kept.

        Layers attached within or after a block act on all languages.

        Raises:
            ModelError: there is no such block.
        """
        present = self.private.get(language, {})
        shared = {name: self.block(name) for name in names if name not in present}
        if not shared:
            return
        for block in encoder_blocks(self.config, self.inputs)[0]:
            if block.name in shared:
                for private, common in zip(block.weights, shared[block.name].weights, strict=True):
                    private.assign(common.value)
                present[block.name] = block
        # In the order of the encoder, whatever the order in which blocks were added.
        self.private[language] = {name: present[name] for name in self.block_names if name in present}
        for place in self.within:
            self._connect(place)

    def add_column(self, column: "Encoder") -> None:
        """Run another encoder with the same blocks in parallel, frozen."""
        for _, layer in column.layers():
            layer.trainable = False
        self.columns[str(len(self.columns) + 1)] = column

    def add_laterals(self, rank: int) -> None:
        """Connect all columns to every block, through bottlenecks of width ``rank``."""
        for block in self.blocks:
            self.laterals[block.name] = Lateral(len(self.columns), block.output_size, rank)

    @property
    def block_names(self) -> list[str]:
        """Names of the encoder's blocks, in order."""
        return [block.name for block in self.blocks]

    def block(self, name: str) -> Block:
        """Return a block by name.

        Raises:
            ModelError: there is no such block; lists the existing ones.
        """
        for block in self.blocks:
            if block.name == name:
                return block
        raise ModelError(f"no encoder block '{name}'; this model has: {', '.join(self.block_names)}")

    def size_at(self, place: str) -> int:
        """Return the output size of ``"input"``, of a block (``"tdnn1"``) or of a linear layer (``"tdnn1/conv"``).

        Raises:
            ModelError: there is no such block or linear layer.
        """
        if place == "input":
            return self.inputs
        return int(self.linear_at(place).kernel.shape[-1]) if "/" in place else self.block(place).output_size

    def linear_layers(self, name: str) -> dict[str, Linear | DilatedConv]:
        """Return the linear layers within a block, by their names."""
        return linear_layers(self.block(name))

    def correct(self, place: str, layer: keras.layers.Layer) -> None:
        """Add the output of ``layer`` to that of the linear layer at ``place`` (``"tdnn1/conv"``), from the same input.

        Raises:
            ModelError: there is no such linear layer; lists the existing ones.
        """
        self.linear_at(place)
        self.within.setdefault(place, []).append(layer)
        self._connect(place)

    def linear_at(self, place: str) -> Linear | DilatedConv:
        """Return a linear layer within a block, by ``"block/layer"``.

        Raises:
            ModelError: there is no such linear layer; lists the existing ones.
        """
        block, _, name = place.partition("/")
        linear = self.linear_layers(block)
        if name not in linear:
            raise ModelError(f"no linear layer '{name}' in block '{block}'; it has: {', '.join(linear) or 'none'}")
        return linear[name]

    def _connect(self, place: str) -> None:
        """Apply the layers attached at a place to the linear layer there, in the shared block and in private ones."""
        block, _, name = place.partition("/")
        attached = self.within[place]
        private = [blocks[block] for blocks in self.private.values() if block in blocks]
        for each in [self.block(block), *private]:
            linear_layers(each)[name].correction = lambda inputs: tf.add_n([layer(inputs) for layer in attached])

    def layers(self) -> Iterator[tuple[str, keras.layers.Layer]]:
        """Yield every layer with the path its weights are stored under."""
        yield from self._block_layers()
        yield from self._attached_layers()

    def _block_layers(self) -> Iterator[tuple[str, keras.layers.Layer]]:
        for block in self.blocks:
            yield f"encoder/{block.name}", block
        for language, blocks in self.private.items():
            for name, block in blocks.items():
                yield f"private/{language}/{name}", block

    def _attached_layers(self) -> Iterator[tuple[str, keras.layers.Layer]]:
        for slot, places in (("after", self.after), ("within", self.within)):
            for place, attached in places.items():
                for layer in attached:
                    yield f"{slot}/{place}/{layer.name}", layer
        for number, column in self.columns.items():
            for path, layer in column.layers():
                yield f"columns/{number}/{path}", layer
        for name, lateral in self.laterals.items():
            yield f"laterals/{name}", lateral

    def variables(self) -> dict[str, keras.Variable]:
        """Return all weights by path, for example ``encoder/tdnn1/conv/kernel`` (no counters or seeds)."""
        found: dict[str, keras.Variable] = {}
        for path, layer in self.layers():
            for variable in layer.weights:
                # Keras prefixes the names of the enclosing layers, but not always that of the block itself.
                tail = variable.path.split(f"{layer.name}/", 1)[-1]
                found[f"{path}/{tail}"] = variable
        count = sum(len(layer.weights) for _, layer in self.layers())
        if len(found) != count:
            raise ModelError(f"{count - len(found)} weights share a name; give the sublayers of a block distinct names")
        return found

    def trainable_variables(self) -> dict[str, keras.Variable]:
        """Return the trainable weights by path."""
        trainable = {id(variable) for _, layer in self.layers() for variable in layer.trainable_variables}
        return {path: variable for path, variable in self.variables().items() if id(variable) in trainable}

    def parameter_count(self) -> int:
        """Return the number of weights."""
        return sum(int(tf.size(variable.value)) for variable in self.variables().values())

    def encode(
        self,
        features: tf.Tensor,
        lengths: tf.Tensor,
        seed: tf.Tensor | None = None,
        language: str | None = None,
    ) -> Encoded:
        """Run the encoder.

        Args:
            features: ``(batch, frames, bins)``, normalised; or the outputs of the blocks in ``given``, side by side.
            lengths: ``(batch,)`` valid frames, int32.
            seed: ``(2,)`` int32 dropout seed while training, None for inference.
            language: whose private blocks are used where there are any; None for the shared ones throughout.
        """
        private = self.private.get(language, {}) if language is not None else {}
        columns = [column.encode(features, lengths, language=language) for column in self.columns.values()]
        outputs: dict[str, tf.Tensor] = {}
        all_lengths: dict[str, tf.Tensor] = {}
        if self.given:
            parts = tf.split(features, [self.block(name).output_size for name in self.given], axis=-1)
            outputs, all_lengths = dict(zip(self.given, parts, strict=True)), dict.fromkeys(self.given, lengths)
            x = parts[-1]
        else:
            x = self._attached("input", features)
        for number, shared in list(enumerate(self.blocks))[self._first :]:
            block = private.get(shared.name, shared)
            block_seed = None if seed is None else seed + tf.constant([0, 100 * (number + 1)], tf.int32)
            if block.reads:
                x = block.combine([outputs[name] for name in block.reads], lengths)
            else:
                x = block(x, lengths, block_seed)
            if columns:
                x += self.laterals[block.name]([tf.stop_gradient(column.outputs[block.name]) for column in columns])
            x = self._attached(block.name, x)
            lengths = block.output_lengths(lengths)
            outputs[block.name], all_lengths[block.name] = x, lengths
        return Encoded(outputs, all_lengths, seed)

    def _attached(self, place: str, x: tf.Tensor) -> tf.Tensor:
        for layer in self.after.get(place, ()):
            x = layer(x)
        return x

    def output_lengths(self, frames: Any) -> Any:
        """Return the number of logit frames for a number of frames that `encode` takes (integers, arrays, tensors)."""
        for block in self.blocks[self._first :]:
            frames = block.output_lengths(frames)
        return frames

    @property
    def _first(self) -> int:
        """Number of the first block that `encode` runs."""
        return self.block_names.index(self.given[-1]) + 1 if self.given else 0

    @property
    def subsampling(self) -> int:
        """Feature frames per frame of logits."""
        return self.subsampling_at(self.block_names[-1])

    def subsampling_at(self, name: str) -> int:
        """Return the number of feature frames per frame of a block's output; ModelError if there is no such block."""
        return 3600 // int(self.lengths_at(name, 3600))

    def lengths_at(self, name: str, frames: Any) -> Any:
        """Return the number of frames of a block's output for a number of feature frames."""
        for block in self.blocks[: self.blocks.index(self.block(name)) + 1]:
            frames = block.output_lengths(frames)
        return frames
