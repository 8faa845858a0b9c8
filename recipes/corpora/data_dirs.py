"""Kaldi data directories: what the preparations of all corpora share. Standard library only.

A preparation is a module with a docstring (the corpus, its licence and layout, where to get it, what is left out and
why), ``HOW_TO_GET_IT``, a function ``prepare`` and a command line. ``TEMPLATE.py`` is what a new one starts from.
"""

import argparse
import os
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".wav", ".flac", ".sph")
OPTIONAL_TABLES = ("spk2gender", "utt2lang", "utt2dom")
SHOWN = 50  # problems that one error message lists


@dataclass(frozen=True)
class Utterance:
    """One utterance: ``stretch`` is the part of the recording that is kept, in seconds; None keeps all of it."""

    id: str
    speaker: str
    audio: Path
    text: str
    language: str
    domain: str
    gender: str = ""
    stretch: tuple[float, float] | None = None


def fail(message: str) -> None:
    """End the program with a one-line error."""
    sys.exit(f"error: {message}")


def fail_if_any(problems: Sequence[str], corpus: Path) -> None:
    """End the program with all ``problems`` of a corpus, if there are any."""
    if problems:
        more = f"\n  ... and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        fail(f"{corpus}: {len(problems)} problems\n  " + "\n  ".join(problems[:SHOWN]) + more)


def need(corpus: Path, names: Iterable[str], title: str, how_to_get_it: str) -> None:
    """End the program unless the files and folders ``names`` exist in the corpus."""
    missing = [name for name in names if not (corpus / name).exists()]
    if missing:
        fail(f"{corpus} is not the {title} corpus, these are missing: {', '.join(missing)}. {how_to_get_it}")


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file that are not blank."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_table(path: Path) -> dict[str, str]:
    """Read a table of a data directory: its keys and what the table has for each."""
    return dict(line.split(maxsplit=1) for line in read_lines(path))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file, atomically; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def find_audio(path: Path, suffixes: Sequence[str] = SUFFIXES) -> Path | None:
    """Return the first audio file with this path, whatever its suffix; None if there is none."""
    return next((found for s in suffixes if (found := path.with_name(path.name + s)).exists()), None)


def clips_below(folder: Path) -> list[Path]:
    """Return the audio files ``folder/*/*``, sorted."""
    return sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES)


