"""Heads that score phones by their articulation, also phones that no training language has."""

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
    """Replace every head's output layer by a projection of the frame to attributes, times the attributes of the phones.

    After Li et al. 2020 (Towards zero-shot learning for automatic phonemic transcription) and Socher et al. 2013: the
    logit of a phone is the product of what the frame is mapped to and of the phone's articulatory vector, see
    `AttributeSpace`. All languages share the mapping, so a phone has the same score in each of them, and a phone that
    no training language has is scored by what it is made of. The blank is no phone and has a vector of its own.

    A model that was trained with this method decodes the words of any language: ``speechtl decode --inventory lexicon``
    takes the phones of the lexicon for those of the head.

    List it behind `FineTuning`: from a source without attributes, with ``fresh = ["heads/*"]``; from one that has
    them, which come along with it, only in order to set the dropout.

    Attributes:
        table: ``panphon``, distinctive features; ``chart``, coordinates of the IPA chart.
        size: width of a tanh layer over the phone's attributes; 0 for none, the logit is then linear in them.
        own_vectors: phones of training have, beside their attributes, a vector of their own; others borrow that of the
            phone that is nearest on the IPA chart.
        own_dropout: share of them that do without it in a step of training, so that attributes alone must serve too.
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
