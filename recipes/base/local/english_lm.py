"""Write a small language model of English: that of pocketsphinx, pruned.

pocketsphinx (BSD) carries a trigram model of general American English, 27 MB; what text it was estimated on is not
stated. Of its words, the most frequent that its dictionary pronounces are kept; of its n-grams those whose loss would
change the model most, by the weighted difference p(h, w) (log p(w|h) - log p'(w|h)) of Seymore and Rosenfeld (1996), p'
being the back-off estimate. Back-off weights are computed anew, so that the probabilities of every history sum to 1.
Words of the dictionary that are left out, and words that users add, share ``<unk>``.

    python recipes/base/local/english_lm.py lm.arpa.gz
"""

import argparse
import gzip
import importlib.util
from pathlib import Path

import numpy as np
from sphinx_trie import read_sphinx_trie

START, END, UNKNOWN = "<s>", "</s>", "<unk>"


def files():
    """Return the paths of pocketsphinx's dictionary and language model."""
    spec = importlib.util.find_spec("pocketsphinx")
    if spec is None:
        raise SystemExit("pocketsphinx is not installed: pip install 'speechtl[dictionaries]'")
    folder = Path(spec.submodule_search_locations[0]) / "model" / "en-us"
    return folder / "cmudict-en-us.dict", folder / "en-us.lm.bin"


def restricted(model, known, size):
    """Return the n-grams of the most frequent words that are known, with new indices of words."""
    kept = np.array([word in known or word in (START, END) for word in model.words])
    order = np.argsort(np.where(kept, -model.unigrams[:, 0], np.inf), kind="stable")
    chosen = np.zeros(len(kept), bool)
    chosen[order[:size]] = True
    chosen[[model.words.index(START), model.words.index(END)]] = True
    chosen &= kept
    index = np.cumsum(chosen) - 1
    words = [word for word, one in zip(model.words, chosen) if one]
    two, three = chosen[model.bigrams].all(axis=1), chosen[model.trigrams].all(axis=1)
    bigrams, trigrams = index[model.bigrams[two]], index[model.trigrams[three]]
    return words, model.unigrams[chosen], bigrams, model.bigram_values[two], trigrams, model.trigram_values[three]


def keys_of(ngrams, count):
    """Return one number for each n-gram."""
    found = np.zeros(len(ngrams), np.int64)
    for column in ngrams.T:
        found = found * count + column
    return found


class Table:
    """N-grams and a value of each, looked up by key."""

    def __init__(self, keys, values):
        order = np.argsort(keys)
        self.keys, self.values = keys[order], values[order]

    def get(self, keys, default):
        """Return the values of keys, or what stands in for those that are not there."""
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, self.values[place], default)


def back_off_weights(histories, size, kept, estimates):
    """Return the logarithms of the back-off weights of histories: the mass that is left over what it is shared by."""
    left = 1 - np.bincount(histories, kept, size)
    shared = 1 - np.bincount(histories, estimates, size)
    return np.log10(np.maximum(left, 1e-6) / np.maximum(shared, 1e-6))


def prune(words, unigrams, bigrams, two, trigrams, three, sizes, unknown):
    """Return the tables of a pruned model: a list of (n-grams, probabilities, back-off weights) by order."""
    count = len(words)
    probability = 10.0 ** unigrams[:, 0]
    probability[words.index(START)] = 0.0
    # As the model had it, for the choice.
    log2 = Table(keys_of(bigrams, count), two[:, 0])
    back_off2 = Table(keys_of(bigrams, count), two[:, 1])
    gain2 = 10.0 ** (unigrams[bigrams[:, 0], 0] + two[:, 0])
    gain2 = np.where(bigrams[:, 0] == words.index(START), 0.05 * 10.0 ** two[:, 0], gain2)
    gain2 *= two[:, 0] - unigrams[bigrams[:, 0], 1] - unigrams[bigrams[:, 1], 0]
    tail = keys_of(trigrams[:, 1:], count)
    head = keys_of(trigrams[:, :2], count)
    lower = log2.get(tail, unigrams[trigrams[:, 1], 1] + unigrams[trigrams[:, 2], 0])
    first = np.where(trigrams[:, 0] == words.index(START), np.log10(0.05), unigrams[trigrams[:, 0], 0])
    gain3 = 10.0 ** (first + log2.get(head, -9.0) + three) * (three - back_off2.get(head, 0.0) - lower)
    best3 = np.sort(np.argsort(-gain3)[: sizes[1]])
    needed = np.isin(keys_of(bigrams, count), np.unique(np.concatenate([head[best3], tail[best3]])))
    gain2[needed] = np.inf
    best2 = np.sort(np.argsort(-gain2)[: max(sizes[0], needed.sum())])

    scaled = probability * (1 - unknown) / probability.sum()
    bigrams, p2 = bigrams[best2], 10.0 ** two[best2, 0]
    weights1 = back_off_weights(bigrams[:, 0], count, p2, scaled[bigrams[:, 1]])
    table2 = Table(keys_of(bigrams, count), np.log10(p2))
    trigrams, p3 = trigrams[best3], 10.0 ** three[best3]
    with np.errstate(divide="ignore"):
        log1 = np.log10(scaled)
    lower = table2.get(keys_of(trigrams[:, 1:], count), weights1[trigrams[:, 1]] + log1[trigrams[:, 2]])
    keys = keys_of(bigrams, count)
    place = np.searchsorted(keys, keys_of(trigrams[:, :2], count))
    weights2 = back_off_weights(place, len(keys), p3, 10.0**lower)
    return [
        (np.arange(count)[:, np.newaxis], log1, weights1),
        (bigrams, np.log10(p2), weights2),
        (trigrams, np.log10(p3), None),
    ]


def arpa_lines(words, tables, unknown):
    """Yield the lines of an ARPA file."""
    yield "\\data\\"
    for order, (ngrams, _, _) in enumerate(tables, start=1):
        yield f"ngram {order}={len(ngrams) + (order == 1)}"
    for order, (ngrams, logs, weights) in enumerate(tables, start=1):
        yield f"\n\\{order}-grams:"
        if order == 1:
            yield f"{np.log10(unknown):.2f}\t{UNKNOWN}"
        for row, ngram in enumerate(ngrams):
            log = "-99" if not np.isfinite(logs[row]) else f"{min(logs[row], 0):.2f}"
            weight = "" if weights is None or abs(weights[row]) < 0.005 else f"\t{weights[row]:.2f}"
            yield f"{log}\t{' '.join(words[index] for index in ngram)}{weight}"
    yield "\n\\end\\"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--words", type=int, default=40_000)
    parser.add_argument("--bigrams", type=int, default=200_000)
    parser.add_argument("--trigrams", type=int, default=120_000)
    parser.add_argument("--unknown", type=float, default=0.01, help="probability of <unk>")
    options = parser.parse_args()
    dictionary, path = files()
    known = {line.split()[0].partition("(")[0] for line in dictionary.read_text(encoding="utf-8").splitlines() if line}
    words, *ngrams = restricted(read_sphinx_trie(path), known, options.words)
    tables = prune(words, *ngrams, (options.bigrams, options.trigrams), options.unknown)
    text = "\n".join(arpa_lines(words, tables, options.unknown)) + "\n"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    # Without the time, so that the same n-grams are the same file.
    options.out.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    sizes = ", ".join(f"{len(grams)} {order}-grams" for order, (grams, _, _) in enumerate(tables, start=1))
    print(f"{options.out}: {sizes}, {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
