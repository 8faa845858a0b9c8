"""Turn the Arabic Speech Commands dataset into Kaldi data directories and a lexicon. Standard library only.

    python local/arabic.py --corpus DIR --words conf/arabic_words.tsv --out data/arabic

DIR has ``dataset/<word>/<speaker>_NO_<take>``. Written below ``--out``: train, dev, test by speaker; lexicon.txt.
"""

import argparse
import re
from pathlib import Path

from data_dirs import SUFFIXES, Utterance, divide_speakers, fail, fail_if_any, read_lines, write_lines, write_parts

HOW_TO_GET_IT = "it is free: clone the git repository abdulkaderghandoura/arabic-speech-commands-dataset from GitHub"


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare the Arabic Speech Commands dataset.")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--words", type=Path, required=True, help="folders, words and their phones")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1, help="of the division of speakers")
    arguments = parser.parse_args()
    corpus = arguments.corpus.resolve()
    rows = [line.split("\t") for line in read_lines(arguments.words) if not line.startswith("#")]
    words = {folder: (word.strip(), phones) for folder, word, phones in rows}
    folder = corpus / "dataset" if (corpus / "dataset").is_dir() else corpus
    clips, problems = {}, []
    for path in sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES):
        match = re.fullmatch(r"(\w+)_NO_(\d+)", path.stem)
        if match is None or path.parent.name not in words:
            problems.append(f"{path}: expected <word>/<speaker>_NO_<take> with a word of {arguments.words}")
        else:
            name = f"{match[1]}-{path.parent.name.replace(' ', '_')}-{match[2]}"
            clips[name] = Utterance(name, match[1], path, words[path.parent.name][0], "ar")
    fail_if_any(problems, corpus)
    if not clips:
        fail(f"{corpus} has no dataset/<word>/<speaker>_NO_<take>.wav; {HOW_TO_GET_IT}")
    speakers = divide_speakers((clip.speaker for clip in clips.values()), arguments.seed)
    parts = {part: [clip for clip in clips.values() if clip.speaker in names] for part, names in speakers.items()}
    write_parts(arguments.out, parts, "arabic")
    said = {clip.text for clip in clips.values()}
    entries = sorted({f"{word} {' '.join(phones.split())}" for word, phones in words.values() if word in said})
    write_lines(arguments.out / "lexicon.txt", entries)


if __name__ == "__main__":
    main()
