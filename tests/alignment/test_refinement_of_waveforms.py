"""Boundaries from features that are the samples themselves."""

import numpy as np

from speechtl.alignment.align_corpus import align_corpus
from speechtl.alignment.config import AlignmentConfig
from speechtl.alignment.corpus import Corpus
from speechtl.data.datadir import DataDir
from speechtl.features.archives import write_ark_scp
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute_many
from speechtl.lang.phone_inventory import PhoneInventory

PHONES = PhoneInventory(["a", "k", "s", "t"])
TONES = dict(zip(PHONES, (400, 900, 2000, 4500), strict=True))
FEATURES = FeatureConfig(kind="waveform")


def speak(phones, rng):
    """Return the samples of tones one after another, between silences, and where each starts, in samples."""
    parts, starts = [np.zeros(4000)], []
    for phone in phones:
        starts.append(sum(map(len, parts)))
        length = int(rng.integers(1300, 2600))
        parts.append(3000 * np.sin(2 * np.pi * TONES[phone] * np.arange(length) / 16000))
    signal = np.concatenate([*parts, np.zeros(4000)])
    return (signal + rng.normal(0, 30, len(signal))).astype(np.float32), np.array(starts)


def test_boundaries_are_finer_than_the_frames(tmp_path):
    rng = np.random.default_rng(0)
    data = DataDir(tmp_path / "data")
    posteriors, truth = {}, {}
    with write_ark_scp(tmp_path / "feats.ark", tmp_path / "feats.scp") as write:
        for number in range(24):
            key, phones = f"s{number % 2}-{number:02}", rng.permutation(list(PHONES)).tolist()
            signal, starts = speak(phones, rng)
            (frames,) = compute_many([signal], FEATURES)
            data.feats_scp[key], data.text[key] = write(key, frames), " ".join(phones)
            data.utt2spk[key], data.utt2dur[key] = key.split("-")[0], len(signal) / 16000
            # A CTC model has a peak somewhere in a phone.
            probability = np.full((len(frames), len(PHONES) + 1), 0.01)
            probability[:, 0] = 0.96
            for phone, start in zip(phones, starts, strict=True):
                peak = int((start + rng.integers(300, 1300)) / 320)
                probability[peak] = 0.01
                probability[peak, PHONES.index(phone)] = 0.96
            posteriors[key], truth[key] = np.log(probability), starts / 16000
    corpus = Corpus(data, PHONES, None, FEATURES, 1)
    off = {}
    for refine in ("never", "always"):
        found = align_corpus(corpus, iter(posteriors.items()), AlignmentConfig(refine=refine)).utterances
        # Inside the words: beside digital quiet, refinement hears a phone come.
        late = [[phone.start for phone in found[key].phones[1:]] - truth[key][1:] for key in sorted(truth)]
        off[refine] = np.abs(np.concatenate(late))
    assert off["always"].mean() < 0.008 and np.quantile(off["always"], 0.9) < 0.015
    assert off["always"].mean() < 0.6 * off["never"].mean()
