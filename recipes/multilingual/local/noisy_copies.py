"""Copy a data directory with other microphones, noise and speeds simulated. Needs numpy, soundfile, soxr.

    python local/noisy_copies.py data/an4/train data/attributes/an4/noisy --seed 1 [--tag n1]

Each utterance is drawn separately: speed 0.85 to 1.15 (tempo and pitch together), a smooth frequency response of
up to 6 dB either way, and stationary noise, white to red, 3 to 25 dB below the speech. Audio is written as FLAC next to
the tables; text stays, segments are cut out.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr

sys.path.append(str(Path(__file__).resolve().parents[2] / "corpora"))
from data_dirs import fail, read_table, write_lines

SPEED, GAIN, NOISE, SLOPE = (0.85, 1.15), 6.0, (3.0, 25.0), (0.0, 2.0)


def disturb(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    speed = rng.uniform(*SPEED)
    samples = soxr.resample(samples, 1000 * speed, 1000, quality="MQ")
    count = len(samples)
    spectrum = np.fft.rfft(samples)
    place = np.linspace(0, 1, len(spectrum))
    response = np.interp(place, np.linspace(0, 1, 8), rng.uniform(-GAIN, GAIN, 8))
    samples = np.fft.irfft(spectrum * 10 ** (response / 20), count)
    # Noise of power 1 / f^slope.
    white = np.fft.rfft(rng.normal(size=count))
    noise = np.fft.irfft(white * (place + 0.02) ** (-rng.uniform(*SLOPE) / 2), count)
    level = np.sqrt(np.mean(samples**2) / np.mean(noise**2)) * 10 ** (-rng.uniform(*NOISE) / 20)
    mixed = samples + level * noise
    return 0.5 * mixed / max(np.abs(mixed).max(), 1e-6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tag", default="n1", help="put before all names")
    args = parser.parse_args()
    tables = {name: read_table(args.source / name) for name in ("wav.scp", "text", "utt2spk")}
    segments = read_table(args.source / "segments") if (args.source / "segments").exists() else {}
    rng = np.random.default_rng(args.seed)
    rows: dict[str, list[str]] = {"wav.scp": [], "text": [], "utt2spk": []}
    speakers: dict[str, list[str]] = {}
    (args.out / "audio").mkdir(parents=True, exist_ok=True)
    for utterance in sorted(tables["text"]):
        recording, start, end = segments.get(utterance, f"{utterance} 0 -1").split()
        path = tables["wav.scp"].get(recording)
        if path is None:
            fail(f"{args.source}: no recording {recording} for {utterance}")
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
        stop = len(samples) if float(end) < 0 else round(float(end) * rate)
        name, speaker = f"{args.tag}-{utterance}", f"{args.tag}-{tables['utt2spk'][utterance]}"
        place = args.out / "audio" / f"{name}.flac"
        soundfile.write(place, disturb(samples[round(float(start) * rate) : stop].mean(axis=1), rng), rate)
        rows["wav.scp"].append(f"{name} {place.absolute()}")
        rows["text"].append(f"{name} {tables['text'][utterance]}")
        rows["utt2spk"].append(f"{name} {speaker}")
        speakers.setdefault(speaker, []).append(name)
    for table, lines in rows.items():
        write_lines(args.out / table, sorted(lines))
    write_lines(args.out / "spk2utt", [f"{speaker} {' '.join(names)}" for speaker, names in sorted(speakers.items())])


if __name__ == "__main__":
    main()
