"""Read language models (n-grams) and grammars (commands); the content of a file, not its name, tells its format."""

import gzip
import zlib
from pathlib import Path

from speechtl.decompress import GZIP_MAGIC, decompress
from speechtl.errors import LexiconError
from speechtl.files import decode_text
from speechtl.grammar.fst_text import looks_like_fst_text, read_fst_text
from speechtl.grammar.jsgf import parse_jsgf
from speechtl.grammar.jsgf_rules import automaton_of
from speechtl.grammar.kenlm_binary import is_kenlm_binary, read_kenlm_binary
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.word_graph import WordGraph

# Comments may stand before an ARPA file's beginning.
_HEAD = 1 << 16
_OPENFST_MAGIC = b"\xd6\xfd\xb2\x7e"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_language_model(path: str | Path) -> NgramModel:
    r"""Read word n-grams: ARPA, plain or compressed by gzip, or KenLM's binary trie format.

    Raises:
        LexiconError: the file cannot be read, is a grammar of commands, or has neither format; what its reader finds
            wrong, as ``file:line``.
    """
    # A path within an exported model is none of pathlib.
    path = Path(path) if isinstance(path, str) else path
    head = _read(path, _HEAD)
    if is_kenlm_binary(head):
        return NgramModel(read_kenlm_binary(path))
    if not _is_arpa(head) and _is_grammar(head):
        raise LexiconError(f"{path}: a grammar of commands, not a language model; give it with --grammar")
    return NgramModel.read_arpa(path)


def read_grammar(path: str | Path) -> WordGraph:
    r"""Read a grammar of commands.

    Formats: JSGF 1.0 (``#JSGF V1.0;``, see ``jsgf``) and acceptors in OpenFst's text format (see ``fst_text``), both
    plain or compressed by gzip.

    Raises:
        LexiconError: the file cannot be read, is a language model, or has neither format; what its reader finds wrong,
            as ``file:line``; or the grammar allows no sentence.
    """
    path = Path(path)
    head = _read(path, _HEAD)
    if is_kenlm_binary(head) or _is_arpa(head):
        raise LexiconError(f"{path}: a language model (n-grams), not a grammar of commands; give it with --lm")
    if head.startswith(_OPENFST_MAGIC):
        raise LexiconError(
            f"{path}: a compiled automaton of OpenFst; give it as text: fstprint --acceptor --isymbols=words.txt"
        )
    if _is_jsgf(head):
        return automaton_of(parse_jsgf(_read(path), str(path)), str(path)).word_graph(str(path))
    text = _text(path, head, whole=False)
    if looks_like_fst_text(text):
        return read_fst_text(_text(path, _read(path), whole=True), str(path)).word_graph(str(path))
    raise LexiconError(
        f"{path}: not a grammar in a known format (starts with '{text.strip()[:40]}'); expected JSGF (#JSGF V1.0;) or "
        "OpenFst text ('from to word cost')"
    )


def read_lm_or_grammar(lm: str | Path | None, grammar: str | Path | None) -> NgramModel | WordGraph | None:
    """Read the language model or the grammar that a user gave.

    Returns:
        None where neither is given: any word may follow any word.

    Raises:
        LexiconError: both are given, or the file is wrong.
    """
    if lm is not None and grammar is not None:
        raise LexiconError(
            f"a language model ({lm}) and a grammar ({grammar}): each defines the word sequences; give one of them"
        )
    if lm is not None:
        return read_language_model(lm)
    return read_grammar(grammar) if grammar is not None else None


def _is_arpa(head: bytes) -> bool:
    return any(line.strip() == b"\\data\\" for line in head.split(b"\n"))


def _is_jsgf(head: bytes) -> bool:
    return head.removeprefix(_BYTE_ORDER_MARK).lstrip()[:5].upper() == b"#JSGF"


def _is_grammar(head: bytes) -> bool:
    """Whether a file that starts with ``head`` is a grammar of commands, in a format that can be read or not."""
    text = head.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "replace")
    return head.startswith(_OPENFST_MAGIC) or _is_jsgf(head) or looks_like_fst_text(text)


def _read(path: Path, size: int = -1) -> bytes:
    """Return the beginning of a file, decompressed."""
    try:
        with path.open("rb") as file:
            beginning = file.read(2)
            if beginning != GZIP_MAGIC:
                return beginning + file.read(size if size < 0 else max(size - 2, 0))
            file.seek(0)
            if size < 0:
                return decompress(file.read(), path, error=LexiconError)
            with gzip.open(file) as stream:
                return stream.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LexiconError(f"{path}: damaged gzip file ({error}); copy it again") from error
    except OSError as error:
        raise LexiconError(f"{path}: {error.strerror or error}") from error


def _text(path: Path, content: bytes, *, whole: bool) -> str:
    """Decode UTF-8; a beginning may end within a character, and may be of any kind of file."""
    return decode_text(content, path, error=LexiconError) if whole else content.decode("utf-8-sig", "replace")
