"""Turn the CMU AN4 corpus into Kaldi data directories and an ARPABET lexicon. Standard library only.

    python local/prepare.py --corpus DIR --dev-speakers conf/dev_speakers.txt --out data

DIR is a checkout of the AN4 repository: ``etc/*.fileids``, ``etc/*.transcription``, ``etc/an4.dic`` and
``wav/an4_clstk``, ``wav/an4test_clstk``. The audio is found by stem (.wav, .flac or .sph). Written below ``--out``:

    train_all   the official training part, 74 speakers
    train, dev  train_all divided by speaker: dev holds the speakers listed in --dev-speakers
    test        the official test part, 10 speakers
    dict        lexicon.txt, the official dictionary: one line per pronunciation, ARPABET
"""

import argparse
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".wav", ".flac", ".sph")
HOW_TO_GET_IT = "AN4 is free: clone the git repository cmusphinx/an4 from GitHub and give its folder with --corpus"


@dataclass(frozen=True)
class Utterance:
    id: str
    speaker: str
    audio: Path
    text: str


def read_lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


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
        audio = next((path.with_name(path.name + s) for s in SUFFIXES if path.with_name(path.name + s).exists()), None)
        if audio is None:
            problems.append(f"{fileids}:{number}: no audio file {path} with ending {', '.join(SUFFIXES)}")
        if path.name not in texts:
            problems.append(f"{fileids}:{number}: {path.name} is not in {transcription}")
        if audio is not None and path.name in texts:
            # The folder is the speaker, and Kaldi wants utterance ids that start with the speaker.
            speaker = path.parent.name
            utterances.append(Utterance(f"{speaker}-{path.name}", speaker, audio, texts[path.name]))
    return utterances


def read_dictionary(path: Path) -> list[tuple[str, str]]:
    """Return (word, phones) pairs; the variant mark in ``WORD(2)`` is dropped."""
    pairs = []
    for line in read_lines(path):
        word, phones = line.split(maxsplit=1)
        pairs.append((re.sub(r"\(\d+\)$", "", word), " ".join(phones.split())))
    return pairs


def same_person(speaker: str) -> str:
    """Return the name that folders of one person share: ``mdcs`` and ``mdcs2`` may well be one man."""
    return speaker.rstrip("0123456789")


def check_dev_speakers(dev: list[str], speakers: set[str], path: Path) -> list[str]:
    problems = [f"{path}: {name} is not a speaker of the training part" for name in dev if name not in speakers]
    chosen = {same_person(name) for name in dev}
    for name in sorted(speakers - set(dev)):
        if same_person(name) in chosen:
            problems.append(f"{path}: {name} may be the same person as a dev speaker; list both or neither")
    return problems


def write_lines(path: Path, lines: list[str]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def write_data_dir(folder: Path, utterances: list[Utterance]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    utterances = sorted(utterances, key=lambda utterance: utterance.id)
    speakers = sorted({utterance.speaker for utterance in utterances})
    write_lines(folder / "wav.scp", [f"{u.id} {u.audio}" for u in utterances])
    write_lines(folder / "text", [f"{u.id} {u.text}" for u in utterances])
    write_lines(folder / "utt2spk", [f"{u.id} {u.speaker}" for u in utterances])
    ids = {speaker: [u.id for u in utterances if u.speaker == speaker] for speaker in speakers}
    write_lines(folder / "spk2utt", [f"{speaker} {' '.join(ids[speaker])}" for speaker in speakers])
    # A speaker's folder begins with f or m.
    write_lines(folder / "spk2gender", [f"{speaker} {speaker[0]}" for speaker in speakers])
    women = sum(speaker[0] == "f" for speaker in speakers)
    print(f"{folder}: {len(utterances)} utterances, {len(speakers)} speakers ({women} f, {len(speakers) - women} m)")


def fail(message: str) -> None:
    sys.exit(f"error: {message}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare AN4.")
    parser.add_argument("--corpus", type=Path, required=True, help="checkout of cmusphinx/an4")
    parser.add_argument("--dev-speakers", type=Path, required=True, help="file with the held-out speakers, one a line")
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder of the data directories")
    arguments = parser.parse_args()

    corpus = arguments.corpus.resolve()
    needed = [f"etc/an4_{part}.{kind}" for part in ("train", "test") for kind in ("fileids", "transcription")]
    needed += ["etc/an4.dic", "wav/an4_clstk", "wav/an4test_clstk"]
    missing = [name for name in needed if not (corpus / name).exists()]
    if missing:
        fail(f"{corpus} is not the AN4 corpus, these are missing: {', '.join(missing)}. {HOW_TO_GET_IT}")

    problems: list[str] = []
    train_all = read_part(corpus, "train", problems)
    test = read_part(corpus, "test", problems)
    dev_lines = [line.partition("#")[0].strip() for line in read_lines(arguments.dev_speakers)]
    dev_speakers = [line for line in dev_lines if line]
    if not problems:
        speakers = {u.speaker for u in train_all}
        problems += check_dev_speakers(dev_speakers, speakers, arguments.dev_speakers)
        overlap = {same_person(s) for s in speakers} & {same_person(u.speaker) for u in test}
        problems += [f"{name} is a speaker of both the training and the test part" for name in sorted(overlap)]
    if problems:
        more = f"\n  ... and {len(problems) - 50} more" if len(problems) > 50 else ""
        fail(f"{corpus}: {len(problems)} problems\n  " + "\n  ".join(problems[:50]) + more)

    out = arguments.out
    write_data_dir(out / "train_all", train_all)
    write_data_dir(out / "train", [u for u in train_all if u.speaker not in dev_speakers])
    write_data_dir(out / "dev", [u for u in train_all if u.speaker in dev_speakers])
    write_data_dir(out / "test", test)
    pairs = read_dictionary(corpus / "etc" / "an4.dic")
    (out / "dict").mkdir(exist_ok=True)
    write_lines(out / "dict" / "lexicon.txt", [f"{word} {phones}" for word, phones in sorted(set(pairs))])
    print(f"{out / 'dict'}: {len({word for word, _ in pairs})} words, {len(set(pairs))} pronunciations")


if __name__ == "__main__":
    main()
