"""Multitask training of several languages, with shared and private blocks, and language identification."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import tensorflow as tf
from pydantic import Field, model_validator

from speechtl.config import Section
from speechtl.errors import ModelError, list_problems
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.language_head import FOLDER, attach_language_head, language_head, languages_in
from speechtl.models.restore import below, restores
from speechtl.transfer.method import Step, TransferMethod, choose_blocks


class LanguageIdentification(Section):
    """``identify`` of `Multitask`: an auxiliary language-identification head.

    Attributes:
        block: whose output is its input: ``"input"`` for the features, or a block up to which all languages share the
            encoder. By default the last such block.
        size: number of units that are pooled over an utterance.
        weight: of its cross entropy in the loss, per utterance.
        stop_gradient: train the head without changing the encoder; False propagates its gradient.
    """

    block: str | None = None
    size: int = Field(default=64, gt=0)
    weight: float = Field(default=1.0, gt=0)
    stop_gradient: bool = True


class Multitask(TransferMethod):
    """Choose which encoder blocks all languages share (Huang et al. 2013, Heigold et al. 2013).

    Every language of the config has a head and batches of one language, whether this method is listed or not: training
    minimises the sum of the losses, ``Σ_language Σ_utterance −log p(phones | speech; shared, private, head)``. The
    method adds private blocks for all blocks that are not shared, initialised to the shared ones, which remain in the
    model for languages without private blocks.

    There are three ways: ``shared = "all"`` (everything but the heads); ``"first:4"`` (the later blocks are private);
    and ``"last:4"`` or ``["tdnn2", "tdnn3"]`` (the first blocks, too, are private).

    To add a language to a trained model, list the method after `FineTuning` with ``fresh = ["heads/NEW/*"]``, and
    ``keep`` the old languages: their heads and private blocks remain bit-identical, and with ``keep_trunk`` so do all
    their outputs. The ``[[data]]`` table of a kept language needs no ``train``, except with ``identify``: a head
    trained on one language alone learns to predict nothing else.

    Attributes:
        shared: blocks as in `choose_blocks`.
        languages: which get private blocks; by default all that are not kept.
        keep: languages whose heads and private blocks are frozen.
        keep_trunk: freeze the shared blocks as well.
        identify: train a language-identification head, so that decoding can choose the language.
    """

    method: Literal["multitask"] = "multitask"
    shared: str | tuple[str, ...] = "all"
    languages: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    keep_trunk: bool = False
    identify: LanguageIdentification | None = None

    @model_validator(mode="after")
    def _check(self) -> "Multitask":
        if self.languages and self.shared == "all":
            raise ValueError("languages says who has blocks of its own, but all are shared; name those that are shared")
        return self

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Add private blocks and the language head; freeze the kept languages.

        Raises:
            ModelError: languages or blocks that the model lacks, or a language head after private blocks.
        """
        unknown = [name for name in (*self.languages, *self.keep) if name not in model.head_of]
        if unknown:
            heading = f"multitask: languages without a [[data]] table; this model has: {', '.join(model.head_of)}"
            raise ModelError(list_problems(heading, unknown))
        shared = choose_blocks(model, self.shared)
        separate = [name for name in model.block_names if name not in shared]
        for language in self.languages or [name for name in model.head_of if name not in self.keep]:
            model.add_private_blocks(language, separate)
        if self.identify is not None:
            place = _head_place(model, self.identify.block)
            attach_language_head(model, place, self.identify.size, list(model.head_of))
        kept = [model.heads[model.head_name(language)] for language in self.keep]
        kept += [block for language in self.keep for block in model.private.get(language, {}).values()]
        for layer in [*kept, *(model.blocks if self.keep_trunk else ())]:
            layer.trainable = False
        return model

    def reads(self, model: AcousticModel) -> tuple[str, ...]:
        """Return the input of the language head that is trained."""
        head = language_head(model)
        return () if self.identify is None or head is None else (head.place,)

    def loss_terms(self, step: Step) -> dict[str, tf.Tensor]:
        """Return the cross entropy of the language head, ``language``."""
        head = language_head(step.model)
        if self.identify is None or head is None or step.language not in head.languages:
            return {}
        inputs, lengths = head.select(step.batch.features, step.batch.lengths, step.encoded)
        if self.identify.stop_gradient:
            inputs = tf.stop_gradient(inputs)
        losses = head.losses(inputs, lengths, step.language)
        return {"language": self.identify.weight * tf.reduce_mean(tf.where(lengths > 0, losses, 0.0))}


def _head_place(model: AcousticModel, block: str | None) -> str:
    """Return the input of the language head: that of the config, the present one, or the last shared block."""
    private = {name for blocks in model.private.values() for name in blocks}
    common = ["input"]
    for name in model.block_names:
        if name in private:
            break
        common.append(name)
    present = language_head(model)
    place = block or (present.place if present is not None else common[-1])
    if place not in common:
        raise ModelError(
            f"multitask.identify: languages have parted at block '{place}', which has not one input for all; "
            f"choose one of: {', '.join(common)}"
        )
    if present is not None and present.place != place:
        raise ModelError(
            f"multitask.identify: the source's language head is at '{present.place}', not '{place}'; leave block out, "
            'or declare "auxiliary/language/*" fresh'
        )
    return place


@restores("private")
def _restore_private_blocks(model: AcousticModel, arrays: Mapping[str, np.ndarray], origin: str) -> None:
    blocks: dict[str, set[str]] = {}
    for name in below("private", arrays):
        language, block, _ = name.split("/", 2)
        blocks.setdefault(language, set()).add(block)
    for language, names in blocks.items():
        model.add_private_blocks(language, names)


@restores(f"auxiliary/{FOLDER}")
def _restore_language_head(model: AcousticModel, arrays: Mapping[str, np.ndarray], origin: str) -> None:
    stored = below(f"auxiliary/{FOLDER}", arrays)
    for name, array in stored.items():
        place, _, weight = name.partition("/")
        if weight == "conv/bias":
            attach_language_head(model, place, len(array), languages_in(stored))
