"""Whistled speech, in which every phone is a tone, and a model of it that is trained in seconds."""

import numpy as np
import soundfile

from speechtl.data.datadir import DataDir
from speechtl.experiment.config import load_config
from speechtl.experiment.train import train
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig

RATE = 8000
TONES = {"a": 400, "i": 700, "k": 1100, "s": 1700, "t": 2400, "u": 3200}
WORDS = {"tak": ["t a k"], "sit": ["s i t"], "kus": ["k u s", "k i s"], "ata": ["a t a"], "si": ["s i"]}


def whistle(text, seed=0, rate=RATE, gap=0.25, pitch=1.0):
    """Return ``(samples,)`` of words in [-1, 1] and where each begins and ends (s); unknown words are letters."""
    rng = np.random.default_rng(seed)
    pieces, times, place = [np.zeros(round(gap * rate))], [], gap
    for word in text.split():
        start = place
        for phone in WORDS.get(word, [" ".join(word)])[0].split():
            t = np.arange(round(rng.uniform(0.09, 0.14) * rate)) / rate
            pieces.append(
                0.2 * np.sin(2 * np.pi * pitch * TONES[phone] * rng.uniform(0.98, 1.02) * t) * np.hanning(len(t))
            )
            place += len(t) / rate
        times.append((start, place))
        pieces.append(np.zeros(round(gap * rate)))
        place += gap
    signal = np.concatenate(pieces)
    return signal + rng.normal(0, 0.001, len(signal)), times


def train_on_whistles(folder, languages=("xx",), transfer=""):
    """Return the directory of a trained experiment with a lexicon, normalised by speaker; languages do not differ."""
    rng = np.random.default_rng(5)
    lexicon = folder / "lexicon.txt"
    lexicon.write_text("".join(f"{word} {said}\n" for word, variants in sorted(WORDS.items()) for said in variants))
    text, wav, speaker = {}, {}, {}
    for number in range(40):
        name = f"s{number % 2}-{number:02d}"
        text[name] = " ".join(rng.choice(sorted(WORDS), rng.integers(1, 5)))
        wav[name], speaker[name] = str(folder / f"{name}.wav"), f"s{number % 2}"
        soundfile.write(wav[name], whistle(text[name], number, gap=rng.uniform(0.05, 0.4))[0], RATE)
    DataDir(path=folder / "data", wav_scp=wav, text=text, utt2spk=speaker).save(folder / "data")
    features = FeatureConfig(sample_rate=RATE, num_mel_bins=16)
    compute_features(DataDir.load(folder / "data"), features, folder / "data" / "feats")
    (folder / "conf.toml").write_text(
        "".join(
            f'[[data]]\nlanguage = "{name}"\ntrain = "{folder}/data"\nlexicon = "{lexicon}"\n' for name in languages
        )
        + transfer
        + "[features]\nsample_rate = 8000\nnum_mel_bins = 16\n"
        '[model.encoder]\nkind = "tdnn"\nsize = 32\ndilations = [1, 2]\nsubsampling = {factor = 2}\n'
        "[batches]\nframes = 1200\n[training]\nepochs = 7\nlearning_rate = 0.01\naverage = 2\n"
        "[decoding]\nblank_penalty = 1.0\n[augmentation]\ntime_masks = 0\nfrequency_masks = 0\n"
    )
    train(load_config(folder / "conf.toml"), folder / "exp")
    return folder / "exp"
