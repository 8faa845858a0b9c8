"""Checkpoints of Whisper (Radford et al. 2023); of these, the encoder."""

import re
from typing import Any

from speechtl.pretrained.family import Family
from speechtl.pretrained.settings import Settings

_LAYERS = {
    "attention_norm": "self_attn_layer_norm",
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "attention_out": "self_attn.out_proj",
    "feed_norm": "final_layer_norm",
    "widen": "fc1",
    "narrow": "fc2",
}
_BLOCKS = {"stem/conv1": "conv1", "stem/conv2": "conv2", "norm": "layer_norm"}
_PARTS = {"kernel": "weight", "scale": "weight", "bias": "bias", "offset": "bias"}


def _encoder(config: Settings) -> dict[str, Any]:
    config.require("activation_function", "gelu", "no other activation is there")
    return {
        "kind": "whisper",
        "size": config.number("d_model", 384),
        "blocks": config.number("encoder_layers", 4),
        "heads": config.number("encoder_attention_heads", 6),
        "hidden": config.number("encoder_ffn_dim", 1536),
        "window": config.number("max_source_positions", 1500),
    }


def _features(config: Settings, preprocessor: Settings) -> dict[str, Any]:
    bins = config.number("num_mel_bins", 80)
    preprocessor.require("feature_size", bins, "num_mel_bins of config.json")
    preprocessor.require("sampling_rate", 16000, "Whisper's")
    preprocessor.require("n_fft", 400, "Whisper's windows have 25 ms")
    preprocessor.require("hop_length", 160, "Whisper's frames are 10 ms apart")
    preprocessor.require("do_normalize", False, "Whisper's features are not normalised")
    return {"kind": "whisper", "num_mel_bins": bins}


def _tensor(path: str) -> str:
    if path == "stem/positions":
        return "embed_positions.weight"
    layer, _, part = path.rpartition("/")
    if found := re.fullmatch(r"transformer(\d+)/(\w+)", layer):
        return f"layers.{int(found[1]) - 1}.{_LAYERS[found[2]]}.{_PARTS[part]}"
    return f"{_BLOCKS[layer]}.{_PARTS[part]}"


WHISPER = Family(
    model_type="whisper",
    encoder=_encoder,
    features=_features,
    prefixes=("model.encoder.", "encoder."),
    tensor=_tensor,
    unused={
        "model.decoder.*": "the decoder",
        "decoder.*": "the decoder",
        "proj_out.*": "the decoder's output layer",
        "projector.*": "a classifier",
        "classifier.*": "a classifier",
        "layer_weights": "a classifier's weights of layers",
    },
)
