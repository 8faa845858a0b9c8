"""Decoding over a lexicon, against flashlight-text, kaldi-decoder and pyctcdecode, on the same posteriors.

    python tests/benchmarks/decoding.py [--words 10000 130000] [--utterances 30] [--rounds 3] [--seed 0]
        [--engines speechtl,flashlight,kaldi,pyctcdecode] [--no-growth] [--work DIR]
    python tests/benchmarks/decoding.py --posteriors DIR --lexicon L --lm ARPA --text TEXT

Without --posteriors, a text (Zipf's law, words that like to follow others) over the English dictionary and posteriors
of it are invented from the seed, and a trigram is trained on other text of the same source. DIR has what `speechtl
decode --save-posteriors` wrote. Every engine runs in a process of its own with one thread, over a range of beams, and
is timed where it first reaches the word error rate of speechtl's default beam (tolerance: 0.1 % absolute); time is
processor time, the median of the rounds, and memory the peak of the process. flashlight and pyctcdecode need a unit
for the end of words to decode phones well, so they get posteriors that have one, which the others do without. A peer
that is not installed is named and left out: pip install flashlight-text kenlm kaldi-decoder kaldifst pyctcdecode.
"""

import argparse
import gc
import importlib.util
import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from decoding_material import FRAME_SHIFT, Text, by_frequency, speak
from rapidfuzz.distance import Levenshtein

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_search import LexiconDecoder
from speechtl.lang.dictionaries import build_english
from speechtl.lang.lexicon import Lexicon, Pronunciation
from speechtl.lang.ngram import NgramModel, train_ngram
from speechtl.lang.phones import PhoneInventory

LN10 = math.log(10.0)
TOLERANCE = 0.1
# Without a grammar every word costs this, or short words would be found everywhere.
WORD_COST = 8.0
BEAMS = (6.0, 8.0, 10.0, 12.0, 14.0, 17.0, 20.0)
DEFAULT_BEAM = 14.0
SIZES = (10, 20, 50, 100, 200, 500)
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


