"""An encoder of named blocks and a CTC head per language."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import keras
import tensorflow as tf
from pydantic import Field

from speechtl.config import Section
from speechtl.errors import ModelError
from speechtl.lang.phones import PhoneInventory
from speechtl.models.blocks import Block, DilatedConv, Linear, dense, dropout, layer_norm
from speechtl.models.blstm import BlstmConfig, blstm_blocks
from speechtl.models.conformer import ConformerConfig, conformer_blocks
from speechtl.models.lateral import Lateral
from speechtl.models.tdnn import TdnnConfig, tdnn_blocks

EncoderConfig = Annotated[TdnnConfig | BlstmConfig | ConformerConfig, Field(discriminator="kind")]


class ModelConfig(Section):
    """``[model]``.

    ``precision`` is that of the factors in the products of the encoder's linear and convolution layers, which take most
    of the time. Sums, weights, normalisation and heads are float32. On processors that multiply bfloat16 themselves
    (AMX, GPUs) training is much faster with it, on others slower.
    """

    encoder: EncoderConfig = TdnnConfig()
    head_dropout: float = Field(default=0.1, ge=0, lt=1)
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True)
class Encoded:
    """What one forward pass of the encoder gives.

    Attributes:
        outputs: by block name, in order, ``(batch, frames, size)`` at that block's frame rate.
        lengths: by block name, ``(batch,)`` valid frames of that output.
        seed: ``(2,)`` int32 that everything random in this pass was drawn from; None for inference.
    """

    outputs: Mapping[str, tf.Tensor]
    lengths: Mapping[str, tf.Tensor]
    seed: tf.Tensor | None = None

    @property
    def last(self) -> str:
        """Name of the last block."""
        return next(reversed(list(self.outputs)))


class Head(keras.layers.Layer):
    """From the encoder's last block to the blank (unit 0) and the phones of one language (units 1, 2, ...).

    Attributes:
        units: how many, blank included.
    """

    units: int

    def call(self, inputs: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Map ``(batch, frames, size)`` to logits ``(batch, frames, units)``."""
        raise NotImplementedError


