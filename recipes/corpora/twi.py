"""Twi of Common Voice: short sentences by twelve volunteers. Standard library; soundfile for MP3.

    python recipes/corpora/twi.py --corpus DIR --out data [--seed 1] [--tables utt2lang,utt2dom]

Licence: CC0. Get it: clone the git repository ``pryyyynz/audio-for-Twi-TTS`` from GitHub, or download Twi from Common
Voice's site, which asks for an e-mail address.

Layout: ``validated.tsv other.tsv`` and ``clips/``, as a download from Common Voice has.

Written below ``--out``:

    train, dev, test  by speaker: a quarter of those with at most 200 clips is for test, an eighth for dev, the rest for
                      training, drawn with the seed; whoever has more is for training
    lexicon.txt       the words that occur, with phones by twi_letters.tsv (IPA): Twi's spelling says how a word is
                      spoken, but for tones and some nasal vowels

Of 271 clips are left out 6 with words that have letters Twi has not (English words), and 14 of the one who has most.
What remains are 251 clips, 0.3 h, of 11 speakers; one of them has 200. The clips of ``other.tsv`` have not been checked
by other volunteers. The official parts are not used: their dev is empty.
"""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from commonvoice_small import read_clips, without_crowding
from commonvoice_spelling import words_of
from data_dirs import command_line, fail, need, parse, write_lines, write_parts
from spelled import phones_of, read_letters

HOW_TO_GET_IT = (
    "It is free: clone the git repository pryyyynz/audio-for-Twi-TTS from GitHub and give its folder with --corpus"
)
LETTERS = Path(__file__).with_name("twi_letters.tsv")
MOST = 200  # clips of one speaker
TABLES = ("validated", "other")
ACCENTS = "\u0300\u0301"  # marks of tones


def twi_words(sentence: str) -> list[str]:
    """Return the words of a sentence without the marks of tones, which most authors do not write."""
    plain = "".join(c for c in unicodedata.normalize("NFD", sentence) if c not in ACCENTS)
    return words_of(plain.replace("‘", "'").replace("ʹ", "'"), "words")


def prepare(corpus: Path, out: Path, seed: int = 1, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the lexicon."""
    need(corpus, [*(f"{table}.tsv" for table in TABLES), "clips"], "Twi", HOW_TO_GET_IT)
    letters = read_letters(LETTERS)
    clips = read_clips(corpus, "tw", TABLES, twi_words)
    phones = {word: phones_of(word, letters) for clip in clips for word in clip.text.split()}
    kept = [clip for clip in clips if all(phones[word] for word in clip.text.split())]
    print(f"left out: {len(clips) - len(kept)} clips with words that have letters Twi has not")
    if not kept:
        fail(f"{corpus}: no clip is left")
    write_parts(out, without_crowding(kept, MOST, seed), tables)
    spoken = sorted({word for clip in kept for word in clip.text.split()})
    write_lines(out / "lexicon.txt", [f"{word} {' '.join(phones[word])}" for word in spoken])


def main() -> None:
    parser = command_line("Twi of Common Voice")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the division into speakers")
    arguments = parse(parser, HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.seed, arguments.tables)


if __name__ == "__main__":
    main()
