"""N-gram language models in the binary trie formats of KenLM (Heafield 2011).

A trie holds all n-grams by their words, the last one first. KenLM's other format, hash tables with linear probing,
holds hashes of the n-grams alone, so that they can be looked up but not listed.
"""

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechtl.errors import LexiconError
from speechtl.files import read_bytes
from speechtl.grammar.arpa import LOG10_ZERO, Entries, Ngram
from speechtl.grammar.kneser_ney import UNKNOWN

_MAGIC = b"mmap lm http://kheafield.com/code "
_VERSION = b"format version 5\n"
_NAMES = [
    "hash tables (probing)",
    "hash tables with rest costs (rest_probing)",
    "trie",
    "quantised trie",
    "trie with compressed pointers",
    "quantised trie with compressed pointers",
]
_FIRST_TRIE, _QUANTISED, _COMPRESSED = 2, (3, 5), (4, 5)
# KenLM gives <unk> this log10 probability where the ARPA file had none.
_NO_UNKNOWN = -100.0
_AGAIN = "give the ARPA file that it was made from, or make a trie of that: build_binary trie lm.arpa lm.binary"


class _Field(NamedTuple):
    """Where the bits of a number are within an entry."""

    start: int
    bits: int


def is_kenlm_binary(head: bytes) -> bool:
    """Whether a file that starts with ``head`` was made by KenLM's build_binary."""
    return head.startswith(_MAGIC)


def read_kenlm_binary(path: str | Path) -> list[Entries]:
    """Read the n-gram tables of a trie; with pointers compressed and values quantised (then they are rounded), too.

    N-grams that KenLM added because longer ones need them are as probable as backing off.

    Returns:
        One table per order, unigrams first.

    Raises:
        LexiconError: the file cannot be read, is cut off, was made by another version of KenLM, holds no words, or
            holds hash tables.
    """
    content = read_bytes(path, error=LexiconError, advice="give the path of a language model")
    try:
        return _Trie(content, str(path)).tables()
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise LexiconError(f"{path}: a damaged binary of KenLM ({error}); copy it again, or {_AGAIN}") from error


