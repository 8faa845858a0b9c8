"""Cut the words of a data directory out of their sentences, each as a separate utterance.

    python local/cut_words.py data/an4/train exp/aligner/an4/ctm data/an4_words [--margin 0.05]

The word times are those of `speechtl align`, in seconds of the recording; every word gets --margin seconds more on
either side. The audio stays where it is: the new directory has segments. Words shorter than a tenth of a second are
left out.
"""

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "corpora"))
from data_dirs import fail, read_lines, read_table, write_lines

SHORTEST = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description="Cut the words of a data directory out of their sentences.")
    parser.add_argument("source", type=Path, help="data directory, one utterance to a recording")
    parser.add_argument("ctm", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--margin", type=float, default=0.05)
    args = parser.parse_args()
    speaker_of = read_table(args.source / "utt2spk")
    named = {name: read_table(args.source / name) for name in ("utt2lang", "utt2dom") if (args.source / name).exists()}
    rows: dict[str, list[str]] = {name: [] for name in ("segments", "text", "utt2spk", *named)}
    speakers: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for number, line in enumerate(read_lines(args.ctm), 1):
        fields = line.split()
        if len(fields) < 5 or fields[0] not in speaker_of:
            fail(f"{args.ctm}, line {number}: expected 'utterance channel start seconds word' of {args.source}: {line}")
        utterance, _, start, seconds, word = fields[:5]
        counts[utterance] = counts.get(utterance, 0) + 1
        if float(seconds) < SHORTEST:
            continue
        name = f"{utterance}-{counts[utterance]:03}"
        begin, end = max(float(start) - args.margin, 0.0), float(start) + float(seconds) + args.margin
        rows["segments"].append(f"{name} {utterance} {begin:.3f} {end:.3f}")
        rows["text"].append(f"{name} {word}")
        rows["utt2spk"].append(f"{name} {speaker_of[utterance]}")
        for table, values in named.items():
            rows[table].append(f"{name} {values[utterance]}")
        speakers.setdefault(speaker_of[utterance], []).append(name)
    recordings = read_table(args.source / "wav.scp")
    write_lines(args.out / "wav.scp", [f"{name} {recordings[name]}" for name in sorted(counts)])
    for table, lines in rows.items():
        write_lines(args.out / table, sorted(lines))
    write_lines(args.out / "spk2utt", [f"{name} {' '.join(sorted(ids))}" for name, ids in sorted(speakers.items())])
    print(f"{args.out}: {len(rows['text'])} words of {len(counts)} utterances")


if __name__ == "__main__":
    main()
