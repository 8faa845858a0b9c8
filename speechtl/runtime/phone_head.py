"""The heads of a model in NumPy: from the encoder's output to log-posteriors."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from speechtl.errors import ModelError
from speechtl.lang.known_phones import attributes_by_known
from speechtl.lang.phone_attributes import table_of_width
from speechtl.lang.phone_inventory import PhoneInventory

# Added to the variance, as in `speechtl.models.blocks.LayerNorm`.
_EPSILON = 1e-5
ATTRIBUTES = "auxiliary/attributes"


@dataclasses.dataclass(frozen=True)
class PhoneHead:
    """Layer normalisation, a linear layer, log-softmax.

    Attributes:
        scale: ``(size,)`` of the normalisation.
        offset: ``(size,)`` likewise.
        kernel: ``(size, units)``.
        bias: ``(units,)``.
    """

    scale: np.ndarray
    offset: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray

    def log_posteriors(self, encoded: np.ndarray) -> np.ndarray:
        """Map ``(frames, size)`` to log-posteriors ``(frames, units)``, float32."""
        centred = encoded - encoded.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        normalised = centred / np.sqrt(variance + np.float32(_EPSILON)) * self.scale + self.offset
        logits = normalised @ self.kernel + self.bias
        logits -= logits.max(axis=-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def ctc_head(weights: Mapping[str, np.ndarray], name: str) -> PhoneHead:
    """Return a trained head, `speechtl.models.ctc_head.CtcHead`.

    Args:
        weights: of the model, by path.
        name: of the head.

    Raises:
        ModelError: the model has no such head.
    """
    parts = ("norm/scale", "norm/offset", "output/kernel", "output/bias")
    lacking = [part for part in parts if f"heads/{name}/{part}" not in weights]
    if lacking:
        raise ModelError(f"weights of head '{name}' are missing ({', '.join(lacking)}); export the model again")
    return PhoneHead(*(weights[f"heads/{name}/{part}"] for part in parts))


def attribute_head(weights: Mapping[str, np.ndarray], inventory: PhoneInventory) -> PhoneHead:
    """Return a head for any phones in a space of articulatory attributes, `speechtl.models.attribute_head`.

    Args:
        weights: of the model, by path.
        inventory: the phones.

    Raises:
        ModelError: the weights are of an unknown system of attributes.
        LexiconError: phones that are not IPA.
    """

    def weight(name: str) -> np.ndarray:
        return weights[f"{ATTRIBUTES}/{name}"]

    centre = weight("centre")
    table = table_of_width(len(centre))
    if table is None:
        raise ModelError(f"{len(centre)} attributes of phones are of no known system; another version may know it")
    own = weights.get(f"{ATTRIBUTES}/own")
    names = tuple(weight("own_phones").tobytes().decode().split()) if own is not None else ()
    attributes, places = attributes_by_known(inventory.phones, names, table)
    vectors = (attributes - centre) / np.float32(np.sqrt(attributes.shape[1]))
    if f"{ATTRIBUTES}/embedding" in weights:
        vectors = np.tanh(vectors @ weight("embedding"))
    kernel = weight("projection") @ vectors.T
    if own is not None:
        kernel += (own[np.maximum(places, 0)] * (places >= 0)[:, np.newaxis]).T.astype(np.float32)
    kernel = np.concatenate([weight("blank"), kernel], axis=1)
    bias = np.concatenate([weight("blank_offset"), vectors @ weight("offset")])
    return PhoneHead(weight("norm/scale"), weight("norm/offset"), kernel, bias)
