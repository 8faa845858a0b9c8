"""An encoder of named blocks and a CTC head per language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

import keras
import tensorflow as tf
from pydantic import Field

from speechtl.config import Section
from speechtl.errors import ModelError
from speechtl.models.blocks import Block, DilatedConv, Linear, dense, dropout, layer_norm
from speechtl.models.blstm import BlstmConfig, blstm_blocks
from speechtl.models.conformer import ConformerConfig, conformer_blocks
from speechtl.models.tdnn import TdnnConfig, tdnn_blocks

EncoderConfig = Annotated[TdnnConfig | BlstmConfig | ConformerConfig, Field(discriminator="kind")]


class ModelConfig(Section):
    """``[model]``."""

    encoder: EncoderConfig = TdnnConfig()
    head_dropout: float = Field(default=0.1, ge=0, lt=1)


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


class CtcHead(keras.layers.Layer):
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
        blocks: the encoder's named blocks, in order.
        heads: CTC heads by language.
        behind: layers that transfer methods attach: their output replaces that of the block they are listed under
            (``"input"`` stands for the features). They take and give ``(batch, frames, size)``.
        inside: layers that add to the output of a linear layer within a block, by ``block/layer`` (see `correct`).
        beside: other layers that methods attach, by name (a domain classifier, say).
        training_only: paths of the attached layers that ``weights.h5`` does without; checkpoints have them.
        speaker_paths: paths of the attached layers that belong to one speaker and can be stored alone.
        references: other models that methods compare this one with, by name; not among its layers and never stored.
    """

    def __init__(self, config: ModelConfig, inputs: int, units: Mapping[str, int]):
        """Build the encoder and the heads with fresh weights.

        Args:
            config: sizes.
            inputs: feature bins.
            units: by language, the phones plus one for the blank.
        """
        self.config, self.inputs = config, inputs
        build = {"tdnn": tdnn_blocks, "blstm": blstm_blocks, "conformer": conformer_blocks}[config.encoder.kind]
        self.blocks: list[Block] = build(config.encoder, inputs)  # type: ignore[operator]
        self.heads: dict[str, CtcHead] = {}
        self.behind: dict[str, list[keras.layers.Layer]] = {}
        self.inside: dict[str, list[keras.layers.Layer]] = {}
        self.beside: dict[str, keras.layers.Layer] = {}
        self.training_only: list[str] = []
        self.speaker_paths: list[str] = []
        self.references: dict[str, AcousticModel] = {}
        for language, count in units.items():
            self.add_head(language, count)

    def add_head(self, language: str, units: int) -> None:
        """Give ``language`` a new head (replacing any it had)."""
        self.heads[language] = CtcHead(self.blocks[-1].output_size, units, self.config.head_dropout, language)

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

    def linear_layers(self, name: str) -> dict[str, Linear | DilatedConv]:
        """Return the linear layers within a block, by their names."""
        within = self.block(name)._flatten_layers(include_self=False)
        return {layer.name: layer for layer in within if isinstance(layer, Linear | DilatedConv)}

    def correct(self, place: str, layer: keras.layers.Layer) -> None:
        """Add what ``layer`` makes of its inputs to the output of the linear layer at ``place`` (``"tdnn1/conv"``).

        Raises:
            ModelError: there is no such linear layer; lists those there are.
        """
        block, _, name = place.partition("/")
        linear = self.linear_layers(block)
        if name not in linear:
            raise ModelError(f"no linear layer '{name}' in block '{block}'; it has: {', '.join(linear) or 'none'}")
        attached = self.inside.setdefault(place, [])
        attached.append(layer)
        linear[name].correction = lambda inputs: tf.add_n([each(inputs) for each in attached])

    def layers(self) -> Iterator[tuple[str, keras.layers.Layer]]:
        """Yield every layer with the path its weights are stored under."""
        for block in self.blocks:
            yield f"encoder/{block.name}", block
        for language, head in self.heads.items():
            yield f"heads/{language}", head
        for place, attached in self.behind.items():
            for layer in attached:
                yield f"behind/{place}/{layer.name}", layer
        for place, attached in self.inside.items():
            for layer in attached:
                yield f"inside/{place}/{layer.name}", layer
        for name, layer in self.beside.items():
            yield f"beside/{name}", layer

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

    def encode(self, features: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor | None = None) -> Encoded:
        """Run the encoder.

        Args:
            features: ``(batch, frames, bins)``, normalised.
            lengths: ``(batch,)`` valid frames, int32.
            seed: ``(2,)`` int32 dropout seed while training, None for inference.
        """
        x = self._attached("input", features)
        outputs, all_lengths = {}, {}
        for number, block in enumerate(self.blocks):
            block_seed = None if seed is None else seed + tf.constant([0, 100 * (number + 1)], tf.int32)
            x = self._attached(block.name, block(x, lengths, block_seed))
            lengths = block.output_lengths(lengths)
            outputs[block.name], all_lengths[block.name] = x, lengths
        return Encoded(outputs, all_lengths, seed)

    def _attached(self, place: str, x: tf.Tensor) -> tf.Tensor:
        for layer in self.behind.get(place, ()):
            x = layer(x)
        return x

    def logits(self, encoded: Encoded, language: str, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Return ``(batch, frames, units)`` logits of a language's head; unit 0 is the blank.

        Raises:
            ModelError: the model has no head for ``language``.
        """
        if language not in self.heads:
            known = ", ".join(self.heads) or "none"
            raise ModelError(f"this model has no head for language '{language}'; it has: {known}")
        return self.heads[language](encoded.outputs[encoded.last], seed)

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
