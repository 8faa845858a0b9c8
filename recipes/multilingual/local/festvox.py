"""Turn festvox-ru (Russian) into Kaldi data directories, and its labels into phones. Standard library only.

    python local/festvox.py --corpus DIR --phones conf/festvox_phones.tsv --out data/festvox

DIR has ``txt.done.data``, ``lab/*.lab``, ``wav/``. Written below ``--out``: train, dev, test by utterance; words.txt,
the words to be pronounced; labels.txt, the phones of each utterance that its labels name, in IPA, without pauses.
"""

import argparse
import re
from pathlib import Path

from data_dirs import Utterance, divide_utterances, fail_if_any, find_audio, need, read_lines, write_lines, write_parts

HOW_TO_GET_IT = "it is free: unpack the source of the Debian package festvox-ru"
PAUSE = "pau"


def read_labels(path: Path, ipa: dict[str, str], problems: list[str]) -> list[str]:
    phones = []
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split()
        if line.startswith("#") or fields[-1] == PAUSE:
            continue
        if len(fields) != 3 or fields[2] not in ipa:
            problems.append(f"{path}:{number}: expected 'seconds number phone' with a known phone (got '{line}')")
        else:
            phones.append(ipa[fields[2]])
    return phones


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare festvox-ru.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--phones", type=Path, required=True, help="phone names and their IPA")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    corpus = arguments.corpus.resolve()
    need(corpus, ["txt.done.data", "lab", "wav"], HOW_TO_GET_IT)
    ipa = dict(line.split() for line in read_lines(arguments.phones) if not line.startswith("#"))
    texts: dict[str, str] = {}
    problems: list[str] = []
    for number, line in enumerate(read_lines(corpus / "txt.done.data"), 1):
        match = re.fullmatch(r'\(\s*(\S+)\s+"(.*)"\s*\)', line.strip())
        if match is None:
            problems.append(f'{corpus}/txt.done.data:{number}: expected ( id "text" ) (got {line})')
        else:
            # A plus marks the stressed vowel of a few words.
            texts[match[1]] = " ".join(re.findall(r"[а-яё]+", match[2].lower().replace("+", "")))
    utterances, labels = [], []
    for path in sorted((corpus / "lab").glob("*.lab")):
        audio = find_audio(corpus / "wav" / path.stem)
        if audio is None or not texts.get(path.stem):
            problems.append(f"{path}: {'no audio file' if audio is None else 'no text'} of this name")
            continue
        name = path.stem.replace("_", "-")
        utterances.append(Utterance(name, "ru", audio, texts[path.stem], "ru"))
        labels.append(f"{name} {' '.join(read_labels(path, ipa, problems))}")
    fail_if_any(problems, corpus)
    write_parts(arguments.out, divide_utterances(utterances), "festvox")
    write_lines(arguments.out / "words.txt", sorted({word for u in utterances for word in u.text.split()}))
    write_lines(arguments.out / "labels.txt", labels)


if __name__ == "__main__":
    main()
