"""Make the quickstart's corpus: Kaldi data directories of synthesised speech.

    python local/synthesise.py --words conf/words.toml --lexicons ../../lexicons --out data

Every utterance is three to five random words in one of espeak-ng's voices, spoken at a random speed and pitch, with a
little noise. The same words.toml gives the same speech. Written below ``--out``: ``wav/``, ``lang/LANGUAGE.txt`` (the
lexicons, limited to the words used) and one data directory for each part and language.
"""

import argparse
import ctypes
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader
import numpy as np
import soundfile

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

VOICES = {"en": "en-us", "de": "de", "es": "es"}
NOISE = 1e-3  # standard deviation, full scale is 1: about 40 dB below the speech


class Synthesiser:
    """espeak-ng, which has one global state; so there is one of these."""

    def __init__(self):
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        # 2: give the samples to a callback, and return when all are there.
        self.sample_rate = self._library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)
        if self.sample_rate <= 0:
            sys.exit("error: espeak-ng does not start; reinstall the package espeakng-loader")
        self._chunks: list[np.ndarray] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._callback = kind(self._receive)  # kept, or Python would free it while the library calls it
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples, count: int, _events) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, text: str, language: str, voice: str, speed: int, pitch: int) -> np.ndarray:
        """Return samples in [-1, 1]. ``speed`` in words per minute, ``pitch`` 0 to 99."""
        name = f"{VOICES[language]}+{voice}"
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            sys.exit(f"error: espeak-ng has no voice {name}")
        self._library.espeak_SetParameter(1, speed, 0)
        self._library.espeak_SetParameter(3, pitch, 0)
        self._chunks.clear()
        # The breath of some voices is drawn at random, from a seed that is otherwise the time of day.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        encoded = text.encode() + b"\0"
        self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, 1, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._chunks).astype(np.float32) / 32768


@dataclass(frozen=True)
class Utterance:
    id: str
    voice: str
    path: Path
    text: str
    language: str


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def write_lexicons(words: dict, source: Path, destination: Path) -> None:
    """Write the lines of the words used, and check that every phone of an unseen word is in several seen ones."""
    for language in words["seen"]:
        lines = (source / language / "lexicon.txt").read_text(encoding="utf-8").splitlines()
        seen, unseen = words["seen"][language].split(), words["unseen"].get(language, "").split()
        kept = [line for line in lines if line.split()[0] in {*seen, *unseen}]
        missing = {*seen, *unseen} - {line.split()[0] for line in kept}
        if missing:
            sys.exit(f"error: {source / language}: no pronunciation of {', '.join(sorted(missing))}")
        count = Counter(phone for line in kept if line.split()[0] in seen for phone in set(line.split()[1:]))
        rare = {phone for line in kept if line.split()[0] in unseen for phone in line.split()[1:] if count[phone] < 3}
        if rare:
            sys.exit(f"error: the unseen words need these phones, rare in the seen ones: {' '.join(sorted(rare))}")
        write_lines(destination / f"{language}.txt", kept)


def make_part(
    synthesiser: Synthesiser, part: str, language: str, words: list[str], voices: list[str], count: int, out: Path
) -> None:
    utterances, seconds = [], 0.0
    for voice in voices:
        # Seeded by name, so that adding a voice or a part leaves the speech of the others as it is.
        chance = random.Random(f"{part} {language} {voice}")
        noise = np.random.default_rng(chance.getrandbits(64))
        # Each word equally often (up to one), in random order.
        pool: list[str] = []
        for number in range(1, count + 1):
            length = chance.randint(3, 5)
            while len(pool) < length:
                pool += chance.sample(words, len(words))
            text, pool = " ".join(pool[:length]), pool[length:]
            samples = synthesiser.say(text, language, voice, chance.randint(130, 180), chance.randint(35, 65))
            samples = samples + NOISE * noise.standard_normal(len(samples), dtype=np.float32)
            if not 0.5 < len(samples) / synthesiser.sample_rate < 15 or np.sqrt(np.mean(samples**2)) < 10 * NOISE:
                sys.exit(f"error: espeak-ng did not say '{text}' with voice {voice}")
            utterance = Utterance(
                f"{voice}-{language}-{part}-{number:03}",
                voice,
                out / "wav" / part / f"{voice}-{language}-{number:03}.wav",
                text,
                language,
            )
            utterance.path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(utterance.path, np.clip(samples, -1, 1), synthesiser.sample_rate, "PCM_16")
            utterances.append(utterance)
            seconds += len(samples) / synthesiser.sample_rate
    folder = out / f"{part}_{language}"
    utterances.sort(key=lambda utterance: utterance.id)
    write_lines(folder / "wav.scp", [f"{u.id} {u.path}" for u in utterances])
    write_lines(folder / "text", [f"{u.id} {u.text}" for u in utterances])
    write_lines(folder / "utt2spk", [f"{u.id} {u.voice}" for u in utterances])
    write_lines(folder / "utt2lang", [f"{u.id} {u.language}" for u in utterances])
    ids = {voice: [u.id for u in utterances if u.voice == voice] for voice in sorted(voices)}
    write_lines(folder / "spk2utt", [f"{voice} {' '.join(ids[voice])}" for voice in ids])
    print(f"{folder}: {len(utterances)} utterances, {len(voices)} voices, {seconds / 60:.1f} minutes")


def main() -> None:
    parser = argparse.ArgumentParser(description="Synthesise the quickstart's corpus.")
    parser.add_argument("--words", type=Path, required=True, help="TOML file with words, voices and counts")
    parser.add_argument("--lexicons", type=Path, required=True, help="folder with LANGUAGE/lexicon.txt")
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder of the data directories")
    arguments = parser.parse_args()
    words = tomllib.loads(arguments.words.read_text(encoding="utf-8"))
    write_lexicons(words, arguments.lexicons, arguments.out / "lang")
    synthesiser = Synthesiser()
    for part, counts in words["utterances"].items():
        kind = "unseen" if part == "unseen" else "seen"
        voices = words["voices"][{"unseen": "test", "adapt": "new", "new": "new"}.get(part, part)].split()
        for language, count in counts.items():
            make_part(synthesiser, part, language, words[kind][language].split(), voices, count, arguments.out)


if __name__ == "__main__":
    main()
