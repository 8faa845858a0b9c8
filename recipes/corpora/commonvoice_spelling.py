"""Sentences of Common Voice as words, and the words of some languages as phones. Standard library only."""

import re
import unicodedata

# Languages that are written without spaces; a word is a character there, unless a lexicon says more.
CHARACTERS = ("zh", "yue", "ja", "th", "lo", "my", "km")
# Languages whose sentences carry a romanisation in parentheses: "自然 (tsū-jiân)".
ROMANISED = ("nan",)

UNITS = ("words", "characters", "romanised")


def units_of(language: str) -> str:
    """Return how a language is cut into words, by its code (``zh-TW``, ``nan-tw``, ``de``)."""
    family = language.split("-")[0].lower()
    return "characters" if family in CHARACTERS else "romanised" if family in ROMANISED else "words"


def words_of(sentence: str, units: str, vocabulary: frozenset[str] = frozenset()) -> list[str]:
    """Return the words of a sentence in lower case, without punctuation.

    ``characters`` takes each character for a word, or the longest word of ``vocabulary`` that begins there.
    ``romanised`` takes the syllables in parentheses, or those of a sentence in Latin letters; a sentence without any
    has no words. An apostrophe within a word stays.
    """
    sentence = unicodedata.normalize("NFC", sentence).casefold().replace("’", "'")
    if units == "romanised":
        inside = " ".join(re.findall(r"[(（]([^)）]*)[)）]", sentence))
        return syllables(inside or sentence)
    # Characters of format, such as the zero-width non-joiner of Persian, stand within words.
    kept = "".join(c if _spoken(c) else " " for c in sentence if unicodedata.category(c) != "Cf")
    words = [word.strip("'") for word in kept.split()]
    if units == "words":
        return [word for word in words if word]
    longest = max(map(len, vocabulary), default=1)
    found = []
    for word in words:
        while word:
            size = next((n for n in range(min(longest, len(word)), 1, -1) if word[:n] in vocabulary), 1)
            found.append(word[:size])
            word = word[size:]
    return found


def _spoken(character: str) -> bool:
    """Letters, digits (so that a caller sees them), marks, and the apostrophe."""
    return character == "'" or unicodedata.category(character)[0] in "LNM"


def has_digits(words: list[str]) -> bool:
    return any(unicodedata.category(c)[0] == "N" for word in words for c in word)


def letters(word: str) -> list[str]:
    """Return the letters of a word, each with its marks; they replace phones where there are no pronunciations."""
    found: list[str] = []
    for character in word:
        if found and unicodedata.category(character)[0] == "M":
            found[-1] += character
        elif character != "'":
            found.append(character)
    return found or [word]


# Tâi-lô, the romanisation of Taiwanese that its Ministry of Education recommends. Tones are left out.
INITIALS = {
    "": [],
    "p": ["p"],
    "ph": ["pʰ"],
    "b": ["b"],
    "m": ["m"],
    "t": ["t"],
    "th": ["tʰ"],
    "n": ["n"],
    "l": ["l"],
    "k": ["k"],
    "kh": ["kʰ"],
    "g": ["ɡ"],
    "ng": ["ŋ"],
    "h": ["h"],
    "ts": ["t͡s"],
    "tsh": ["t͡sʰ"],
    "s": ["s"],
    "j": ["d͡z"],
}
BEFORE_I = {"t͡s": "t͡ɕ", "t͡sʰ": "t͡ɕʰ", "s": "ɕ", "d͡z": "d͡ʑ"}
VOWELS = {"oo": "ɔ", "a": "a", "e": "e", "i": "i", "o": "o", "u": "u"}
CODAS = {"": [], "m": ["m"], "n": ["n"], "ng": ["ŋ"], "p": ["p"], "t": ["t"], "k": ["k"], "h": ["ʔ"]}
SYLLABLE = re.compile(
    r"(?P<initial>tsh|ts|ph|th|kh|ng|[pbmtnlkghsj])??"
    r"(?:(?P<vowels>(?:oo|[aeiou])+)(?P<nasal>nn)?(?P<coda>ng|[mnptkh])?|(?P<syllabic>ng|m)(?P<stop>h)?)"
)


def plain(text: str) -> str:
    """Return Tâi-lô in small letters without tone marks and numbers; POJ's o with a dot is ``oo``, its ⁿ ``nn``."""
    text = text.replace("ⁿ", "nn").replace("o͘", "oo")
    decomposed = unicodedata.normalize("NFD", text.casefold())
    decomposed = decomposed.replace("\u0358", "o")
    bare = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    return re.sub(r"(?<=[a-z])[1-9]", "", bare)


def syllables(text: str) -> list[str]:
    """Return the syllables of a romanised sentence, plain."""
    return re.findall(r"[a-z]+", plain(text))


def taiwanese_phones(syllable: str) -> list[str]:
    """Return the phones of a plain syllable in Tâi-lô, or in POJ (``ch`` for ``ts``); empty if it is none."""
    match = SYLLABLE.fullmatch(syllable.replace("ch", "ts"))
    if match is None:
        return []
    initial = INITIALS[match["initial"] or ""]
    if match["syllabic"]:
        return [*initial, {"ng": "ŋ̩", "m": "m̩"}[match["syllabic"]], *(["ʔ"] if match["stop"] else [])]
    vowels = [VOWELS[vowel] for vowel in re.findall(r"oo|[aeiou]", match["vowels"])]
    coda = CODAS[match["coda"] or ""]
    if vowels[0] == "i":
        initial = [BEFORE_I.get(phone, phone) for phone in initial]
    if vowels[-1] == "o" and (match["nasal"] or (coda and coda[0] in ("ŋ", "k", "m", "p"))):
        vowels = [*vowels[:-1], "ɔ"]
    elif vowels == ["i", "a"] and coda and coda[0] in ("n", "t"):
        vowels = ["i", "ɛ"]
    if match["nasal"]:
        vowels = [f"{vowel}̃" for vowel in vowels]
    return [*initial, *vowels, *coda]
