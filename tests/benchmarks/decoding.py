"""Decoding over a lexicon, against flashlight-text, kaldi-decoder and pyctcdecode, on the same posteriors.

    python tests/benchmarks/decoding.py [--words 10000 130000] [--utterances 40] [--rounds 3] [--seed 0]
        [--engines speechtl,flashlight,kaldi,pyctcdecode] [--no-growth] [--work DIR]
    python tests/benchmarks/decoding.py --posteriors DIR --lexicon L --lm ARPA --text TEXT

Without --posteriors, a text (Zipf's law, words that like to follow others) over the English dictionary and posteriors
of it are invented from the seed, and a trigram is trained on other text of the same source. DIR has what `speechtl
decode --save-posteriors` wrote. Every engine runs in a process of its own with one thread, over a range of settings, up
to the one that reaches the word error rate of speechtl at its default beam (tolerance: 0.1 % absolute); the fastest of
these is compared. Time is processor time, the median of the rounds, and memory the peak of the process. flashlight and
pyctcdecode need a unit for the end of words to decode phones well, so they get posteriors that have one, which the
others do without. Stored posteriors are also decoded exactly, to see whether words and scores agree with
kaldi-decoder's. A peer that is not installed is named and left out: pip install flashlight-text kenlm kaldi-decoder
kaldifst pyctcdecode.
"""

import argparse
import importlib.util
import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from decoding_engines import DEFAULT_BEAM, ENGINES, config, peak_memory
from decoding_material import FRAME_SHIFT, Text, by_frequency, speak
from rapidfuzz.distance import Levenshtein

from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.grammar.ngram_model import NgramModel, train_ngram
from speechtl.lang.dictionaries import build_english
from speechtl.lang.lexicon import Lexicon, Pronunciation
from speechtl.lang.phone_inventory import PhoneInventory

TOLERANCE = 0.1
# Seconds of processor time after which a setting is not measured again.
LONG_ENOUGH = 1.0
MODULES = {"speechtl": "numba", "flashlight": "flashlight", "kaldi": "kaldi_decoder", "pyctcdecode": "pyctcdecode"}


# What is decoded ---------------------------------------------------------------------------------------


def invent(words: int, utterances: int, seed: int) -> dict[str, Any]:
    """Make a lexicon of so many words, posteriors, and sentences to train a grammar on."""
    full = build_english()
    phones = sorted(full.phones())
    order = by_frequency(full, seed)[:words]
    lexicon = Lexicon()
    lexicon.entries = {word: full.entries[word] for word in sorted(order)}
    text = Text(order, seed)
    speech = speak(text.sentences(utterances, seed + 1), lexicon, phones, seed + 2)
    return {
        "references": speech.references,
        "posteriors": speech.posteriors,
        "with_boundary": speech.with_boundary,
        "entries": lexicon.entries,
        "phones": phones,
        "sentences": text.sentences(10_000, seed + 3),
        "frame_shift": FRAME_SHIFT,
    }


def read(folder: Path, lexicon: Path, lm: Path | None, text: Path) -> dict[str, Any]:
    """Read stored posteriors in place of invented ones."""
    from speechtl.data.tables import read_table
    from speechtl.features.archives import read_matrix

    references, loaded = read_table(text), Lexicon.load(lexicon)
    scp = {key: value for key, value in read_table(folder / "posteriors.scp").items() if key in references}
    inventory = next(folder.parent.glob("phones/*.txt"), None)
    if inventory is None:
        raise SystemExit(f"error: {folder.parent}/phones: missing; keep posteriors in the experiment's directory")
    return {
        "references": [references[key].split() for key in scp],
        "posteriors": [read_matrix(value) for value in scp.values()],
        "with_boundary": None,
        "entries": loaded.entries,
        "phones": list(PhoneInventory.load(inventory).phones),
        "arpa": str(lm) if lm else None,
        "frame_shift": FRAME_SHIFT,
    }


def word_error_rate(references: list[list[str]], found: Sequence[Sequence[str]]) -> float:
    """Return errors per word of the references, in per cent."""
    errors = sum(Levenshtein.distance(said, list(words)) for said, words in zip(references, found, strict=True))
    return 100 * errors / sum(map(len, references))


# It takes seconds an utterance, so a few have to do.
MOST_UTTERANCES = {"pyctcdecode": 2}


