"""ARPABET and X-SAMPA to IPA."""

import functools
import re

from speechtl.errors import LexiconError
from speechtl.lang.ipa import Stress

# ARPABET as the CMU dictionary uses it, and the further symbols of TIMIT and of CMU's older phone sets.
# Diphthongs and affricates are one phone in ARPABET and stay one, under a tie bar.
ARPABET = {
    "AA": "ɑ",
    "AE": "æ",
    "AH": "ʌ",
    "AO": "ɔ",
    "AW": "a͡ʊ",
    "AX": "ə",
    "AXR": "ɚ",
    "AY": "a͡ɪ",
    "B": "b",
    "CH": "t͡ʃ",
    "D": "d",
    "DH": "ð",
    "DX": "ɾ",
    "EH": "ɛ",
    "EL": "l̩",
    "EM": "m̩",
    "EN": "n̩",
    "ENG": "ŋ̩",
    "ER": "ɝ",
    "EY": "e͡ɪ",
    "F": "f",
    "G": "ɡ",
    "H": "h",
    "HH": "h",
    "HV": "ɦ",
    "IH": "ɪ",
    "IX": "ɨ",
    "IY": "i",
    "JH": "d͡ʒ",
    "K": "k",
    "L": "l",
    "M": "m",
    "N": "n",
    "NG": "ŋ",
    "NX": "ɾ̃",
    "OW": "o͡ʊ",
    "OY": "ɔ͡ɪ",
    "P": "p",
    "Q": "ʔ",
    "R": "ɹ",
    "S": "s",
    "SH": "ʃ",
    "T": "t",
    "TH": "θ",
    "UH": "ʊ",
    "UW": "u",
    "UX": "ʉ",
    "V": "v",
    "W": "w",
    "WH": "ʍ",
    "Y": "j",
    "Z": "z",
    "ZH": "ʒ",
}
# Vowels and syllabic consonants, which carry the stress digits, are the names that start with a vowel letter.
_ARPABET_NUCLEI = frozenset(name for name in ARPABET if name[0] in "AEIOU")
# With stress kept, unstressed mid central vowels are distinguished from stressed ones.
_REDUCED = {"AH": "ə", "ER": "ɚ"}

