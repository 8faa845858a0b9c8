"""What is known of a family of checkpoints: what to import, and what its tensors are called here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from speechtl.pretrained.settings import Settings


@dataclass(frozen=True)
class Family:
    """A ``model_type`` of transformers.

    Attributes:
        model_type: its name in ``config.json``.
        encoder: from what that says to the keys of ``[model.encoder]``.
        features: from that and what ``preprocessor_config.json`` says to the keys of ``[features]``.
        prefixes: what stands before the names of the encoder's tensors; the first one that is there counts.
        tensor: from the path of a weight here, without ``encoder/``, to the name of its tensor, without prefix.
        unused: patterns of tensors that are no part of the encoder, with what they are.
    """

    model_type: str
    encoder: Callable[[Settings], dict[str, Any]]
    features: Callable[[Settings, Settings], dict[str, Any]]
    prefixes: tuple[str, ...]
    tensor: Callable[[str], str]
    unused: dict[str, str]
