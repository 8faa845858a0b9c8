"""Check the dictionaries of this folder against pronunciations that other programs made.

    python lexicons/check.py            # compare with the committed references, list the words that differ most
    python lexicons/check.py --live     # ask espeak-ng (and epitran, where installed) again instead
    python lexicons/check.py --write    # ask again and write the references

The sources: espeak-ng (rules and exceptions by speakers of each language), epitran (rule-based, nine of the languages;
neither program shares code or data with the other), and for English the CMU dictionary that comes with pocketsphinx.
A word's distance is that of its closest pair of pronunciations, see ``speechtl.lang.articulation.sequence_distance``:
0 is the same articulation, 1 is nothing in common.
"""

import argparse
import ctypes
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

from speechtl.errors import LexiconError
from speechtl.files import atomic_write
from speechtl.lang.articulation import sequence_distance
from speechtl.lang.ipa_symbols import LETTERS, TIE
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import split_ipa

FOLDER = Path(__file__).parent
REFERENCES = FOLDER / "references.tsv"
STRAY_TIE = re.compile(f"(?<![{''.join(sorted(LETTERS))}]){TIE}|{TIE}(?![{''.join(sorted(LETTERS))}])")
# Where it is not the language's code.
ESPEAK_VOICES = {"en": "en-us", "pt": "pt-br", "zh": "cmn"}
EPITRAN_CODES = {
    "ar": "ara-Arab",
    "de": "deu-Latn",
    "es": "spa-Latn",
    "fr": "fra-Latn",
    "hi": "hin-Deva",
    "it": "ita-Latn",
    "nl": "nld-Latn",
    "pl": "pol-Latn",
    "pt": "por-Latn",
    "ru": "rus-Cyrl",
    "tr": "tur-Latn",
}
# What to ask for where the usual spelling does not say how a word sounds: Arabic with vowel signs, Japanese in kana.
SPELLED_OUT = {
    "صفر": "صِفْر",
    "واحد": "وَاحِد",
    "اثنان": "اِثْنَان",
    "ثلاثة": "ثَلَاثَة",
    "أربعة": "أَرْبَعَة",
    "خمسة": "خَمْسَة",
    "ستة": "سِتَّة",
    "سبعة": "سَبْعَة",
    "ثمانية": "ثَمَانِيَة",
    "تسعة": "تِسْعَة",
    "عشرة": "عَشَرَة",
    "نعم": "نَعَم",
    "〇": "ゼロ",
    "零": "れい",
    "一": "いち",
    "二": "に",
    "三": "さん",
    "四": "よん",
    "五": "ご",
    "六": "ろく",
    "七": "なな",
    "八": "はち",
    "九": "きゅう",
    "十": "じゅう",
}
# espeak-ng's Mandarin writes part of its phone names in ASCII: the rising tone 35 as ɜ5, ʂ as s., and aspiration as h.
MANDARIN_NAMES = {"s.": "ʂ", "ɕ\u0361h": "ɕʰ", "ɜ": "³"}
Reference = tuple[str, str, str, str]  # language, word, source, IPA


def dictionaries() -> dict[str, Lexicon]:
    """Return the dictionaries of this folder by language, tones dropped, since the sources write them in other ways."""
    return {path.parent.name: Lexicon.load(path, tone="drop") for path in sorted(FOLDER.glob("*/lexicon.txt"))}


