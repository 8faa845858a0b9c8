"""Kerstin: German sentences read by one speaker. Standard library only.

    python recipes/corpora/kerstin_de.py --corpus DIR --out data [--tables utt2lang,utt2dom]

Licence: CC0. Get it: clone the git repository ``rhasspy/dataset-voice-kerstin`` from GitHub.

Layout: ``metadata.csv`` (``id|text``) and audio in ``audio/``, ``wavs/`` or DIR itself, found by stem (.wav, .flac or
.sph).

Written below ``--out``: train, dev and test (every eighth utterance is for test, and every eighth for dev);
words.txt, the words that need a pronunciation.

Left out: sentences with digits, which have no spelling. Words are in lower case without punctuation; the parts of a
compound with hyphens are words.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from data_dirs import (
    Utterance,
    by_utterance,
    command_line,
    fail_if_any,
    find_audio,
    need,
    parse,
    read_lines,
    write_lines,
    write_parts,
)

HOW_TO_GET_IT = (
    "It is free: clone the git repository rhasspy/dataset-voice-kerstin from GitHub and give its folder with --corpus"
)


def words_of(text: str) -> list[str]:
    """Return the words in lower case, without punctuation; the parts of a compound with hyphens are words."""
    return re.findall(r"[a-zäöüß]+", text.lower().replace("’", ""))


def prepare(corpus: Path, out: Path, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the list of words."""
    need(corpus, ["metadata.csv"], "Kerstin", HOW_TO_GET_IT)
    utterances, problems = [], []
    for number, line in enumerate(read_lines(corpus / "metadata.csv"), 1):
        name, _, text = line.partition("|")
        audio = find_audio(corpus / "audio" / name) or find_audio(corpus / "wavs" / name) or find_audio(corpus / name)
        words = words_of(text)
        if audio is None or not words:
            problems.append(f"{corpus}/metadata.csv:{number}: {'no audio file' if words else 'no words'} ({line})")
        elif re.search(r"\d", text):
            print(f"left out: {name}, whose digits have no spelling")
        else:
            utterances.append(Utterance(f"kerstin-{name}", "kerstin", audio, " ".join(words), "de", "kerstin"))
    fail_if_any(problems, corpus)
    write_parts(out, by_utterance(utterances), tables)
    write_lines(out / "words.txt", sorted({word for utterance in utterances for word in utterance.text.split()}))


def main() -> None:
    arguments = parse(command_line("the Kerstin corpus"), HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.tables)


if __name__ == "__main__":
    main()
