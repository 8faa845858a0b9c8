"""Read the pronunciations of a lexicon file; all bad lines are reported at once."""

import functools
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from speechtl.errors import LexiconError, list_problems
from speechtl.files import decode_lines, read_bytes
from speechtl.lang.ipa import Stress, Tone, place_stress, split_ipa
from speechtl.lang.ipa_symbols import STRESS_MARKS
from speechtl.lang.lexicon_columns import Columns, column_of, is_decimal, is_noise, misread, without_variant
from speechtl.lang.lexicon_kind import mistaken_for_lexicon
from speechtl.lang.notations import arpabet_to_ipa, xsampa_to_ipa
from speechtl.uncollected import uncollected

Notation = Literal["ipa", "arpabet", "xsampa"]
Problems = list[tuple[int, str]]

# More letters than this in one phone, without a tie bar, are a word that nobody split.
MAX_SEGMENTS_PER_PHONE = 3

# White space to str.split(), or invisible, but letters to Kaldi.
_STRANGE_SPACE = re.compile("[\x0b\x0c\x1c-\x1f\x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]")
_EXAMPLES = 3
_NUMBERS_FIRST = "numbers stand right after the word: a probability, or four of MFA and of Kaldi's silprob"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pronunciation:
    """A pronunciation of a word.

    Attributes:
        phones: IPA phones.
        probability: in (0, 1], 1.0 for the most likely pronunciation of the word, as in Kaldi's ``lexiconp.txt``.
    """

    phones: tuple[str, ...]
    probability: float = 1.0


Entries = dict[str, list[Pronunciation]]


def read_lexicon(path: Path, notation: Notation, stress: Stress, tone: Tone) -> Entries:
    """Read the pronunciations of a lexicon file; ``Lexicon.load`` says how.

    Raises:
        LexiconError: the file cannot be read, or lists every bad line.
    """
    lines, problems = _read_lines(path)
    with uncollected():
        entries, repeated = _read_entries(path, lines, problems, notation, stress, tone)
    if problems:
        kept = (_strip_cmu_comments(text.split(), text) for _, text in lines)
        if mistaken := mistaken_for_lexicon([fields for fields in kept if fields], notation):
            raise LexiconError(f"{path}: {mistaken}")
        shown = [f"{path}:{number}: {problem}" for number, problem in sorted(problems)]
        raise LexiconError(list_problems(f"{path}: {len(shown)} problem{'s' * (len(shown) > 1)}", shown))
    if not entries:
        raise LexiconError(f"{path}: no words in it; expected lines 'word phone phone ...'")
    _warn_of_repetitions(path, lines, repeated)
    return entries


def add_pronunciation(entries: Entries, word: str, phones: tuple[str, ...], probability: float) -> bool:
    """Add a pronunciation, or give the one that is there already the higher probability; tell whether it is new."""
    new = Pronunciation(phones, probability)
    options = entries.get(word)
    if options is None:
        entries[word] = [new]
        return True
    for position, old in enumerate(options):
        if old.phones == phones:
            if probability > old.probability:
                options[position] = new
            return False
    options.append(new)
    return True


def _read_entries(
    path: Path, lines: list[tuple[int, str]], problems: Problems, notation: Notation, stress: Stress, tone: Tone
) -> tuple[Entries, set[str]]:
    """Return the entries and the words that have a pronunciation twice; add to ``problems``."""
    read_phone = _phone_reader(notation, stress, tone)
    columns = Columns(path.name, (text for _, text in lines))
    cmu = notation == "arpabet"
    move_stress = stress == "keep" and not cmu
    single: dict[str, str] = {}
    entries: Entries = {}
    repeated: set[str] = set()
    variants: list[str] = []
    noise: list[str] = []
    for number, text in lines:
        fields = text.split()
        if cmu:
            fields = _strip_cmu_comments(fields, text)
        if not fields:
            continue
        word = without_variant(fields[0])
        if word != fields[0]:
            variants.append(fields[0])
        numbers = columns.numbers(fields)
        if numbers.problem:
            place = f" (column {column_of(text, 1)})" if len(fields) > 1 else ""
            problems.append((number, f"'{word}': {numbers.problem}{place}"))
            continue
        start = 1 + numbers.fields
        if len(fields) <= start:
            problems.append((number, f"'{word}' has no phones; add them or remove the line"))
            continue
        try:
            phones = tuple([single[field] for field in fields[start:]])
        except KeyError:
            if is_noise(word, fields[start:]):
                noise.append(f"{fields[0]} {' '.join(fields[start:])}")
                continue
            if (among := _number_among(fields, start, notation)) is not None:
                where = f"'{fields[among]}' in column {column_of(text, among)}"
                problems.append((number, f"'{word}': {where} is a number, not a phone; {_NUMBERS_FIRST}"))
                continue
            before = len(problems)
            phones = _read_phones(word, fields[start:], read_phone, single, number, problems)
            # Marks that are no sounds may have been around it.
            if phones and len(problems) == before and is_noise(word, phones):
                noise.append(f"{fields[0]} {' '.join(fields[start:])}")
                continue
            if not phones:
                if len(problems) == before:
                    problems.append((number, f"'{word}' has no phones but tones; add them or remove the line"))
                continue
        if move_stress:
            phones = tuple(place_stress(phones))
        if not add_pronunciation(entries, word, phones, numbers.probability):
            repeated.add(word)
    _tell(path, noise, [] if cmu else variants)
    return entries, repeated


