"""Spelling rules beside espeak-ng: the most frequent words of each language, and how much the two differ.

    pip install espeakng-loader wordfreq
    python tests/benchmarks/spelling_rules.py                            # the table
    python tests/benchmarks/spelling_rules.py --languages nl --show 40   # and what differs most

Words weigh as often as they are used. Neither side is the truth: espeak-ng has allophones, and exceptions that rules
without a dictionary cannot have, and mistakes of its own. PER counts the phones that are another letter, PFER the
features that differ, so that a low PFER beside a high PER is notation. Length and stress are left out, since the two
write them in other ways. Of several pronunciations by the rules the nearest counts.
"""

import argparse
import collections
import re
import sys
from collections.abc import Callable
from pathlib import Path

import wordfreq
from rapidfuzz.distance import Levenshtein

from speechtl.errors import LexiconError
from speechtl.g2p.rule_languages import rule_languages
from speechtl.g2p.spelling_rules import SpellingRules
from speechtl.lang.ipa import split_ipa
from speechtl.scoring.feature_error_rate import feature_distances

sys.path.insert(0, str(Path(__file__).parents[2] / "lexicons"))
from check import espeak_pronouncer

# Codes that wordfreq has for several of ours.
LISTS = {"hr": "sh", "sr": "sh", "no": "nb"}
# Length, stress and marks of espeak-ng's own.
IGNORED = re.compile(r"['ˈˌː.‿\-‑|]")


def plain(ipa: str) -> list[str]:
    """Return phones without length and stress, diphthongs and affricates as one each.

    There are none in what is not all IPA: espeak-ng names a language in parentheses where it reads a word as one of it.
    """
    try:
        return split_ipa(IGNORED.sub("", ipa))
    except LexiconError:
        return []


def main() -> None:
    """Print the table, and what differs most."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--languages", nargs="+", default=list(rule_languages()))
    parser.add_argument("--words", type=int, default=3000)
    parser.add_argument("--show", type=int, default=0, help="so many words, and replaced phones, that differ most")
    options = parser.parse_args()
    espeak = espeak_pronouncer()
    print("| language | words | not read | % PER | % PFER |\n|---|---|---|---|---|")
    for language in options.languages:
        code = LISTS.get(language, language)
        if code not in wordfreq.available_languages():
            print(f"| {language} | no list of words | | | |")
            continue
        measure(language, code, espeak, options.words, options.show)


def measure(language: str, code: str, espeak: Callable[[str, str], str], number: int, show: int) -> None:
    """Print the row of a language."""
    rules = SpellingRules.load(language)
    rows, unread = [], 0
    for word in wordfreq.top_n_list(code, number):
        letters = word.replace("'", "").replace("’", "")
        # espeak-ng reads one letter by its name.
        theirs = plain(espeak(language, word)) if len(letters) > 1 and letters.isalpha() else []
        if not theirs:
            continue
        try:
            guesses = [plain(" ".join(guess.phones)) for guess in rules.pronounce(word, n=9)]
        except LexiconError:
            unread += 1
            continue
        ours = min(guesses, key=lambda guess: Levenshtein.distance(guess, theirs))
        rows.append((wordfreq.word_frequency(word, code), word, theirs, ours))
    features, _ = feature_distances([theirs for _, _, theirs, _ in rows], [ours for *_, ours in rows])
    total = sum(weight * len(theirs) for weight, _, theirs, _ in rows)
    errors = [weight * Levenshtein.distance(ours, theirs) for weight, _, theirs, ours in rows]
    shares = [weight * distance for (weight, *_), distance in zip(rows, features, strict=True)]
    print(
        f"| {language} | {len(rows)} | {unread} | {100 * sum(errors) / total:.1f} | {100 * sum(shares) / total:.1f} |"
    )
    replaced: collections.Counter[tuple[str, str]] = collections.Counter()
    examples = collections.defaultdict(list)
    for weight, word, theirs, ours in rows:
        for operation in Levenshtein.opcodes(theirs, ours):
            if operation.tag != "equal":
                pair = (
                    " ".join(theirs[operation.src_start : operation.src_end]),
                    " ".join(ours[operation.dest_start : operation.dest_end]),
                )
                replaced[pair] += weight
                examples[pair].append(word)
    for (theirs, ours), weight in replaced.most_common(show):
        print(
            f"  {100 * weight / total:5.2f} %  {theirs or '-'} > {ours or '-'}: {' '.join(examples[theirs, ours][:8])}"
        )
    for _, (_, word, theirs, ours) in sorted(zip(shares, rows, strict=True), reverse=True)[:show]:
        print(f"  {word}: espeak-ng {' '.join(theirs)}, rules {' '.join(ours)}")


if __name__ == "__main__":
    main()
