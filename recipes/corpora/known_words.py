"""List the utterances whose words all have a pronunciation. Standard library only.

    speechtl lexicon g2p --rules cs -n 1 --words DATA/words.txt --out DATA/lexiconp.txt
    python recipes/corpora/known_words.py --data DATA/train --lexicon DATA/lexiconp.txt --out DATA/known
    speechtl data subset DATA/train DATA/train_known --utterance-list DATA/known/kept.txt

Rules refuse words in the letters of another language (names, letters that are read out), and dictionaries lack some.

Written below ``--out``: ``kept.txt``, ids of utterances; ``left_out.txt``, ids and the words that lack.
"""

import argparse
from pathlib import Path

from data_dirs import fail, read_lines, read_table, write_lines


def check(data: Path, lexicon: Path, out: Path) -> None:
    """Write the lists of a data directory's utterances that are kept and left out."""
    known = {line.split()[0] for line in read_lines(lexicon)}
    kept, left_out = [], []
    for utterance, text in sorted(read_table(data / "text").items()):
        unknown = [word for word in text.split() if word not in known]
        if unknown:
            left_out.append(f"{utterance} {' '.join(unknown)}")
        else:
            kept.append(utterance)
    if not kept:
        fail(f"{data}: every utterance has words that {lexicon} lacks")
    write_lines(out / "kept.txt", kept)
    write_lines(out / "left_out.txt", left_out)
    print(f"left out: {len(left_out)} of {len(kept) + len(left_out)} utterances with words that {lexicon} lacks")


def main() -> None:
    parser = argparse.ArgumentParser(description="List the utterances whose words all have a pronunciation.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data directory")
    parser.add_argument("--lexicon", type=Path, required=True, metavar="FILE", help="lexicon.txt or lexiconp.txt")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of kept.txt and left_out.txt")
    arguments = parser.parse_args()
    for path in (arguments.data / "text", arguments.lexicon):
        if not path.is_file():
            fail(f"{path}: no such file")
    check(arguments.data, arguments.lexicon, arguments.out)


if __name__ == "__main__":
    main()
