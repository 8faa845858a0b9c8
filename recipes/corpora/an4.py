"""AN4, the CMU "census" corpus: English letters, numbers, dates and commands. Standard library only.

    python recipes/corpora/an4.py --corpus DIR --out data [--dev-speakers FILE] [--tables spk2gender,utt2lang,utt2dom]

Licence: free for any use (its LICENSE). Get it: clone the git repository ``cmusphinx/an4`` from GitHub.

Layout: ``etc/an4_{train,test}.{fileids,transcription}``, ``etc/an4.dic``, and audio in ``wav/an4_clstk`` and
``wav/an4test_clstk``, one folder per speaker, whose name begins with f or m; it is found by stem (.wav, .flac or .sph).

Written below ``--out``:

    train_all   the official training part, 74 speakers
    train, dev  train_all divided by speaker: dev has the speakers of --dev-speakers (an4_dev_speakers.txt)
    test        the official test part, 10 speakers
    dict        lexicon.txt, the official dictionary: one line per pronunciation, ARPABET

Left out: ``<s>``, ``</s>`` and fillers (``++COUGH++``), which are not words, and the unigram language model.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from data_dirs import (
    SUFFIXES,
    Utterance,
    command_line,
    fail_if_any,
    find_audio,
    need,
    parse,
    read_lines,
    write_lines,
    write_parts,
)

HOW_TO_GET_IT = "AN4 is free: clone the git repository cmusphinx/an4 from GitHub and give its folder with --corpus"
DEV_SPEAKERS = Path(__file__).with_name("an4_dev_speakers.txt")


def read_part(corpus: Path, part: str, problems: list[str]) -> list[Utterance]:
    """Read one official part ("train" or "test"); what is wrong is added to ``problems``."""
    transcription = corpus / "etc" / f"an4_{part}.transcription"
    texts: dict[str, str] = {}
    for number, line in enumerate(read_lines(transcription), 1):
        match = re.fullmatch(r"(.*)\(([^()\s]+)\)\s*", line)
        if match is None:
            problems.append(f"{transcription}:{number}: no (utterance id) at the end of the line")
            continue
        # <s>, </s> and the fillers of an4.filler are written in angle brackets or between plus signs: no words.
        words = [word for word in match[1].split() if not re.fullmatch(r"<.*>|\+\+.*\+\+", word)]
        texts[match[2]] = " ".join(words)
    fileids = corpus / "etc" / f"an4_{part}.fileids"
    utterances = []
    for number, line in enumerate(read_lines(fileids), 1):
        path = corpus / "wav" / line.strip()
        audio = find_audio(path)
        if audio is None:
            problems.append(f"{fileids}:{number}: no audio file {path} with ending {', '.join(SUFFIXES)}")
        if path.name not in texts:
            problems.append(f"{fileids}:{number}: {path.name} is not in {transcription}")
        if audio is not None and path.name in texts:
            # The folder is the speaker, and Kaldi wants utterance ids that start with the speaker.
            speaker = path.parent.name
            utterances.append(
                Utterance(f"{speaker}-{path.name}", speaker, audio, texts[path.name], "en", "an4", speaker[0])
            )
    return utterances


def read_dictionary(path: Path) -> list[str]:
    """Return the lines of a lexicon; the variant mark in ``WORD(2)`` is dropped."""
    pairs = [line.split(maxsplit=1) for line in read_lines(path)]
    return sorted({f"{re.sub(r'[(][0-9]+[)]$', '', word)} {' '.join(phones.split())}" for word, phones in pairs})


def same_person(speaker: str) -> str:
    """Return the name that folders of one person share: ``mdcs`` and ``mdcs2`` may well be one man."""
    return speaker.rstrip("0123456789")


def check_dev_speakers(dev: set[str], speakers: set[str], path: Path) -> list[str]:
    """Return what is wrong with a choice of dev speakers."""
    problems = [f"{path}: {name} is not a speaker of the training part" for name in sorted(dev - speakers)]
    chosen = {same_person(name) for name in dev}
    for name in sorted(speakers - dev):
        if same_person(name) in chosen:
            problems.append(f"{path}: {name} may be the same person as a dev speaker; list both or neither")
    return problems


def prepare(corpus: Path, out: Path, dev_speakers: Path = DEV_SPEAKERS, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the dictionary."""
    needed = [f"etc/an4_{part}.{kind}" for part in ("train", "test") for kind in ("fileids", "transcription")]
    need(corpus, [*needed, "etc/an4.dic", "wav/an4_clstk", "wav/an4test_clstk"], "AN4", HOW_TO_GET_IT)
    problems: list[str] = []
    train_all, test = read_part(corpus, "train", problems), read_part(corpus, "test", problems)
    dev = {line.partition("#")[0].strip() for line in read_lines(dev_speakers)} - {""}
    if not problems:
        speakers = {utterance.speaker for utterance in train_all}
        problems += check_dev_speakers(dev, speakers, dev_speakers)
        overlap = {same_person(s) for s in speakers} & {same_person(u.speaker) for u in test}
        problems += [f"{name} is a speaker of both the training and the test part" for name in sorted(overlap)]
    fail_if_any(problems, corpus)
    parts = {
        "train_all": train_all,
        "train": [utterance for utterance in train_all if utterance.speaker not in dev],
        "dev": [utterance for utterance in train_all if utterance.speaker in dev],
        "test": test,
    }
    write_parts(out, parts, tables)
    write_lines(out / "dict" / "lexicon.txt", read_dictionary(corpus / "etc" / "an4.dic"))


def main() -> None:
    parser = command_line("AN4")
    parser.add_argument("--dev-speakers", type=Path, default=DEV_SPEAKERS, help="held-out speakers, one a line")
    arguments = parse(parser, HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.dev_speakers, arguments.tables)


if __name__ == "__main__":
    main()
