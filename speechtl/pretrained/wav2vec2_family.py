"""Checkpoints of wav2vec 2.0 (Baevski et al. 2020), XLS-R, MMS, HuBERT, WavLM and data2vec."""

import math
import re
from typing import Any

from speechtl.pretrained.family import Family
from speechtl.pretrained.settings import Settings

_LAYERS = {
    "attention_norm": "layer_norm",
    "query": "attention.q_proj",
    "key": "attention.k_proj",
    "value": "attention.v_proj",
    "attention_out": "attention.out_proj",
    "feed_norm": "final_layer_norm",
    "widen": "feed_forward.intermediate_dense",
    "narrow": "feed_forward.output_dense",
    "positions": "attention.gru_rel_pos_linear",
}
# The table of relative positions stands in the first block there, for all of them.
_POSITIONS = {
    "table": "encoder.layers.0.attention.rel_attn_embed.weight",
    "constant": "encoder.layers.{}.attention.gru_rel_pos_const",
}
_BLOCKS = {
    "projection/norm": "feature_projection.layer_norm",
    "projection/linear": "feature_projection.projection",
    "positions/conv": "encoder.pos_conv_embed.conv",
    # Before the transformer or behind it.
    "positions/norm": "encoder.layer_norm",
    "norm": "encoder.layer_norm",
}
_PARTS = {"kernel": "weight", "scale": "weight", "bias": "bias", "offset": "bias"}
_CONVOLUTIONS = {
    "conv_dim": (512,) * 7,
    "conv_kernel": (10, 3, 3, 3, 3, 2, 2),
    "conv_stride": (5, 2, 2, 2, 2, 2, 2),
}


def _common(config: Settings) -> dict[str, Any]:
    config.require("add_adapter", False, "convolutions behind the encoder are not read")
    config.require("hidden_act", "gelu", "no other activation is there")
    config.require("feat_extract_activation", "gelu", "no other activation is there")
    config.require("layer_norm_eps", 1e-5, "no other constant is there")
    channels, kernels, strides = (config.numbers(name, default) for name, default in _CONVOLUTIONS.items())
    return {
        "kind": "wav2vec2",
        "size": config.number("hidden_size", 768),
        "blocks": config.number("num_hidden_layers", 12),
        "heads": config.number("num_attention_heads", 12),
        "hidden": config.number("intermediate_size", 3072),
        "channels": channels,
        "kernels": kernels,
        "strides": strides,
        "conv_bias": config.flag("conv_bias", False),
        "position_groups": config.number("num_conv_pos_embedding_groups", 16),
    }


def _encoder(config: Settings) -> dict[str, Any]:
    config.require("adapter_attn_dim", None, "adapters for single languages (MMS) are not read; take one without")
    config.require("conv_pos_batch_norm", False, "batch normalisation of positions is not there")
    return {
        **_common(config),
        "stem_norm": config.word("feat_extract_norm", "group", ("group", "layer")),
        "projection_norm": config.flag("feat_proj_layer_norm", True),
        "position_kernel": config.number("num_conv_pos_embeddings", 128),
        "pre_norm": config.flag("do_stable_layer_norm", False),
    }


def _wavlm_encoder(config: Settings) -> dict[str, Any]:
    buckets, distance = config.number("num_buckets", 320), config.number("max_bucket_distance", 800)
    return {**_encoder(config), "buckets": buckets, "bucket_distance": distance}


def _data2vec_encoder(config: Settings) -> dict[str, Any]:
    return {
        **_common(config),
        "stem_norm": "layer",
        "position_convs": config.number("num_conv_pos_embeddings", 5),
        "position_kernel": config.number("conv_pos_kernel_size", 19),
        "position_norm": True,
    }


def _features(config: Settings, preprocessor: Settings) -> dict[str, Any]:
    kernels, strides = (config.numbers(name, _CONVOLUTIONS[name]) for name in ("conv_kernel", "conv_stride"))
    steps = [math.prod(strides[:number]) for number in range(len(strides))]
    length = 1 + sum((kernel - 1) * step for kernel, step in zip(kernels, steps))
    rate = preprocessor.number("sampling_rate", 16000)
    preprocessor.require("feature_size", 1, "the signal has one channel")
    return {
        "kind": "waveform",
        "sample_rate": rate,
        "frame_length_ms": 1000 * length / rate,
        "frame_shift_ms": 1000 * math.prod(strides) / rate,
        # The default of transformers, which many checkpoints do not repeat.
        "unit_variance": preprocessor.flag("do_normalize", True),
    }


def _tensor(path: str) -> str:
    layer, _, part = path.rpartition("/")
    if found := re.fullmatch(r"transformer(\d+)/positions/(table|constant)", path):
        return _POSITIONS[found[2]].format(int(found[1]) - 1)
    if found := re.fullmatch(r"transformer(\d+)/(\w+)", layer):
        return f"encoder.layers.{int(found[1]) - 1}.{_LAYERS[found[2]]}.{_PARTS[part]}"
    if found := re.fullmatch(r"stem/(conv|norm)(\d+)", layer):
        kind = {"conv": "conv", "norm": "layer_norm"}[found[1]]
        return f"feature_extractor.conv_layers.{int(found[2]) - 1}.{kind}.{_PARTS[part]}"
    return f"{_BLOCKS[layer]}.{_PARTS[part]}"


def _data2vec_tensor(path: str) -> str:
    if found := re.fullmatch(r"positions/conv(\d*)/(kernel|bias)", path):
        return f"encoder.pos_conv_embed.layers.{int(found[1] or 1) - 1}.conv.{_PARTS[found[2]]}"
    return _tensor(path)


_UNUSED = {
    "*masked_spec_embed": "what stands for masked frames in pre-training",
    "lm_head.*": "an output layer over letters or phones",
    "quantizer.*": "the codebooks of pre-training",
    "project_hid.*": "a layer of pre-training",
    "project_q.*": "a layer of pre-training",
    "final_proj.*": "a layer of pre-training",
    "label_embs_concat": "the codebook of pre-training",
    "projector.*": "a classifier",
    "classifier.*": "a classifier",
    "layer_weights": "a classifier's weights of layers",
    "tdnn.*": "a classifier of speakers",
    "feature_extractor.weight": "a classifier of speakers",
    "feature_extractor.bias": "a classifier of speakers",
    "objective.weight": "a classifier of speakers",
}

WAV2VEC2 = Family("wav2vec2", _encoder, _features, ("wav2vec2.", ""), _tensor, _UNUSED)
HUBERT = Family("hubert", _encoder, _features, ("hubert.", ""), _tensor, _UNUSED)
WAVLM = Family("wavlm", _wavlm_encoder, _features, ("wavlm.", ""), _tensor, _UNUSED)
DATA2VEC = Family("data2vec-audio", _data2vec_encoder, _features, ("data2vec_audio.", ""), _data2vec_tensor, _UNUSED)
