"""Speed perturbation: faster and slower copies of all utterances."""

import dataclasses
import math
from collections.abc import Sequence

from speechtl.data.datadir import DataDir
from speechtl.errors import DataError


def perturb_speed(data: DataDir, factors: Sequence[float] = (0.9, 1.0, 1.1)) -> DataDir:
    """Add copies of all utterances at other speeds, tempo and pitch together (Ko et al. 2015).

    Names are Kaldi's: ``sp0.9-UTTERANCE`` of speaker ``sp0.9-SPEAKER``; the factor 1 keeps utterances as they are,
    with unchanged names. The audio is not copied: ``reco2speed`` holds the factors, which are applied when it is read.
    The times in ``segments`` are unchanged, as they refer to the stored audio. Features are dropped, since those of the
    copies differ.

    Args:
        data: the directory; not modified.
        factors: speed factors above 0. Without 1 among them the result contains only the copies.

    Returns:
        All copies, with their originals in ``utt2uniq``.

    Raises:
        DataError: no factor, a repeated factor, or one that is not above 0; or the id of a copy is taken.
    """
    names = [f"{factor:g}" for factor in factors]
    wrong = [name for name, factor in zip(names, factors) if not (math.isfinite(factor) and factor > 0)]
    if not names or wrong or len(set(names)) < len(names):
        raise DataError(f"speed factors must be different numbers above 0 (got {', '.join(names) or 'none'})")
    result = DataDir(data.path)
    for name, factor in zip(names, factors):
        prefix = "" if factor == 1 else f"sp{name}-"
        taken = sorted({prefix + utterance for utterance in data.utt2spk} & result.utt2spk.keys())
        if taken:
            raise DataError(f"{data.path}: '{taken[0]}' already exists; perturb the original directory")
        _add_copy(data, factor, prefix, result)
    return result


def _add_copy(data: DataDir, factor: float, prefix: str, result: DataDir) -> None:
    for utterance, speaker in data.utt2spk.items():
        result.utt2spk[prefix + utterance] = prefix + speaker
        result.utt2uniq[prefix + utterance] = data.utt2uniq.get(utterance, utterance)
    for recording in data.wav_scp:
        speed = data.reco2speed.get(recording, 1.0) * factor
        if speed != 1:
            result.reco2speed[prefix + recording] = speed
    for utterance, segment in data.segments.items():
        renamed = dataclasses.replace(segment, recording=prefix + segment.recording)
        result.segments[prefix + utterance] = renamed
    for utterance, seconds in data.utt2dur.items():
        result.utt2dur[prefix + utterance] = seconds / factor
    for attribute in ("wav_scp", "text", "utt2lang", "utt2dom", "reco2dur", "reco2file_and_channel", "spk2gender"):
        entries = getattr(data, attribute)
        getattr(result, attribute).update({prefix + key: value for key, value in entries.items()})
