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
    window = encoder.get("window")
    if not isinstance(window, int) or top.get("kind") != "tdnn" or "progressive" in methods:
        return None
    if encoder["kind"] == "whisper":
        # Silence that is added is as loud as all of the utterance says.
        return None if encoder.get("pad", True) else 2 * window
    # Convolutions that are normalised over time depend on all of it.
    local = encoder["kind"] == "wav2vec2" and encoder.get("stem_norm") == "layer"
    reach = encoder.get("position_convs", 1) * encoder.get("position_kernel", window)
    return window if local and reach < window else None