def child(engine: str, path: Path, arpa: str | None, rounds: int, target: float) -> None:
    """Run one engine over its settings, each series of them up to the word error rate, and print lines of JSON."""
    material = pickle.loads(path.read_bytes())
    material["path"] = str(path)
    count = min(len(material["posteriors"]), MOST_UTTERANCES.get(engine, 10**9))
    frames = sum(len(matrix) for matrix in material["posteriors"][:count])
    report: dict[str, float] = {}
    done: set[str] = set()
    for series, setting, decode in ENGINES[engine](material, arpa, report):
        if series in done:
            continue
        times: list[float] = []
        # Once is enough where a round takes so long that what else the machine does averages out.
        while len(times) < rounds and sum(times) < LONG_ENOUGH:
            start = time.process_time()
            found = [decode(number) for number in range(count)]
            times.append(time.process_time() - start)
        row = {
            "setting": setting,
            "ms": 1e3 * float(np.median(times)) / count,
            "real_time_factor": float(np.median(times)) / (frames * material["frame_shift"]),
            "wer": word_error_rate(material["references"][:count], found),
        }
        if row["wer"] <= target + TOLERANCE:
            done.add(series)
        print("ROW " + json.dumps(row), flush=True)
    report.setdefault("peak_MiB", peak_memory())
    print("END " + json.dumps(report), flush=True)


