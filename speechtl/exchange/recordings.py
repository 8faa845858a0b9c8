"""Recordings as people have them, with features: a data directory, a folder of audio with texts, a table of files."""

import dataclasses
import math
from pathlib import Path

import numpy as np

from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, list_problems, printable
from speechtl.exchange.read_source import NO_AUDIO, read_source, read_tables
from speechtl.features.archives import read_matrix, write_ark_scp
from speechtl.features.cmvn import accumulate, add
from speechtl.features.compute import compute_features
from speechtl.features.config import FeatureConfig
from speechtl.features.parts import check_features, silent_utterances

# Seconds. What is longer is hardly one utterance, and training takes memory in proportion (attention: its square).
LONGEST = 60.0
DATA = "data"  # Folder of the tables and features inside that of the results.
_CHANNEL_CHOSEN = "has features, of a channel that was chosen; give --channel to speechtl features"


@dataclasses.dataclass
class Recordings:
    """Utterances to train on or to recognise.

    Attributes:
        data: with features. Its ``text`` is empty if transcripts are missing.
        text: utterance -> transcript, where there is one.
        left_out: utterance -> why it is not among them.
    """

    data: DataDir
    text: dict[str, str]
    left_out: dict[str, str]


def read_recordings(
    path: str | Path,
    folder: str | Path,
    config: FeatureConfig,
    *,
    channel: str | int | None = None,
    allow_pipes: bool = False,
    need_text: bool = True,
    longest: float = LONGEST,
) -> Recordings:
    """Read recordings of one speaker to learn from, and compute their features where there are none.

    Recordings whose speaker no table names are of one speaker.

    Args:
        path: whatever `speechtl.exchange.read_source` reads: a Kaldi data directory; a folder of audio (and folders in
            it) with ``.txt``, ``.lab`` or ``.TextGrid`` files of the same name next to it; tables and manifests.
        folder: where tables and features of what is used are written; nothing else is written.
        config: the features of the model.
        channel: of recordings with several channels, ``"mix"``, ``"first"`` or a number from 0; None for what the data
            directory or the features say.
        allow_pipes: run the commands of ``wav.scp``.
        need_text: whether an utterance without a transcript is of no use.
        longest: seconds; what is longer is of no use.

    Raises:
        DataError: nothing that can be read, or nothing that is of use; every utterance's reason is listed.
    """
    path = Path(path)
    use = _Use(channel, allow_pipes, need_text, longest)
    return _prepare(read_tables(path), path, Path(folder), config, use)


def recordings_to_recognise(
    path: str | Path,
    folder: str | Path,
    config: FeatureConfig,
    *,
    channel: str | int | None = None,
    allow_pipes: bool = False,
    need_text: bool = False,
) -> Recordings:
    """Read recordings of any speakers and length, and compute their features unless some are there.

    A data directory of which some utterances have features is taken as it is; nothing is written. Of anything else,
    what stands in ``folder`` from before and still fits is not computed again.

    Args and errors: see `read_recordings`.
    """
    path = Path(path)
    data, _ = read_source(path)
    if not data.feats_scp:
        use = _Use(channel, allow_pipes, need_text, otherwise="", in_numpy=True)
        return _prepare(data, path, Path(folder), config, use)
    if channel is not None:
        raise DataError(f"{path}: {_CHANNEL_CHOSEN}")
    return Recordings(data, data.text, {})


@dataclasses.dataclass(frozen=True)
class _Use:
    """What recordings are for; see `read_recordings`.

    Attributes:
        otherwise: the end of the message that none has a transcript.
        in_numpy: see `compute_features`.
    """

    channel: str | int | None
    allow_pipes: bool
    need_text: bool
    longest: float = math.inf
    otherwise: str = ", or adapt without transcripts (--unsupervised)"
    in_numpy: bool = False


