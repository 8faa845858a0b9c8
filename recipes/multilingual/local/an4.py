"""Turn the CMU AN4 corpus into Kaldi data directories and an ARPABET lexicon. Standard library only.

    python local/an4.py --corpus DIR --dev-speakers conf/an4_dev_speakers.txt --out data/an4

DIR is a checkout of the AN4 repository. Written below ``--out``: train, dev (the listed speakers of the official
training part), test (the official one), dictionary.txt (a line per pronunciation, ARPABET).
"""

import argparse
import re
from pathlib import Path

from data_dirs import Utterance, fail_if_any, find_audio, need, read_lines, write_lines, write_parts

HOW_TO_GET_IT = "AN4 is free: clone the git repository cmusphinx/an4 from GitHub"


def read_part(corpus: Path, part: str, problems: list[str]) -> list[Utterance]:
    transcription = corpus / "etc" / f"an4_{part}.transcription"
    texts: dict[str, str] = {}
    for number, line in enumerate(read_lines(transcription), 1):
        match = re.fullmatch(r"(.*)\(([^()\s]+)\)\s*", line)
        if match is None:
            problems.append(f"{transcription}:{number}: no (utterance id) at the end of the line")
            continue
        # <s>, </s> and the fillers are written in angle brackets or between plus signs: no words.
        texts[match[2]] = " ".join(w for w in match[1].split() if not re.fullmatch(r"<.*>|\+\+.*\+\+", w))
    fileids = corpus / "etc" / f"an4_{part}.fileids"
    utterances = []
    for number, line in enumerate(read_lines(fileids), 1):
        path = corpus / "wav" / line.strip()
        audio = find_audio(path)
        if audio is None or path.name not in texts:
            what = "no audio file" if audio is None else "not in the transcription"
            problems.append(f"{fileids}:{number}: {path}: {what}")
        else:
            speaker = path.parent.name
            utterances.append(Utterance(f"{speaker}-{path.name}", speaker, audio, texts[path.name], "en"))
    return utterances


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare AN4.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--dev-speakers", type=Path, required=True, help="held-out speakers, one a line")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    corpus = arguments.corpus.resolve()
    names = [f"etc/an4_{part}.{kind}" for part in ("train", "test") for kind in ("fileids", "transcription")]
    need(corpus, [*names, "etc/an4.dic", "wav"], HOW_TO_GET_IT)
    problems: list[str] = []
    train, test = read_part(corpus, "train", problems), read_part(corpus, "test", problems)
    dev = {line.partition("#")[0].strip() for line in read_lines(arguments.dev_speakers)} - {""}
    fail_if_any(problems, corpus)
    unknown = dev - {utterance.speaker for utterance in train}
    fail_if_any([f"{arguments.dev_speakers}: {name} is no training speaker" for name in sorted(unknown)], corpus)
    parts = {
        "train": [utterance for utterance in train if utterance.speaker not in dev],
        "dev": [utterance for utterance in train if utterance.speaker in dev],
        "test": test,
    }
    write_parts(arguments.out, parts, "an4")
    pairs = [line.split(maxsplit=1) for line in read_lines(corpus / "etc" / "an4.dic")]
    entries = {f"{re.sub(r'[(][0-9]+[)]$', '', word)} {' '.join(phones.split())}" for word, phones in pairs}
    write_lines(arguments.out / "dictionary.txt", sorted(entries))


if __name__ == "__main__":
    main()
