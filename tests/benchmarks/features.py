"""Feature extraction from FLAC files against a loop over kaldi-native-fbank, one thread each.

python tests/benchmarks/features.py [--audio DIR] [--rounds N]

Makes its own FLAC files from a seed unless --audio names a folder of real ones. The rows take turns, and the medians
over all rounds are compared. Both sides decode with soundfile and compute 80 log mel energies, dither off, 16 kHz.
"""

# ruff: noqa: E402 (TensorFlow reads the number of threads when it is imported)
import os

for _name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[_name] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import kaldi_native_fbank
import kaldi_native_io
import numpy as np
import soundfile

from speechtl.audio.waveform import read_waveform
from speechtl.data.datadir import DataDir
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig
from speechtl.features.fbank import compute_many

CONFIG = FeatureConfig()
BATCH_SECONDS = 30.0  # Audio that speechtl features hands to TensorFlow at once.


def make_files(folder: Path, count: int = 100, seed: int = 0) -> None:
    """Write FLAC files of 2 to 8 s: voiced and hissing syllables with pauses over a noise floor."""
    generator = np.random.default_rng(seed)
    for index in range(count):
        time_axis = np.arange(int(generator.uniform(2, 8) * 16000)) / 16000
        pitch = 2 * np.pi * generator.uniform(90, 220) * (time_axis + 0.01 * np.sin(2 * np.pi * 2 * time_axis))
        voice = sum(np.sin(harmonic * pitch) / harmonic for harmonic in range(1, 25))
        hiss = np.diff(generator.normal(size=len(time_axis)), prepend=0)
        syllables = np.clip(np.sin(2 * np.pi * generator.uniform(2, 4) * time_axis), 0, None)
        mixture = 0.1 * syllables * (voice + np.roll(syllables, 4000) * hiss)
        mixture += 0.002 * generator.normal(size=len(time_axis))
        soundfile.write(folder / f"{index:03d}.flac", np.clip(mixture, -1, 1), 16000)


def peer_features(samples: np.ndarray) -> np.ndarray:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = CONFIG.num_mel_bins
    fbank = kaldi_native_fbank.OnlineFbank(options)
    fbank.accept_waveform(16000, samples * 32768)
    fbank.input_finished()
    return np.stack([fbank.get_frame(index) for index in range(fbank.num_frames_ready)])


def peer_from_files(files: list[Path]) -> list[np.ndarray]:
    return [peer_features(soundfile.read(file, dtype="float32")[0]) for file in files]


def peer_to_archive(files: list[Path], folder: Path) -> None:
    with kaldi_native_io.FloatMatrixWriter(f"ark,scp:{folder}/peer.ark,{folder}/peer.scp") as writer:
        for file in files:
            writer.write(file.stem, peer_features(soundfile.read(file, dtype="float32")[0]))


def our_features(waveforms: list[np.ndarray]) -> list[np.ndarray]:
    matrices, batch, samples = [], [], 0
    for waveform in waveforms:
        batch.append(waveform)
        samples += len(waveform)
        if samples >= BATCH_SECONDS * CONFIG.sample_rate:
            matrices += compute_many(batch, CONFIG)
            batch, samples = [], 0
    return matrices + (compute_many(batch, CONFIG) if batch else [])


def our_from_files(files: list[Path]) -> list[np.ndarray]:
    matrices, batch, samples = [], [], 0
    for file in files:
        batch.append(read_waveform(str(file), CONFIG.sample_rate))
        samples += len(batch[-1])
        if samples >= BATCH_SECONDS * CONFIG.sample_rate:
            matrices += compute_many(batch, CONFIG)
            batch, samples = [], 0
    return matrices + (compute_many(batch, CONFIG) if batch else [])


def our_to_archive(files: list[Path], folder: Path) -> None:
    names = {file.stem: file for file in files}
    data = DataDir(folder, utt2spk={name: name for name in names}, wav_scp={name: str(f) for name, f in names.items()})
    compute_features(data, CONFIG, folder / "feats", overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, help="folder of 16 kHz mono FLAC files (searched in depth)")
    parser.add_argument("--files", type=int, default=200, help="files of --audio to use at most")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        if arguments.audio is None:
            make_files(folder)
        files = sorted((arguments.audio or folder).rglob("*.flac"))[: arguments.files]
        samples = [soundfile.read(file, dtype="float32")[0] for file in files]
        scaled = [waveform * np.float32(32768) for waveform in samples]
        rows: dict[str, Callable[[], object]] = {
            "FLAC decoding alone (soundfile)": lambda: [soundfile.read(file, dtype="float32") for file in files],
            "peer: features of samples in memory": lambda: [peer_features(waveform) for waveform in samples],
            "speechtl: features of samples in memory": lambda: our_features(scaled),
            "peer: soundfile.read, OnlineFbank": lambda: peer_from_files(files),
            "speechtl: read_waveform, compute_many": lambda: our_from_files(files),
            "peer: the same, kaldi-native-io archive": lambda: peer_to_archive(files, folder),
            "speechtl features: archive, CMVN, tables": lambda: our_to_archive(files, folder),
        }
        seconds = sum(map(len, samples)) / 16000
        worst = max(
            float(np.abs(ours - peers).max())
            for ours, peers in zip(our_from_files(files), peer_from_files(files), strict=True)
        )
        print(f"{len(files)} files, {seconds:.0f} s of audio; largest difference of a log energy {worst:.2g}")
        measure(rows, seconds, arguments.rounds)
    finally:
        shutil.rmtree(folder)


def measure(rows: dict[str, Callable[[], object]], seconds: float, rounds: int) -> None:
    walls: dict[str, list[float]] = {name: [] for name in rows}
    processors: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(rounds + 1):
        for name, run in rows.items():
            wall, processor = time.perf_counter(), time.process_time()
            run()
            if turn:  # The first turn warms up.
                walls[name].append(time.perf_counter() - wall)
                processors[name].append(time.process_time() - processor)
    print(f"{'milliseconds per 10 s of audio, median of ' + str(rounds):44} {'wall':>8} {'processor':>10}")
    wall_of = {name: statistics.median(times) for name, times in walls.items()}
    for name, wall in wall_of.items():
        print(f"{name:44} {wall / seconds * 1e4:8.2f} {statistics.median(processors[name]) / seconds * 1e4:10.2f}")
    _, peer_memory, our_memory, peer_files, our_files, peer_archive, our_archive = wall_of.values()
    print(f"ratio features {peer_files / our_files:.2f}")
    print(f"ratio features_without_decoding {peer_memory / our_memory:.2f}")
    print(f"ratio features_stored {peer_archive / our_archive:.2f}")


if __name__ == "__main__":
    main()