def espeak_pronouncer() -> Callable[[str, str], str]:
    """Return ``pronounce(language, word) -> IPA`` by espeak-ng; ImportError if espeakng-loader is not installed."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    synchronous, utf8, ipa_with_ties = 2, 1, 0x02 | 0x80 | (0x361 << 8)
    if library.espeak_Initialize(synchronous, 0, espeakng_loader.get_data_path().encode(), 0) < 0:
        raise LexiconError("espeak-ng does not start; reinstall espeakng-loader")

    def pronounce(language: str, word: str) -> str:
        voice = ESPEAK_VOICES.get(language, language)
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise LexiconError(f"espeak-ng has no voice '{voice}'")
        spelled = SPELLED_OUT.get(word, word) if language in ("ar", "ja") else word
        text = ctypes.c_char_p(spelled.encode())
        ipa = library.espeak_TextToPhonemes(ctypes.byref(text), utf8, ipa_with_ties).decode().strip()
        for written, symbol in MANDARIN_NAMES.items() if language == "zh" else ():
            ipa = ipa.replace(written, symbol)
        # It ties everything in a phone's name, also what is no letter, and writes Japanese long vowels as two.
        return STRAY_TIE.sub("", ipa).replace("ɯᵝɯᵝ", "ɯᵝː")

    return pronounce


def references_of(lexicons: dict[str, Lexicon]) -> list[Reference]:
    """Ask every installed source for every word."""
    rows: list[Reference] = []
    espeak = espeak_pronouncer()
    for language, lexicon in lexicons.items():
        rows += [(language, word, "espeak-ng", espeak(language, word)) for word in lexicon.words]
        if language in EPITRAN_CODES and importlib.util.find_spec("epitran"):
            import epitran

            rules = epitran.Epitran(EPITRAN_CODES[language])
            rows += [(language, word, "epitran", rules.transliterate(word)) for word in lexicon.words]
    # A word that a source does not read (left in its script, or read in another language) says nothing about ours.
    return [row for row in rows if _is_ipa(row[3])]


def _is_ipa(text: str) -> bool:
    try:
        return bool(split_ipa(text))
    except LexiconError:
        return False


def read_references() -> list[Reference]:
    """Read the committed references."""
    lines = REFERENCES.read_text(encoding="utf-8").splitlines()
    return [(fields[0], fields[1], fields[2], fields[3]) for fields in (line.split("\t") for line in lines)]


def distances(lexicons: dict[str, Lexicon], references: list[Reference]) -> dict[tuple[str, str], dict[str, float]]:
    """Return for each (language, word) the distance to each source that has a reference for it."""
    result: dict[tuple[str, str], dict[str, float]] = {}
    for language, word, source, ipa in references:
        if word not in lexicons.get(language, Lexicon()):
            continue
        options = [list(option.phones) for option in lexicons[language].pronounce(word)]
        reference = split_ipa(ipa, tone="drop")
        own = min(sequence_distance(option, reference) for option in options)
        result.setdefault((language, word), {})[source] = own
    return result


def main() -> None:
    """Print the distance of each language and the words that differ most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--live", action="store_true", help="ask the sources instead of reading references.tsv")
    parser.add_argument("--write", action="store_true", help="ask the sources and write references.tsv")
    parser.add_argument("--above", type=float, default=0.1, help="list words at least this far from every source")
    arguments = parser.parse_args()
    lexicons = dictionaries()
    references = references_of(lexicons) if arguments.live or arguments.write else read_references()
    if arguments.write:
        with atomic_write(REFERENCES) as file:
            file.writelines("\t".join(row) + "\n" for row in references)
    found = distances(lexicons, references)
    spoken = {(language, word, source): ipa for language, word, source, ipa in references}
    for language, lexicon in lexicons.items():
        words = {word: found[language, word] for word in lexicon.words if (language, word) in found}
        nearest = [min(by_source.values()) for by_source in words.values()]
        mean = sum(nearest) / max(len(nearest), 1)
        print(f"{language}: {len(lexicon)} words, mean distance {mean:.3f}, largest {max(nearest, default=0):.3f}")
        for word, by_source in words.items():
            if min(by_source.values()) >= arguments.above:
                own = " | ".join(" ".join(option.phones) for option in lexicon.pronounce(word))
                others = "; ".join(f"{s} {spoken[language, word, s]} {d:.2f}" for s, d in by_source.items())
                print(f"    {word}: {own}   ({others})")


if __name__ == "__main__":
    main()
