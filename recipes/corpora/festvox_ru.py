"""festvox-ru: Russian sentences read by one speaker, with phone labels and their times. Standard library only.

    python recipes/corpora/festvox_ru.py --corpus DIR --out data [--text words|phones] [--tables utt2lang,utt2dom]

Licence: like BSD's. Get it: unpack the source of the Debian package ``festvox-ru``.

Layout: ``txt.done.data`` (``( id "text" )``), ``lab/*.lab`` (end time in seconds, a number, phone), audio in ``wav/``,
found by stem (.wav, .flac or .sph).

Written below ``--out``, with ``--text words``:

    train, dev, test  every eighth utterance is for test, and every eighth for dev
    words.txt         the words that need a pronunciation
    labels.txt        the phones of each utterance that its labels name, IPA

with ``--text phones``, to measure an alignment of phones (``txt.done.data`` is not needed):

    all, train, dev   every utterance, those without and those with every twelfth; ``text`` has the phones of the labels
    reference.ctm     the labels: utterance, channel, start, duration, phone

Left out: the pauses (``pau``) that the labels name, and the plus signs that mark the stressed vowel of a few words.
festvox_ru_phones.tsv turns the corpus's phone names into IPA.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_dirs import (
    SUFFIXES,
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
    "festvox-ru is free: unpack the source of the Debian package festvox-ru and give the folder that has lab and wav "
    "with --corpus"
)
PHONES = Path(__file__).with_name("festvox_ru_phones.tsv")
PAUSE = "pau"
# One utterance in twelve is for early stopping, and tests alignment on speech that the model was not trained on.
DEV = 12


@dataclass
class Labelled:
    """Utterances, the phones of each (start and end in seconds, IPA), and what is wrong with the corpus."""

    utterances: list[Utterance] = field(default_factory=list)
    phones: dict[str, list[tuple[float, float, str]]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_phones(path: Path) -> dict[str, str]:
    """Return the IPA of the corpus's phone names."""
    lines = [line.split() for line in read_lines(path) if not line.startswith("#")]
    return {fields[0]: fields[1] for fields in lines}


def read_labels(path: Path, ipa: dict[str, str], problems: list[str]) -> list[tuple[float, float, str]]:
    """Read one file of labels; each line has the end of a phone, which starts where the one before it ends."""
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
            problems.append(
                f"{path}:{number}: expected 'seconds number phone' with a known phone (got '{line.strip()}')"
            )
        elif phone != PAUSE:
            phones.append((start, end, ipa[phone]))
        start = end
    return phones


def read_texts(path: Path, problems: list[str]) -> dict[str, str]:
    """Return the words of each utterance, in lower case without punctuation."""
    texts = {}
    for number, line in enumerate(read_lines(path), 1):
        match = re.fullmatch(r'\(\s*(\S+)\s+"(.*)"\s*\)', line.strip())
        if match is None:
            problems.append(f'{path}:{number}: expected ( id "text" ) (got {line})')
        else:
            # A plus marks the stressed vowel of a few words.
            texts[match[1]] = " ".join(re.findall(r"[а-яё]+", match[2].lower().replace("+", "")))
    return texts


def read_corpus(corpus: Path, text: str, phones: Path) -> Labelled:
    """Read labels, transcripts (if ``text`` is words) and where the audio is."""
    ipa = read_phones(phones)
    found = Labelled()
    texts = read_texts(corpus / "txt.done.data", found.problems) if text == "words" else {}
    for path in sorted((corpus / "lab").glob("*.lab")):
        labels = read_labels(path, ipa, found.problems)
        spoken = texts.get(path.stem, "") if text == "words" else " ".join(phone for _, _, phone in labels)
        audio = find_audio(corpus / "wav" / path.stem)
        name = path.stem.replace("_", "-")
        if audio is None:
            stem = corpus / "wav" / path.stem
            found.problems.append(f"{path}: no audio file {stem} with ending {', '.join(SUFFIXES)}")
        elif spoken:
            found.utterances.append(Utterance(name, "ru", audio, spoken, "ru", "festvox"))
            found.phones[name] = labels
        elif text == "words":
            found.problems.append(f"{path}: no text of this name in {corpus / 'txt.done.data'}")
    if not found.utterances and not found.problems:
        found.problems.append(f"{corpus / 'lab'}: no file *.lab with a phone in it")
    return found


def prepare(corpus: Path, out: Path, text: str = "words", phones: Path = PHONES, tables: Sequence[str] = ()) -> None:
    """Write the data directories and what the labels say."""
    need(corpus, ["lab", "wav", *(["txt.done.data"] if text == "words" else [])], "festvox-ru", HOW_TO_GET_IT)
    found = read_corpus(corpus, text, phones)
    fail_if_any(found.problems, corpus)
    if text == "words":
        write_parts(out, by_utterance(found.utterances), tables)
        write_lines(out / "words.txt", sorted({word for u in found.utterances for word in u.text.split()}))
        labels = [f"{key} {' '.join(phone for _, _, phone in rows)}" for key, rows in found.phones.items()]
        write_lines(out / "labels.txt", labels)
        return
    ordered = sorted(found.utterances, key=lambda utterance: utterance.id)
    parts = {
        "all": ordered,
        "train": [utterance for number, utterance in enumerate(ordered) if number % DEV],
        "dev": [utterance for number, utterance in enumerate(ordered) if not number % DEV],
    }
    write_parts(out, parts, tables)
    rows = [(u.id, *phone) for u in ordered for phone in found.phones[u.id]]
    write_lines(out / "reference.ctm", [f"{key} 1 {a:.3f} {b - a:.3f} {phone}" for key, a, b, phone in rows])


def main() -> None:
    parser = command_line("festvox-ru")
    parser.add_argument("--text", choices=("words", "phones"), default="words", help="what `text` holds")
    parser.add_argument("--phones", type=Path, default=PHONES, help="table of phone names and their IPA")
    arguments = parse(parser, HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.text, arguments.phones, arguments.tables)


if __name__ == "__main__":
    main()
