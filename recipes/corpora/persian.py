"""Persian of Common Voice: sentences and single words by 42 volunteers. Needs soundfile.

    python recipes/corpora/persian.py --corpus DIR --out data [--dictionaries DIR] [--minutes 1 10 60]
        [--seed 1] [--tables utt2lang,utt2dom]

Licence: CC0. Get it: clone the git repository ``yasaman999/SR`` from GitHub, or download Persian from Common Voice's
site, which asks for an e-mail address. Dictionaries (both MIT):
``pip install --no-deps --target DICTIONARIES PersianG2p persian-phonemizer``.

Layout: ``validated.tsv other.tsv`` and ``clips/``, as a download from Common Voice has. ``PersianG2p/data`` has Tihu's
dictionary of 47,000 words, most of them forms of verbs, ``persian_phonemizer/data`` Moin's of 19,000.

Written below ``--out``:

    train, dev, test  by speaker: a quarter of those with at most 450 clips is for test, an eighth for dev, the rest for
                      training, drawn with the seed; whoever has more is for training, with 450 of them
    train_1min, train_10min, train_60min
                      so many minutes of train, drawn with the seed; the longer ones contain the shorter ones
    words.txt         the words that occur
    dictionary.txt    with --dictionaries: their words and phones (IPA), to train a grapheme-to-phoneme model on
    lexicon.txt       with --dictionaries: the words that occur and are in them
    unknown.txt       with --dictionaries: the words that occur and are not, for ``speechtl lexicon g2p``

Persian script leaves short vowels out, so a word's phones cannot be read from its letters (epitran writes consonants
and long vowels only), and the vowel -e that joins a noun to what follows it is neither written nor in the lexicon.

Of 2185 clips are left out 866 of the two speakers who have more than 450 (961 and 806 clips). What remains are 1319
clips, 1.3 h; their 2967 words are in the dictionaries but for 1075, mostly forms with endings. Nearly all clips are
from ``other.tsv``: other volunteers have not checked them.
"""

import contextlib
import json
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from commonvoice_small import read_clips, without_crowding
from commonvoice_spelling import words_of
from data_dirs import command_line, need, parse, write_lines, write_parts
from durations import nested_parts

HOW_TO_GET_IT = "It is free: clone the git repository yasaman999/SR from GitHub and give its folder with --corpus"
HOW_TO_GET_DICTIONARIES = (
    "Run pip install --no-deps --target DIR PersianG2p persian-phonemizer and give DIR with --dictionaries"
)
TIHU = "PersianG2p/data/tihudictBIG.json"
MOIN = "persian_phonemizer/data/moen_parsed.db"
MOST = 450  # clips of one speaker
MINUTES = (1, 10, 60)
TABLES = ("validated", "other")
# Arabic letters that stand for Persian ones, and vowels and other marks that few writers put.
LETTERS = str.maketrans({"ك": "ک", "ي": "ی", "ى": "ی", "ة": "ه", "ۀ": "ه", "أ": "ا", "إ": "ا"} | dict.fromkeys("ًٌٍَُِّْٰٔ"))
TIHU_PHONES = {
    **{letter: letter for letter in "bdefhiklmnopstuvxz"},
    **{"A": "ɒ", "a": "æ", "C": "t͡ʃ", "g": "ɡ", "j": "d͡ʒ", "q": "ɢ", "r": "ɾ", "S": "ʃ", "y": "j", "Z": "ʒ", "?": "ʔ"},
}
MOIN_PHONES = {"t͡ʃ": "t͡ʃ", "d͡ʒ": "d͡ʒ", "q": "ɢ"}


def persian_words(sentence: str) -> list[str]:
    """Return the words of a sentence in Persian letters, without vowels."""
    return words_of(sentence.translate(LETTERS), "words")


def tihu_phones(phones: str) -> list[str]:
    """Return the IPA of Tihu's notation; two marks that are no phones are dropped."""
    return [TIHU_PHONES[phone] for phone in phones.split() if phone not in "^_"]


