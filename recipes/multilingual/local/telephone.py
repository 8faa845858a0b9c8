"""Make a telephone copy of a data directory: 300 to 3400 Hz, and noise. Needs numpy and soundfile.

    python local/telephone.py data/an4/train data/an4_telephone/train [--snr 10]

Noise whose power falls by 3 dB an octave is added to each recording, --snr dB below the speech, then what is outside
of the telephone band is taken away. A recording always gets the same noise. Utterances and speakers are renamed, with
``-tel`` after the speaker, and ``utt2dom`` says ``telephone``.
"""

import argparse
import sys
import zlib
from pathlib import Path

import numpy as np
import soundfile

sys.path.append(str(Path(__file__).resolve().parents[2] / "corpora"))
from data_dirs import read_table, write_lines

LOW, HIGH = 300.0, 3400.0
FALL = 0.1  # width of the band's edges, relative to their frequency


def telephone(samples: np.ndarray, rate: int, snr: float, seed: int) -> np.ndarray:
    """Return ``(samples,)`` with noise, in the telephone band."""
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(size=len(samples))) / np.sqrt(np.maximum(frequencies, LOW))
    noise = np.fft.irfft(spectrum, len(samples))
    noise *= samples.std() / max(noise.std(), 1e-9) * 10 ** (-snr / 20)
    gain = 1 / (1 + np.exp(-(frequencies - LOW) / (FALL * LOW / 4)))
    gain /= 1 + np.exp(np.minimum((frequencies - HIGH) / (FALL * HIGH / 4), 50))
    return np.fft.irfft(np.fft.rfft(samples + noise) * gain, len(samples))


def renamed(utterance: str, speaker: str) -> str:
    return f"{speaker}-tel{utterance.removeprefix(speaker)}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a telephone copy of a data directory.")
    parser.add_argument("source", type=Path, help="data directory without segments")
    parser.add_argument("destination", type=Path)
    parser.add_argument("--snr", type=float, default=10.0, help="dB")
    arguments = parser.parse_args()
    tables = {name: read_table(arguments.source / name) for name in ("wav.scp", "text", "utt2spk", "utt2lang")}
    speakers = tables["utt2spk"]
    names = {utterance: renamed(utterance, speaker) for utterance, speaker in speakers.items()}
    audio = (arguments.destination / "wav").resolve()
    audio.mkdir(parents=True, exist_ok=True)
    places = {}
    for utterance, path in tables["wav.scp"].items():
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
        changed = telephone(samples.mean(axis=1), rate, arguments.snr, zlib.crc32(utterance.encode()))
        places[utterance] = audio / f"{names[utterance]}.flac"
        soundfile.write(places[utterance], np.clip(changed, -1, 1), rate)
    rows = sorted(names, key=names.__getitem__)
    spoken: dict[str, list[str]] = {}
    for row in rows:
        spoken.setdefault(f"{speakers[row]}-tel", []).append(names[row])
    out = arguments.destination
    write_lines(out / "wav.scp", [f"{names[row]} {places[row]}" for row in rows])
    write_lines(out / "text", [f"{names[row]} {tables['text'][row]}" for row in rows])
    write_lines(out / "utt2spk", [f"{names[row]} {speakers[row]}-tel" for row in rows])
    write_lines(out / "spk2utt", [f"{name} {' '.join(ids)}" for name, ids in sorted(spoken.items())])
    write_lines(out / "utt2lang", [f"{names[row]} {tables['utt2lang'][row]}" for row in rows])
    write_lines(out / "utt2dom", [f"{names[row]} telephone" for row in rows])
    print(f"{out}: {len(rows)} utterances, {len(spoken)} speakers")


if __name__ == "__main__":
    main()
