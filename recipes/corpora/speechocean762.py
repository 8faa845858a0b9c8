"""speechocean762: English sentences read by 250 speakers of Mandarin, half of them children. Standard library only.

    python recipes/corpora/speechocean762.py --corpus DIR --out data [--tables spk2gender,utt2lang,utt2dom]

Licence: free for any use, also commercial (its README). Get it: clone the git repository ``jimbozhang/speechocean762``
from GitHub.

Layout: a Kaldi directory for each half, ``train`` and ``test`` with ``wav.scp text utt2spk spk2age spk2gender``;
``resource/lexicon.txt`` (ARPABET); audio in ``WAVE/SPEAKER<speaker>/``, found by stem (.WAV, .wav, .flac or .sph).

Written below ``--out``:

    train_all      the official training half: 2.9 h, 2500 utterances of 125 speakers
    train, dev     train_all divided by speaker: sorted by age, sex and name, every eighth of them is for dev, so that
                   dev has the ages of train (16 speakers, 7 of them children)
    test           the official test half: 2.7 h, 2500 utterances of 125 other speakers
    test_adults    the test speakers who are 18 or older: 61, 1.4 h
    test_children  the others: 64, 6 to 15 years old, 1.3 h. Nobody is 16, 17 or 18
    dict           lexicon.txt, the corpus's own: ARPABET, 2604 words, all that occur in either half

Every speaker has 20 utterances. Left out: the 245 recordings of the repository that neither half lists, which have no
text. ``train/text`` is what a language model may read; 50 of its 2180 sentences are also said in the test half, and 768
of the 1869 words of the test half are not in it.
"""

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
    read_table,
    write_lines,
    write_parts,
)

HOW_TO_GET_IT = (
    "It is free: clone the git repository jimbozhang/speechocean762 from GitHub and give its folder with --corpus"
)
TABLES = ("wav.scp", "text", "utt2spk", "spk2age", "spk2gender")
ADULT = 18  # years
DEV = 8  # one training speaker in so many is for dev


def read_half(corpus: Path, half: str, problems: list[str]) -> tuple[list[Utterance], dict[str, int]]:
    """Read one official half: its utterances, and the age of each speaker in years."""
    folder = corpus / half
    tables = {name: read_table(folder / name) for name in TABLES}
    utterances = []
    for name, place in tables["wav.scp"].items():
        lacking = [table for table in ("text", "utt2spk") if name not in tables[table]]
        speaker = tables["utt2spk"].get(name, "")
        if not lacking:
            lacking = [table for table in ("spk2age", "spk2gender") if speaker not in tables[table]]
        path = corpus / place
        audio = path if path.exists() else find_audio(path.with_suffix(""))
        if lacking:
            problems.append(f"{folder / 'wav.scp'}: {name} is not in {', '.join(lacking)}")
        elif audio is None:
            stem = path.with_suffix("")
            problems.append(f"{folder / 'wav.scp'}: no audio file {stem} with ending {', '.join(SUFFIXES)}")
        else:
            text = " ".join(tables["text"][name].split())
            gender = tables["spk2gender"][speaker]
            utterances.append(Utterance(f"{speaker}-{name}", speaker, audio, text, "en", "speechocean762", gender))
    return utterances, {speaker: int(age) for speaker, age in tables["spk2age"].items()}


def dev_speakers(utterances: Sequence[Utterance], ages: dict[str, int]) -> set[str]:
    """Return every eighth speaker, in the order of age, sex and name."""
    ordered = sorted({(ages[u.speaker], u.gender, u.speaker) for u in utterances})
    return {speaker for _, _, speaker in ordered[DEV // 2 :: DEV]}


def read_lexicon(path: Path, spoken: set[str], problems: list[str]) -> list[str]:
    """Return the lines of the corpus's lexicon; a word that is spoken and has no line is a problem."""
    lines = sorted({" ".join(line.split()) for line in read_lines(path)})
    problems += [f"{path}: no pronunciation of {word}" for word in sorted(spoken - {line.split()[0] for line in lines})]
    return lines


def prepare(corpus: Path, out: Path, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the lexicon."""
    needed = [f"{half}/{name}" for half in ("train", "test") for name in TABLES]
    need(corpus, [*needed, "resource/lexicon.txt", "WAVE"], "speechocean762", HOW_TO_GET_IT)
    problems: list[str] = []
    train_all, ages = read_half(corpus, "train", problems)
    test, test_ages = read_half(corpus, "test", problems)
    speakers = {utterance.speaker for utterance in train_all}
    problems += [f"{name} is a speaker of both halves" for name in sorted(speakers & {u.speaker for u in test})]
    spoken = {word for utterance in (*train_all, *test) for word in utterance.text.split()}
    lexicon = read_lexicon(corpus / "resource" / "lexicon.txt", spoken, problems)
    fail_if_any(problems, corpus)
    listed = {utterance.audio.stem for utterance in (*train_all, *test)}
    without = {path.stem for path in (corpus / "WAVE").glob("*/*")} - listed
    print(f"left out: {len(without)} recordings without a text")
    dev = dev_speakers(train_all, ages)
    parts = {
        "train_all": train_all,
        "train": [utterance for utterance in train_all if utterance.speaker not in dev],
        "dev": [utterance for utterance in train_all if utterance.speaker in dev],
        "test": test,
        "test_adults": [utterance for utterance in test if test_ages[utterance.speaker] >= ADULT],
        "test_children": [utterance for utterance in test if test_ages[utterance.speaker] < ADULT],
    }
    write_parts(out, parts, tables)
    write_lines(out / "dict" / "lexicon.txt", lexicon)


def main() -> None:
    arguments = parse(command_line("speechocean762"), HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.tables)


if __name__ == "__main__":
    main()