def peak_memory() -> float:
    """Return the most MiB that this process has had in memory (getrusage would count what started it, too)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def config(with_grammar: bool, beam: float = DEFAULT_BEAM) -> DecodingConfig:
    """Return the settings that all engines are given in their own terms."""
    return DecodingConfig(beam=beam, lm_weight=1.0, word_insertion_penalty=0.0 if with_grammar else WORD_COST)


# Engines: each yields (setting, function from the number of an utterance to its words) ------------------------------

Runs = Iterator[tuple[float, Callable[[int], Sequence[str]]]]


def run_speechtl(material: dict[str, Any], arpa: str | None, report: dict[str, float]) -> Runs:
    """The prefix tree with look-ahead; also times its construction and the adding of words."""
    lexicon = Lexicon()
    lexicon.entries = dict(material["entries"])
    inventory = PhoneInventory(material["phones"])
    grammar = NgramModel.read_arpa(arpa) if arpa else None
    gc.collect()
    start = time.process_time()
    decoder = LexiconDecoder(lexicon, inventory, grammar, config(arpa is not None))
    report["build_s"] = time.process_time() - start
    del grammar
    decoder.decode(material["posteriors"][0][:30])  # compiled now, if it is not in the cache
    for beam in BEAMS:
        narrowed = decoder.with_config(config(arpa is not None, beam))
        yield beam, lambda number, narrowed=narrowed: narrowed.decode(material["posteriors"][number]).words
    if arpa is None:
        generator, times = np.random.default_rng(0), []
        for number in range(200):
            phones = [str(phone) for phone in generator.choice(material["phones"], 8)]
            start = time.process_time()
            decoder.add_word(f"new-word-{number}", phones)
            times.append(time.process_time() - start)
        report["add_ms"], report["add_worst_ms"] = 1e3 * float(np.median(times)), 1e3 * max(times)


def run_kaldi(material: dict[str, Any], arpa: str | None, report: dict[str, float]) -> Runs:
    """kaldi-decoder on the compiled graph HLG; the graph is stored, so that its construction counts apart."""
    import kaldifst

    sys.path.insert(0, str(Path(__file__).parents[1] / "decoding"))
    from kaldi_graph import Graph, compile_graph, kaldi_decode

    inventory = PhoneInventory(material["phones"])
    path = Path(material["path"]).with_suffix(f".{'lm' if arpa else 'loop'}.graph")
    if not path.exists():
        child = os.fork()
        if not child:
            lexicon = Lexicon()
            lexicon.entries = dict(material["entries"])
            start = time.process_time()
            graph = compile_graph(
                lexicon, inventory, NgramModel.read_arpa(arpa) if arpa else None, config(arpa is not None)
            )
            seconds = time.process_time() - start
            kaldifst.StdVectorFst(graph.fst).write(str(path))
            peak = peak_memory()
            path.with_suffix(".words").write_bytes(pickle.dumps((graph.words, seconds, peak)))
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit("error: the graph could not be compiled (memory?)")
    words, report["build_s"], report["build_MiB"] = pickle.loads(path.with_suffix(".words").read_bytes())
    graph = Graph(kaldifst.StdConstFst(kaldifst.StdVectorFst.read(str(path))), words, (), ())

    def decode(number: int, beam: float) -> Sequence[str]:
        settings = config(arpa is not None, beam).model_copy(update={"max_active": 7000})
        found = kaldi_decode(graph, inventory, settings, material["posteriors"][number])
        return found[0] if found else ()

    for beam in BEAMS:
        yield beam, lambda number, beam=beam: decode(number, beam)


def run_flashlight(material: dict[str, Any], arpa: str | None, report: dict[str, float]) -> Runs:
    """flashlight-text's lexicon decoder; settings are the number of hypotheses that are kept."""
    from flashlight.lib.text.decoder import (
        CriterionType,
        LexiconDecoder,
        LexiconDecoderOptions,
        SmearingMode,
        Trie,
        ZeroLM,
    )
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    boundary = material["with_boundary"] is not None
    posteriors = material["with_boundary"] if boundary else material["posteriors"]
    units = len(material["phones"]) + 1
    end = [units] if boundary else []
    unit_of = {phone: unit for unit, phone in enumerate(material["phones"], start=1)}
    names = sorted(material["entries"])
    start = time.process_time()
    dictionary = Dictionary()
    for word in [*names, "<unk>"]:
        dictionary.add_entry(word)
    lm = KenLM(arpa, dictionary) if arpa else ZeroLM()
    first = lm.start(False)
    trie = Trie(units + boundary, end[0] if boundary else -1)
    for number, word in enumerate(names):
        score = lm.score(first, number)[1]
        for option in material["entries"][word]:
            trie.insert([*(unit_of[phone] for phone in option.phones), *end], number, score)
    trie.smear(SmearingMode.MAX)
    report["build_s"] = time.process_time() - start

    def decode(number: int, decoder: Any) -> Sequence[str]:
        matrix = np.ascontiguousarray(posteriors[number], np.float32)
        best = decoder.decode(matrix.ctypes.data, *matrix.shape)[0]
        return [names[word] for word in best.words if word >= 0]

    for size in SIZES:
        options = LexiconDecoderOptions(
            beam_size=size,
            beam_size_token=units + boundary,
            beam_threshold=50.0,
            lm_weight=LN10 if arpa else 0.0,
            word_score=0.0 if arpa else -WORD_COST,
            unk_score=-math.inf,
            sil_score=0.0,
            log_add=False,
            criterion_type=CriterionType.CTC,
        )
        decoder = LexiconDecoder(options, trie, lm, end[0] if boundary else -1, 0, len(names), [], False)
        yield size, lambda number, decoder=decoder: decode(number, decoder)


def run_pyctcdecode(material: dict[str, Any], arpa: str | None, report: dict[str, float]) -> Runs:
    """pyctcdecode, which spells: a word is its first pronunciation, so homophones are one word, counted as right."""
    import logging

    from pyctcdecode import build_ctcdecoder

    logging.disable(logging.WARNING)
    if material["with_boundary"] is None:
        return
    letter = {phone: chr(0xE000 + number) for number, phone in enumerate(material["phones"])}
    spelling = {
        word: ["".join(letter[phone] for phone in option.phones) for option in options]
        for word, options in material["entries"].items()
    }
    first = {word: spellings[0] for word, spellings in spelling.items()}
    start = time.process_time()
    lm = None
    if arpa:
        lm = Path(material["path"]).with_suffix(".spelled.arpa")
        sentences = [[first[word] for word in sentence] for sentence in material["sentences"]]
        train_ngram(sentences, 3, vocabulary=sorted(set(first.values()))).write_arpa(lm)
        start = time.process_time()
    unigrams = sorted({one for spellings in spelling.values() for one in spellings})
    decoder = build_ctcdecoder(
        ["", *letter.values(), " "],
        str(lm) if lm else None,
        unigrams,
        alpha=1.0,
        beta=0.0 if arpa else -WORD_COST,
        unk_score_offset=-100.0,
    )
    report["build_s"] = time.process_time() - start
    material["references"] = [[first[word] for word in sentence] for sentence in material["references"]]
    same = {one: first[word] for word, spellings in spelling.items() for one in spellings}

    def decode(number: int, width: int) -> Sequence[str]:
        text = decoder.decode(material["with_boundary"][number], beam_width=width, token_min_logp=-20.0)
        return [same.get(word, word) for word in text.split()]

    for width in SIZES[2:5]:
        yield width, lambda number, width=width: decode(number, width)


