"""Several languages in one model: what they share, what each has alone, and which one is spoken."""

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
    """``identify`` of `Multitask`: a small head that hears which language is spoken.

    Attributes:
        block: whose output it hears, one that all languages share from the features on; ``"input"`` for the features.
            By default the last such block.
        size: units that it pools over an utterance.
        weight: of its cross entropy in the loss, per utterance.
        stop_gradient: it learns from the encoder without changing it; False lets its gradients through.
    """

    block: str | None = None
    size: int = Field(default=64, gt=0)
    weight: float = Field(default=1.0, gt=0)
    stop_gradient: bool = True


class Multitask(TransferMethod):
    """Say which encoder blocks all languages share (Huang et al. 2013, Heigold et al. 2013).

    Every language of the config has its head and its own batches, whether this method is listed or not: the sum of
    the languages' losses is what is minimised, ``Σ_language Σ_utterance −log p(phones | speech; shared, own, head)``.
    The method gives languages blocks of their own for all that is not shared. They start as copies of the shared
    blocks, which stay in the model for languages without own ones.

    ``shared = "all"`` (everything but the heads), ``"first:4"`` (the rest is separate) and ``"last:4"`` or
    ``["tdnn2", "tdnn3"]`` (first blocks, too, are each language's own: only the middle is shared) are the three ways.

    To add a language to a trained model, list the method behind `FineTuning` with ``fresh = ["heads/NEW/*"]``, and
    ``keep`` the old languages: their heads and own blocks stay as they are to the bit, and with ``keep_trunk`` all
    that they say stays. A ``[[data]]`` table of a kept language needs no ``train``. With ``identify`` it does: a head
    that hears one language alone learns to say nothing else.

    Attributes:
        shared: blocks as in `choose_blocks`.
        languages: who has own blocks of the others; by default all that are not kept.
        keep: languages whose heads and own blocks are not trained.
        keep_trunk: neither are the shared blocks.
        identify: hear which language is spoken, so that decoding need not be told.
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
        """Give languages their own blocks and the model its language head; freeze what is kept.

        Raises:
            ModelError: languages or blocks that the model lacks, or a language head where languages part.
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
            place = _listening_place(model, self.identify.block)
            attach_language_head(model, place, self.identify.size, list(model.head_of))
        kept = [model.heads[model.head_name(language)] for language in self.keep]
        kept += [block for language in self.keep for block in model.private.get(language, {}).values()]
        for layer in [*kept, *(model.blocks if self.keep_trunk else ())]:
            layer.trainable = False
        return model

    def loss_terms(self, step: Step) -> dict[str, tf.Tensor]:
        """Return the cross entropy of the language head, ``language``."""
        head = language_head(step.model)
        if self.identify is None or head is None or step.language not in head.languages:
            return {}
        heard, lengths = head.heard(step.batch.features, step.batch.lengths, step.encoded)
        if self.identify.stop_gradient:
            heard = tf.stop_gradient(heard)
        surprise = head.surprise(heard, lengths, step.language)
        return {"language": self.identify.weight * tf.reduce_mean(tf.where(lengths > 0, surprise, 0.0))}


def _listening_place(model: AcousticModel, block: str | None) -> str:
    """Return the place of the language head: where it is already, where the config says, or the last one in common."""
    own = {name for blocks in model.private.values() for name in blocks}
    common = ["input"]
    for name in model.block_names:
        if name in own:
            break
        common.append(name)
    present = language_head(model)
    place = block or (present.place if present is not None else common[-1])
    if place not in common:
        raise ModelError(
            f"multitask.identify: languages have parted at block '{place}', so nobody knows whose blocks lead there; "
            f"choose one of: {', '.join(common)}"
        )
    if present is not None and present.place != place:
        raise ModelError(
            f"multitask.identify: the source's language head hears '{present.place}', not '{place}'; leave block out, "
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
