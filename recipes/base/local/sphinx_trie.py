"""Read CMU Sphinx's binary trie of n-grams, the format of the English language model that pocketsphinx carries.

Little-endian: ``Trie Language Model``, the order (one byte), the numbers of n-grams (four bytes each); four bytes that
mean nothing; for each order from the second on a table of 2^16 probabilities and, below the highest order, one of 2^16
back-off weights (float32); the unigrams (probability, back-off weight, index of the first child) and one more that ends
the last; then, packed in bits without gaps, the n-grams of each order and one more: word, back-off weight and
probability as indices of the tables (the highest order: probability alone), index of the first child; at last the
words, each ended by a zero. Logarithms are to the base 1.0001. The first level of the trie is the last word of an
n-gram, its children are the words before it.
"""

import dataclasses
import math

import numpy as np

MAGIC = b"Trie Language Model"
_LOG10 = math.log10(1.0001)
_QUANTISED = 16
_UNIGRAM = np.dtype([("log", "<f4"), ("back_off", "<f4"), ("child", "<u4")])


@dataclasses.dataclass
class Trigrams:
    """N-grams up to the third order; probabilities and back-off weights are decimal logarithms.

    Attributes:
        words: the vocabulary.
        unigrams: ``(words, 2)``: probability, back-off weight.
        bigrams: ``(n, 2)`` indices of words, in the order in which they are said.
        bigram_values: ``(n, 2)``.
        trigrams: ``(n, 3)``.
        trigram_values: ``(n,)``.
    """

    words: list
    unigrams: np.ndarray
    bigrams: np.ndarray
    bigram_values: np.ndarray
    trigrams: np.ndarray
    trigram_values: np.ndarray


def _bits(content, start, count, width, offset, length):
    """Return ``length`` bits at ``offset`` of each of ``count`` records that are ``width`` bits wide."""
    places = np.arange(count, dtype=np.int64) * width + offset
    first = start + places // 8
    value = np.zeros(count, np.uint64)
    for byte in range(6):
        value |= content[first + byte].astype(np.uint64) << np.uint64(8 * byte)
    return ((value >> (places % 8).astype(np.uint64)) & np.uint64((1 << length) - 1)).astype(np.int64)


def read_sphinx_trie(path):
    """Read a file of order 3.

    Raises:
        SystemExit: it has another format.
    """
    raw = path.read_bytes()
    if not raw.startswith(MAGIC) or raw[len(MAGIC)] != 3:
        raise SystemExit(f"{path}: not a trie of CMU Sphinx with n-grams up to the third order")
    place = len(MAGIC) + 1
    counts = np.frombuffer(raw, "<u4", 3, place).astype(np.int64)
    place += 3 * 4 + 4
    tables = np.frombuffer(raw, "<f4", 3 << _QUANTISED, place).reshape(3, -1) * _LOG10
    place += tables.size * 4
    unigrams = np.frombuffer(raw, _UNIGRAM, counts[0] + 1, place)
    place += unigrams.nbytes
    word_bits, child_bits = int(counts[0]).bit_length(), int(counts[2]).bit_length()
    width = word_bits + 2 * _QUANTISED + child_bits
    content = np.frombuffer(raw + bytes(8), np.uint8)
    two = {}
    offsets = {"word": (0, word_bits), "back_off": (word_bits, _QUANTISED)}
    offsets |= {"log": (word_bits + _QUANTISED, _QUANTISED), "child": (word_bits + 2 * _QUANTISED, child_bits)}
    for name, (offset, length) in offsets.items():
        two[name] = _bits(content, place, counts[1] + 1, width, offset, length)
    place += ((counts[1] + 1) * width + 7) // 8 + 8
    width = word_bits + _QUANTISED
    three_word = _bits(content, place, counts[2], width, 0, word_bits)
    three_log = _bits(content, place, counts[2], width, word_bits, _QUANTISED)
    place += ((counts[2] + 1) * width + 7) // 8 + 8
    (size,) = np.frombuffer(raw, "<i4", 1, place)
    words = raw[place + 4 : place + 4 + size].decode().split("\0")[:-1]
    # Which node of the level above a node is the child of. Places that nothing points to were reserved in vain.
    second = int(unigrams["child"][-1])
    last = np.repeat(np.arange(counts[0]), np.diff(unigrams["child"].astype(np.int64)))
    bigrams = np.stack([two["word"][:second], last], axis=1)
    children = two["child"][: second + 1]
    above = np.repeat(np.arange(second), np.diff(children))
    third = slice(children[0], children[-1])
    trigrams = np.concatenate([three_word[third, np.newaxis], bigrams[above]], axis=1)
    return Trigrams(
        words,
        np.stack([unigrams["log"][:-1], unigrams["back_off"][:-1]], axis=1) * _LOG10,
        bigrams,
        np.stack([tables[0][two["log"][:second]], tables[1][two["back_off"][:second]]], axis=1),
        trigrams,
        tables[2][three_log[third]],
    )
