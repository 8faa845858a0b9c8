"""Make ``foundation_golden.npz``: small random encoders, computed by transformers, for the tests of ours.

Run it with torch and transformers installed; neither is a dependency of speechtl::

    python tests/models/make_foundation_golden.py

For every family the file has ``FAMILY/config`` (the ``config.json`` of the checkpoint, as text),
``FAMILY/weights/NAME`` with the names of the checkpoint's tensors, and ``FAMILY/outputs/BLOCK`` with our names of the
blocks, computed from ``whisper/input`` or, for all others, ``waveform/input``. ``FAMILY/padded`` is the output of the
last block for the beginning of that signal, in a batch with all of it and masked, of the families where transformers
masks all that is beyond the end. Weights and inputs are rounded to float16 before anything is computed, so that they
are stored exactly. The ``features`` are what the extractors of transformers make of ``features/signal``, 16-bit samples
at 16 kHz; ``wavlm/buckets`` are those of the relative positions -1499 to 1499 in WavLM base and large.
"""

import json
from pathlib import Path

import numpy as np
import torch
import transformers

OUT = Path(__file__).parent / "foundation_golden.npz"
KERNELS, STRIDES = [10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2]
SMALL = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40}
STEM = {"conv_dim": [12, 12, 10, 10, 10, 12, 14], "conv_kernel": KERNELS, "conv_stride": STRIDES}
STABLE = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}
POSITIONS = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
CONFIGS = {
    "whisper": transformers.WhisperConfig(
        d_model=24, encoder_layers=2, encoder_attention_heads=3, encoder_ffn_dim=40, num_mel_bins=20,
        max_source_positions=18, decoder_layers=1, decoder_attention_heads=3, decoder_ffn_dim=8, vocab_size=9,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, max_target_positions=4,
    ),
    "wav2vec2": transformers.Wav2Vec2Config(**SMALL, **STEM, **POSITIONS),
    "xls_r": transformers.Wav2Vec2Config(
        **SMALL, **STEM, **STABLE, num_conv_pos_embeddings=15, num_conv_pos_embedding_groups=2
    ),
    "hubert": transformers.HubertConfig(**SMALL, **STEM, **POSITIONS, feat_proj_layer_norm=False),
    "wavlm": transformers.WavLMConfig(**SMALL, **STEM, **POSITIONS, num_buckets=12, max_bucket_distance=11),
    "wavlm_large": transformers.WavLMConfig(
        **SMALL, **STEM, **POSITIONS, feat_extract_norm="layer", do_stable_layer_norm=True, num_buckets=16,
        max_bucket_distance=40,
    ),
    "data2vec": transformers.Data2VecAudioConfig(
        **SMALL, **STEM, num_conv_pos_embeddings=3, conv_pos_kernel_size=5, num_conv_pos_embedding_groups=4
    ),
}  # fmt: skip
# The prefix of the encoder's tensors in published checkpoints, and how older ones name weight normalisation.
PREFIXES = {"whisper": "model.", "wav2vec2": "wav2vec2.", "xls_r": "wav2vec2.", "hubert": ""}
PREFIXES |= {"wavlm": "wavlm.", "wavlm_large": "", "data2vec": "data2vec_audio."}
OLD_NAMES = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
NEW_NAMES = {"xls_r"}
# Without statistics over time in the stem and without several convolutions for positions, whose padding is not masked.
MASKED = {"xls_r", "wavlm_large"}
FRAMES, FEWER = 21, 13


def make_model(config):
    """Return a model whose weights, biases and norms are all random and exact in float16."""
    torch.manual_seed(1)
    model = transformers.AutoModel.from_config(config).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            noise = torch.randn_like(weights)
            if name.endswith(("embed_positions.weight", "masked_spec_embed")):
                continue
            if "norm" in name:
                noise = 0.3 * noise + (1.0 if name.endswith("weight") else 0.0)
            elif name.endswith(("original0", "weight_g")):
                noise = 1.0 + 0.3 * noise.abs()
            elif name.endswith("bias"):
                noise = 0.2 * noise
            else:
                noise = noise * 1.5 / np.sqrt(weights[0].numel())
            weights.copy_(noise)
        for weights in model.parameters():
            weights.copy_(weights.half().float())
    return model


def watch(model, places):
    """Return a dictionary that the next forward pass fills with the outputs of modules, by our names of blocks."""
    outputs = {}

    def keep(name, value):
        value = value[0] if isinstance(value, tuple) else value
        outputs[name] = value.detach().numpy()[0].copy()

    for name, module in places.items():
        if name == "stem" and not isinstance(module, torch.nn.ModuleList):
            module.register_forward_hook(lambda _, inputs, output: keep("stem", output.transpose(1, 2)))
        elif isinstance(module, torch.nn.ModuleList):  # The input of the first.
            module[0].register_forward_pre_hook(lambda _, inputs, name=name: keep(name, inputs[0]))
        else:
            module.register_forward_hook(lambda _, inputs, output, name=name: keep(name, output))
    return outputs


