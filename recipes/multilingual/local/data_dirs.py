"""Share what the preparation of every corpus needs: audio by stem, speakers divided, data directories."""

import os
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".wav", ".flac", ".sph")


@dataclass(frozen=True)
class Utterance:
    """One utterance; ``stretch`` is the part of the recording that is kept, in seconds."""

    id: str
    speaker: str
    audio: Path
    text: str
    language: str
    stretch: tuple[float, float] | None = None


def fail(message: str) -> None:
    sys.exit(f"error: {message}")


def fail_if_any(problems: Sequence[str], corpus: Path) -> None:
    if problems:
        more = f"\n  ... and {len(problems) - 50} more" if len(problems) > 50 else ""
        fail(f"{corpus}: {len(problems)} problems\n  " + "\n  ".join(problems[:50]) + more)


def need(corpus: Path, names: Iterable[str], how_to_get_it: str) -> None:
    missing = [name for name in names if not (corpus / name).exists()]
    if missing:
        fail(f"{corpus} is not the corpus, these are missing: {', '.join(missing)}. {how_to_get_it}")


def read_lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_table(path: Path) -> dict[str, str]:
    """Return what a table of a data directory says of each key."""
    return dict(line.split(maxsplit=1) for line in read_lines(path))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def find_audio(path: Path) -> Path | None:
    """Return the file that has this path but for its ending."""
    return next((found for s in SUFFIXES if (found := path.with_name(path.name + s)).exists()), None)


def divide_speakers(speakers: Iterable[str], seed: int) -> dict[str, set[str]]:
    """Draw a quarter of the speakers for the test and an eighth for dev; the rest is for training."""
    names = sorted(set(speakers))
    shuffled = random.Random(seed).sample(names, len(names))
    tests, devs = max(1, len(names) // 4), max(1, len(names) // 8)
    parts = {"train": shuffled[tests + devs :], "dev": shuffled[tests : tests + devs], "test": shuffled[:tests]}
    if not parts["train"]:
        fail(f"{len(names)} speakers are too few for training, dev and test; give the whole corpus")
    return {part: set(chosen) for part, chosen in parts.items()}


def divide_utterances(utterances: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    """Take every eighth utterance of one speaker for the test, and every eighth for dev."""
    ordered = sorted(utterances, key=lambda utterance: utterance.id)
    parts: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for number, utterance in enumerate(ordered):
        parts[{0: "test", 4: "dev"}.get(number % 8, "train")].append(utterance)
    return parts


def write_parts(out: Path, parts: Mapping[str, Sequence[Utterance]], domain: str) -> None:
    """Write one data directory per part below ``out``."""
    for part, utterances in parts.items():
        folder, rows = out / part, sorted(utterances, key=lambda utterance: utterance.id)
        speakers: dict[str, list[str]] = {}
        for row in rows:
            speakers.setdefault(row.speaker, []).append(row.id)
        write_lines(folder / "wav.scp", [f"{row.id} {row.audio}" for row in rows])
        if any(row.stretch for row in rows):
            kept = [(row.id, *row.stretch) for row in rows if row.stretch]
            write_lines(folder / "segments", [f"{key} {key} {start:.2f} {end:.2f}" for key, start, end in kept])
        write_lines(folder / "text", [f"{row.id} {row.text}" for row in rows])
        write_lines(folder / "utt2spk", [f"{row.id} {row.speaker}" for row in rows])
        write_lines(folder / "spk2utt", [f"{name} {' '.join(ids)}" for name, ids in sorted(speakers.items())])
        write_lines(folder / "utt2lang", [f"{row.id} {row.language}" for row in rows])
        write_lines(folder / "utt2dom", [f"{row.id} {domain}" for row in rows])
        print(f"{folder}: {len(rows)} utterances, {len(speakers)} speakers")
