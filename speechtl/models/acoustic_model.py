"""An encoder of named blocks and a CTC head per language."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence

import keras
import tensorflow as tf

from speechtl.errors import ModelError
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.models.config import ModelConfig
from speechtl.models.ctc_head import CtcHead, Head
from speechtl.models.encoder import Encoded, Encoder
from speechtl.models.head_name import head_name


class AcousticModel(Encoder):
    """An encoder of named blocks with a CTC head per language: features in, logits of blank and phones out.

    Attributes:
        heads: CTC heads by name.
        head_of: by language, the name of its head: that of the language, unless several languages share one.
        inventories: by head, the phones of its units, where known.
        auxiliary: other layers attached by transfer methods, by name: a domain classifier, say.
        training_only: paths of attached layers that are in checkpoints but not in ``weights.h5``.
        speaker_paths: paths of attached layers that belong to one speaker and can be stored in a file of their own.
        teachers: other models that methods compare this one with, by name; not among its layers and never stored.
    """

    def __init__(
        self,
        config: ModelConfig,
        inputs: int,
        units: Mapping[str, int | PhoneInventory],
        head_of: Mapping[str, str] | None = None,
    ):
        """Build the encoder and the heads with new weights.

        Args:
            config: ``[model]``.
            inputs: feature dimension.
            units: by head, the phones; or the number of units, including the blank.
            head_of: by language, the name of its head; by default every language has a head of its name.
        """
        super().__init__(config, inputs)
        self.heads: dict[str, Head] = {}
        self.inventories: dict[str, PhoneInventory] = {}
        self.head_of: dict[str, str] = {}
        self.auxiliary: dict[str, keras.layers.Layer] = {}
        self.training_only: list[str] = []
        self.speaker_paths: list[str] = []
        self.teachers: dict[str, AcousticModel] = {}
        languages = head_of or {name: name for name in units}
        for name, count in units.items():
            self.add_head(name, count, [language for language, head in languages.items() if head == name])

    def add_head(self, name: str, units: int | PhoneInventory, languages: Iterable[str] | None = None) -> None:
        """Add a head, replacing any of that name, for some languages; by default for the one that it is named after."""
        self.inventories.pop(name, None)
        if isinstance(units, PhoneInventory):
            self.inventories[name] = units
            units = len(units) + 1
        self.heads[name] = CtcHead(self.blocks[-1].output_size, units, self.config.head_dropout, name)
        self.head_of.update(dict.fromkeys([name] if languages is None else languages, name))

    def after_frozen(self, names: Sequence[str]) -> "AcousticModel":
        """Return this model, with the same layers, as it goes on after some frozen blocks.

        Its `encode` takes the outputs of these blocks, concatenated along the last axis, in place of features, and
        begins with the block after the last of them. Names, weights and ``subsampling`` are those of the whole model.

        Args:
            names: of the last of the frozen blocks, and of the blocks before it whose outputs are read later; none for
                the whole model.

        Raises:
            ModelError: no such blocks, or blocks of different frame rates.
        """
        if not names:
            return self
        if len({self.subsampling_at(name) for name in names}) > 1:
            raise ModelError(f"{', '.join(names)}: blocks of different frame rates cannot be read side by side")
        model = copy.copy(self)
        model.given = tuple(name for name in self.block_names if name in names)
        model.inputs = sum(self.block(name).output_size for name in model.given)
        return model

    def layers(self) -> Iterator[tuple[str, keras.layers.Layer]]:
        """Yield every layer with the path its weights are stored under."""
        yield from self._block_layers()
        for name, head in self.heads.items():
            yield f"heads/{name}", head
        yield from self._attached_layers()
        for name, layer in self.auxiliary.items():
            yield f"auxiliary/{name}", layer

    def logits(self, encoded: Encoded, language: str, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Return logits ``(batch, frames, units)`` of a language's head (or of a head by name); unit 0 is the blank.

        Raises:
            ModelError: the model has no head for ``language``.
        """
        return self.heads[self.head_name(language)](encoded.outputs[encoded.last], seed)

    def has_head(self, language: str) -> bool:
        """Whether there is a head for a language, or one of this name."""
        return self.head_of.get(language, language) in self.heads

    def head_name(self, language: str) -> str:
        """Return the name of a language's head; the name of a head stands for itself.

        Raises:
            ModelError: the model has no head for ``language``.
        """
        return head_name(language, self.head_of, self.heads)
