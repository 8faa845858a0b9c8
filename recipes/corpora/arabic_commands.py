"""Arabic Speech Commands: 40 isolated commands and digits in Modern Standard Arabic, in noise. Standard library only.

    python recipes/corpora/arabic_commands.py --corpus DIR --out data [--seed 1] [--tables utt2lang,utt2dom]

Licence: CC BY 4.0 (Abdulkader Ghandoura and others). Get it: clone the git repository
``abdulkaderghandoura/arabic-speech-commands-dataset`` from GitHub.

Layout: ``dataset/<word>/<speaker>_NO_<take>`` with .wav, .flac or .sph; DIR may also be that ``dataset``. Some speakers
or takes of the corpus will do.

Written below ``--out``:

    train, dev, test  by speaker: a quarter of the speakers is for test, an eighth for dev, the rest for training, drawn
                      with the seed from their sorted names
    lexicon.txt       the words that occur, with the phones of arabic_commands_words.tsv (IPA)

Nothing is left out; a folder that is no word of the list is an error.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from data_dirs import (
    Utterance,
    by_speaker,
    clips_below,
    command_line,
    fail,
    fail_if_any,
    parse,
    write_lines,
    write_parts,
)

HOW_TO_GET_IT = (
    "It is free: clone the git repository abdulkaderghandoura/arabic-speech-commands-dataset from GitHub and give its"
    " folder with --corpus"
)
WORDS = Path(__file__).with_name("arabic_commands_words.tsv")


def read_words(path: Path) -> dict[str, tuple[str, str]]:
    """Return word and phones by folder."""
    words, problems = {}, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != 3 or not all(field.split() for field in fields):
            problems.append(f"{path}:{number}: expected folder, word and phones with tabs between (got '{line}')")
        else:
            words[fields[0]] = (fields[1].strip(), " ".join(fields[2].split()))
    if problems:
        fail("\n".join(problems))
    return words


def find_clips(corpus: Path, words: dict[str, tuple[str, str]]) -> list[Utterance]:
    """Return the clips of the corpus; a clip in two formats counts once."""
    folder = corpus / "dataset" if (corpus / "dataset").is_dir() else corpus
    clips: dict[str, Utterance] = {}
    problems = []
    for path in clips_below(folder):
        match = re.fullmatch(r"(\w+)_NO_(\d+)", path.stem)
        if match is None:
            problems.append(f"{path}: expected a name <speaker>_NO_<take>")
        elif path.parent.name not in words:
            problems.append(f"{path}: the folder is no word of the list")
        else:
            name = f"{match[1]}-{path.parent.name.replace(' ', '_')}-{match[2]}"
            text, _ = words[path.parent.name]
            clips.setdefault(name, Utterance(name, match[1], path, text, "ar", "arabic"))
    fail_if_any(problems, folder)
    if not clips:
        fail(f"{corpus} has no dataset/<word>/<speaker>_NO_<take>.wav. {HOW_TO_GET_IT}")
    return list(clips.values())


def prepare(corpus: Path, out: Path, words: Path = WORDS, seed: int = 1, tables: Sequence[str] = ()) -> None:
    """Write the data directories and the lexicon."""
    listed = read_words(words)
    clips = find_clips(corpus, listed)
    write_parts(out, by_speaker(clips, seed), tables)
    spoken = {clip.text for clip in clips}
    write_lines(out / "lexicon.txt", sorted({f"{word} {phones}" for word, phones in listed.values() if word in spoken}))


def main() -> None:
    parser = command_line("Arabic Speech Commands")
    parser.add_argument("--words", type=Path, default=WORDS, help="folders, words and their phones")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the division into speakers")
    arguments = parse(parser, HOW_TO_GET_IT)
    prepare(arguments.corpus, arguments.out, arguments.words, arguments.seed, arguments.tables)


if __name__ == "__main__":
    main()