# J. C. Wells, Computer-coding the IPA: a proposed extension of SAMPA (1995), with _j, _~ and _= as later added.
XSAMPA = {
    **{letter: letter for letter in "abcdefhijklmnopqrstuvwxyz"},
    "g": "ɡ",
    "b_<": "ɓ",
    "d`": "ɖ",
    "d_<": "ɗ",
    "g_<": "ɠ",
    "h\\": "ɦ",
    "j\\": "ʝ",
    "k_<": "ƙ",
    "l`": "ɭ",
    "l\\": "ɺ",
    "n`": "ɳ",
    "p\\": "ɸ",
    "p_<": "ƥ",
    "q_<": "ʠ",
    "r`": "ɽ",
    "r\\": "ɹ",
    "r\\`": "ɻ",
    "s`": "ʂ",
    "s\\": "ɕ",
    "t`": "ʈ",
    "t_<": "ƭ",
    "v\\": "ʋ",
    "P": "ʋ",
    "x\\": "ɧ",
    "z`": "ʐ",
    "z\\": "ʑ",
    "A": "ɑ",
    "B": "β",
    "B\\": "ʙ",
    "C": "ç",
    "D": "ð",
    "E": "ɛ",
    "F": "ɱ",
    "G": "ɣ",
    "G\\": "ɢ",
    "G\\_<": "ʛ",
    "H": "ɥ",
    "H\\": "ʜ",
    "I": "ɪ",
    "I\\": "ᵻ",
    "J": "ɲ",
    "J\\": "ɟ",
    "J\\_<": "ʄ",
    "K": "ɬ",
    "K\\": "ɮ",
    "L": "ʎ",
    "L\\": "ʟ",
    "M": "ɯ",
    "M\\": "ɰ",
    "N": "ŋ",
    "N\\": "ɴ",
    "O": "ɔ",
    "O\\": "ʘ",
    "Q": "ɒ",
    "R": "ʁ",
    "R\\": "ʀ",
    "S": "ʃ",
    "T": "θ",
    "U": "ʊ",
    "U\\": "ᵿ",
    "V": "ʌ",
    "W": "ʍ",
    "X": "χ",
    "X\\": "ħ",
    "Y": "ʏ",
    "Z": "ʒ",
    '"': "ˈ",
    "%": "ˌ",
    "'": "ʲ",
    ":": "ː",
    ":\\": "ˑ",
    "@": "ə",
    "@`": "ɚ",
    "@\\": "ɘ",
    "{": "æ",
    "}": "ʉ",
    "1": "ɨ",
    "2": "ø",
    "3": "ɜ",
    "3`": "ɝ",
    "3\\": "ɞ",
    "4": "ɾ",
    "5": "ɫ",
    "6": "ɐ",
    "7": "ɤ",
    "8": "ɵ",
    "9": "œ",
    "&": "ɶ",
    "?": "ʔ",
    "?\\": "ʕ",
    "<\\": "ʢ",
    ">\\": "ʡ",
    "^": "ꜛ",
    "!": "ꜜ",
    "!\\": "ǃ",
    "|": "|",
    "|\\": "ǀ",
    "||": "‖",
    "|\\|\\": "ǁ",
    "=\\": "ǂ",
    "-\\": "‿",
    ".": ".",
    "-": "-",
    " ": " ",
    '_"': "\u0308",
    "_+": "\u031f",
    "_-": "\u0320",
    "_/": "\u030c",
    "_0": "\u0325",
    "_=": "\u0329",
    "=": "\u0329",
    "_>": "ʼ",
    "_?\\": "ˤ",
    "_\\": "\u0302",
    "_^": "\u032f",
    "_}": "\u031a",
    "`": "˞",
    "_~": "\u0303",
    "~": "\u0303",
    "_A": "\u0318",
    "_a": "\u033a",
    "_B": "\u030f",
    "_B_L": "\u1dc5",
    "_c": "\u031c",
    "_d": "\u032a",
    "_e": "\u0334",
    "<F>": "↘",
    "<R>": "↗",
    "_F": "\u0302",
    "_G": "ˠ",
    "_H": "\u0301",
    "_H_T": "\u1dc4",
    "_h": "ʰ",
    "_j": "ʲ",
    "_k": "\u0330",
    "_L": "\u0300",
    "_l": "ˡ",
    "_M": "\u0304",
    "_m": "\u033b",
    "_N": "\u033c",
    "_n": "ⁿ",
    "_O": "\u0339",
    "_o": "\u031e",
    "_q": "\u0319",
    "_R": "\u030c",
    "_R_F": "\u1dc8",
    "_r": "\u031d",
    "_T": "\u030b",
    "_t": "\u0324",
    "_v": "\u032c",
    "_w": "ʷ",
    "_X": "\u0306",
    "_x": "\u033d",
    # A tie bar; what follows it decides, so it comes last.
    "_": "\u0361",
}
_XSAMPA_TOKEN = re.compile("|".join(re.escape(token) for token in sorted(XSAMPA, key=len, reverse=True)) + "|(?s:.)")


def is_arpabet(symbol: str) -> bool:
    """Tell whether a symbol is ARPABET as dictionaries write it, in capitals, with a stress digit or without."""
    return symbol in ARPABET or (symbol[-1:] in ("0", "1", "2") and symbol[:-1] in _ARPABET_NUCLEI)


@functools.cache
def arpabet_to_ipa(symbol: str, stress: Stress = "drop") -> str:
    """Turn one ARPABET symbol into one IPA phone.

    Args:
        symbol: an ARPABET symbol in any case; vowels may end in a stress digit 0, 1 or 2.
        stress: ``"drop"`` ignores the digit, so dictionaries with and without digits give the same phones;
            ``"keep"`` writes ``ˈ`` or ``ˌ`` before the vowel and reads ``AH0`` as ``ə``, ``ER0`` as ``ɚ``.

    Raises:
        LexiconError: not an ARPABET symbol.
    """
    name = symbol.upper()
    digit = ""
    if name not in ARPABET and is_arpabet(name):
        name, digit = name[:-1], name[-1]
    if name not in ARPABET:
        raise LexiconError(f"'{symbol}' is not an ARPABET phone; known ones: {' '.join(ARPABET)}")
    if stress == "drop" or not digit:
        return ARPABET[name]
    if digit == "0":
        return _REDUCED.get(name, ARPABET[name])
    return ("ˈ" if digit == "1" else "ˌ") + ARPABET[name]


def xsampa_to_ipa(text: str) -> str:
    r"""Turn an X-SAMPA string into an IPA string (not yet normalised or split; see ``split_ipa``).

    The longest symbol wins, as Wells prescribes: ``t_d`` is a dental t. ``_`` before anything that is no diacritic is
    a tie bar (``t_S``).

    Raises:
        LexiconError: lists every character that is not X-SAMPA.
    """
    tokens = _XSAMPA_TOKEN.findall(text)
    unknown = list(dict.fromkeys(token for token in tokens if token not in XSAMPA))
    if unknown:
        raise LexiconError(f"'{text}': not X-SAMPA: {' '.join(unknown)}")
    return "".join(XSAMPA[token] for token in tokens)
