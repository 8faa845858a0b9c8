"""Normalise and segment IPA; stress and tone are kept, dropped or separated, as the caller chooses.

One spelling per sound, so that two dictionaries that mean the same phone also write it the same: NFC, the IPA ``ɡ``,
tie bars above, ligatures taken apart (``ʧ`` is ``t͡ʃ``), diacritics of a letter in one order, length after all other
modifiers. ``ipa_symbols`` has the symbols.
"""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from speechtl.errors import LexiconError
from speechtl.lang.ipa_symbols import (
    BOUNDARIES,
    FRICATIVES,
    LENGTHS,
    LETTERS,
    MARKS,
    MODIFIERS,
    NASAL_MODIFIERS,
    PLOSIVES,
    STRESS_MARKS,
    SYLLABIC,
    TIE,
    TONE_LETTERS,
    TONE_MARKS,
    VOWELS,
)

Stress = Literal["drop", "keep"]
Tone = Literal["keep", "drop", "separate"]

# What is typed for the symbol on the right. Applied to NFD text, longest first.
_SPELLINGS = {
    "g": "ɡ",
    ":": "ː",
    "\u035c": TIE,
    "ʧ": "t͡ʃ",
    "ʤ": "d͡ʒ",
    "ʦ": "t͡s",
    "ʣ": "d͡z",
    "ʨ": "t͡ɕ",
    "ʥ": "d͡ʑ",
    "ꭧ": "ʈ͡ʂ",
    "ꭦ": "ɖ͡ʐ",
    "ə˞": "ɚ",
    "ɜ˞": "ɝ",
    "ɿ": "ɹ" + SYLLABIC,
    "ʅ": "ɻ" + SYLLABIC,
    "ȵ": "n\u0320ʲ",
    "ȶ": "t\u0320ʲ",
    "ȡ": "d\u0320ʲ",
    "ι": "ɪ",
    "ɷ": "ʊ",
    "ɩ": "ɪ",
    "ε": "ɛ",
    "ϑ": "θ",
    "Ɂ": "ʔ",
    "!": "ǃ",
    "’": "ʼ",
    "\u02bb": "ʰ",
    "\u02bd": "ʰ",
    # The same diacritic above a letter with a descender.
    "\u030d": SYLLABIC,
    "\u030a": "\u0325",
    "\u0311": "\u032f",
    "\u0331": "\u0320",
    **{str(digit): superscript for digit, superscript in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}

# Letters of other alphabets that look like IPA; converting them silently would be a guess.
_ADVICE = {
    "š": "ʃ",
    "ž": "ʒ",
    "č": "t͡ʃ",
    "ǰ": "d͡ʒ",
    "å": "ɔ or ɒ",
    "ů": "uː",
    "'": "ˈ (stress) or ʼ (ejective)",
    "ß": "s or β",
    "?": "ʔ",
    "@": "ə",
}


@dataclass
class _Segment:
    """One segment while it is read; ``body`` is its letters with their marks and ties."""

    prefix: str = ""
    body: str = ""
    modifiers: str = ""
    length: str = ""
    tone: str = ""

    def text(self) -> str:
        letters: list[str] = []
        marks: list[list[str]] = []
        for character in self.body:
            if unicodedata.combining(character):
                marks[-1].append(character)
            else:
                letters.append(character)
                marks.append([])
        body = "".join(
            letter + "".join(sorted(diacritics, key=lambda mark: (unicodedata.combining(mark), mark)))
            for letter, diacritics in zip(letters, marks)
        )
        return unicodedata.normalize("NFC", self.prefix + body + self.modifiers + self.length + self.tone)

    def is_nucleus(self) -> bool:
        return SYLLABIC in self.body or any(character in VOWELS for character in self.body)


def normalise_ipa(text: str) -> str:
    """Spell an IPA string in the one way that speechtl uses; stress and tone are kept.

    Raises:
        LexiconError: a character is not IPA.
    """
    return "".join(split_ipa(text, stress="keep", tone="keep"))


def split_ipa(text: str, stress: Stress = "drop", tone: Tone = "keep") -> list[str]:
    """Split an IPA string into segments.

    A segment is a letter, or letters joined by tie bars, with all its diacritics, modifiers and length: ``t͡ʃʰ``,
    ``ⁿd``, ``ɛ̃ː``. Two letters without a tie bar are two segments. White space, full stops, hyphens and linking marks
    end a segment and are left out.

    Args:
        text: IPA in any Unicode normal form.
        stress: ``"drop"`` leaves ``ˈ`` and ``ˌ`` out; ``"keep"`` puts them before the vowel (or syllabic consonant)
            of the syllable that they precede, so that only nuclei have stressed variants.
        tone: ``"keep"`` leaves tone letters, tone digits and tone diacritics at the segment they follow;
            ``"drop"`` leaves them out; ``"separate"`` makes each tone a separate segment, in tone letters where it
            was a diacritic (``á`` gives ``a``, ``˦``).

    Returns:
        The segments in NFC.

    Raises:
        LexiconError: lists every character that is not IPA or has nothing to attach to.
    """
    segments, stresses = _read_segments(text)
    result: list[str] = []
    starts: list[int] = []
    for segment in segments:
        starts.append(len(result))
        marks = "".join(TONE_MARKS.get(character, "") for character in segment.body)
        if tone != "keep" and marks:
            segment.body = "".join(character for character in segment.body if character not in TONE_MARKS)
        tones = marks + segment.tone
        if tone != "keep":
            segment.tone = ""
        written = segment.text()
        if written:
            result.append(written)
        if tone == "separate" and tones:
            result.append(tones)
    if stress == "keep":
        for number, (position, mark) in enumerate(stresses):
            end = stresses[number + 1][0] if number + 1 < len(stresses) else len(segments)
            nucleus = next((i for i in range(position, end) if segments[i].is_nucleus()), position)
            result[starts[nucleus]] = mark + result[starts[nucleus]]
    return result


def place_stress(phones: Sequence[str]) -> list[str]:
    """Move stress marks from the phone they are written on to the vowel (or syllabic consonant) of that syllable.

    Args:
        phones: phones with ``ˈ`` or ``ˌ`` before them, as ``split_ipa(stress="keep")`` gives them one by one.
    """
    result = list(phones)
    for position, phone in enumerate(phones):
        if phone[0] in STRESS_MARKS and not is_nucleus(phone):
            for nucleus in range(position + 1, len(phones)):
                if phones[nucleus][0] in STRESS_MARKS:
                    break
                if is_nucleus(phones[nucleus]):
                    result[position], result[nucleus] = phone[1:], phone[0] + phones[nucleus]
                    break
    return result


@functools.cache
def is_nucleus(phone: str) -> bool:
    """Tell whether a phone can carry a syllable: a vowel, or a consonant marked syllabic."""
    return any(character in VOWELS or character == SYLLABIC for character in unicodedata.normalize("NFD", phone))


def _read_segments(text: str) -> tuple[list[_Segment], list[tuple[int, str]]]:
    """Read segments, and the stress marks as pairs of the number of the segment they precede and the mark."""
    characters = _respell(text)
    problems: list[str] = []
    segments: list[_Segment] = []
    stresses: list[tuple[int, str]] = []
    prefix = ""
    current: _Segment | None = None
    for position, character in enumerate(characters):
        following = characters[position + 1] if position + 1 < len(characters) else ""
        last_letter = _last_letter(current)
        if character in LETTERS:
            if current is None or not current.body.endswith(TIE):
                current = _Segment(prefix=prefix)
                segments.append(current)
                prefix = ""
            current.body += character
        elif character in MODIFIERS:
            if _is_prefix(character, last_letter, following):
                prefix += character
            elif current is None:
                problems.append(f"{_name(character)} has no letter to attach to")
            else:
                current.modifiers += character
        elif character in TONE_LETTERS:
            if current is None:
                current = _Segment()
                segments.append(current)
            current.tone += character
        elif character in STRESS_MARKS:
            stresses.append((len(segments), character))
            current = None
        elif character in BOUNDARIES:
            current = None
        elif character in LENGTHS or character in MARKS or character == TIE:
            if not last_letter or current is None:
                problems.append(f"{_name(character)} has no letter to attach to")
            elif character in LENGTHS:
                current.length += character
            elif character == TIE and (following not in LETTERS or current.modifiers or current.length):
                problems.append("the tie bar does not join two letters")
            else:
                current.body += character
        else:
            problems.append(f"{_name(character)} is not IPA{_advice(character)}")
        if prefix and not (following in LETTERS or following in MODIFIERS):
            problems.append(f"{_name(prefix)} has no letter to attach to")
            prefix = ""
    if stresses and stresses[-1][0] >= len(segments) and not problems:
        problems.append("a stress mark with nothing after it")
    if problems:
        raise LexiconError(f"'{text}': " + "; ".join(dict.fromkeys(problems)))
    return segments, stresses


def _respell(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    for typed, advice in _ADVICE.items():
        if typed in unicodedata.normalize("NFC", decomposed):
            raise LexiconError(f"'{text}': {_name(typed)} is not IPA; write {advice}")
    for typed, symbol in _SPELLINGS.items():
        if typed in decomposed:
            decomposed = decomposed.replace(typed, symbol)
    return unicodedata.normalize("NFD", decomposed)


def _is_prefix(character: str, last_letter: str, following: str) -> bool:
    """Tell whether a modifier belongs to the letter after it: prenasalised, preaspirated, or first in its word."""
    if not last_letter:
        return True
    if character in NASAL_MODIFIERS:
        return last_letter not in PLOSIVES and (following in PLOSIVES or following in FRICATIVES)
    return character in "ʰʱ" and last_letter in VOWELS and following in PLOSIVES


def _last_letter(segment: _Segment | None) -> str:
    body = segment.body if segment is not None else ""
    return next((character for character in reversed(body) if character in LETTERS), "")


def _name(character: str) -> str:
    points = " ".join(f"U+{ord(one):04X} {unicodedata.name(one, 'unnamed')}" for one in character)
    shown = f"◌{character}" if unicodedata.combining(character[0]) else character
    return f"'{shown}' ({points})"


def _advice(character: str) -> str:
    if character.isupper() and character.isascii():
        return "; is it ARPABET or X-SAMPA (--notation)?"
    return ""
