"""A small encoder of every kind: tables for ``[model.encoder]``."""

WAV2VEC2 = {"kind": "wav2vec2", "size": 16, "blocks": 2, "heads": 2, "hidden": 32, "window": 7, "channels": (8, 12)}
WAV2VEC2 |= {"kernels": (4, 4), "strides": (2, 2), "position_kernel": 4, "position_groups": 4}
ENCODERS = {
    "tdnn": {"kind": "tdnn", "size": 16, "dilations": (1, 3)},
    "tdnn_bottleneck": {"kind": "tdnn", "size": 16, "dilations": (1, 2), "bottleneck": 8},
    "tdnn_conv2d": {"kind": "tdnn", "size": 16, "dilations": (2,), "subsampling": {"kind": "conv2d", "channels": 4}},
    "blstm": {"kind": "blstm", "size": 16, "blocks": 2},
    "conformer": {"kind": "conformer", "size": 16, "blocks": 2, "heads": 2, "kernel": 5},
    "whisper": {"kind": "whisper", "size": 16, "blocks": 2, "heads": 2, "hidden": 32, "window": 7},
    "whisper_padded": {"kind": "whisper", "size": 16, "blocks": 2, "heads": 2, "hidden": 32, "window": 7, "pad": True},
    "wav2vec2": WAV2VEC2,
    "wav2vec2_pre_norm": {**WAV2VEC2, "stem_norm": "layer", "conv_bias": True, "pre_norm": True, "position_kernel": 5},
    "hubert": {**WAV2VEC2, "projection_norm": False, "position_groups": 1},
    "wavlm": {**WAV2VEC2, "buckets": 8, "bucket_distance": 5},
    "wavlm_pre_norm": {**WAV2VEC2, "stem_norm": "layer", "pre_norm": True, "buckets": 4, "bucket_distance": 9},
    "data2vec": {**WAV2VEC2, "stem_norm": "layer", "position_convs": 3, "position_norm": True},
}
