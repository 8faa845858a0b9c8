"""Choose words that the training shall never have, or list the utterances without them. Standard library only.

    python local/hold_out_words.py choose --text data/train/text --lexicon data/dict/lexicon.txt --seed 1 \\
        --out ../corpora/an4_unseen_words.txt
    python local/hold_out_words.py keep --text data/train/text --words ../corpora/an4_unseen_words.txt \\
        --out data/unseen/train.list

The rule of ``choose`` reads training transcripts and the dictionary, nothing of the dev or test part and no result:

1. A candidate is in at least ``--rarest`` and at most ``--commonest`` of the training utterances (so that the test part
   may be expected to have it, and that it does not cost too many of them), and no other word sounds the same (O, OH).
2. Candidates are short or long: long ones have at least four phones in the dictionary's first pronunciation. Each kind
   is shuffled with the seed, and they are tried in turn: long, short, long, ...
3. A word is taken if, without all utterances that have any word taken so far, at most ``--budget`` of the training is
   lost, and every phone of every pronunciation of the words taken is still there at least ``--phones`` times.
4. ``--number`` words, or as many as there are.
"""

import argparse
import os
import random
import sys
from collections import Counter
from itertools import zip_longest
from pathlib import Path

LONG = 4


def fail(message: str) -> None:
    sys.exit(f"error: {message}")


def read_lines(path: Path) -> list[str]:
    if not path.exists():
        fail(f"{path}: no such file; run the stages before this one")
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_text(path: Path) -> dict[str, list[str]]:
    """Return the words of each utterance of a Kaldi text table."""
    return {line.split()[0]: line.split()[1:] for line in read_lines(path)}


def read_words(path: Path) -> list[str]:
    lines = [line.partition("#")[0].strip() for line in read_lines(path)]
    return [line for line in lines if line]


def read_lexicon(path: Path) -> dict[str, list[list[str]]]:
    lexicon: dict[str, list[list[str]]] = {}
    for line in read_lines(path):
        word, *phones = line.split()
        lexicon.setdefault(word, []).append(phones)
    return lexicon


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def without(text: dict[str, list[str]], words: set[str]) -> list[str]:
    """Return the utterances that have none of the words."""
    return sorted(utterance for utterance, spoken in text.items() if not words.intersection(spoken))


def phone_counts(text: dict[str, list[str]], kept: list[str], lexicon: dict[str, list[list[str]]]) -> Counter:
    """Count phones, each word in its first pronunciation: what the training surely has."""
    return Counter(phone for utterance in kept for word in text[utterance] for phone in lexicon[word][0])


def sounds_like_another(word: str, lexicon: dict[str, list[list[str]]]) -> bool:
    own = {tuple(phones) for phones in lexicon[word]}
    return any(own & {tuple(phones) for phones in options} for other, options in lexicon.items() if other != word)


def candidates(text: dict[str, list[str]], lexicon: dict[str, list[list[str]]], rarest: float, commonest: float):
    utterances = Counter(word for spoken in text.values() for word in set(spoken))
    low, high = rarest * len(text), commonest * len(text)
    words = sorted(word for word, count in utterances.items() if low <= count <= high)
    return [word for word in words if not sounds_like_another(word, lexicon)]


def choose(arguments: argparse.Namespace) -> None:
    text, lexicon = read_text(arguments.text), read_lexicon(arguments.lexicon)
    missing = sorted({word for spoken in text.values() for word in spoken} - lexicon.keys())
    if missing:
        fail(f"{arguments.lexicon}: these words of {arguments.text} are missing: {' '.join(missing)}")
    pool = candidates(text, lexicon, arguments.rarest, arguments.commonest)
    rng = random.Random(arguments.seed)
    by_length = {
        True: [word for word in pool if len(lexicon[word][0]) >= LONG],
        False: [word for word in pool if len(lexicon[word][0]) < LONG],
    }
    for words in by_length.values():
        rng.shuffle(words)
    taken: list[str] = []
    for word in [word for pair in zip_longest(by_length[True], by_length[False]) for word in pair if word]:
        trial = {*taken, word}
        kept = without(text, trial)
        counts = phone_counts(text, kept, lexicon)
        needed = {phone for member in trial for phones in lexicon[member] for phone in phones}
        if len(kept) < (1 - arguments.budget) * len(text) or min(counts[phone] for phone in needed) < arguments.phones:
            continue
        taken.append(word)
        if len(taken) == arguments.number:
            break
    kept = without(text, set(taken))
    counts = phone_counts(text, kept, lexicon)
    needed = sorted({phone for word in taken for phones in lexicon[word] for phone in phones}, key=lambda p: counts[p])
    tokens = Counter(word for spoken in text.values() for word in spoken)
    lines = [
        "# Words that the training never has, made by local/hold_out_words.py (which says the rule) from the training",
        f"# transcripts: choose --seed {arguments.seed} --number {arguments.number} --budget {arguments.budget:g} "
        f"--phones {arguments.phones} --rarest {arguments.rarest:g} --commonest {arguments.commonest:g}.",
        f"# {len(pool)} candidates. {len(text) - len(kept)} of {len(text)} training utterances have one of the words;",
        f"# in the other {len(kept)}, their rarest phone is {needed[0]}, {counts[needed[0]]} times.",
        "# word: times in the training part, first pronunciation.",
        *(f"{word:12}# {tokens[word]:3} {' '.join(lexicon[word][0])}" for word in sorted(taken)),
    ]
    write_lines(arguments.out, lines)
    print(f"{arguments.out}: {len(taken)} words, {len(kept)} of {len(text)} utterances kept")


def keep(arguments: argparse.Namespace) -> None:
    text, words = read_text(arguments.text), read_words(arguments.words)
    kept = without(text, set(words))
    if not kept:
        fail(f"{arguments.text}: every utterance has one of the words of {arguments.words}")
    write_lines(arguments.out, kept)
    if arguments.vocabulary is not None:
        seen = sorted({word for utterance in kept for word in text[utterance]})
        write_lines(arguments.vocabulary, seen)
    print(f"{arguments.out}: {len(kept)} of {len(text)} utterances have none of the {len(words)} words")


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold words out of the training.")
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("choose", help="choose the words")
    verb.add_argument("--text", type=Path, required=True, help="training transcripts, a Kaldi text table")
    verb.add_argument("--lexicon", type=Path, required=True, help="the dictionary")
    verb.add_argument("--out", type=Path, required=True, help="the list of words to write")
    verb.add_argument("--seed", type=int, default=1)
    verb.add_argument("--number", type=int, default=14, help="how many words")
    verb.add_argument("--budget", type=float, default=0.4, help="largest share of utterances to lose")
    verb.add_argument("--phones", type=int, default=40, help="least number of each phone in what is left")
    verb.add_argument("--rarest", type=float, default=0.025, help="least share of utterances with a word")
    verb.add_argument("--commonest", type=float, default=0.125, help="largest share of utterances with a word")
    verb.set_defaults(run=choose)
    verb = verbs.add_parser("keep", help="list the utterances that have none of the words")
    verb.add_argument("--text", type=Path, required=True, help="a Kaldi text table")
    verb.add_argument("--words", type=Path, required=True, help="the list of words")
    verb.add_argument("--out", type=Path, required=True, help="the list of utterances to write")
    verb.add_argument("--vocabulary", type=Path, help="also write the words of these utterances, one a line")
    verb.set_defaults(run=keep)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
