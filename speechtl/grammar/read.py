"""Grammars in any of the formats that people have them in: n-grams, or commands as rules or automata."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from speechtl.errors import LexiconError
from speechtl.grammar.automaton import reachable
from speechtl.grammar.fst_text import looks_like_fst_text, read_fst_text
from speechtl.grammar.jsgf import parse_jsgf
from speechtl.grammar.jsgf_rules import automaton_of
from speechtl.grammar.kenlm_binary import is_kenlm_binary, read_kenlm_binary
from speechtl.grammar.kneser_ney import END, START, UNKNOWN
from speechtl.grammar.ngram import NgramModel
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon

Grammar = NgramModel | WordGraph

# Comments may stand before an ARPA file's beginning.
_HEAD = 1 << 16
_OPENFST_MAGIC = b"\xd6\xfd\xb2\x7e"


def read_grammar(path: str | Path) -> Grammar:
    r"""Read a grammar; what the file holds decides the format, not its name.

    Formats: ARPA n-grams; n-grams in KenLM's binary trie format; JSGF 1.0 (``#JSGF V1.0;``, see ``jsgf``); acceptors in
    OpenFst's text format (see ``fst_text``). All but KenLM's may be compressed by gzip.

    Raises:
        LexiconError: the file cannot be read or has none of these formats; what its reader finds wrong, as
            ``file:line``; or a grammar of commands that allows no sentence.
    """
    path = Path(path)
    head = _read(path, _HEAD)
    if is_kenlm_binary(head):
        return NgramModel(read_kenlm_binary(path))
    if head.startswith(_OPENFST_MAGIC):
        raise LexiconError(
            f"{path}: a compiled automaton of OpenFst; give it as text: fstprint --acceptor --isymbols=words.txt"
        )
    if any(line.strip() == b"\\data\\" for line in head.split(b"\n")):
        return NgramModel.read_arpa(path)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:5].upper() == b"#JSGF":
        return automaton_of(parse_jsgf(_read(path), str(path)), str(path)).word_graph(str(path))
    text = _text(path, head, whole=False)
    if looks_like_fst_text(text):
        return read_fst_text(_text(path, _read(path), whole=True), str(path)).word_graph(str(path))
    raise LexiconError(
        f"{path}: not a grammar in a known format (starts with '{text.strip()[:40]}'); expected ARPA (\\data\\), JSGF "
        "(#JSGF V1.0;), OpenFst text ('from to word cost') or a trie of KenLM"
    )


def words_without_pronunciation(grammar: Grammar, lexicon: Lexicon) -> list[str]:
    """Return the words of a grammar that a lexicon lacks, sorted: what the grammar allows with them cannot be found.

    Raises:
        LexiconError: every sentence of a grammar of commands has such a word.
    """
    if isinstance(grammar, NgramModel):
        return sorted(grammar.vocabulary - {START, END, UNKNOWN} - lexicon.entries.keys())
    if grammar.wildcard is not None:
        return []
    missing = sorted(grammar.vocabulary.keys() - lexicon.entries.keys())
    if missing:
        arrays = grammar.arrays(1.0)
        known = np.ones(len(grammar.vocabulary), bool)
        known[[grammar.vocabulary[word] for word in missing]] = False
        bounds = arrays.first_arc
        following = [
            [int(arrays.target[arc]) for arc in range(bounds[state], bounds[state + 1]) if known[arrays.word[arc]]]
            for state in range(len(bounds) - 1)
        ]
        spoken = {after for state in reachable([grammar.start], following) for after in following[state]}
        if not np.isfinite(arrays.final[sorted(reachable(spoken, following))]).any():
            some = ", ".join(missing[:10])
            raise LexiconError(
                f"every sentence of the grammar has words that the lexicon lacks ({some}); give their pronunciations"
            )
    return missing


def _read(path: Path, size: int = -1) -> bytes:
    """Return the beginning of a file, decompressed."""
    try:
        with open(path, "rb") as file:
            if file.peek(2)[:2] != b"\x1f\x8b":
                return file.read(size)
            with gzip.open(file) as stream:
                return stream.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LexiconError(f"{path}: damaged gzip file ({error}); copy it again") from error
    except OSError as error:
        raise LexiconError(f"{path}: {error.strerror or error}") from error


def _text(path: Path, content: bytes, *, whole: bool) -> str:
    """Decode UTF-8; a beginning may end within a character, and may be of any kind of file."""
    try:
        return content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "strict" if whole else "replace")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise LexiconError(
            f"{path}:{line}: not UTF-8 (byte 0x{content[error.start]:02X}); save the file as UTF-8"
        ) from error
