"""From the command to the words: an exported model against the experiment directory, and pocketsphinx.

python tests/benchmarks/recognition.py [--model EXP --audio FILE] [--hour] [--rounds N] [--pocketsphinx-python PYTHON]
    [--dev DIR] [--speech DIR [--lexicon FILE --notation NOTATION --language NAME]]

Every row is a process of its own, from its start to its end; rows take turns. Medians of wall time, processor time and
the largest memory. Unless --model names a trained experiment, the model is the default TDNN (3.3 million weights) with
random weights and 1,000 invented words; how long it takes does not depend on what it says, but for the search, which
random posteriors make slower. Unless --audio names a recording, it is four seconds of noise that comes and goes. With
--hour, that recording is also repeated for an hour. With --speech, an hour is also made of the recordings in a folder,
over and over, and transcribed by `base`: phones, and the words of --lexicon, or its own, in the language --language.
pocketsphinx, if there is a Python that has it, finds the words of its own English model in the four seconds.

Rows of `base` are the model of that name in the package, with its own 40,000 words and language model, and with all
126,000 words (135,000 pronunciations) of its dictionary, of which any may follow any. Their first start reads and
compiles the words, into an empty cache; the rows are starts after it. "A trained directory" is what `speechtl train`
leaves: the experiment directory with graphs. With --dev, a data directory with features and transcripts, the phone
error rates of float32, float16 and int8 are printed, too.
"""

import argparse
import gzip
import itertools
import multiprocessing
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
WORDS = Path(__file__).parents[2] / "speechtl" / "pretrained" / "words" / "en"
DIRECTORY, TRAINED = "experiment directory (TensorFlow)", "a trained directory"
LARGE = "four seconds, 130,000-word dictionary, second start"
BASE = "four seconds, base with its own words, second start"
POCKETSPHINX = """
import sys, soundfile
from pocketsphinx import Decoder
decoder = Decoder(samprate=16000)
samples, _ = soundfile.read(sys.argv[1], dtype="int16")
decoder.start_utt()
decoder.process_raw(samples.tobytes(), full_utt=True)
decoder.end_utt()
print(decoder.hyp().hypstr if decoder.hyp() else "")
"""