def divide_speakers(speakers: Iterable[str], seed: int) -> dict[str, set[str]]:
    """Draw a quarter of the speakers for test and an eighth for dev; the rest is for training."""
    names = sorted(set(speakers))
    shuffled = random.Random(seed).sample(names, len(names))
    tests, devs = max(1, len(names) // 4), max(1, len(names) // 8)
    parts = {"train": shuffled[tests + devs :], "dev": shuffled[tests : tests + devs], "test": shuffled[:tests]}
    if not parts["train"]:
        fail(f"{len(names)} speakers are too few for training, dev and test; give the whole corpus")
    return {part: set(chosen) for part, chosen in parts.items()}


def by_speaker(utterances: Sequence[Utterance], seed: int) -> dict[str, list[Utterance]]:
    """Divide utterances into train, dev and test, so that no speaker is in two of them."""
    parts = divide_speakers((utterance.speaker for utterance in utterances), seed)
    return {part: [u for u in utterances if u.speaker in names] for part, names in parts.items()}


def by_utterance(utterances: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    """Divide the utterances of a single speaker: every eighth is for test, and every eighth for dev."""
    ordered = sorted(utterances, key=lambda utterance: utterance.id)
    parts: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for number, utterance in enumerate(ordered):
        parts[{0: "test", 4: "dev"}.get(number % 8, "train")].append(utterance)
    return parts


def write_data_dir(folder: Path, utterances: Iterable[Utterance], tables: Sequence[str] = ()) -> None:
    """Write one data directory: the tables that every one has, and those of ``OPTIONAL_TABLES`` that are asked for.

    ``spk2gender`` has the speakers whose gender is known, ``text`` the utterances that have one; a table without a line
    is not written.
    """
    rows = sorted(utterances, key=lambda utterance: utterance.id)
    speakers: dict[str, list[str]] = {}
    genders: dict[str, str] = {}
    for row in rows:
        speakers.setdefault(row.speaker, []).append(row.id)
        genders[row.speaker] = row.gender
    write_lines(folder / "wav.scp", [f"{row.id} {row.audio}" for row in rows])
    kept = [(row.id, *row.stretch) for row in rows if row.stretch]
    if kept:
        write_lines(folder / "segments", [f"{key} {key} {start:.2f} {end:.2f}" for key, start, end in kept])
    texts = [f"{row.id} {row.text}" for row in rows if row.text]
    if texts:
        write_lines(folder / "text", texts)
    write_lines(folder / "utt2spk", [f"{row.id} {row.speaker}" for row in rows])
    write_lines(folder / "spk2utt", [f"{name} {' '.join(ids)}" for name, ids in sorted(speakers.items())])
    optional = {
        "spk2gender": [f"{name} {genders[name]}" for name in sorted(speakers) if genders[name]],
        "utt2lang": [f"{row.id} {row.language}" for row in rows],
        "utt2dom": [f"{row.id} {row.domain}" for row in rows],
    }
    for table in tables:
        if optional[table]:
            write_lines(folder / table, optional[table])
    minutes = sum(end - start for _, start, end in kept) / 60
    print(
        f"{folder}: {len(rows)} utterances, {len(speakers)} speakers"
        + (f", {minutes:.1f} minutes kept" if kept else "")
    )


def write_parts(out: Path, parts: Mapping[str, Iterable[Utterance]], tables: Sequence[str] = ()) -> None:
    """Write one data directory per part below ``out``."""
    for part, utterances in parts.items():
        write_data_dir(out / part, utterances, tables)


def write_languages(out: Path, utterances: Iterable[Utterance], tables: Sequence[str] = ()) -> None:
    """Write ``LANGUAGE/train``, ``dev`` and ``test`` (by utterance), ``unlabelled`` (without text) and ``words.txt``.

    What a language lacks is not written.
    """
    languages: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        languages.setdefault(utterance.language, []).append(utterance)
    for language, rows in sorted(languages.items()):
        parts = by_utterance([row for row in rows if row.text]) | {"unlabelled": [row for row in rows if not row.text]}
        write_parts(out / language, {part: chosen for part, chosen in parts.items() if chosen}, tables)
        write_lines(out / language / "words.txt", sorted({word for row in rows for word in row.text.split()}))


def table_names(names: str) -> tuple[str, ...]:
    """Read the value of ``--tables``."""
    found = tuple(name for name in names.split(",") if name)
    unknown = [name for name in found if name not in OPTIONAL_TABLES]
    if unknown:
        raise argparse.ArgumentTypeError(f"no table {', '.join(unknown)}; there are {', '.join(OPTIONAL_TABLES)}")
    return found


def command_line(title: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every preparation has."""
    parser = argparse.ArgumentParser(description=f"Turn {title} into Kaldi data directories.")
    parser.add_argument("--corpus", required=True, metavar="DIR", help="folder of the corpus")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the data directories")
    parser.add_argument(
        "--tables", type=table_names, default=(), metavar="NAME,...", help=f"also write {', '.join(OPTIONAL_TABLES)}"
    )
    return parser


def parse(parser: argparse.ArgumentParser, how_to_get_it: str) -> argparse.Namespace:
    """Read the command line; ``corpus`` is an absolute path, and a corpus that is not there is a one-line error."""
    arguments = parser.parse_args()
    if not arguments.corpus:
        fail(f"no corpus. {how_to_get_it}")
    if not Path(arguments.corpus).is_dir():
        fail(f"{arguments.corpus}: no such folder. {how_to_get_it}")
    arguments.corpus = Path(arguments.corpus).resolve()
    return arguments
