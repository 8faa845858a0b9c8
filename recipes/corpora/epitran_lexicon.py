"""Pronunciations by epitran's mappings, for languages that speechtl has no spelling rules of. Needs epitran (MIT).

    python recipes/corpora/epitran_lexicon.py --language hu --words DATA/words.txt --out DATA/lexicon.txt

Offered are the languages whose mappings were looked at: hu, lt, ml, tn, uk, and fr, which is coarse. Those of
Czech, Dutch, Catalan and Portuguese have errors that are heard (``doprava`` with b, ``keuken`` with a long ø and ʏ,
``ciutat`` with b), those of Persian write no short vowels, and English and Chinese need more than is in the package.
Words that have letters which the mapping does not know, or no phones, are left out, and listed.
"""

import argparse
from pathlib import Path

from data_dirs import fail, read_lines, write_lines

MAPPINGS = {
    "fr": "fra-Latn-p",
    "hu": "hun-Latn",
    "lt": "lit-Latn",
    "ml": "mal-Mlym",
    "tn": "tsn-Latn",
    "uk": "ukr-Cyrl",
}
# What the mappings write that is no phone of its own: half syllables, and marks of quality.
DROPPED = str.maketrans("", "", "\u032f\u02d6")


def pronounce(words: list[str], language: str) -> dict[str, list[str]]:
    """Return the phones of each word; none if a letter is left as it is, or nothing is said."""
    try:
        import epitran
    except ImportError:
        fail("no epitran; run pip install epitran")
    mapping = epitran.Epitran(MAPPINGS[language])
    found = {}
    for word in words:
        # An apostrophe (d'eau) stands for a vowel that is not said.
        spelled = word.replace("'", "")
        phones = [phone.translate(DROPPED) for phone in mapping.trans_list(spelled)]
        written = "".join(phones)
        known = all(mapping.ft.seg_known(phone) for phone in phones)
        # trans_list drops what is no segment of panphon, so the length of what is transliterated tells.
        whole = len(written) >= len(mapping.transliterate(spelled).translate(DROPPED))
        found[word] = phones if phones and known and whole else []
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Pronounce words by epitran's mappings.")
    parser.add_argument("--language", required=True, choices=sorted(MAPPINGS))
    parser.add_argument("--words", type=Path, required=True, metavar="FILE", help="words, one a line")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="lexicon.txt to write")
    arguments = parser.parse_args()
    if not arguments.words.is_file():
        fail(f"{arguments.words}: no such file")
    words = sorted({line.split()[0] for line in read_lines(arguments.words)})
    found = pronounce(words, arguments.language)
    lacking = [word for word in words if not found[word]]
    write_lines(arguments.out, [f"{word} {' '.join(phones)}" for word, phones in found.items() if phones])
    print(
        f"left out: {len(lacking)} of {len(words)} words that epitran's mapping cannot read {' '.join(lacking)}".strip()
    )


if __name__ == "__main__":
    main()
