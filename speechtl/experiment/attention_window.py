"""How far the attention of a model reaches, as its config says."""

from collections.abc import Mapping
from typing import Any


def attention_window(config: Mapping[str, Any]) -> int | None:
    """Return the feature frames of the windows that an encoder attends to side by side.

    Args:
        config: of an experiment directory, which has every value.

    Returns:
        None of encoders without, and where something beside or on top of the encoder looks at everything.
    """
    model = config["model"]
    encoder, top = model["encoder"], model.get("top", {"kind": "tdnn"})
    methods = {one.get("method") for one in config.get("transfer", [])}
    if top.get("kind") != "tdnn" or "progressive" in methods:
        return None
    if encoder["kind"] == "whisper":
        # Silence that is added is as loud as all of the utterance says.
        return None if encoder["pad"] else 2 * int(encoder["window"])
    # Convolutions that are normalised over time depend on all of it.
    local = encoder["kind"] == "wav2vec2" and encoder["stem_norm"] == "layer"
    if local and encoder["position_convs"] * encoder["position_kernel"] < encoder["window"]:
        return int(encoder["window"])
    return None
