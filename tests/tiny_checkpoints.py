"""Small checkpoints with names as transformers writes them: those whose outputs transformers has computed."""

import functools
import json
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).resolve().parent / "models" / "foundation_golden.npz"
FAMILIES = ("whisper", "wav2vec2", "xls_r", "hubert", "wavlm", "wavlm_large", "data2vec")
# Features of a Whisper model have 80 bins; of these the golden model hears the first ones.
BINS = 80


@functools.cache
def golden(family):
    """Return the config, the tensors, the input ``(frames, bins)`` or ``(samples,)`` and the outputs by block."""
    with np.load(GOLDEN) as file:
        table = json.loads(str(file[f"{family}/config"]))
        parts = {
            part: {
                name.removeprefix(f"{family}/{part}/"): file[name]
                for name in file.files
                if name.startswith(f"{family}/{part}/")
            }
            for part in ("weights", "outputs")
        }
        inputs = file["whisper/input" if family == "whisper" else "waveform/input"].astype(np.float32)
    tensors = parts["weights"]
    if family == "whisper":
        table["num_mel_bins"] = BINS
        missing = BINS - inputs.shape[1]
        inputs = np.pad(inputs, [(0, 0), (0, missing)])
        tensors["model.encoder.conv1.weight"] = np.pad(
            tensors["model.encoder.conv1.weight"], [(0, 0), (0, missing), (0, 0)]
        )
    return table, tensors, inputs, parts["outputs"]


def golden_value(name):
    """Return another value of the file."""
    with np.load(GOLDEN) as file:
        return file[name]


def write_checkpoint(folder, family="whisper", change=None, **settings):
    """Write a checkpoint with ``model.safetensors``.

    Args:
        folder: where.
        family: of `FAMILIES`.
        change: gets the dictionary of tensors and may change it.
        settings: over those of the config; None removes one.
    """
    from safetensors.numpy import save_file

    table, tensors, _, _ = golden(family)
    tensors = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    if change is not None:
        change(tensors)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    write_config(folder, {key: value for key, value in (table | settings).items() if value is not None})
    return folder


def write_config(folder, table):
    """Write ``config.json``."""
    (folder / "config.json").write_text(json.dumps(table))


def write_parts(folder, files):
    """Write an index of a checkpoint in parts: by file, the names of its tensors."""
    places = {name: file for file, names in files.items() for name in names}
    suffix = next(iter(files)).rpartition(".")[2]
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
