"""Make ``whisper_base_golden.npz``: parts of the outputs of Whisper base's encoder, computed by transformers.

Run it with torch, transformers and safetensors installed; torch and transformers are no dependencies of speechtl::

    python tests/pretrained/make_whisper_base_golden.py FOLDER

FOLDER holds ``config.json`` and ``model.safetensors`` of openai/whisper-base (float16 or float32; only the encoder is
needed). For a signal of three seconds, padded to Whisper's 30, the file has by block (our names) every tenth frame of
the speech and every 32nd dimension.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file
from transformers.models.whisper.modeling_whisper import WhisperEncoder

OUT = Path(__file__).parent / "whisper_base_golden.npz"
SAMPLES, FRAMES, DIMENSIONS = 48000, slice(0, 150, 10), slice(0, None, 32)


def signal():
    """Return three seconds of harmonics that rise and fall, whole numbers in the range of 16 bits.

    The end is silent: speechtl leaves out the frame that is centred on the end of the signal.
    """
    time = np.arange(SAMPLES) / 16000
    voice = sum(np.sin(2 * np.pi * 110 * k * (time + 0.02 * np.sin(4 * time))) / k for k in range(1, 25))
    return np.where(time < 2.9, np.round(4000 * np.sin(5 * time) ** 2 * voice), 0).astype(np.float32)


def main(folder):
    """Write the file."""
    config = transformers.WhisperConfig(**json.loads((folder / "config.json").read_text()))
    encoder = WhisperEncoder(config).eval()
    tensors = load_file(folder / "model.safetensors")
    prefix = "model.encoder." if any(name.startswith("model.") for name in tensors) else "encoder."
    encoder.load_state_dict(
        {name.removeprefix(prefix): part.float() for name, part in tensors.items() if name.startswith(prefix)}
    )
    extract = transformers.WhisperFeatureExtractor(feature_size=config.num_mel_bins)
    features = extract(signal() / 32768, sampling_rate=16000, return_tensors="pt").input_features
    outputs = {}
    encoder.layers[0].register_forward_pre_hook(lambda _, inputs: outputs.update(stem=inputs[0]))
    for number, layer in enumerate(encoder.layers, 1):
        layer.register_forward_hook(
            lambda _, inputs, output, name=f"transformer{number}": outputs.update(
                {name: output[0] if isinstance(output, tuple) else output}
            )
        )
    with torch.no_grad():
        outputs["norm"] = encoder(features).last_hidden_state
    parts = {name: output[0, FRAMES, DIMENSIONS].numpy() for name, output in outputs.items()}
    np.savez_compressed(OUT, **parts)
    print(f"{OUT.name}: {OUT.stat().st_size} bytes; " + ", ".join(f"{n} {p.shape}" for n, p in parts.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
