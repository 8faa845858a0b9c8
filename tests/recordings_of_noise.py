"""Short recordings of noise, whole and broken, for the tests of what computes features."""

import os

import numpy as np
import soundfile

from speechtl.data.datadir import DataDir


def write_six(folder):
    """Write a data directory with six utterances of three speakers, 0.2 to 0.7 s, and return it."""
    generator = np.random.default_rng(0)
    data = DataDir(folder / "data")
    for index in range(6):
        path = folder / f"{index}.flac"
        soundfile.write(path, generator.normal(size=3200 + 1600 * index) * 0.1, 16000)
        name = f"s{index // 2}-u{index}"
        data.wav_scp[name], data.utt2spk[name] = str(path), f"s{index // 2}"
    data.save(data.path)
    return data


def break_some(data):
    """Make one empty, truncated, missing, too short and a command that is not allowed; return the error of each."""
    names = data.utterance_ids
    open(data.wav_scp[names[0]], "wb").close()
    with open(data.wav_scp[names[1]], "r+b") as file:
        file.truncate(os.path.getsize(data.wav_scp[names[1]]) * 2 // 3)
    data.wav_scp[names[2]] = "nowhere.wav"
    soundfile.write(data.wav_scp[names[3]], np.ones(399) * 0.1, 16000)
    data.wav_scp[names[4]] = "cat nowhere.wav |"
    data.save(data.path)
    reasons = ["empty (0 bytes)", "truncated or damaged", "cannot read: No such file", "too short for one frame"]
    return dict(zip(names, [*reasons, "is a shell command; add --allow-pipes"]))