def make_model(folder: Path, words: int = 1000) -> Path:
    """Write an experiment directory of the default TDNN with random weights and invented words."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from speechtl.config import parse
    from speechtl.experiment.config import ExperimentConfig
    from speechtl.experiment.directory import write_experiment
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.phone_inventory import PhoneInventory
    from speechtl.layout import ExperimentLayout
    from speechtl.models.acoustic_model import AcousticModel
    from speechtl.models.weights import arrays_of, save_arrays

    phones = [*"abdefhijklmnoprstuvwzðŋɑɔəɛɡɪʃʊʌʒθæ", "aɪ", "aʊ", "dʒ", "eɪ", "tʃ"]
    generator = random.Random(1)
    lexicon = Lexicon()
    while len(lexicon.entries) < words:
        said = generator.choices(phones, k=generator.randint(3, 9))
        lexicon.add("".join(said), said)
    config = parse(ExperimentConfig, {"data": [{"language": "en", "train": ["none"]}]}, "benchmark")
    inventories = {"en": PhoneInventory(phones)}
    model = AcousticModel(config.model, config.features.dimension, inventories)
    layout = ExperimentLayout(folder)
    write_experiment(layout, config, inventories, {"en": lexicon}, None)
    save_arrays(layout.weights, arrays_of(model.variables()))
    return folder


def make_audio(path: Path, seconds: float = 4.0) -> Path:
    times = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(0, 0.2, len(times)) * np.abs(np.sin(7 * times))
    soundfile.write(path, noise.astype(np.float32), RATE)
    return path


def make_hour(folder: Path, path: Path) -> Path:
    """Write an hour of the recordings in a folder, in the order of their names, over and over."""
    from speechtl.audio.stream import find_audio
    from speechtl.audio.waveform import FULL_SCALE, read_waveform

    length = 0
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as hour:
        for file in itertools.cycle(sorted(find_audio(folder))):
            samples = read_waveform(str(file), RATE)[: 3600 * RATE - length]
            hour.write(samples / FULL_SCALE)
            length += len(samples)
            if length == 3600 * RATE:
                break
    return path


def run(command: list[str], shown: bool = False) -> tuple[float, float, float]:
    """Run a command; return its wall seconds, processor seconds and largest memory in MiB."""
    start, silent = time.perf_counter(), (2,) if shown else (1, 2)
    with open(os.devnull, "w") as nothing:
        process = os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, nothing.fileno(), descriptor) for descriptor in silent],
        )
        _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a trained experiment")
    parser.add_argument("--audio", type=Path, help="a recording of some seconds at 16 kHz")
    parser.add_argument("--hour", action="store_true", help="also transcribe an hour")
    parser.add_argument("--speech", type=Path, help="also transcribe an hour of the recordings in this folder")
    parser.add_argument("--lexicon", type=Path, help="a closed vocabulary for them")
    parser.add_argument("--notation", default="ipa", help="of its phones")
    parser.add_argument("--language", default="en", help="of the speech")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dev", type=Path, help="a data directory with features and transcripts for the model")
    parser.add_argument("--pocketsphinx-python", help="a Python with pocketsphinx and soundfile")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SPEECHTL_CACHE"] = str(Path(folder) / "cache")
        measure(arguments, Path(folder))


def measure(arguments: argparse.Namespace, folder: Path) -> None:
    # In a process of its own: a process counts the memory of the one that starts it as its own.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        experiment = arguments.model or pool.apply(make_model, (folder / "exp",))
    audio = arguments.audio or make_audio(folder / "four.wav")
    speechtl = [sys.executable, "-m", "speechtl.cli.main"]
    rows: dict[str, list[str]] = {}
    dev = ["--dev", str(arguments.dev)] if arguments.dev else []
    for precision in ("float32", "float16", "int8"):
        file = folder / f"{precision}.speechtl"
        run([*speechtl, "export", str(experiment), str(file), "--precision", precision, *dev], shown=bool(dev))
        rows[f"exported, {precision} ({file.stat().st_size / 1e6:.1f} MB)"] = [*speechtl, "transcribe", str(file)]
    exported = list(rows)
    for name in ("plain", "trained"):
        shutil.copytree(experiment, folder / name, ignore=shutil.ignore_patterns("graphs", "speechtl.json", "state"))
    run([*speechtl, "export", str(folder / "trained")])
    rows[DIRECTORY] = [*speechtl, "transcribe", str(folder / "plain")]
    rows[TRAINED] = [*speechtl, "transcribe", str(folder / "trained")]
    dictionary = folder / "dictionary.txt"
    dictionary.write_bytes(gzip.decompress((WORDS / "lexicon.txt.gz").read_bytes()))
    rows[LARGE] = [*speechtl, "transcribe", "base", "--language", "en", "--lexicon", str(dictionary)]
    rows[BASE] = [*speechtl, "transcribe", "base"]
    # Unpacks the model.
    run([*rows[BASE], "--phones", str(audio)])
    first = {name: run([*rows[name], str(audio)])[0] for name in (LARGE, BASE)}
    rows["speechtl --version"] = [*speechtl, "--version"]
    commands = {name: command if name.endswith("version") else [*command, str(audio)] for name, command in rows.items()}
    if arguments.pocketsphinx_python:
        commands["pocketsphinx"] = [arguments.pocketsphinx_python, "-c", POCKETSPHINX, str(audio)]
    medians = take_turns(commands, arguments.rounds)
    if arguments.hour:
        samples, rate = soundfile.read(audio, dtype="float32")
        times = 3600 * rate // len(samples)
        soundfile.write(folder / "hour.flac", np.tile(samples, times), rate)
        hour = {name: [*rows[name], str(folder / "hour.flac")] for name in (exported[1],)}
        take_turns({f"an hour: {name}": command for name, command in hour.items()}, 1)
    if arguments.speech:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            speech = pool.apply(make_hour, (arguments.speech, folder / "speech.flac"))
        base = [*rows[BASE], "--language", arguments.language, str(speech)]
        words, name = [], "its own words"
        if arguments.lexicon:
            words = ["--lexicon", str(arguments.lexicon), "--notation", arguments.notation]
            name = f"the words of {arguments.lexicon.name}"
        spoken = {"phones": [*base, "--phones"], name: [*base, *words]}
        take_turns({f"an hour of speech: base, {name}": command for name, command in spoken.items()}, 1)
    ours = medians[exported[1]]
    for name, place in (("start", 0), ("start_processor", 1), ("memory", 2)):
        print(f"ratio recognition_{name} {medians[DIRECTORY][place] / ours[place]:.2f}")
        trained = medians[DIRECTORY][place] / medians[TRAINED][place]
        print(f"ratio recognition_{name}_of_a_trained_directory {trained:.2f}")
        if "pocketsphinx" in medians:
            print(f"ratio recognition_{name}_pocketsphinx {medians['pocketsphinx'][place] / ours[place]:.2f}")

    for name, row in (("dictionary", LARGE), ("base", BASE)):
        print(f"first start, {row}: {first[row]:.2f} s")
        print(f"ratio recognition_{name}_second_start {first[row] / medians[row][0]:.2f}")
    print(f"ratio recognition_dictionary_within_2_s {2 / medians[LARGE][0]:.2f}")


def take_turns(commands: dict[str, list[str]], rounds: int) -> dict[str, list[float]]:
    """Print the table and return the medians; the first of several rounds, which fills caches, does not count."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
    for _ in range(rounds + (rounds > 1)):
        for name, command in commands.items():
            found[name].append(run(command))
    medians = {name: [statistics.median(values) for values in zip(*all_[-rounds:])] for name, all_ in found.items()}
    print("| row | wall, s | processor, s | memory, MiB |\n|---|---|---|---|")
    for name, (wall, processor, memory) in medians.items():
        print(f"| {name} | {wall:.2f} | {processor:.2f} | {memory:.0f} |")
    return medians


if __name__ == "__main__":
    main()