ENGINES = {"speechtl": run_speechtl, "kaldi": run_kaldi, "flashlight": run_flashlight, "pyctcdecode": run_pyctcdecode}
# It takes seconds an utterance, so a few have to do.
MOST_UTTERANCES = {"pyctcdecode": 3}


def child(engine: str, path: Path, arpa: str | None, rounds: int) -> None:
    """Run one engine over its settings and print lines of JSON."""
    material = pickle.loads(path.read_bytes())
    material["path"] = str(path)
    count = min(len(material["posteriors"]), MOST_UTTERANCES.get(engine, 10**9))
    rounds = 1 if engine in MOST_UTTERANCES else rounds
    frames = sum(len(matrix) for matrix in material["posteriors"][:count])
    report: dict[str, float] = {}
    for setting, decode in ENGINES[engine](material, arpa, report):
        times = []
        for _ in range(rounds):
            start = time.process_time()
            found = [decode(number) for number in range(count)]
            times.append(time.process_time() - start)
        row = {
            "setting": setting,
            "ms": 1e3 * float(np.median(times)) / count,
            "real_time_factor": float(np.median(times)) / (frames * material["frame_shift"]),
            "wer": word_error_rate(material["references"][:count], found),
        }
        print("ROW " + json.dumps(row), flush=True)
    report["peak_MiB"] = peak_memory()
    print("END " + json.dumps(report), flush=True)


def measure(engine: str, path: Path, arpa: str | None, rounds: int) -> tuple[list[dict[str, float]], dict[str, float]]:
    """Run an engine in a process of its own."""
    command = [sys.executable, __file__, "--child", engine, "--material", str(path), "--rounds", str(rounds)]
    command += ["--lm", arpa] if arpa else []
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
    """Print every engine's rows, and the ratios at equal word error rate."""
    print(f"\n{name}\nengine       beam    ms/utterance  real time factor  %WER   peak MiB  build s", flush=True)
    target = mine = math.nan
    for engine in engines:
        rows, report = measure(engine, path, arpa, rounds)
        if not rows:
            print(f"{engine:12s} needs posteriors with an end of words; left out")
            continue
        if engine == "speechtl":
            target = next(row["wer"] for row in rows if row["setting"] == DEFAULT_BEAM)
        chosen = next((row for row in rows if row["wer"] <= target + TOLERANCE), None)
        for row in rows:
            mark = " *" if row is chosen else ""
            print(
                f"{engine:12s} {row['setting']:5g}  {row['ms']:12.2f}  {row['real_time_factor']:16.5f}  "
                f"{row['wer']:5.2f}  {report['peak_MiB']:8.0f}  {report['build_s']:7.2f}{mark}",
                flush=True,
            )
        for key in ("add_ms", "add_worst_ms", "build_MiB"):
            if key in report:
                print(f"{engine:12s} {key} {report[key]:.3g}")
        if engine == "speechtl":
            assert chosen is not None
            mine = chosen["ms"]
            continue
        reached = chosen or min(rows, key=lambda row: row["wer"])
        label = f"{name.replace(' ', '_')}_{engine}"
        note = "" if chosen else f"   (never reached {target:.2f} %: at its best, {reached['wer']:.2f} %)"
        print(f"ratio {label} {reached['ms'] / mine:.2f}{note}", flush=True)


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
    parser.add_argument("--utterances", type=int, default=30)
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
    parser.add_argument("--material", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.material, arguments.lm, arguments.rounds)
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
