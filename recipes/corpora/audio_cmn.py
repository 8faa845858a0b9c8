"""audio-cmn: Mandarin syllables and words, by one speaker each. Standard library; pypinyin for the words.

    python recipes/corpora/audio_cmn.py --corpus DIR --out data [--tables utt2lang,utt2dom]

Licence: CC BY-SA (Chen Wang, Yue Tan). Get it: clone the git repository ``hugolpz/audio-cmn`` from GitHub. The readings
of the words: ``pip install pypinyin`` (MIT).

Layout: ``64k/syllabs/cmn-<pinyin with tone>`` and ``64k/hsk/cmn-<word in characters>`` with .mp3, .wav, .flac or .sph.

Written below ``--out``:

    train, dev, test  every eighth clip is for test, and every eighth for dev
    lexicon.txt       syllables and words, with phones by mandarin_syllables.tsv (IPA with tones)

A word is read as pypinyin's dictionary of words has it, else character by character, each in its most frequent reading.
Left out, of 10303 clips: 559 single characters whose readings differ in more than tone (nothing says which one is
spoken), 42 words with an -r that colours the vowel before it, 28 syllables that are interjections or none, and 27
patterns of two words with a gap between. What remains are 9647 clips, 3.3 h. Tones are those of the dictionary; the
folders with the same recordings at lower rates are not read.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from data_dirs import (
    SUFFIXES,
    Utterance,
    by_utterance,
    command_line,
    fail,
    need,
    parse,
    write_lines,
    write_parts,
)
from mandarin import MandarinSyllables

HOW_TO_GET_IT = "It is free: clone the git repository hugolpz/audio-cmn from GitHub and give its folder with --corpus"
FOLDERS = {"syllabs": "wang", "hsk": "tan"}


def reader_of_words() -> Callable[[str], list[str]]:
    """Return a function from a word in characters to the pinyin of its syllables; it knows the readings of a character.

    A single character whose readings differ in more than tone has none: nothing says which one is spoken.
    """
    try:
        import pypinyin
    except ImportError:
        fail("the words need pypinyin; run pip install pypinyin")

    def read(word: str) -> list[str]:
        if len(word) == 1:
            (readings,) = pypinyin.pinyin(word, style=pypinyin.Style.TONE3, heteronym=True)
            return readings[:1] if len({re.sub("[0-9]", "", reading) for reading in readings}) == 1 else []
        return [syllable for (syllable,) in pypinyin.pinyin(word, style=pypinyin.Style.TONE3)]

    return read


def why_not(word: str, phones: list[str], folder: str) -> str:
    """Say why a clip is left out; empty if it is kept."""
    if "_" in word and folder == "hsk":
        return "with two words and a gap between"
    if len(word) > 1 and word.endswith("儿"):
        return "with a vowel that ends in r, whose phones are not those of two syllables"
    if not phones:
        return "with several readings" if folder == "hsk" else "of interjections and syllables that Mandarin has not"
    return ""


def prepare(corpus: Path, out: Path, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the lexicon."""
    need(corpus, [f"64k/{folder}" for folder in FOLDERS], "audio-cmn", HOW_TO_GET_IT)
    syllables, read = MandarinSyllables(), reader_of_words()
    utterances: dict[str, Utterance] = {}
    lexicon: dict[str, list[str]] = {}
    left_out = Counter[str]()
    for folder, speaker in FOLDERS.items():
        for path in sorted((corpus / "64k" / folder).iterdir()):
            if not path.stem.startswith("cmn-") or path.suffix not in (".mp3", *SUFFIXES):
                continue
            word = path.stem.removeprefix("cmn-")
            said = [syllables.of_pinyin(one) for one in ([word] if folder == "syllabs" else read(word))]
            phones = [phone for syllable in said for phone in syllable] if all(said) else []
            if reason := why_not(word, phones, folder):
                left_out[reason] += 1
            else:
                lexicon[word] = phones
                name = f"{speaker}-{word}"
                utterances[name] = Utterance(name, speaker, path, word, "zh", "audio_cmn")
    for reason, number in left_out.items():
        print(f"left out: {number} clips {reason}")
    if not utterances:
        fail(f"{corpus}/64k has no clip cmn-<word>.mp3. {HOW_TO_GET_IT}")
    write_parts(out, by_utterance(list(utterances.values())), tables)
    write_lines(out / "lexicon.txt", [f"{word} {' '.join(phones)}" for word, phones in sorted(lexicon.items())])


def main() -> None:
    arguments = parse(command_line("audio-cmn"), HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.tables)


if __name__ == "__main__":
    main()
