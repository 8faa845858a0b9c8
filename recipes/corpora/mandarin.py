"""Mandarin syllables, in pinyin or in bopomofo with the number of the tone, as phones. Standard library only."""

import re
from pathlib import Path

from data_dirs import fail, read_lines

SYLLABLES = Path(__file__).with_name("mandarin_syllables.tsv")
TONES = {"1": "˥", "2": "˧˥", "3": "˨˩˦", "4": "˥˩", "5": "", "": ""}
HISSING = {"zh": "ɻ̩", "ch": "ɻ̩", "sh": "ɻ̩", "r": "ɻ̩", "z": "ɹ̩", "c": "ɹ̩", "s": "ɹ̩"}
LABIALS = ("b", "p", "m", "f")


class MandarinSyllables:
    """The table of initials and finals.

    Its methods return the phones of a syllable, the tone on its vowel as in ``lexicons/zh``; none if it is no syllable.
    A neutral tone (5, or no number) is not written. Tones are those of the single syllable.
    """

    def __init__(self, path: Path = SYLLABLES) -> None:
        self._phones: dict[tuple[str, str], list[str]] = {}
        self._pinyin: dict[tuple[str, str], str] = {}
        for number, line in enumerate(read_lines(path), 1):
            if line.startswith("#"):
                continue
            fields = line.split("\t")
            if len(fields) != 4 or fields[0] not in ("initial", "final"):
                fail(f"{path}:{number}: expected kind, pinyin, bopomofo and phones with tabs between (got '{line}')")
            kind, pinyin, bopomofo, phones = fields
            self._phones[kind, pinyin] = phones.split()
            self._pinyin.setdefault((kind, bopomofo), pinyin)

    def of_pinyin(self, syllable: str) -> list[str]:
        """``zhong1``; ü may also be written v or u:."""
        match = re.fullmatch(r"([a-zü:]+)([1-5]?)", syllable.lower())
        if match is None:
            return []
        letters = _without_y_and_w(match[1].replace("u:", "v").replace("ü", "v"))
        initial = next((letters[:size] for size in (2, 1) if ("initial", letters[:size]) in self._phones), "")
        final = letters[len(initial) :]
        if initial in ("j", "q", "x") and final.startswith("u"):
            final = "v" + final[1:]
        return self._join(initial, final, match[2])

    def of_bopomofo(self, syllable: str) -> list[str]:
        """``ㄓㄨㄥ4``: bopomofo does not write the first tone; the 1 of the input method gcin is the neutral tone."""
        match = re.fullmatch(r"([^\d\s]+)([1-5]?)", syllable)
        if match is None:
            return []
        signs = match[1]
        initial = self._pinyin.get(("initial", signs[0]), "")
        rest = signs[1:] if initial else signs
        final = self._pinyin.get(("final", rest), "") if rest else ("i" if initial in HISSING else "")
        if final == "ueng" and initial:
            final = "ong"
        return self._join(initial, final, {"": "1", "1": "5"}.get(match[2], match[2]))

    def _join(self, initial: str, final: str, tone: str) -> list[str]:
        if final == "o" and initial in LABIALS:
            final = "uo"
        start = self._phones["initial", initial] if initial else []
        if final == "i" and initial in HISSING:
            return [*start, HISSING[initial] + TONES[tone]]
        rest = self._phones.get(("final", final), [])
        return [*start, *(phone.replace("*", TONES[tone]) for phone in rest)] if rest else []


def _without_y_and_w(letters: str) -> str:
    """Write a syllable without an initial as finals are written after one."""
    if letters.startswith("yu"):
        return "v" + letters[2:]
    if letters.startswith("y"):
        rest = letters[1:]
        return "iu" if rest == "ou" else rest if rest.startswith("i") else "i" + rest
    if letters.startswith("w"):
        rest = letters[1:]
        return {"u": "u", "ei": "ui", "en": "un"}.get(rest, "u" + rest)
    return letters