def _number_among(fields: list[str], start: int, notation: Notation) -> int | None:
    """Return the place of a number among the phones: a decimal one, or a whole one where the first phone should be."""
    # X-SAMPA has phones that are digits; the digits of tones never come first.
    if notation != "xsampa" and fields[start].isascii() and fields[start].isdigit():
        return start
    return next((place for place in range(start, len(fields)) if is_decimal(fields[place])), None)


def _tell(path: Path, noise: list[str], variants: list[str]) -> None:
    """Log what was left out and what was taken together."""
    if noise:
        logger.warning(f"{path}: left out, for silence and noise are no words: {_counted(noise)}")
    if variants:
        logger.info(f"{path}: variants of one word: {_counted(variants)}")


def _counted(entries: list[str]) -> str:
    """Return some entries in a line, and how many there are."""
    shown = ", ".join(entries[:_EXAMPLES])
    return shown if len(entries) <= _EXAMPLES else f"{shown}, ... ({len(entries)} entries)"


def _read_phones(
    word: str,
    fields: list[str],
    read_phone: Callable[[str], tuple[str, ...]],
    single: dict[str, str],
    number: int,
    problems: Problems,
) -> tuple[str, ...]:
    """Read the phones of one line, remembering in ``single`` the fields that are one phone each."""
    phones: list[str] = []
    for field in fields:
        if field in single:
            phones.append(single[field])
            continue
        try:
            read = read_phone(field)
        except LexiconError as error:
            problems.append((number, f"'{word}': {error}"))
            continue
        if len(read) == 1 and not is_noise("", read):
            single[field] = read[0]
        phones += read
    return tuple(phones)


def _warn_of_repetitions(path: Path, lines: list[tuple[int, str]], words: Iterable[str]) -> None:
    """Log the lines that repeat an earlier line; not those that dropping stress or tone made equal."""
    wanted = set(words)
    if not wanted:
        return
    first: dict[tuple[str, ...], int] = {}
    warnings = []
    for number, text in lines:
        fields = tuple(text.split())
        if fields and fields[0] in wanted and first.setdefault(fields, number) != number:
            warnings.append(f"{path}:{number}: '{fields[0]}' has this pronunciation already in line {first[fields]}")
    if warnings:
        logger.warning(list_problems(f"{path}: repeated lines, merged:", warnings, limit=10))


def _read_lines(path: Path) -> tuple[list[tuple[int, str]], Problems]:
    """Return the lines that are not empty, with their numbers, and the problems of lines that are not plain text."""
    content = read_bytes(path, error=LexiconError, advice="give the path of a lexicon")
    lines: list[tuple[int, str]] = []
    problems: Problems = []
    for number, line, fault in decode_lines(content):
        if fault:
            problems.append((number, fault))
        elif line:
            lines.append((number, line))
    # One search over all of the file is much faster than one for every line.
    if _STRANGE_SPACE.search(content.decode("utf-8-sig", "replace")):
        for number, line in lines:
            found = _STRANGE_SPACE.search(line)
            if found:
                point = ord(found.group())
                problems.append(
                    (number, f"a character U+{point:04X} that looks like a space; use a plain space or none")
                )
    problems += misread(lines).items()
    bad = {number for number, _ in problems}
    return [(number, line) for number, line in lines if number not in bad] if bad else lines, problems


def _strip_cmu_comments(fields: list[str], text: str) -> list[str]:
    """Take comments off a line of a CMU dictionary."""
    if text.startswith(";;;"):
        return []
    return fields[: fields.index("#", 1)] if "#" in fields[1:] else fields


def _phone_reader(notation: Notation, stress: Stress, tone: Tone) -> Callable[[str], tuple[str, ...]]:
    """Return what turns one field of a line into phones: one, none (a dropped tone) or two (a separate tone)."""
    if notation == "arpabet":
        return _remembering(lambda field: (arpabet_to_ipa(field, stress),))
    if notation == "xsampa":
        return _remembering(lambda field: _read_ipa_phone(xsampa_to_ipa(field), stress, tone, field))
    if notation == "ipa":
        return _remembering(functools.partial(_read_ipa_phone, stress=stress, tone=tone))
    raise LexiconError(f"unknown notation '{notation}'; expected ipa, arpabet or xsampa")


def _remembering(read: Callable[[str], tuple[str, ...]]) -> Callable[[str], tuple[str, ...]]:
    """Return a reader that says the same of a wrong phone again without looking at it; a file may be full of one."""
    wrong: dict[str, LexiconError] = {}

    def remembering(field: str) -> tuple[str, ...]:
        if field in wrong:
            raise wrong[field].with_traceback(None)
        try:
            return read(field)
        except LexiconError as error:
            wrong[field] = error
            raise

    return remembering


def _read_ipa_phone(text: str, stress: Stress, tone: Tone, shown: str = "") -> tuple[str, ...]:
    bare = split_ipa(text, stress="drop", tone="drop")
    if len(bare) > MAX_SEGMENTS_PER_PHONE:
        raise LexiconError(f"'{shown or text}' is {len(bare)} phones ({' '.join(bare)}); put spaces between phones")
    mark = next((character for character in text if character in STRESS_MARKS), "") if stress == "keep" else ""
    if not bare:
        return tuple(split_ipa(text, tone=tone)) if text and tone != "drop" else ()
    if tone == "separate":
        pieces = split_ipa(text, tone="separate")
        tones = "".join(piece for piece in pieces if piece not in bare)
        return (mark + "".join(bare), *([tones] if tones else []))
    return (mark + "".join(split_ipa(text, tone=tone)),)
