"""Phone feature errors of a test set, against panphon's own function.

    python tests/benchmarks/feature_errors.py [--utterances 500] [--phones 40] [--rounds 5] [--seed 0]

Both get the same phones: the pronunciations of random words of the small English lexicon, and the same with a fifth of
the phones replaced, left out or doubled. Processor time, the tables read and the kernel compiled before; what is first
asked for in a process takes longer, which is printed.
"""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import panphon.distance

from speechtl.lang.lexicon import Lexicon
from speechtl.scoring.feature_error_rate import feature_distances

LEXICON = Path(__file__).parents[2] / "lexicons" / "en" / "lexicon.txt"


def test_set(utterances: int, phones: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Return references and hypotheses."""
    chance = random.Random(seed)
    lexicon = Lexicon.load(LEXICON)
    # R-coloured vowels are respelled for panphon here, since it does not know them as the lexicon writes them.
    spell = {"ɝ": "ɜ˞", "ɚ": "ə˞"}
    words = [[spell.get(phone, phone) for phone in lexicon.pronounce(word)[0].phones] for word in lexicon.words]
    inventory = sorted({phone for word in words for phone in word})
    references = []
    for _ in range(utterances):
        text: list[str] = []
        while len(text) < phones:
            text += chance.choice(words)
        references.append(text)
    change = [lambda p: [chance.choice(inventory)], lambda p: [], lambda p: [p, p]]
    hypotheses = [
        [found for phone in text for found in (chance.choice(change)(phone) if chance.random() < 0.2 else [phone])]
        for text in references
    ]
    return references, hypotheses


def main() -> None:
    """Measure both and compare the distances."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=500)
    parser.add_argument("--phones", type=int, default=40, help="of an utterance, at least")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    references, hypotheses = test_set(options.utterances, options.phones, options.seed)
    started = time.process_time()
    feature_distances(references, hypotheses)
    first = time.process_time() - started
    own, theirs = [], []
    peer = panphon.distance.Distance()
    pairs = [("".join(one), "".join(two)) for one, two in zip(references, hypotheses, strict=True)]
    for _ in range(options.rounds):
        started = time.process_time()
        distances, lengths = feature_distances(references, hypotheses)
        own.append(time.process_time() - started)
        started = time.process_time()
        expected = [peer.hamming_feature_edit_distance(one, two) for one, two in pairs]
        segments = [len(peer.fm.ipa_segs(one)) for one, _ in pairs]
        theirs.append(time.process_time() - started)
    np.testing.assert_allclose(distances, expected, atol=1e-9)
    np.testing.assert_array_equal(lengths, segments)
    print(
        f"{options.utterances} utterances, {lengths.sum()} segments, PFER {100 * distances.sum() / lengths.sum():.2f} %"
    )
    print(f"speechtl  {1000 * np.median(own):9.2f} ms (the first time {1000 * first:.0f} ms)")
    print(f"panphon   {1000 * np.median(theirs):9.2f} ms")
    print(f"ratio feature_errors {np.median(theirs) / np.median(own):.0f}")


if __name__ == "__main__":
    main()