def moin_phones(word: str, ipa: str) -> list[str]:
    """Return the phones of Moin's notation in the manner of Tihu's.

    Its author wrote it by rule from letters with vowels: every i and u is a vowel, every final h is spoken, and words
    that begin with a vowel have a glottal stop.
    """
    plain = re.sub("[ʰː]", "", ipa).replace("tʃ", "t͡ʃ").replace("dʒ", "d͡ʒ")
    phones = re.findall(r"t͡ʃ|d͡ʒ|\S", plain)
    phones = [MOIN_PHONES.get(phone, phone) for phone in phones]
    if phones[:1] == ["ʔ"]:
        phones = phones[1:]
    if word.endswith("ه") and phones[-2:] == ["e", "h"]:
        phones = phones[:-1]
    vowels, spoken = "æeoɒiu", []
    for index, phone in enumerate(phones):
        before, after = phones[index - 1] if index else "", phones[index + 1] if index + 1 < len(phones) else ""
        if phone in "iu" and after and after in vowels:
            phone = {"i": "j", "u": "v"}[phone]
        if phone == "v" and before == "o" and (not after or after not in vowels):
            continue
        spoken.append(phone)
    return spoken


def read_dictionaries(folder: Path) -> dict[str, list[str]]:
    """Return the phones of every word: Tihu's where it has them, else Moin's first."""
    need(folder, [TIHU, MOIN], "Persian dictionaries", HOW_TO_GET_DICTIONARIES)
    found: dict[str, list[str]] = {}
    tihu = json.loads((folder / TIHU).read_text(encoding="utf-8"))
    with contextlib.closing(sqlite3.connect(f"file:{folder / MOIN}?mode=ro", uri=True)) as database:
        moin = database.execute("SELECT word, IPA FROM dictionary WHERE IPA IS NOT NULL ORDER BY id").fetchall()
    for spelled, phones in tihu.items():
        _add(found, spelled, tihu_phones(phones))
    for spelled, ipa in moin:
        _add(found, spelled, moin_phones(spelled, ipa))
    return found


def _add(found: dict[str, list[str]], spelled: str, phones: list[str]) -> None:
    """Add one word; several words in one entry do not say which phones are whose."""
    words = persian_words(spelled)
    if len(words) == 1 and phones:
        found.setdefault(words[0], phones)


def prepare(
    corpus: Path,
    out: Path,
    dictionaries: Path | None = None,
    minutes: Sequence[int] = MINUTES,
    seed: int = 1,
    tables: Sequence[str] = (),
) -> None:
    """Write the data directories and, from dictionaries, a lexicon."""
    need(corpus, [*(f"{table}.tsv" for table in TABLES), "clips"], "Persian", HOW_TO_GET_IT)
    known = read_dictionaries(dictionaries) if dictionaries else {}
    parts = without_crowding(read_clips(corpus, "fa", TABLES, persian_words), MOST, seed)
    write_parts(out, parts | nested_parts(parts["train"], minutes, seed), tables)
    words = sorted({word for clips in parts.values() for clip in clips for word in clip.text.split()})
    write_lines(out / "words.txt", words)
    if dictionaries:
        write_lines(out / "dictionary.txt", [f"{word} {' '.join(phones)}" for word, phones in sorted(known.items())])
        write_lines(out / "lexicon.txt", [f"{word} {' '.join(known[word])}" for word in words if word in known])
        unknown = [word for word in words if word not in known]
        write_lines(out / "unknown.txt", unknown)
        print(f"{len(unknown)} of {len(words)} words are in no dictionary; speechtl lexicon g2p guesses unknown.txt")


def main() -> None:
    parser = command_line("Persian of Common Voice")
    parser.add_argument("--dictionaries", type=Path, metavar="DIR", help="folder of the two dictionaries' packages")
    parser.add_argument("--minutes", type=int, nargs="*", default=MINUTES, help="how long the small parts of train are")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the division into speakers")
    arguments = parse(parser, HOW_TO_GET_IT)
    prepare(
        arguments.corpus, arguments.out, arguments.dictionaries, arguments.minutes, arguments.seed, arguments.tables
    )


if __name__ == "__main__":
    main()
