"""Whisper's encoder and training on it, against the same in PyTorch, transformers and peft in the same run.

python tests/benchmarks/foundation.py [--checkpoint DIR] [--data DIR --lexicon FILE] [--torch-python PYTHON]
    [--rounds N] [--batches N] [--threads N] [--quick]

Measured are the encoder's outputs, without and with padding to 30 s (transformers' own code insists on it; without,
its layers are run on the same batches); steps of training of a head of two TDNN blocks on stored outputs, of LoRA
(rank 8 at query and value, all else frozen) and of all weights, with CTC and AdamW; and whole runs of `speechtl train`:
a head on stored outputs, and a TDNN of the same size on filter bank features of the same speech. First it is checked
that with the same weights both sides have the same outputs, losses and gradient norms, and train as many weights.

--checkpoint is a folder of transformers, with 80 mel bins; by default random weights of the size of Whisper base.
--data is a data directory with features of the kind whisper; by default invented ones. Where --torch-python (an
environment of its own, with torch, transformers and peft) is left out, speechtl is measured alone. --quick tries
everything on a tiny encoder, and its figures mean nothing.

Each side of each part is a process of its own, which says what memory it took; both are on the same processors and take
turns. Steps are of a few batches; what an epoch takes is computed from them.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import foundation_sides
import numpy as np
from sides import Side, pin, serve

BATCH_FRAMES = 3200
MISSING = "torch, transformers or peft is missing: pip install torch transformers peft, --torch-python names the Python"
STEPS = {"head": "a head on stored outputs", "lora": "LoRA", "whole": "all weights"}


def speechtl(*command: str) -> None:
    code = "import sys; from speechtl.cli.main import main; sys.argv[0] = 'speechtl'; main()"
    result = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"speechtl {' '.join(command)}\n{result.stdout}{result.stderr}")


def make_checkpoint(folder: Path, quick: bool) -> None:
    """Write random weights as transformers would."""
    from safetensors.numpy import save_file

    from speechtl.models.acoustic_model import AcousticModel
    from speechtl.models.config import ModelConfig
    from speechtl.models.weights import arrays_of
    from speechtl.models.whisper import WhisperConfig
    from speechtl.pretrained.whisper_family import WHISPER

    config = WhisperConfig(size=64, blocks=2, heads=2, hidden=128) if quick else WhisperConfig()
    tensors = {}
    for path, array in arrays_of(AcousticModel(ModelConfig(encoder=config), 80, {}).variables()).items():
        if "/conv" in path and path.endswith("/kernel"):
            array = array.reshape(3, -1, array.shape[-1])
        there = array.T if path.endswith("/kernel") else array
        tensors[f"model.encoder.{WHISPER.tensor(path.removeprefix('encoder/'))}"] = np.ascontiguousarray(there)
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    sizes = {"d_model": config.size, "encoder_layers": config.blocks, "encoder_attention_heads": config.heads}
    more = {"encoder_ffn_dim": config.hidden, "num_mel_bins": 80, "max_source_positions": config.window}
    table = {"model_type": "whisper", "activation_function": "gelu", **sizes, **more}
    (folder / "config.json").write_text(json.dumps(table), encoding="utf-8")


def make_data(folder: Path, data: Path | None, lexicon: Path | None, quick: bool) -> dict[str, str]:
    """Return where speech is: with features of Whisper, with filter bank features, and the lexicon."""
    if data is None:
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        from invented_corpus import corpus_maker, write_lexicon

        made = str(corpus_maker(folder)("made", utterances=24 if quick else 160, bins=80, frames_per_phone=90))
        return {"data": made, "fbank": made, "lexicon": str(write_lexicon(folder / "lexicon.txt"))}
    fbank = folder / "fbank"
    fbank.mkdir()
    for name in ("wav.scp", "segments", "text", "utt2spk", "spk2utt"):
        if (data / name).exists():
            shutil.copy(data / name, fbank / name)
    speechtl("features", str(fbank))
    return {"data": str(data), "fbank": str(fbank), "lexicon": str(lexicon)}


def make_batches(folder: Path, places: dict[str, str], frames: int, count: int) -> dict[str, float]:
    """Write the first ``count`` training batches, and utterances to encode; return what they and all speech count."""
    from speechtl.batches.config import BatchConfig, DataConfig, NormalisationConfig
    from speechtl.batches.labelling import Labelling
    from speechtl.batches.needed_phones import needed_phones
    from speechtl.batches.padding import pad_features, pad_labels
    from speechtl.batches.plan import plan_epoch
    from speechtl.batches.source import Normaliser, Source
    from speechtl.features.config import FeatureConfig
    from speechtl.lang.lexicon import Lexicon

    table = DataConfig(language="xx", train=(places["data"],), lexicon=places["lexicon"])
    lexicon = Lexicon.load(places["lexicon"])
    inventory = needed_phones([(table, lexicon)])
    normaliser = Normaliser(NormalisationConfig(kind="none"))
    source = Source(table.train, table, normaliser, FeatureConfig(kind="whisper"), Labelling(inventory, lexicon))
    plan = plan_epoch([source.frames], [1.0], BatchConfig(frames=frames), 0, 0)
    arrays = {}

    def add(name: str, utterances: tuple[int, ...]) -> int:
        features, lengths = pad_features([source.features(index) for index in utterances], 80)
        labels, label_lengths = pad_labels([source.labels[index] for index in utterances])
        found = {"features": features, "lengths": lengths, "labels": labels, "label_lengths": label_lengths}
        arrays.update({f"{name}/{key}": array for key, array in found.items()})
        return int(lengths.sum())

    trained = sum(add(f"train{number}", batch.utterances) for number, batch in enumerate(plan[:count]))
    # Padded to 30 s, more would take long.
    encoded = add("encode0", plan[0].utterances[:4])
    np.savez(folder / "batches.npz", **arrays)
    settings = places | {"units": len(inventory) + 1, "frames": frames}
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return {"trained": trained / 100, "encoded": encoded / 100, "all": int(source.frames.sum()) / 100}


class Parts:
    """Measures the parts of the benchmark, one after the other."""

    def __init__(self, pythons: dict[str, str], folder: Path, threads: int, rounds: int):
        self.pythons, self.folder, self.threads, self.rounds = pythons, folder, threads, rounds

    def measure(self, part: str, names: list[str], *, ours_alone: bool = False, checks: bool = True) -> dict:
        """Return by what was asked and by side: the values, then medians of wall and processor seconds, memory."""
        shared = ["--part", part, "--folder", str(self.folder), "--threads", str(self.threads)]
        sides: dict[str, Side] = {}
        found: dict[tuple[str, str], tuple] = {}
        try:
            for name, python in self.pythons.items():
                if name == "speechtl" or not ours_alone:
                    sides[name] = Side([python, __file__, "--worker", name, *shared])
            for asked in names:
                if checks:
                    suffix = asked.partition("_")[2]
                    check(part, {side: sides[side].ask(f"facts{'_' * bool(suffix)}{suffix}")[0] for side in sides})
                rows: dict[str, list] = {name: [] for name in sides}
                for turn in range(self.rounds + checks):  # One to warm up.
                    # Turn and turn about, and who begins changes, so that a busy spell of the machine meets both alike.
                    for name in list(sides)[:: 1 if turn % 2 else -1]:
                        rows[name].append(sides[name].ask(asked))
                for name, answers in rows.items():
                    told, wall, processor = zip(*answers[checks:], strict=True)
                    memory = sides[name].ask("memory")[0]
                    found[asked, name] = told, statistics.median(wall), statistics.median(processor), memory
                    _, *figures = found[asked, name]
                    print(
                        f"{part}: {asked}, {name}: {figures[0]:.2f} s, {figures[1]:.2f} s, {memory:.0f} MiB", flush=True
                    )
        finally:
            for side in sides.values():
                side.end()
        return found


def check(part: str, facts: dict) -> None:
    if len(facts) < 2:
        return
    ours, theirs = facts.values()
    if isinstance(ours, dict):
        if ours["weights"] != theirs["weights"]:
            sys.exit(f"{part}: {ours['weights']} trained weights here, {theirs['weights']} there")
        ours, theirs = ours["values"], theirs["values"]
        worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
    else:
        worst = float(np.abs(np.subtract(ours, theirs)).max() / np.abs(theirs).max())
    if worst > 1e-3:
        sys.exit(f"{part}: with the same weights, the sides differ by {worst:.2g}: not the same computation")
    print(f"{part}: with the same weights, the sides agree to {worst:.1g}", flush=True)


def report(measured: dict, seconds: dict[str, float]) -> None:
    """Print the table and the ratios."""
    sides = list(dict.fromkeys(side for _, side in measured))
    rows = {"encode": "outputs, share of real time", "encode_padded": "outputs, padded to 30 s, share of real time"}
    print(f"| |{''.join(f' {side} | processor | MiB |' for side in sides)} ratio |")
    print(f"|---|{'---|---|---|' * len(sides)}---|")
    ratios = []
    for name, title in (rows | {name: f"an epoch of {title}, s" for name, title in STEPS.items()}).items():
        # Of an epoch, what a few batches show.
        scale = 1 / seconds["encoded"] if name in rows else seconds["all"] / seconds["trained"]
        cells, times = "", []
        for side in sides:
            _, wall, processor, memory = measured[name, side]
            cells += f" {wall * scale:.3g} | {processor * scale:.3g} | {memory:,.0f} |"
            times.append((wall, processor, memory))
        ratio = " "
        if len(times) > 1:
            wall, processor, memory = (theirs / ours for ours, theirs in zip(*times, strict=True))
            ratio = f"{wall:.2f} ({processor:.2f})"
            ratios += [(name, wall), (f"{name}_cpu", processor), (f"{name}_memory", memory)]
        print(f"| {title} |{cells} {ratio} |")
    epochs = {}
    for name, title in (("head", STEPS["head"]), ("tdnn", "a TDNN of this size on filter bank features")):
        runs = measured[f"trained_{name}", "speechtl"][0]
        epochs[name] = [statistics.median(run[place] for run in runs) for place in (0, 1)]
        rates = [seconds["all"] * 100 / taken for taken in epochs[name]]
        print(f"speechtl train, {title}: {rates[0]:,.0f} frames a second, {rates[1]:,.0f} by processor time")
    first, *later = (run[2] for run in measured["trained_head", "speechtl"][0])
    print(f"stored outputs of {seconds['all']:.0f} s of speech: computed in {first:.1f} s", end="")
    print(f", found again in {statistics.median(later):.2f} s" if later else "")
    for place, name in enumerate(("train_head_against_tdnn", "train_head_against_tdnn_cpu")):
        ratios.append((name, epochs["tdnn"][place] / epochs["head"][place]))
    for name, ratio in ratios:
        print(f"ratio foundation_{name} {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="folder of a Whisper model of transformers")
    parser.add_argument("--data", type=Path, help="data directory with features of the kind whisper")
    parser.add_argument("--lexicon", type=Path, help="of its words")
    parser.add_argument("--torch-python", help="the Python that has torch, transformers and peft")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=2, help="steps of training in a round")
    parser.add_argument("--threads", type=int, default=2, help="of each side")
    parser.add_argument("--quick", action="store_true", help="a tiny encoder, to try the benchmark itself")
    parser.add_argument("--worker", choices=["speechtl", "torch"], help=argparse.SUPPRESS)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        pin(arguments.threads)
        make = foundation_sides.our_side if arguments.worker == "speechtl" else foundation_sides.peer_side
        return serve(make(arguments.part, arguments.folder, arguments.threads))
    if (arguments.data is None) != (arguments.lexicon is None):
        parser.error("--data and --lexicon go together")
    pythons = {"speechtl": sys.executable}
    if arguments.torch_python:
        pythons["torch"] = arguments.torch_python
        if subprocess.run([arguments.torch_python, "-c", "import torch, transformers, peft"], check=False).returncode:
            sys.exit(MISSING)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(f"{arguments.threads} threads each, load average before {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.checkpoint is None:
            make_checkpoint(folder / "checkpoint", arguments.quick)
        else:
            (folder / "checkpoint").symlink_to(arguments.checkpoint.resolve())
        speechtl("import", str(folder / "checkpoint"), str(folder / "encoder"))
        places = make_data(folder, arguments.data, arguments.lexicon, arguments.quick)
        seconds = make_batches(folder, places, 600 if arguments.quick else BATCH_FRAMES, arguments.batches)
        parts = Parts(pythons, folder, arguments.threads, arguments.rounds)
        measured = parts.measure("encode", ["encode", "encode_padded"])
        for part in STEPS:
            for (_, side), found in parts.measure(part, ["step"]).items():
                measured[part, side] = found
        for (name, side), found in parts.measure("train", ["head", "tdnn"], ours_alone=True, checks=False).items():
            measured[f"trained_{name}", side] = found
        report(measured, seconds)


if __name__ == "__main__":
    main()
