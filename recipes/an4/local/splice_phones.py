"""Make utterances of pieces of others, so that a model cannot learn phones by the words they stand in.

    python local/splice_phones.py data/unseen/train_sp exp/unseen/align/phones.ctm data/lang/lexicon.txt --out DIR

Of each speaker, the features are cut at the phone boundaries into pieces of one to three phones, and the pieces are put
together in random order: as many utterances and about as much speech as there was. Written below ``--out``: the data
directory ``spliced``, whose text is phones as words ``_PHONE``, and ``lexicon.txt``, the lexicon with these words.
"""

import argparse
import os
import random
from collections import defaultdict
from pathlib import Path

import numpy as np

from speechtl.features.archives import read_matrix, write_ark_scp

SHIFT = 0.01  # seconds a frame
LONGEST = 0.35  # seconds; longer phones have a pause in them, or are at a wrong place
PIECE = 3  # phones at most
PHONES = (4, 24)  # of an utterance
PAUSE = 0.15  # how often a pause follows a piece


def read_table(path: Path) -> dict[str, str]:
    pairs = [line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {key: value.strip() for key, _, value in pairs}


def write_table(path: Path, table: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    lines = "".join(f"{key} {table[key]}\n" for key in sorted(table))
    temporary.write_text(lines, encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def read_phones(path: Path) -> dict[str, list[tuple[int, int, str]]]:
    """Return utterance -> (first frame, frame after the last, phone)."""
    phones: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, start, length, phone = line.split()[:5]
        first = round(float(start) / SHIFT)
        phones[key].append((first, round((float(start) + float(length)) / SHIFT), phone))
    return phones


def cut(
    matrix: np.ndarray, phones: list[tuple[int, int, str]], rng: random.Random
) -> tuple[list[tuple[np.ndarray, list[str]]], list[np.ndarray]]:
    """Return the pieces ``(frames, bins)`` with their phones, and the pauses."""
    pieces, pauses, here = [], [], 0
    while here < len(phones):
        there = here + 1
        size = rng.randint(1, PIECE)
        while there < len(phones) and there - here < size and phones[there][0] - phones[there - 1][1] <= 1:
            there += 1
        group = phones[here:there]
        if all(1 < last - first <= LONGEST / SHIFT for first, last, _ in group):
            pieces.append((matrix[group[0][0] : group[-1][1]], [phone for _, _, phone in group]))
        here = there
    ends = [0, *[last for _, last, _ in phones]]
    starts = [*[first for first, _, _ in phones], len(matrix)]
    for last, first in zip(ends, starts, strict=True):
        if first - last >= 6:
            pauses.append(matrix[last + 2 : first - 2][:30])
    return pieces, pauses


def main() -> None:
    parser = argparse.ArgumentParser(description="Splice phones into new utterances.")
    parser.add_argument("data", type=Path, help="data directory with features")
    parser.add_argument("phones", type=Path, help="CTM of its phones")
    parser.add_argument("lexicon", type=Path, help="lexicon to add the words of one phone to")
    parser.add_argument("--out", type=Path, required=True, help="folder of the data directory and the lexicon")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)

    speakers, scp = read_table(arguments.data / "utt2spk"), read_table(arguments.data / "feats.scp")
    pieces: dict[str, list[tuple[np.ndarray, list[str]]]] = defaultdict(list)
    pauses: dict[str, list[np.ndarray]] = defaultdict(list)
    for key, phones in sorted(read_phones(arguments.phones).items()):
        some, silent = cut(read_matrix(scp[key]), phones, rng)
        pieces[speakers[key]] += some
        pauses[speakers[key]] += silent

    out = (arguments.out / "spliced").absolute()
    (out / "feats").mkdir(parents=True, exist_ok=True)
    text, frames = {}, {}
    with write_ark_scp(out / "feats/spliced.ark", out / "feats.scp") as write:
        for speaker in sorted(pieces):
            wanted = rng.sample(pieces[speaker], len(pieces[speaker]))
            number = 0
            while wanted:
                target, said = rng.randint(*PHONES), []
                quiet = pauses[speaker] or [wanted[0][0][:0]]
                parts = [rng.choice(quiet)]
                while wanted and len(said) < target:
                    part, phones = wanted.pop()
                    parts.append(part)
                    said += phones
                    if rng.random() < PAUSE:
                        parts.append(rng.choice(quiet))
                parts.append(rng.choice(quiet))
                number += 1
                key = f"{speaker}-spliced{number:04}"
                matrix = np.concatenate(parts).astype(np.float32)
                write(key, matrix)
                text[key], frames[key] = " ".join(f"_{phone}" for phone in said), str(len(matrix))
    spoken = {key: key.rsplit("-", 1)[0] for key in text}
    cmvn = read_table(arguments.data / "cmvn.scp")
    write_table(out / "text", text)
    write_table(out / "utt2spk", spoken)
    write_table(out / "utt2num_frames", frames)
    write_table(out / "utt2dur", {key: f"{int(value) * SHIFT:.2f}" for key, value in frames.items()})
    write_table(out / "cmvn.scp", {speaker: cmvn[speaker] for speaker in set(spoken.values())})
    write_table(out / "wav.scp", dict.fromkeys(text, "/dev/null"))
    lexicon = arguments.lexicon.read_text(encoding="utf-8")
    used = sorted({word for words in text.values() for word in words.split()})
    target_file = arguments.out / "lexicon.txt"
    target_file.write_text(lexicon + "".join(f"{word} {word[1:]}\n" for word in used), encoding="utf-8", newline="\n")
    hours = sum(map(int, frames.values())) * SHIFT / 3600
    print(f"{out}: {len(text)} utterances, {hours:.2f} h, {sum(len(t.split()) for t in text.values())} phones")


if __name__ == "__main__":
    main()