class _Trie:
    def __init__(self, content: bytes, path: str):
        self.path = path
        # Bits are read in steps of 8 bytes, the last of which may begin at the last byte.
        self.content = content + bytes(8)
        self.windows: np.ndarray = np.ndarray((len(content) + 1,), "<u8", self.content, strides=(1,))
        if not content.startswith(_MAGIC + _VERSION):
            raise LexiconError(f"{path}: a binary of KenLM that is incomplete or of another version; {_AGAIN}")
        # The magic and a zero, filled up to 8; then test values of several types.
        start = -(-(len(_MAGIC + _VERSION) + 2) // 8) * 8 + 32
        if len(content) < start + 28:
            raise IndexError("it is cut off")
        order, kind, has_words = struct.unpack_from("<B7xI?", self.content, start)
        name = _NAMES[kind] if kind < len(_NAMES) else f"format {kind}"
        if not _FIRST_TRIE <= kind < len(_NAMES):
            raise LexiconError(f"{path}: a binary of KenLM that holds {name}, whose n-grams cannot be listed; {_AGAIN}")
        if not has_words:
            raise LexiconError(f"{path}: a binary of KenLM without the words (build_binary -v?); {_AGAIN}")
        self.kind = kind
        self.counts = struct.unpack_from(f"<{order}Q", self.content, start + 20)
        # After the header come the words' hashes, and before them their number.
        self.at = -(-(start + 20 + 8 * order) // 8) * 8 + 8 * (1 + self.counts[0])
        if len(content) < self.at + 16 * (self.counts[0] + 2):
            raise IndexError("it is cut off")

    def tables(self) -> list[Entries]:
        codes: list[list[np.ndarray]] = []
        prob_bits, back_off_bits = 31, 32
        if self.kind in _QUANTISED:
            version, prob_bits, back_off_bits = self.content[self.at : self.at + 3]
            if version != 2:
                raise LexiconError(f"{self.path}: quantised by another version of KenLM; {_AGAIN}")
            self.at += 8
            for order in range(2, len(self.counts) + 1):
                middle = order < len(self.counts)
                codes.append([self._floats(1 << bits) for bits in [prob_bits] + [back_off_bits] * middle])
        size = self.counts[0]
        unigram = np.frombuffer(
            self.content, [("probability", "<f4"), ("back_off", "<f4"), ("next", "<u8")], size + 2, self.at
        )
        self.at += unigram.nbytes
        # Only the first order has a header that says how pointers were compressed.
        most_chopped = self.content[self.at + 1] if self.kind in _COMPRESSED and len(self.counts) > 2 else 0

        columns = [(np.arange(size), unigram["probability"][:size], unigram["back_off"][:size])]
        following = [unigram["next"][: size + 1].astype(np.int64)]
        word_bits = size.bit_length()
        for place, count in enumerate(self.counts[1:]):
            last = place == len(self.counts) - 2
            next_bits, high = 0, np.zeros(0, np.uint64)
            if not last:
                next_bits, high = self._pointers(count + 1, self.counts[place + 2], most_chopped)
            value_bits = prob_bits + (0 if last else back_off_bits)
            width = word_bits + value_bits + next_bits
            word = self._column(_Field(0, word_bits), width, count)
            if self.kind in _QUANTISED:
                back_off_size = 0 if last else back_off_bits
                probability = codes[place][0][self._column(_Field(word_bits + back_off_size, prob_bits), width, count)]
                back_off = (
                    np.zeros(count)
                    if last
                    else codes[place][1][self._column(_Field(word_bits, back_off_bits), width, count)]
                )
            else:
                # The sign bit is left out, as no logarithm of a probability is positive.
                probability = -self._column(_Field(word_bits, 31), width, count).astype("<u4").view("<f4")
                bits = None if last else self._column(_Field(word_bits + 31, 32), width, count)
                back_off = np.zeros(count) if bits is None else bits.astype("<u4").view("<f4")
            columns.append((word.astype(np.int64), probability, back_off))
            if not last:
                low = self._column(_Field(word_bits + value_bits, next_bits), width, count + 1)
                top = np.searchsorted(high, np.arange(count + 1), side="right") - 1 if len(high) else 0
                following.append(low.astype(np.int64) + (np.asarray(top, np.int64) << next_bits))
            self.at += ((1 + count) * width + 7) // 8 + 8
        return self._with_words(columns, following, self._words())

    def _words(self) -> list[str]:
        words = self.content[self.at : -8].split(b"\0")
        if words[0] != UNKNOWN.encode() or len(words) != self.counts[0] + 1:
            raise IndexError("its words are not where they should be")
        return [word.decode("utf-8") for word in words[:-1]]

    def _with_words(
        self,
        columns: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
        following: list[np.ndarray],
        words: list[str],
    ) -> list[Entries]:
        tables: list[Entries] = []
        ngrams: list[Ngram] = [()]
        for place, (word, probability, back_off) in enumerate(columns):
            begins = following[place - 1] if place else np.array([0, len(word)])
            whole = len(begins) == len(ngrams) + 1 and begins[0] == 0 and begins[-1] == len(word)
            # Differences of what is larger than an index would be wrong themselves.
            if not whole or begins.min() < 0 or begins.max() > len(word) or (np.diff(begins) < 0).any():
                raise IndexError(f"pointers to its {place + 1}-grams are wrong")
            if not (np.isfinite(probability).all() and np.isfinite(back_off).all()):
                raise IndexError(f"probabilities of its {place + 1}-grams are no numbers")
            parents = np.repeat(np.arange(len(ngrams)), np.diff(begins)).tolist()
            ngrams = [(words[number], *ngrams[parent]) for number, parent in zip(word.tolist(), parents)]
            values = zip(
                np.clip(probability.astype(np.float64), LOG10_ZERO, 0.0).tolist(),
                np.maximum(back_off.astype(np.float64), LOG10_ZERO).tolist(),
            )
            tables.append(dict(zip(ngrams, values)))
        if columns[0][1][0] <= _NO_UNKNOWN:
            del tables[0][(UNKNOWN,)]
        return tables

    def _floats(self, count: int) -> np.ndarray:
        values = np.frombuffer(self.content, "<f4", count, self.at)
        self.at += values.nbytes
        return values

    def _column(self, field: _Field, width: int, count: int) -> np.ndarray:
        """Return a number out of each of ``count`` entries of ``width`` bits."""
        if count * width > 8 * (len(self.content) - self.at):
            raise IndexError("it is cut off")
        bits = np.arange(count, dtype=np.int64) * width + field.start
        shifted = self.windows[self.at + (bits >> 3)] >> (bits & 7).astype(np.uint64)
        return shifted & np.uint64((1 << field.bits) - 1)

    def _pointers(self, entries: int, largest: int, most_chopped: int) -> tuple[int, np.ndarray]:
        """Return how many bits of pointers stand in the entries, and where the higher bits grow by one.

        Compressed pointers (Raj and Whittaker 2003) lack as many of their highest bits as saves the most room.
        """
        bits = largest.bit_length()
        if self.kind not in _COMPRESSED:
            return bits, np.zeros(0, np.uint64)
        chopped = min(
            range(min(bits, most_chopped) + 1),
            key=lambda number: (largest >> (bits - number)) * 64 - entries * number,
        )
        count = (largest >> (bits - chopped)) + 1
        # The table is at the next multiple of 8 bytes after its own header.
        table = np.frombuffer(self.content, "<u8", count, -(-self.at // 8) * 8 + 8)
        self.at += 8 * (1 + count) + 7
        return bits - chopped, table
