"""A corpus of invented speech and a small config to train on it."""

import numpy as np
import tomli_w

from speechtl.data.datadir import DataDir
from speechtl.data.tables import write_table

PHONES = ["a", "i", "k", "s", "t", "u"]
WORDS = {"tak": ["t a k"], "sit": ["s i t"], "kus": ["k u s", "k i s"], "ata": ["a t a"], "si": ["s i"]}


def corpus_maker(root):
    """Return a function that writes a data directory with features of invented speech: a pattern of bins per phone.

    Another ``voice`` has other patterns: another language, say.
    """
    from speechtl.features.archives import write_ark_scp
    from speechtl.features.cmvn import accumulate, add

    def make(name, utterances=12, speakers=3, seed=0, bins=12, frames_per_phone=9, voice=99):
        rng = np.random.default_rng(seed)
        patterns = np.random.default_rng(voice).normal(0, 2, (len(PHONES), bins))
        folder = root / name
        text, utt2spk, counts, matrices = {}, {}, {}, {}
        for number in range(utterances):
            speaker = f"s{number % speakers}"
            utterance = f"{speaker}-{name}-u{number:03d}"
            words = list(rng.choice(sorted(WORDS), rng.integers(1, 4)))
            phones = [phone for word in words for phone in WORDS[word][0].split()]
            rows = [
                patterns[PHONES.index(phone)] for phone in phones for _ in range(rng.integers(6, frames_per_phone + 4))
            ]
            matrix = (np.array(rows) + rng.normal(0, 1, (len(rows), bins))).astype(np.float32)
            text[utterance], utt2spk[utterance] = " ".join(words), speaker
            counts[utterance], matrices[utterance] = str(len(matrix)), matrix
        data = DataDir(path=folder, wav_scp={u: f"{u}.wav" for u in text}, text=text, utt2spk=utt2spk)
        data.save(folder)
        with write_ark_scp(folder / "feats.ark", folder / "feats.scp") as write:
            for utterance in sorted(matrices):
                write(utterance, matrices[utterance])
        with write_ark_scp(folder / "cmvn.ark", folder / "cmvn.scp") as write:
            for speaker in sorted(set(utt2spk.values())):
                write(speaker, add(accumulate(matrices[u]) for u in text if utt2spk[u] == speaker))
        write_table(folder / "utt2num_frames", counts)
        return folder

    return make


def write_lexicon(path):
    """Write a lexicon with all invented words; ``kus`` has two pronunciations."""
    path.write_text("".join(f"{word} {said}\n" for word, variants in sorted(WORDS.items()) for said in variants))
    return path


def config_maker(root, make_corpus, lexicon_file):
    """Return a function that writes a small experiment config, changed by keyword.

    ``features={"kind": "mfcc"}`` changes keys of a section, ``model__encoder={...}`` of a section within another; None
    removes a key. ``data`` changes the one ``[[data]]`` table; ``transfer`` is one table. A list replaces all tables.
    """

    def make(train="train", dev="dev", name="conf.toml", **changes):
        for directory, seed in ((train, 1), (dev, 2)):
            if not (root / directory).exists():
                make_corpus(directory, seed=seed)
        places = {key: str(root / directory) for key, directory in (("train", train), ("dev", dev))}
        table = {
            "data": [{"language": "xx", **places, "lexicon": str(lexicon_file)}],
            "features": {"num_mel_bins": 12},
            "model": {"encoder": {"kind": "tdnn", "size": 16, "dilations": [1, 2], "subsampling": {"factor": 2}}},
            "batches": {"frames": 300, "shuffle_pool": 8},
            "training": {
                "epochs": 3,
                "learning_rate": 0.01,
                "average": 2,
                "choose_pronunciations": [1],
            },
        }
        for section, change in changes.items():
            *parents, last = section.split("__")
            place = table
            for parent in parents:
                place = place[parent]
            if not isinstance(change, dict):
                place[last] = change
            elif last == "transfer":
                place[last] = [change]
            else:
                kept = place.get(last, {})
                merged = (kept[0] if last == "data" else kept) | change
                merged = {key: value for key, value in merged.items() if value is not None}
                place[last] = [merged] if last == "data" else merged
        path = root / name
        path.write_text(tomli_w.dumps(table))
        return path

    return make
