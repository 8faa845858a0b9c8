"""Turn the Kerstin corpus (German, one speaker) into Kaldi data directories. Standard library only.

    python local/kerstin.py --corpus DIR --out data/kerstin

DIR has ``metadata.csv`` (id|text) and ``audio/``. Written below ``--out``: train, dev, test by utterance; words.txt,
the words to be pronounced.
"""

import argparse
import re
from pathlib import Path

from data_dirs import Utterance, divide_utterances, fail_if_any, find_audio, need, read_lines, write_lines, write_parts

HOW_TO_GET_IT = "it is free: clone the git repository rhasspy/dataset-voice-kerstin from GitHub"


def words_of(text: str) -> list[str]:
    """Return the words in lower case, without punctuation; the parts of a compound with hyphens are words."""
    return re.findall(r"[a-zäöüß]+", text.lower().replace("’", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare the Kerstin corpus.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    corpus = arguments.corpus.resolve()
    need(corpus, ["metadata.csv"], HOW_TO_GET_IT)
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
            utterances.append(Utterance(f"kerstin-{name}", "kerstin", audio, " ".join(words), "de"))
    fail_if_any(problems, corpus)
    write_parts(arguments.out, divide_utterances(utterances), "kerstin")
    write_lines(arguments.out / "words.txt", sorted({word for u in utterances for word in u.text.split()}))


if __name__ == "__main__":
    main()
