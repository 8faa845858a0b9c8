"""Print how many isolated words were found, by language, and over all languages. Standard library only.

    python local/number_table.py local/number_languages.tsv data/numbers exp/evaluation/base/digits

DATA/LANGUAGE/text has the words, DATA/LANGUAGE.txt the lexicon that was decoded with, RESULTS/LANGUAGE/text what was
found. An utterance without a result is an error of the system. Nearly every language has one speaker, so the interval
of the whole (95 %) resamples the languages; that of a single language is Wilson's for independent utterances.
"""

import argparse
import math
import random
import sys
from pathlib import Path

from language_table import read_names

DRAWS = 10_000


def read_table(path: Path) -> dict[str, str]:
    if not path.is_file():
        sys.exit(f"error: {path}: no such file; run digits.sh from the beginning")
    pairs = [line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {key: value.strip() for key, _, value in pairs}


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share, in percent (Wilson 1927)."""
    z, share = 1.959964, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0)


def resampled(counts: list[tuple[int, int]]) -> tuple[float, float]:
    """Return the 95 % interval of the share of hits, in percent, by resampling languages."""
    draw = random.Random(1)
    shares = []
    for _ in range(DRAWS):
        chosen = draw.choices(counts, k=len(counts))
        shares.append(100 * sum(hits for hits, _ in chosen) / sum(total for _, total in chosen))
    shares.sort()
    return shares[int(0.025 * DRAWS)], shares[int(0.975 * DRAWS)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Print how many isolated words were found, by language.")
    parser.add_argument("names", type=Path, help="table of languages: code, name, ...")
    parser.add_argument("data", type=Path)
    parser.add_argument("results", type=Path)
    arguments = parser.parse_args()
    print("| language | speakers | words to choose from | found | % | 95 % interval |\n|---|---|---|---|---|---|")
    counts, chance = [], 0.0
    for language, name in read_names(arguments.names).items():
        if language == "dev" or not (arguments.results / language / "text").is_file():
            continue
        spoken = read_table(arguments.data / language / "text")
        speakers = set(read_table(arguments.data / language / "utt2spk").values())
        words = set(read_table(arguments.data / f"{language}.txt"))
        found = read_table(arguments.results / language / "text")
        hits = sum(found.get(utterance) == word for utterance, word in spoken.items())
        low, high = wilson(hits, len(spoken))
        counts.append((hits, len(spoken)))
        chance += len(spoken) / len(words)
        print(
            f"| {name} | {len(speakers)} | {len(words)} | {hits} of {len(spoken)} | {100 * hits / len(spoken):.0f} "
            f"| {low:.0f} to {high:.0f} |"
        )
    if not counts:
        sys.exit(f"error: {arguments.results}: no LANGUAGE/text in it; run digits.sh from the beginning")
    hits, total = (sum(column) for column in zip(*counts, strict=True))
    low, high = resampled(counts)
    share = f"**{100 * hits / total:.1f}** | {low:.1f} to {high:.1f}"
    print(f"| all {len(counts)} languages | | | {hits} of {total} | {share} |\n\nChance: {100 * chance / total:.1f} %.")


if __name__ == "__main__":
    main()
