"""Print one table from the scores of the three jobs: python local/results.py exp"""

import re
import sys
from pathlib import Path

ROWS = (
    ("1 several voices", "English, voices not in training", "test_en"),
    ("", "German", "test_de"),
    ("", "Spanish", "test_es"),
    ("2 a new voice", "whispered English, before adaptation", "new_before"),
    ("", "after adaptation with 20 utterances", "new_after"),
    ("3 unseen words", "English words that training never had", "unseen_en"),
)


def rate(path: Path) -> str:
    found = re.search(r"^%\w+ (\S+) \[ \d+ / (\d+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        sys.exit(f"error: {path}: no score; run the stages before this one")
    return found[1]


def main() -> None:
    exp = Path(sys.argv[1])
    missing = [name for _, _, name in ROWS if not (exp / name / "per").exists()]
    if missing:
        sys.exit(f"error: not scored yet: {', '.join(missing)}; run the stages before this one")
    print(f"{'job':18}{'test speech':40}{'word error %':>14}{'phone error %':>15}")
    for job, speech, name in ROWS:
        print(f"{job:18}{speech:40}{rate(exp / name / 'wer'):>14}{rate(exp / name / 'per'):>15}")


if __name__ == "__main__":
    main()
