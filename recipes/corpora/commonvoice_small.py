"""Collections of a few Common Voice clips, most of them by one or two speakers. Standard library; soundfile for MP3."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from commonvoice import MIXED, check_mp3, find_clip, read_rows
from commonvoice_spelling import has_digits, words_of
from data_dirs import Utterance, by_speaker, fail_if_any


def read_clips(
    corpus: Path, language: str, tables: Sequence[str], words: Callable[[str], list[str]] | None = None
) -> list[Utterance]:
    """Read the clips of several tables, such as ``validated`` and ``other``, and print how many are left out and why.

    ``words`` makes words of a sentence, in place of ``words_of``; a sentence without any, or with digits, is left out.
    """
    clips: dict[str, Utterance] = {}
    left_out, problems = Counter[str](), []
    for table in tables:
        for row in read_rows(corpus / f"{table}.tsv"):
            spoken = words(row["sentence"]) if words else words_of(row["sentence"], "words")
            audio = find_clip(corpus / "clips", row["path"])
            if audio is None:
                problems.append(f"{corpus}/clips/{row['path']}: missing, {table}.tsv has it")
            elif not spoken or has_digits(spoken):
                left_out["with digits" if spoken else "without a word"] += 1
            else:
                speaker = hashlib.sha256(row["client_id"].encode()).hexdigest()[:MIXED]
                name = f"{speaker}-{audio.stem}"
                clips[name] = Utterance(name, speaker, audio, " ".join(spoken), language, "commonvoice")
    fail_if_any(problems, corpus)
    check_mp3([clip.audio for clip in clips.values()])
    for reason, number in left_out.items():
        print(f"left out: {number} clips {reason}")
    return list(clips.values())


def without_crowding(clips: Sequence[Utterance], most: int, seed: int) -> dict[str, list[Utterance]]:
    """Divide clips into train, dev and test by speaker, at most ``most`` of each speaker.

    Who has more is for training, with so many clips drawn with the seed; the other speakers are divided by it.
    """
    spoken: dict[str, list[Utterance]] = {}
    for clip in sorted(clips, key=lambda clip: clip.id):
        spoken.setdefault(clip.speaker, []).append(clip)
    few = [clip for own in spoken.values() if len(own) <= most for clip in own]
    parts = by_speaker(few, seed)
    for speaker, own in spoken.items():
        if len(own) > most:
            parts["train"] += random.Random(f"{seed} {speaker}").sample(own, most)
            print(f"left out: {len(own) - most} clips of a speaker who has more than {most}")
    return parts
