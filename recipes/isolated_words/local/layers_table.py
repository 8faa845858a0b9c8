"""Print the phone error rates of run_layers.sh as curves: name, blocks taken over, error rate; a line for each run.

    python local/layers_table.py exp/layers/speakers

The folder holds an experiment for each choice: <blocks>.<true or false: trained on>.<seed>, where blocks are none,
first:K, last:K or all. A run that has not ended is an error.
"""

import json
import sys
from pathlib import Path

BLOCKS = 5  # of the encoder of conf/layers.toml


def final_error(folder: Path) -> float:
    for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["event"] == "final":
            return entry["dev_per"]
    sys.exit(f"error: {folder}: training has not ended; run stages 3 and 4 again")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    lines = []
    for run in sorted(path for path in folder.iterdir() if (path / "log.jsonl").is_file()):
        blocks, trainable, _ = run.name.split(".")
        error = final_error(run)
        how = "trained on" if trainable == "true" else "frozen"
        if blocks == "none":
            # A line across the picture: there is nothing to vary.
            lines += [f"=nothing taken over\t{number}\t{error:.3f}" for number in range(1, BLOCKS + 1)]
        elif blocks == "all":
            lines += [f"{side} blocks, {how}\t{BLOCKS}\t{error:.3f}" for side in ("first", "last")]
        else:
            side, _, number = blocks.partition(":")
            lines.append(f"{side} blocks, {how}\t{number}\t{error:.3f}")
    print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