def transformer_places(encoder, config, final_norm):
    places = {f"transformer{number}": layer for number, layer in enumerate(encoder.layers, 1)}
    return places | ({"norm": encoder.layer_norm} if final_norm else {})


def run_whisper(model, config, signal):
    encoder = model.encoder
    outputs = watch(model, {"stem": encoder.layers, **transformer_places(encoder, config, True)})
    frames = 2 * config.max_source_positions
    inputs = np.random.default_rng(3).normal(size=(frames, config.num_mel_bins)).astype(np.float16)
    with torch.no_grad():
        encoder(torch.tensor(inputs.astype(np.float32).T[np.newaxis]))
    return inputs, outputs


def run_wav2vec2(model, config, signal):
    places = {
        "stem": model.feature_extractor,
        "projection": model.feature_projection,
        "positions": model.encoder.layers,
        **transformer_places(model.encoder, config, getattr(config, "do_stable_layer_norm", False)),
    }
    outputs = watch(model, places)
    inputs = signal.astype(np.float16)
    with torch.no_grad():
        model(torch.tensor(inputs.astype(np.float32)[np.newaxis]))
    return inputs, outputs


def run_padded(model, inputs):
    """Return the last output for the beginning of a signal, padded to all of it."""
    samples = (FEWER - 1) * 320 + 400
    batch, mask = torch.tensor(inputs.astype(np.float32)).repeat(2, 1), torch.ones(2, len(inputs), dtype=torch.long)
    batch[1, samples:] = mask[1, samples:] = 0
    with torch.no_grad():
        return model(batch, attention_mask=mask).last_hidden_state[1, :FEWER].numpy()


def speech_like(samples, rate=16000):
    """Return harmonics that rise and fall over noise, whole numbers in the range of 16 bits."""
    time = np.arange(samples) / rate
    voice = sum(np.sin(2 * np.pi * 120 * k * (time + 0.01 * np.sin(5 * time))) / k for k in range(1, 20))
    noise = np.random.default_rng(0).normal(size=samples)
    return np.round(3000 * np.sin(3 * time) ** 2 * voice + 100 * noise).astype(np.float32)


def features(signal):
    """Return what the extractors of transformers make of a signal in the range of 16 bits."""
    scaled, found = signal / np.float32(32768), {"signal": signal.astype(np.int16)}
    for bins in (80, 128):
        extract = transformers.WhisperFeatureExtractor(feature_size=bins)
        padded = extract(scaled, sampling_rate=16000, return_tensors="np").input_features[0]
        found[f"whisper{bins}"] = padded.T[: len(signal) // 160].astype(np.float32)
    extract = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    found["waveform"] = extract(scaled, sampling_rate=16000, return_tensors="np").input_values[0].astype(np.float32)
    return found


def main():
    """Write the file."""
    arrays = {}
    signal = speech_like((FRAMES - 1) * 320 + 400)
    normalised = (signal - signal.mean()) / signal.std()
    for family, config in CONFIGS.items():
        model = make_model(config)
        run = run_whisper if family == "whisper" else run_wav2vec2
        inputs, outputs = run(model, config, normalised)
        table = {key: value for key, value in config.to_diff_dict().items() if key != "transformers_version"}
        arrays[f"{family}/config"] = np.array(json.dumps(table))
        arrays["whisper/input" if family == "whisper" else "waveform/input"] = inputs
        if family in MASKED:
            arrays[f"{family}/padded"] = run_padded(model, inputs)
        for name, value in model.state_dict().items():
            if not name.startswith("decoder."):
                for new, old in OLD_NAMES.items() if family not in NEW_NAMES else ():
                    name = name.replace(new, old)
                arrays[f"{family}/weights/{PREFIXES[family]}{name}"] = value.numpy().astype(np.float16)
        for name, value in outputs.items():
            arrays[f"{family}/outputs/{name}"] = value
    arrays |= {f"features/{name}": value for name, value in features(speech_like(6789)).items()}
    attention = transformers.WavLMModel(transformers.WavLMConfig(num_hidden_layers=1)).encoder.layers[0].attention
    arrays["wavlm/buckets"] = attention._relative_positions_bucket(torch.arange(-1499, 1500)).numpy().astype(np.int16)
    np.savez_compressed(OUT, **arrays)
    print(f"{OUT.name}: {OUT.stat().st_size / 1000:.0f} kB, {len(arrays)} arrays")


if __name__ == "__main__":
    main()
