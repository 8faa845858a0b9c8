"""Attribute-based heads, which also score phones that no training language has."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from speechtl.errors import LexiconError, ModelError
from speechtl.lang.phone_attributes import AttributeTable, table_of_width
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.attribute_head import NAME, AttributeSpace, attach_attributes
from speechtl.models.restore import below, restores
from speechtl.transfer.method import TransferMethod


class Attributes(TransferMethod):
    """Replace the output layer of every head by a projection of the frame to attributes, times those of the phones.

    After Li et al. 2020 (Towards zero-shot learning for automatic phonemic transcription) and Socher et al. 2013: the
    logit of a phone is the product of the mapped frame and the phone's articulatory vector, see `AttributeSpace`. All
    languages share the mapping, so a phone has the same score in each of them, and a phone that no training language
    has is scored by its attributes. The blank is not a phone and has a separate vector.

    A model trained with this method decodes the words of any language: ``speechtl decode --inventory lexicon`` uses the
    phones of the lexicon as those of the head.

    List it after `FineTuning`: from a source without attributes, with ``fresh = ["heads/*"]``; from one with
    attributes, which are copied as well, only in order to set the dropout.

    Attributes:
        table: ``panphon``, distinctive features; ``chart``, coordinates of the IPA chart.
        size: width of a tanh layer over the attributes of a phone; 0 for none, the logit is then linear in them.
        own_vectors: training phones have a phone-specific vector in addition to their attributes; other phones use that
            of the nearest training phone on the IPA chart.
        own_dropout: share of these vectors that is dropped in a training step, so that attributes alone must suffice.
    """

    method: Literal["attributes"] = "attributes"
    table: AttributeTable = "panphon"
    size: int = Field(default=0, ge=0)
    own_vectors: bool = False
    own_dropout: float = Field(default=0.5, ge=0, le=1)

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Replace the heads.

        Raises:
            ModelError: phones that are not IPA, or the model has attributes of another shape already.
        """
        space = model.auxiliary.get(NAME)
        if isinstance(space, AttributeSpace):
            there = {"table": space.table, "size": space.size, "own_vectors": space.own is not None}
            here = {"table": self.table, "size": self.size, "own_vectors": self.own_vectors}
            if there != here:
                raise ModelError(f"attributes: the source's heads have {there}, expected {here}; use the same values")
            space.own_dropout = self.own_dropout
            return model
        phones = {phone for language in model.heads for phone in model.inventories.get(language, ())}
        try:
            space = AttributeSpace(
                model.blocks[-1].output_size,
                self.table,
                sorted(phones),
                size=self.size,
                own_vectors=self.own_vectors,
                rate=model.config.head_dropout,
                own_dropout=self.own_dropout,
            )
        except LexiconError as error:
            raise ModelError(f"attributes: {error}") from error
        attach_attributes(model, space)
        return model


@restores(f"auxiliary/{NAME}")
def _restore_attributes(model: AcousticModel, arrays: Mapping[str, np.ndarray], origin: str) -> None:
    """Attach the attribute space that stored weights belong to, without their values.

    Raises:
        ModelError: these are not the weights of such a layer, or the phones of a language are not known.
    """
    if NAME in model.auxiliary:
        return
    arrays = below(f"auxiliary/{NAME}", arrays)
    centre, projection = arrays.get("centre"), arrays.get("projection")
    table = None if centre is None else table_of_width(len(centre))
    if table is None or projection is None:
        raise ModelError(f"{origin}: weights of an unknown layer 'auxiliary/{NAME}'; another version may know it")
    phones = arrays["own_phones"].tobytes().decode().split() if "own" in arrays else []
    inputs, width = projection.shape
    size = width if "embedding" in arrays else 0
    rate = model.config.head_dropout
    attach_attributes(model, AttributeSpace(inputs, table, phones, size=size, own_vectors="own" in arrays, rate=rate))