def _prepare(data: DataDir, path: Path, folder: Path, config: FeatureConfig, use: _Use) -> Recordings:
    """Compute features where there are none, and leave out what is no use."""
    if folder.resolve() == path.resolve():
        raise DataError(f"{path}: is the folder that results are written into; choose another one")
    if not data.utt2spk:
        raise DataError(f"{path}: {NO_AUDIO}")
    left_out = _not_unicode(data)
    data = _without(data, left_out)
    left_out = {printable(name): reason for name, reason in left_out.items()}
    if not data.utt2spk:
        raise _nothing(path, left_out)
    if use.need_text:
        lacking = {name: "no transcript" for name in data.utterance_ids if not data.text.get(name, "").strip()}
        left_out |= lacking
        if len(lacking) == len(data):
            raise DataError(
                f"{path}: no recording has a transcript; write it beside the audio (a.wav, a.txt), into the CSV or "
                f"into the table text{use.otherwise}"
            )
        data = _without(data, lacking)
    text = {name: line for name, line in data.text.items() if line.strip()}
    # A table of transcripts is for all utterances or for none.
    data.text = text if len(text) == len(data) else {}
    if not data.feats_scp:
        config = _with_channel(data, config, use.channel)
        # What is there of other recordings stays until all of these can take its place.
        data.path = folder
        summary = compute_features(
            data, config, folder / "feats", allow_pipes=use.allow_pipes, all_tables=True, in_numpy=use.in_numpy
        )
        left_out |= summary.broken
    else:
        if use.channel is not None:
            raise DataError(f"{path}: {_CHANNEL_CHOSEN}")
        check_features(data, config)
    useless = _useless(data, config, use.longest)
    left_out = useless | left_out
    data = _without(data, useless)
    if not data.utt2spk:
        raise _nothing(path, left_out)
    if useless:
        _normalise_without(data, folder)
    data.save(folder)
    text = {name: text[name] for name in data.utterance_ids if name in text}
    return Recordings(DataDir.load(folder), text, dict(sorted(left_out.items())))


def _nothing(path: Path, left_out: dict[str, str]) -> DataError:
    lines = [f"{name}: {reason}" for name, reason in sorted(left_out.items())]
    return DataError(list_problems(f"{path}: no recording is of use", lines))


def _not_unicode(data: DataDir) -> dict[str, str]:
    """Return the utterances whose file names are not UTF-8, as tables must be."""
    return {
        name: f"{printable(path)}: the file name is not UTF-8; rename it"
        for name in data.utterance_ids
        for path in [data.wav_scp.get(data.recording_of(name), "")]
        if printable(name + path) != name + path
    }


def _with_channel(data: DataDir, config: FeatureConfig, channel: str | int | None) -> FeatureConfig:
    """Take a channel in place of that of the tables and the features."""
    if channel is None:
        return config
    data.reco2file_and_channel = {}
    return config.model_copy(update={"channel": channel})


def _without(data: DataDir, left_out: dict[str, str]) -> DataDir:
    return data.select(name for name in data.utterance_ids if name not in left_out)


def _normalise_without(data: DataDir, folder: Path) -> None:
    """Take the statistics of each speaker from what is left: a second of silence would change them beyond use."""
    folder = folder.absolute()
    with write_ark_scp(folder / "cmvn_used.ark", folder / "cmvn_used.scp") as write:
        data.cmvn_scp = {
            speaker: write(speaker, add(accumulate(read_matrix(data.feats_scp[name])) for name in names))
            for speaker, names in sorted(data.spk2utt.items())
        }


def _useless(data: DataDir, config: FeatureConfig, longest: float) -> dict[str, str]:
    reasons = {}
    silent = silent_utterances(data)
    for name in data.utterance_ids:
        if name not in data.feats_scp:
            reasons[name] = "no features"
            continue
        matrix = read_matrix(data.feats_scp[name])
        seconds = len(matrix) * config.frame_shift_ms / 1000
        if seconds > longest:
            reasons[name] = f"{seconds:.0f} s long, expected at most {longest:.0f}; cut it with a table of segments"
        elif name in silent or not len(matrix) or not np.ptp(matrix, axis=0).any():
            reasons[name] = "silent: nothing but digital silence"
    return reasons
