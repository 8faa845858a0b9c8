"""Pronunciations guessed from spelling, against phonetisaurus, on words held out of the CMU dictionary.

    python tests/benchmarks/g2p.py [--held-out 2000] [--seed 0] [--dev] [--order N]...

Both learn from the same words (all pronunciations of a word are on one side), and are compared on the same held-out
ones: phone errors are counted against the nearest of a word's pronunciations. --dev takes other words, which the words
of the result are never among; settings are chosen on these. Without phonetisaurus only speechtl is measured.
Times are processor time, training and reading of the model included where they say so.
"""

import argparse
import contextlib
import importlib.util
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
from speechtl.lang.dictionaries import build_english
from speechtl.lang.lexicon import Lexicon

Guesses = dict[str, tuple[str, ...]]


def split(lexicon: Lexicon, count: int, seed: int) -> tuple[Lexicon, list[str], list[str]]:
    """Return what to learn from, and the held-out words: for choosing settings, and for the result."""
    words = sorted(lexicon.words)
    random.Random(seed).shuffle(words)
    test, dev = sorted(words[:count]), sorted(words[count : 2 * count])
    rest = Lexicon()
    held_out = {*test, *dev}
    rest.entries = {word: options for word, options in lexicon.entries.items() if word not in held_out}
    return rest, dev, test


def error_rates(lexicon: Lexicon, guesses: Guesses, words: list[str]) -> tuple[float, float]:
    """Return the phone and the word error rate in per cent; a word without a guess has all its phones wrong."""
    edits = phones = wrong = 0
    for word in words:
        guess = guesses.get(word, ())
        own = [(Levenshtein.distance(option.phones, guess), -len(option.phones)) for option in lexicon.pronounce(word)]
        edits += min(own)[0]
        phones -= min(own)[1]
        wrong += min(own)[0] > 0
    return 100 * edits / phones, 100 * wrong / len(words)


def processor_seconds(task: Callable[[], object]) -> tuple[float, float]:
    """Return processor time (children too) and wall time."""
    before, start = os.times(), time.perf_counter()
    task()
    after = os.times()
    return sum(after[:4]) - sum(before[:4]), time.perf_counter() - start


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Send what commands write to nowhere: phonetisaurus reports each step of its training."""
    sys.stdout.flush()
    kept = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        for number, copy in enumerate(kept, start=1):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


def row(
    name: str, phone: float, word: float, train: tuple[float, float], guess: tuple[float, float], count: int
) -> None:
    print(
        f"{name:28} PER {phone:6.2f} %  WER {word:6.2f} %  training {train[0]:6.1f} s ({train[1]:6.1f} s wall)  "
        f"guessing {1000 * guess[0] / count:6.2f} ms a word ({1000 * guess[1] / count:6.2f} ms wall)",
        flush=True,
    )


def run_own(lexicon: Lexicon, train: Lexicon, words: list[str], order: int, folder: Path):
    """Train, save, load and guess."""
    # The first call compiles.
    tiny = Lexicon()
    tiny.entries = dict(list(train.entries.items())[:50])
    GraphemeToPhoneme.train(tiny).pronounce("a")
    guesses: Guesses = {}

    def learn() -> None:
        GraphemeToPhoneme.train(train, order=order).save(folder / "model")

    def guess() -> None:
        model = GraphemeToPhoneme.load(folder / "model")
        for word in words:
            guesses[word] = next((option.phones for option in model.pronounce(word, 1)), ())

    result = processor_seconds(learn), processor_seconds(guess)
    rates = error_rates(lexicon, guesses, words)
    size = (folder / "model").stat().st_size / 2**20
    row(f"speechtl, order {order} ({size:.0f} MiB)", *rates, *result, len(words))
    return (*rates, result[0][0], result[1][0])


def run_peer(lexicon: Lexicon, train: Lexicon, words: list[str], folder: Path):
    """The same with phonetisaurus, whose commands do the work."""
    import phonetisaurus

    guesses: Guesses = {}

    def learn() -> None:
        with silence():
            phonetisaurus.train(
                {word: [list(option.phones) for option in options] for word, options in train.entries.items()},
                folder / "peer.fst",
            )

    def guess() -> None:
        for word, phones in phonetisaurus.predict(words, folder / "peer.fst"):
            guesses.setdefault(word, tuple(phones))

    result = processor_seconds(learn), processor_seconds(guess)
    rates = error_rates(lexicon, guesses, words)
    row(f"phonetisaurus ({(folder / 'peer.fst').stat().st_size / 2**20:.0f} MiB)", *rates, *result, len(words))
    return (*rates, result[0][0], result[1][0])


def main() -> None:
    parser = argparse.ArgumentParser(description="Guess pronunciations, speechtl against phonetisaurus.")
    parser.add_argument("--held-out", type=int, default=2000, help="words of the result, and as many of --dev")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dev", action="store_true", help="measure on the words that settings are chosen on")
    parser.add_argument("--order", type=int, action="append", help="n-gram order, may be repeated (default 8)")
    parser.add_argument("--limit", type=int, help="learn from so many words only")
    arguments = parser.parse_args()
    lexicon = build_english()
    train, dev, test = split(lexicon, arguments.held_out, arguments.seed)
    if arguments.limit:
        train.entries = dict(random.Random(arguments.seed).sample(sorted(train.entries.items()), arguments.limit))
    words = dev if arguments.dev else test
    print(f"{len(train)} words to learn from, {len(words)} held out", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        own = [run_own(lexicon, train, words, order, Path(folder)) for order in arguments.order or [8]]
        if importlib.util.find_spec("phonetisaurus") is None:
            print("phonetisaurus is not installed; nothing to compare with")
            return
        peer = run_peer(lexicon, train, words, Path(folder))
    for name, mine, other in zip(("phone_errors", "word_errors", "training", "guessing"), own[0], peer):
        print(f"ratio g2p_{name} {other / mine:.2f}")


if __name__ == "__main__":
    main()
