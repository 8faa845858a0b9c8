"""List the utterances whose forced alignment fits far worse than that of the others. Standard library only.

    speechtl align EXPERIMENT DATA ALIGNED --lexicon LEXICON
    python recipes/corpora/left_out_by_alignment.py --log ALIGNED/log.jsonl --data DATA --out CHECKED
        [--deviations 4] [--groups DATA/utt2lang]
    speechtl data subset DATA DATA_CHECKED --utterance-list CHECKED/kept.txt

Such utterances have a wrong transcript, are cut off, or hold noise. An utterance is left out if ``speechtl align``
could not align it, or if its score, the mean natural log-likelihood of a frame, is below

    median - deviations * 1.4826 * MAD

with the median of the scores and the median absolute deviation from it (MAD) over all utterances; 1.4826 MAD is the
standard deviation of what is distributed normally, but a few outliers do not move it. With ``--groups``, a table such
as ``utt2lang`` or ``utt2spk``, over the utterances of the same group, if these are at least 20: a model fits one
language or speaker better than another.

Written below ``--out``: ``kept.txt``, ids of utterances; ``left_out.txt``, ids, scores (or "not aligned") and the
threshold, the worst first.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from data_dirs import fail, read_lines, read_table, write_lines

NORMAL = 1.4826  # standard deviations of a normal distribution in its MAD
FEWEST = 20  # utterances that a group needs to have a threshold of its own


def read_scores(path: Path) -> dict[str, float]:
    """Return the score per frame of each utterance in a log of ``speechtl align``."""
    scores = {}
    for number, line in enumerate(read_lines(path), 1):
        try:
            row = json.loads(line)
            scores[str(row["utterance"])] = float(row["segments"][0]["score_per_frame"])
        except (ValueError, KeyError, TypeError, IndexError):
            fail(f"{path}:{number}: expected the log.jsonl of speechtl align (got '{line[:60]}')")
    return scores


def threshold(scores: list[float], deviations: float) -> float:
    """Return the lowest score that is kept."""
    middle = median(scores)
    return middle - deviations * NORMAL * median(abs(score - middle) for score in scores)


def thresholds(scores: Mapping[str, float], groups: Mapping[str, str], deviations: float) -> dict[str, float]:
    """Return the threshold of each utterance: that of its group, or of all if the group is small."""
    of_all = threshold(list(scores.values()), deviations)
    members: dict[str, list[float]] = {}
    for utterance, score in scores.items():
        members.setdefault(groups.get(utterance, ""), []).append(score)
    own = {name: threshold(rows, deviations) if len(rows) >= FEWEST else of_all for name, rows in members.items()}
    return {utterance: own[groups.get(utterance, "")] for utterance in scores}


def check(log: Path, data: Path, out: Path, deviations: float, groups: Path | None = None) -> None:
    """Write the lists of a data directory's utterances that are kept and left out."""
    scores = read_scores(log)
    utterances = sorted(read_table(data / "text"))
    strangers = sorted(set(scores) - set(utterances))
    if strangers:
        fail(f"{log}: {len(strangers)} utterances, {strangers[0]} for one, are not in {data / 'text'}")
    if not scores:
        fail(f"{log}: no utterance was aligned")
    lowest = thresholds(scores, read_table(groups) if groups else {}, deviations)
    worst = sorted((score, name) for name, score in scores.items() if score < lowest[name])
    unaligned = [name for name in utterances if name not in scores]
    left_out = {name for _, name in worst} | set(unaligned)
    lines = [f"{name} not aligned" for name in unaligned]
    lines += [f"{name} {score:.4f} below {lowest[name]:.4f}" for score, name in worst]
    write_lines(out / "left_out.txt", lines)
    write_lines(out / "kept.txt", [name for name in utterances if name not in left_out])
    print(f"left out: {len(worst)} of {len(utterances)} utterances with outlying scores, {len(unaligned)} not aligned")


def main() -> None:
    parser = argparse.ArgumentParser(description="List the utterances whose forced alignment fits far worse.")
    parser.add_argument("--log", type=Path, required=True, metavar="FILE", help="log.jsonl of speechtl align")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data directory that was aligned")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of kept.txt and left_out.txt")
    parser.add_argument("--deviations", type=float, default=4.0, help="how far below the median is too far")
    parser.add_argument("--groups", type=Path, metavar="TABLE", help="table of utterances that are judged apart")
    arguments = parser.parse_args()
    for path in (arguments.log, arguments.data / "text", *([arguments.groups] if arguments.groups else [])):
        if not path.is_file():
            fail(f"{path}: no such file")
    check(arguments.log, arguments.data, arguments.out, arguments.deviations, arguments.groups)


if __name__ == "__main__":
    main()
