"""The engines of the benchmark of decoding: each yields settings and a function that decodes one utterance."""

import gc
import logging
import math
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.grammar.ngram_model import NgramModel, train_ngram
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory

# The graph compiler of the tests.
sys.path.insert(0, str(Path(__file__).parents[1]))

LN10 = math.log(10.0)
# Without a grammar every word costs this, or short words would be found everywhere.
WORD_COST = 8.0
DEFAULT_BEAM = 14
BEAMS = (6, 8, 9, 10, 11, 12, 13, DEFAULT_BEAM, 15, 16, 17, 20)
SIZES = (10, 20, 35, 50, 75, 100, 150, 200, 300)
# flashlight looks at so many units of a frame (None: all), and at hypotheses this much below the best.
PRUNING = ((None, 50.0), (12, 25.0))
WIDTHS = (20, 100)


def peak_memory() -> float:
    """Return the most MiB that this process has had in memory (getrusage would count what started it, too)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def config(with_grammar: bool, beam: float = DEFAULT_BEAM) -> DecodingConfig:
    """Return the settings that all engines are given in their own terms."""
    return DecodingConfig(beam=beam, lm_weight=1.0, word_insertion_penalty=0.0 if with_grammar else WORD_COST)


# What an engine yields: a setting, what to call it, a function from the number of an utterance to its words.
Runs = Iterator[tuple[str, str, Callable[[int], Sequence[str]]]]


def run_speechtl(material: dict[str, Any], arpa: str | None, report: dict[str, float]) -> Runs:
    """The prefix tree with look-ahead; also times its construction and the adding of words."""
    lexicon = Lexicon()
    lexicon.entries = dict(material["entries"])
    inventory = PhoneInventory(material["phones"])
    grammar = NgramModel.read_arpa(arpa) if arpa else None
    gc.collect()
    start = time.process_time()
    graph = WordGraph.ngrams(grammar) if grammar else None
    decoder = LexiconDecoder(lexicon, inventory, graph, config(arpa is not None))
    report["build_s"] = time.process_time() - start
    del grammar
    decoder.decode(material["posteriors"][0][:30])  # compiled now, if it is not in the cache
    for beam in BEAMS:
        narrowed = decoder.with_config(config(arpa is not None, beam))
        yield "", str(beam), lambda number, narrowed=narrowed: narrowed.decode(material["posteriors"][number]).words
    every = decoder.with_config(config(arpa is not None).model_copy(update={"blank_margin": math.inf}))
    label = f"{DEFAULT_BEAM}, every frame"
    yield "all", label, lambda number, every=every: every.decode(material["posteriors"][number]).words
    report["peak_MiB"] = peak_memory()
    del decoder, narrowed, every
    grown = LexiconDecoder(lexicon, inventory, graph, config(arpa is not None))
    generator, times = np.random.default_rng(0), []
    for number in range(200):
        phones = [str(phone) for phone in generator.choice(material["phones"], 8)]
        start = time.process_time()
        grown.add_word(f"new-word-{number}", phones)
        times.append(time.process_time() - start)
    report["add_ms"], report["add_worst_ms"] = 1e3 * float(np.median(times)), 1e3 * max(times)


def run_kaldi(material: dict[str, Any], arpa: str | None, report: dict[str, float]) -> Runs:
    """kaldi-decoder on the compiled graph HLG; the graph is stored, so that its construction counts apart."""
    import kaldifst
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

    decode(0, 6)  # the graph is read from its file now, not in the first of the rounds
    for beam in BEAMS:
        yield "", str(beam), lambda number, beam=beam: decode(number, beam)


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

    for number, (tokens, threshold) in enumerate(PRUNING):
        for size in SIZES:
            options = LexiconDecoderOptions(
                beam_size=size,
                beam_size_token=tokens or units + boundary,
                beam_threshold=threshold,
                lm_weight=LN10 if arpa else 0.0,
                word_score=0.0 if arpa else -WORD_COST,
                unk_score=-math.inf,
                sil_score=0.0,
                log_add=False,
                criterion_type=CriterionType.CTC,
            )
            decoder = LexiconDecoder(options, trie, lm, end[0] if boundary else -1, 0, len(names), [], False)
            label = f"{size}, {tokens or 'all'} units"
            yield str(number), label, lambda number, decoder=decoder: decode(number, decoder)


def run_pyctcdecode(material: dict[str, Any], arpa: str | None, report: dict[str, float]) -> Runs:
    """pyctcdecode, which spells: a word is its first pronunciation, so homophones are one word, counted as right."""
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
        posteriors = material["with_boundary"][number]
        text = decoder.decode(posteriors, beam_width=width, token_min_logp=-15.0, beam_prune_logp=-20.0)
        return [same.get(word, word) for word in text.split()]

    for width in WIDTHS:
        yield "", str(width), lambda number, width=width: decode(number, width)


ENGINES = {"speechtl": run_speechtl, "kaldi": run_kaldi, "flashlight": run_flashlight, "pyctcdecode": run_pyctcdecode}