def measure(
    engine: str, path: Path, arpa: str | None, rounds: int, target: float
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Run an engine in a process of its own."""
    command = [sys.executable, __file__, "--child", engine, "--material", str(path), "--rounds", str(rounds)]
    command += [f"--target={target}", *(["--lm", arpa] if arpa else [])]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env={**os.environ, **threads}, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    rows = [json.loads(line[4:]) for line in lines if line.startswith("ROW ")]
    ends = [json.loads(line[4:]) for line in lines if line.startswith("END ")]
    if done.returncode or not ends:
        raise SystemExit(f"error: {engine} failed:\n{done.stderr[-3000:]}")
    return rows, ends[0]


# Comparison ---------------------------------------------------------------------------------------


def compare(name: str, path: Path, arpa: str | None, engines: Sequence[str], rounds: int) -> None:
    """Print every engine's rows, and the ratios at equal word error rate (the fastest row that reaches it, marked)."""
    print(
        f"\n{name}\nengine       setting          ms/utterance  real time factor   %WER  peak MiB  build s", flush=True
    )
    target, mine = -math.inf, math.nan
    for engine in engines:
        rows, report = measure(engine, path, arpa, rounds, target)
        if not rows:
            print(f"{engine:12s} needs posteriors with an end of words; left out")
            continue
        if engine == "speechtl":
            target = next(row["wer"] for row in rows if row["setting"] == str(DEFAULT_BEAM))
        reached = [row for row in rows if row["wer"] <= target + TOLERANCE and "every" not in row["setting"]]
        chosen = min(reached, key=lambda row: row["ms"]) if reached else min(rows, key=lambda row: row["wer"])
        for row in rows:
            mark = " *" if row is chosen and reached else ""
            print(
                f"{engine:12s} {row['setting']:15s}  {row['ms']:12.2f}  {row['real_time_factor']:16.5f}  "
                f"{row['wer']:5.2f}  {report['peak_MiB']:8.0f}  {report['build_s']:7.2f}{mark}",
                flush=True,
            )
        for key in ("add_ms", "add_worst_ms", "build_MiB"):
            if key in report:
                print(f"{engine:12s} {key} {report[key]:.3g}")
        if engine == "speechtl":
            mine = chosen["ms"]
            continue
        few = f", of {MOST_UTTERANCES[engine]} utterances" if engine in MOST_UTTERANCES else ""
        note = "" if reached else f"   (never reached {target:.2f} %: at its best, {chosen['wer']:.2f} %{few})"
        print(f"ratio {name.replace(' ', '_')}_{engine} {chosen['ms'] / mine:.2f}{note}", flush=True)


def agreement(path: Path, arpa: str) -> None:
    """Compare words and scores with kaldi-decoder's on the graph HLG, both at a wide beam, no frame skipped."""
    from kaldi_graph import compile_graph, kaldi_decode

    material = pickle.loads(path.read_bytes())
    lexicon, inventory = Lexicon(), PhoneInventory(material["phones"])
    lexicon.entries = dict(material["entries"])
    # Without silence, of which the graph has one between words and the search any number.
    exact = config(True, 40.0).model_copy(
        update={"max_active": 10**6, "blank_margin": math.inf, "silence_phone": "no silence"}
    )
    grammar = NgramModel.read_arpa(arpa)
    decoder, graph = (
        LexiconDecoder(lexicon, inventory, grammar, exact),
        compile_graph(lexicon, inventory, grammar, exact),
    )
    same, differences = 0, []
    for posteriors in material["posteriors"]:
        found, other = decoder.decode(posteriors), kaldi_decode(graph, inventory, exact, posteriors)
        same += other is not None and other[0] == found.words
        differences.append(abs(found.score - other[1]) if other is not None else math.inf)
    print(
        f"\nagreement with kaldi-decoder at beam 40: the same words in {same} of {len(differences)} utterances, "
        f"scores differ by {max(differences):.2g} at most"
    )


def growth(seed: int, rounds: int) -> None:
    """Print what more words cost, without a grammar, at the default beam. Above the dictionary, words are compounds."""
    full = build_english()
    phones = sorted(full.phones())
    order = by_frequency(full, seed)
    speech = speak(Text(order[:1000], seed).sentences(15, seed + 1), full, phones, seed + 2)
    generator = np.random.default_rng(seed)
    print("\nwords     build s  ms/utterance  %WER (words of the text are among the first 1000)", flush=True)
    for count in (1_000, 10_000, 100_000, 1_000_000):
        lexicon = Lexicon()
        lexicon.entries = {word: full.entries[word] for word in order[:count]}
        while len(lexicon.entries) < count:
            for first, second in generator.integers(len(order), size=(count - len(lexicon.entries), 2)):
                one, other = order[first], order[second]
                said = full.entries[one][0].phones + full.entries[other][0].phones
                lexicon.entries[f"{one}-{other}"] = [Pronunciation(said)]
        start = time.process_time()
        decoder = LexiconDecoder(lexicon, PhoneInventory(phones), None, config(False))
        build = time.process_time() - start
        decoder.decode(speech.posteriors[0][:30])
        times = []
        for _ in range(rounds):
            start = time.process_time()
            found = [decoder.decode(matrix).words for matrix in speech.posteriors]
            times.append(time.process_time() - start)
        wer = word_error_rate(speech.references, found)
        print(f"{count:8d}  {build:7.2f}  {1e3 * np.median(times) / len(found):12.2f}  {wer:.2f}", flush=True)
        del lexicon, decoder


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, nargs="+", default=[10_000, 130_000])
    parser.add_argument("--utterances", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--no-growth", action="store_true")
    parser.add_argument("--work", type=Path, help="folder that keeps graphs and grammars for the next run")
    parser.add_argument("--posteriors", type=Path, help="folder of posteriors.scp, inside an experiment's directory")
    parser.add_argument("--lexicon", type=Path)
    parser.add_argument("--lm")
    parser.add_argument("--text", type=Path, help="Kaldi's text: what was said")
    parser.add_argument("--child", choices=list(ENGINES), help=argparse.SUPPRESS)
    parser.add_argument("--target", type=float, default=-math.inf, help=argparse.SUPPRESS)
    parser.add_argument("--material", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.material, arguments.lm, arguments.rounds, arguments.target)
        return
    engines = arguments.engines.split(",")
    for engine in [engine for engine in engines if importlib.util.find_spec(MODULES[engine]) is None]:
        print(f"{engine}: not installed (see the head of this file); left out")
        engines.remove(engine)
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        if arguments.posteriors:
            if not arguments.lexicon or not arguments.text:
                raise SystemExit("error: --posteriors needs --lexicon and --text")
            path = work / "stored.pickle"
            material = read(arguments.posteriors, arguments.lexicon, arguments.lm, arguments.text)
            path.write_bytes(pickle.dumps(material))
            for arpa in [arguments.lm, None] if arguments.lm else [None]:
                compare("stored n-gram" if arpa else "stored loop", path, arpa, engines, arguments.rounds)
            if arguments.lm and "kaldi" in engines:
                agreement(path, arguments.lm)
            return
        for words in arguments.words:
            path = work / f"{words}.{arguments.seed}.pickle"
            material = invent(words, arguments.utterances, arguments.seed)
            path.write_bytes(pickle.dumps(material))
            arpa = path.with_suffix(".arpa")
            if not arpa.exists():
                train_ngram(material["sentences"], 3, vocabulary=sorted(material["entries"])).write_arpa(arpa)
            del material
            compare(f"{words} trigram", path, str(arpa), engines, arguments.rounds)
            compare(f"{words} loop", path, None, engines, arguments.rounds)
    if not arguments.no_growth:
        growth(arguments.seed, arguments.rounds)


if __name__ == "__main__":
    main()