class CtcHead(Head):
    """Layer normalisation and a linear layer to the blank (unit 0) and the phones of one language (units 1, 2, ...)."""

    def __init__(self, size: int, units: int, rate: float, name: str):
        super().__init__(name=name)
        self.rate, self.units = rate, units
        self.norm = layer_norm(size, "norm")
        self.output_layer = dense(size, units, "output")
        self.built = True

    def call(self, inputs: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Map ``(batch, frames, size)`` to logits ``(batch, frames, units)``."""
        return self.output_layer(dropout(self.norm(inputs), self.rate, seed, 0))


class AcousticModel:
    """Features in, logits over blank and phones out, for each language.

    Attributes:
        blocks: the encoder's named blocks, in order, which languages share.
        private: by language, by name, blocks of this language that replace the shared ones of these names.
        heads: CTC heads by name.
        head_of: by language, the name of its head: its own name, unless several languages share one.
        inventories: by head, the phones of its units, where they are known.
        after: layers attached by transfer methods after a block (``"input"``: the features), by its name. They act in
            this order, each on the output of the one before, and map ``(batch, frames, size)`` to the same shape.
        within: layers whose output is added to that of a linear layer within a block, by ``block/layer`` (see
            `correct`).
        columns: frozen encoders that run in parallel on the same features, by number.
        laterals: lateral connections from the columns' outputs to this encoder, by block (`speechtl.models.lateral`).
        auxiliary: other layers attached by transfer methods, by name: a domain classifier, say.
        training_only: paths of the attached layers that ``weights.h5`` does without; checkpoints have them.
        speaker_paths: paths of the attached layers that belong to one speaker and can be stored alone.
        teachers: other models that methods compare this one with, by name; not among its layers and never stored.
    """

    def __init__(
        self,
        config: ModelConfig,
        inputs: int,
        units: Mapping[str, int | PhoneInventory],
        head_of: Mapping[str, str] | None = None,
    ):
        """Build the encoder and the heads with fresh weights.

        Args:
            config: sizes.
            inputs: feature bins.
            units: by head, the phones; or how many units there are, one for the blank included.
            head_of: by language, the name of its head; by default every head is a language's own and has its name.
        """
        self.config, self.inputs = config, inputs
        self.blocks = self._fresh_blocks()
        self.private: dict[str, dict[str, Block]] = {}
        self.heads: dict[str, Head] = {}
        self.inventories: dict[str, PhoneInventory] = {}
        self.head_of: dict[str, str] = {}
        self.after: dict[str, list[keras.layers.Layer]] = {}
        self.within: dict[str, list[keras.layers.Layer]] = {}
        self.columns: dict[str, AcousticModel] = {}
        self.laterals: dict[str, Lateral] = {}
        self.auxiliary: dict[str, keras.layers.Layer] = {}
        self.training_only: list[str] = []
        self.speaker_paths: list[str] = []
        self.teachers: dict[str, AcousticModel] = {}
        languages = head_of or {name: name for name in units}
        for name, count in units.items():
            self.add_head(name, count, [language for language, head in languages.items() if head == name])

    def _fresh_blocks(self) -> list[Block]:
        encoder = self.config.encoder
        build = {"tdnn": tdnn_blocks, "blstm": blstm_blocks, "conformer": conformer_blocks}[encoder.kind]
        blocks: list[Block] = build(encoder, self.inputs)  # type: ignore[operator]
        for block in blocks:
            for layer in _linear_layers(block).values():
                layer.precision = tf.as_dtype(self.config.precision)
        return blocks

    def add_head(self, name: str, units: int | PhoneInventory, languages: Iterable[str] | None = None) -> None:
        """Add a new head (replacing any of that name) for some languages, by default the one that it is named after."""
        self.inventories.pop(name, None)
        if isinstance(units, PhoneInventory):
            self.inventories[name] = units
            units = len(units) + 1
        self.heads[name] = CtcHead(self.blocks[-1].output_size, units, self.config.head_dropout, name)
        self.head_of.update(dict.fromkeys([name] if languages is None else languages, name))

    def add_private_blocks(self, language: str, names: Iterable[str]) -> None:
        """Give a language blocks of its own, at first copies of the shared ones; those that it has already stay.

        What is attached inside or behind a block acts on all languages.

        Raises:
            ModelError: there is no such block.
        """
        present = self.private.get(language, {})
        shared = {name: self.block(name) for name in names if name not in present}
        if not shared:
            return
        for block in self._fresh_blocks():
            if block.name in shared:
                for ours, theirs in zip(block.weights, shared[block.name].weights, strict=True):
                    ours.assign(theirs.value)
                present[block.name] = block
        # In the order of the encoder, however often and in whichever order blocks are added.
        self.private[language] = {name: present[name] for name in self.block_names if name in present}
        for place in self.within:
            self._connect(place)

    def add_column(self, column: "AcousticModel") -> None:
        """Let another encoder with the same blocks run beside this one, frozen."""
        for _, layer in column.layers():
            layer.trainable = False
        self.columns[str(len(self.columns) + 1)] = column

    def add_laterals(self, rank: int) -> None:
        """Connect all columns to every block, through adapters of width ``rank``."""
        for block in self.blocks:
            self.laterals[block.name] = Lateral(len(self.columns), block.output_size, rank)

    @property
    def block_names(self) -> list[str]:
        """Names of the encoder's blocks, in order."""
        return [block.name for block in self.blocks]

    def block(self, name: str) -> Block:
        """Return a block by name.

        Raises:
            ModelError: there is no such block; lists those there are.
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
        return int(self._linear_at(place).kernel.shape[-1]) if "/" in place else self.block(place).output_size

    def linear_layers(self, name: str) -> dict[str, Linear | DilatedConv]:
        """Return the linear layers within a block, by their names."""
        return _linear_layers(self.block(name))

    def correct(self, place: str, layer: keras.layers.Layer) -> None:
        """Add what ``layer`` makes of its inputs to the output of the linear layer at ``place`` (``"tdnn1/conv"``).

        Raises:
            ModelError: there is no such linear layer; lists those there are.
        """
        self._linear_at(place)
        self.within.setdefault(place, []).append(layer)
        self._connect(place)

    def _linear_at(self, place: str) -> Linear | DilatedConv:
        block, _, name = place.partition("/")
        linear = self.linear_layers(block)
        if name not in linear:
            raise ModelError(f"no linear layer '{name}' in block '{block}'; it has: {', '.join(linear) or 'none'}")
        return linear[name]

    def _connect(self, place: str) -> None:
        """Make the linear layer at a place, in the shared block and in languages' own ones, add what is attached."""
        block, _, name = place.partition("/")
        attached = self.within[place]
        own = [blocks[block] for blocks in self.private.values() if block in blocks]
        for each in [self.block(block), *own]:
            _linear_layers(each)[name].correction = lambda inputs: tf.add_n([layer(inputs) for layer in attached])

    def layers(self) -> Iterator[tuple[str, keras.layers.Layer]]:
        """Yield every layer with the path its weights are stored under."""
        for block in self.blocks:
            yield f"encoder/{block.name}", block
        for language, blocks in self.private.items():
            for name, block in blocks.items():
                yield f"private/{language}/{name}", block
        for language, head in self.heads.items():
            yield f"heads/{language}", head
        for place, attached in self.after.items():
            for layer in attached:
                yield f"after/{place}/{layer.name}", layer
        for place, attached in self.within.items():
            for layer in attached:
                yield f"within/{place}/{layer.name}", layer
        for number, column in self.columns.items():
            for path, layer in column.layers():
                yield f"columns/{number}/{path}", layer
        for name, lateral in self.laterals.items():
            yield f"laterals/{name}", lateral
        for name, layer in self.auxiliary.items():
            yield f"auxiliary/{name}", layer

    def variables(self) -> dict[str, keras.Variable]:
        """Return all weights by path, for example ``encoder/tdnn1/conv/kernel`` (no counters or seeds)."""
        found: dict[str, keras.Variable] = {}
        for path, layer in self.layers():
            for variable in layer.weights:
                # Keras prefixes the names of the layers a variable was made in, the block's own name not always.
                tail = variable.path.split(f"{layer.name}/", 1)[-1]
                found[f"{path}/{tail}"] = variable
        count = sum(len(layer.weights) for _, layer in self.layers())
        if len(found) != count:
            raise ModelError(f"{count - len(found)} weights share a name; give the sublayers of a block distinct names")
        return found

    def trainable_variables(self) -> dict[str, keras.Variable]:
        """Return the weights that training changes, by path."""
        trainable = {id(variable) for _, layer in self.layers() for variable in layer.trainable_variables}
        return {path: variable for path, variable in self.variables().items() if id(variable) in trainable}

    def encode(
        self,
        features: tf.Tensor,
        lengths: tf.Tensor,
        seed: tf.Tensor | None = None,
        language: str | None = None,
    ) -> Encoded:
        """Run the encoder.

        Args:
            features: ``(batch, frames, bins)``, normalised.
            lengths: ``(batch,)`` valid frames, int32.
            seed: ``(2,)`` int32 dropout seed while training, None for inference.
            language: whose own blocks are taken where it has any; None for the shared ones throughout.
        """
        own = self.private.get(language, {}) if language is not None else {}
        beside = [column.encode(features, lengths, language=language) for column in self.columns.values()]
        x = self._attached("input", features)
        outputs, all_lengths = {}, {}
        for number, shared in enumerate(self.blocks):
            block = own.get(shared.name, shared)
            block_seed = None if seed is None else seed + tf.constant([0, 100 * (number + 1)], tf.int32)
            x = block(x, lengths, block_seed)
            if beside:
                x += self.laterals[block.name]([tf.stop_gradient(column.outputs[block.name]) for column in beside])
            x = self._attached(block.name, x)
            lengths = block.output_lengths(lengths)
            outputs[block.name], all_lengths[block.name] = x, lengths
        return Encoded(outputs, all_lengths, seed)

    def _attached(self, place: str, x: tf.Tensor) -> tf.Tensor:
        for layer in self.after.get(place, ()):
            x = layer(x)
        return x

    def logits(self, encoded: Encoded, language: str, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Return ``(batch, frames, units)`` logits of a language's head (or of a head by name); unit 0 is the blank.

        Raises:
            ModelError: the model has no head for ``language``.
        """
        return self.heads[self.head_name(language)](encoded.outputs[encoded.last], seed)

    def has_head(self, language: str) -> bool:
        """Whether a language (or a name of a head) has a head."""
        return self.head_of.get(language, language) in self.heads

    def head_name(self, language: str) -> str:
        """Return the name of a language's head; a name of a head stands for itself.

        Raises:
            ModelError: the model has no head for ``language``.
        """
        name = self.head_of.get(language, language)
        if not self.has_head(language):
            known = ", ".join(dict.fromkeys([*self.head_of, *self.heads])) or "none"
            raise ModelError(f"this model has no head for language '{language}'; it has: {known}")
        return name

    def output_lengths(self, frames):
        """Return how many frames of logits ``frames`` feature frames give (integers, arrays or tensors)."""
        for block in self.blocks:
            frames = block.output_lengths(frames)
        return frames

    @property
    def subsampling(self) -> int:
        """Feature frames per frame of logits."""
        return 3600 // int(self.output_lengths(3600))

    def parameter_count(self) -> int:
        """Return the number of weights."""
        return sum(int(tf.size(variable.value)) for variable in self.variables().values())


def _linear_layers(block: Block) -> dict[str, Linear | DilatedConv]:
    within = block._flatten_layers(include_self=False)
    return {layer.name: layer for layer in within if isinstance(layer, Linear | DilatedConv)}
