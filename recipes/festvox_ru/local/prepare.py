"""Turn the festvox-ru corpus into Kaldi data directories and a table of reference phones. Standard library only.

    python local/prepare.py --corpus DIR --phones conf/phones.tsv --out data

DIR has ``lab/*.lab`` (end time in seconds, a number, phone) and ``wav/``; the audio is found by stem (.wav or .flac).
Written below ``--out``:

    all         every utterance; ``text`` holds the phones that the labels name, in IPA, without their pauses and times
    train, dev  all without, and with, every twelfth utterance
    reference.ctm  the labels: utterance, channel, start, duration, phone; pauses left out
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".wav", ".flac")
HOW_TO_GET_IT = (
    "festvox-ru is free: unpack the source of the Debian package festvox-ru and give the folder that has lab and wav "
    "with --corpus"
)
SPEAKER = "ru"
PAUSE = "pau"
DEV = 12  # one utterance in so many is for early stopping, and is a test of alignment on speech the model has not read


@dataclass(frozen=True)
class Utterance:
    id: str
    audio: Path
    phones: list[tuple[float, float, str]]  # start and end in seconds, IPA


def fail(message: str) -> None:
    sys.exit(f"error: {message}")


def read_phones(path: Path) -> dict[str, str]:
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {fields[0]: fields[1] for fields in lines if not fields[0].startswith("#")}


def read_labels(path: Path, ipa: dict[str, str], problems: list[str]) -> list[tuple[float, float, str]]:
    """Read one file of labels; each line has the end of a phone, which starts where the one before ends."""
    phones, start = [], 0.0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if not fields or line.startswith("#"):
            continue
        try:
            end, phone = float(fields[0]), fields[2]
        except (ValueError, IndexError):
            problems.append(f"{path}:{number}: expected 'seconds number phone' (got '{line.strip()}')")
            continue
        if end < start:
            problems.append(f"{path}:{number}: ends at {end:g} s, before it starts at {start:g} s")
        if phone != PAUSE and phone not in ipa:
            problems.append(f"{path}:{number}: phone '{phone}' is not in the table of phones")
        elif phone != PAUSE:
            phones.append((start, end, ipa[phone]))
        start = end
    return phones


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def write_data_dir(folder: Path, utterances: list[Utterance]) -> None:
    write_lines(folder / "wav.scp", [f"{u.id} {u.audio}" for u in utterances])
    write_lines(folder / "text", [f"{u.id} {' '.join(phone for _, _, phone in u.phones)}" for u in utterances])
    write_lines(folder / "utt2spk", [f"{u.id} {SPEAKER}" for u in utterances])
    write_lines(folder / "spk2utt", [f"{SPEAKER} {' '.join(u.id for u in utterances)}"])
    print(f"{folder}: {len(utterances)} utterances, {sum(len(u.phones) for u in utterances)} phones")


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare festvox-ru.")
    parser.add_argument("--corpus", type=Path, required=True, help="folder with lab and wav")
    parser.add_argument("--phones", type=Path, required=True, help="table of phone names and their IPA")
    parser.add_argument("--out", type=Path, default=Path("data"), help="folder of the data directories")
    arguments = parser.parse_args()

    corpus = arguments.corpus.resolve()
    missing = [name for name in ("lab", "wav") if not (corpus / name).is_dir()]
    if missing:
        fail(f"{corpus} is not the festvox-ru corpus, these are missing: {', '.join(missing)}. {HOW_TO_GET_IT}")
    ipa = read_phones(arguments.phones)
    problems: list[str] = []
    utterances = []
    for labels in sorted((corpus / "lab").glob("*.lab")):
        phones = read_labels(labels, ipa, problems)
        candidates = [corpus / "wav" / (labels.stem + suffix) for suffix in SUFFIXES]
        audio = next((path for path in candidates if path.exists()), None)
        if audio is None:
            problems.append(f"{labels}: no audio file {corpus / 'wav' / labels.stem} with ending {', '.join(SUFFIXES)}")
        elif phones:
            utterances.append(Utterance(labels.stem.replace("_", "-"), audio, phones))
    if not utterances and not problems:
        problems.append(f"{corpus / 'lab'}: no file *.lab with a phone in it")
    if problems:
        more = f"\n  ... and {len(problems) - 50} more" if len(problems) > 50 else ""
        fail(f"{corpus}: {len(problems)} problems\n  " + "\n  ".join(problems[:50]) + more)

    out = arguments.out
    utterances.sort(key=lambda utterance: utterance.id)
    write_data_dir(out / "all", utterances)
    write_data_dir(out / "train", [u for number, u in enumerate(utterances) if number % DEV])
    write_data_dir(out / "dev", [u for number, u in enumerate(utterances) if not number % DEV])
    rows = [(u.id, *phone) for u in utterances for phone in u.phones]
    write_lines(out / "reference.ctm", [f"{key} 1 {a:.3f} {b - a:.3f} {phone}" for key, a, b, phone in rows])


if __name__ == "__main__":
    main()
