"""Spectrograms with the words and phones of a forced alignment below them, drawn by librosa and matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from speechtl.audio.findings import Findings
from speechtl.audio.one_channel import OneChannel
from speechtl.audio.waveform import read_channels
from speechtl.data.ctm import TimedLabel
from speechtl.data.datadir import DataDir
from speechtl.errors import DataError, list_problems
from speechtl.files import file_name
from speechtl.progress import progress_bar
from speechtl.report.picture import PALE, TEXT, picture_style, save_picture
from speechtl.report.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLOTS = "plots"  # Folder of the pictures inside that of an alignment.

_WINDOW, _HOP = 0.008, 0.002  # Seconds: wide-band, which shows formants and bursts rather than harmonics.
_RANGE = 60.0  # Decibels from black to white.
_HIGHEST = 8000.0  # Hz.
_INCHES_PER_SECOND, _NARROWEST, _WIDEST = 2.2, 6.0, 40.0


class Aligned(Protocol):
    """What is drawn of an aligned utterance: its words and phones in time."""

    @property
    def words(self) -> Sequence[TimedLabel]: ...  # noqa: D102

    @property
    def phones(self) -> Sequence[TimedLabel]: ...  # noqa: D102


def draw_alignment(
    samples: np.ndarray,
    rate: float,
    words: Sequence[TimedLabel],
    phones: Sequence[TimedLabel],
    title: str = "",
) -> "Figure":
    """Draw a spectrogram and, below it, words and phones as labelled intervals.

    Phone boundaries go through the spectrogram as thin lines. Where a label has a confidence, its interval is the more
    tinted the lower that is.

    Args:
        samples: ``(samples,)`` of the utterance, at any scale.
        rate: Hz.
        words: with times in seconds; empty if there are only phones.
        phones: with times in seconds.
        title: above the picture.

    Returns:
        A figure for `save_picture`, or to be shown in a notebook.
    """
    from matplotlib.figure import Figure

    seconds = len(samples) / rate
    tiers = {name: labels for name, labels in (("words", words), ("phones", phones)) if labels}
    with picture_style():
        width = min(max(_INCHES_PER_SECOND * seconds, _NARROWEST), _WIDEST)
        figure = Figure(figsize=(width, 2.6 + 0.35 * len(tiers)), dpi=100, layout="constrained")
        figure.get_layout_engine().set(hspace=0, h_pad=0.02)  # type: ignore[union-attr, call-arg]
        top, *rest = figure.subplots(
            1 + len(tiers), 1, sharex=True, squeeze=False, height_ratios=[2.6, *[0.35] * len(tiers)]
        )[:, 0]
        _draw_spectrogram(top, samples, rate)
        top.set_title(title)
        for boundary in sorted({edge for phone in phones for edge in (phone.start, phone.end)}):
            top.axvline(boundary, color=COLOURS[0], linewidth=0.5, alpha=0.6)
        for axes, (name, labels) in zip(rest, tiers.items()):
            _draw_tier(axes, name, labels, width / seconds)
        bottom = rest[-1] if rest else top
        bottom.set_xlim(0, seconds)
        bottom.tick_params(labelbottom=True, bottom=True)
        unsure = any(label.confidence is not None for label in (*words, *phones))
        bottom.set_xlabel("seconds" + "; tinted: low confidence" * unsure)
    return figure


def draw_alignments(
    data: DataDir, aligned: Mapping[str, Aligned], utterances: Sequence[str], out: Path, *, allow_pipes: bool = False
) -> list[Path]:
    """Draw utterances into ``out/plots/UTTERANCE.png``.

    Args:
        data: their data directory, with audio.
        aligned: words and phones of aligned utterances.
        utterances: which of them to draw; those that are not aligned are left out.
        out: folder of the alignment.
        allow_pipes: run the shell commands in ``wav.scp``.

    Returns:
        The pictures.

    Raises:
        DataError: audio cannot be read, or a picture cannot be written.
    """
    paths = []
    with progress_bar("drawing", len(utterances)) as advance:
        for name in utterances:
            if name in aligned:
                utterance = data.utterance(name)
                side = "mix" if utterance.channel is None else utterance.channel
                stored, rate = read_channels(
                    utterance.audio, start=utterance.start, end=utterance.end, allow_pipes=allow_pipes
                )
                samples = OneChannel(side if stored.ndim > 1 else "mix", utterance.audio, Findings())(stored)
                # Playing faster by a factor is the same as claiming a higher rate by that factor.
                one = aligned[name]
                figure = draw_alignment(samples, rate * utterance.speed, one.words, one.phones, name)
                # A slash in an id would be a folder.
                paths.append(out / PLOTS / f"{file_name(name)}.png")
                save_picture(figure, paths[-1])
            advance()
    return paths


def choose_utterances(data: DataDir, wanted: str) -> list[str]:
    """Return the utterances that ``--plot`` names: the first N by id, or those of a list separated by commas.

    Raises:
        DataError: unknown utterances, or some without audio; all are listed.
    """
    ids = data.utterance_ids
    names = ids[: int(wanted)] if wanted.isdecimal() and wanted not in data.utt2spk else wanted.split(",")
    problems = [f"no utterance '{name}'" for name in names if name not in data.utt2spk]
    lacking = [name for name in names if name in data.utt2spk and not data.utterance(name).audio]
    problems += [f"utterance '{name}' has no audio; add it to wav.scp" for name in lacking]
    if problems:
        raise DataError(list_problems(f"{data.path}: --plot {wanted}: expected a number or utterances", problems))
    return names


def _draw_spectrogram(axes: "Axes", samples: np.ndarray, rate: float) -> None:
    import librosa
    import librosa.display

    window, hop = max(8, round(_WINDOW * rate)), max(1, round(_HOP * rate))
    size = 1 << (2 * window - 1).bit_length()
    emphasised = librosa.effects.preemphasis(samples.astype(np.float32))
    power = np.abs(librosa.stft(emphasised, n_fft=size, win_length=window, hop_length=hop)) ** 2
    decibels = librosa.power_to_db(power, ref=np.max, top_db=_RANGE)
    times = librosa.frames_to_time(np.arange(decibels.shape[1]), sr=rate, hop_length=hop)
    librosa.display.specshow(
        decibels, sr=rate, n_fft=size, x_coords=times, x_axis="s", y_axis="hz", cmap="Greys", ax=axes, rasterized=True
    )
    axes.set_ylim(0, min(_HIGHEST, rate / 2))
    axes.set(xlabel="", ylabel="Hz")
    axes.grid(False)
    axes.tick_params(bottom=False, labelbottom=False)


def _draw_tier(axes: "Axes", name: str, labels: Sequence[TimedLabel], inches_per_second: float) -> None:
    for label in labels:
        length = label.end - label.start
        unsure = 0.0 if label.confidence is None else 1.0 - label.confidence
        axes.axvspan(label.start, label.end, color=COLOURS[1], alpha=0.6 * min(max(unsure, 0.0), 1.0), linewidth=0)
        axes.vlines([label.start, label.end], 0, 1, color=TEXT, linewidth=0.7)
        # About 0.6 of the font's size for each letter, 72 points an inch.
        size = 72 * inches_per_second * length / (0.6 * max(len(label.label), 1))
        axes.text(
            label.start + length / 2, 0.5, label.label, ha="center", va="center", fontsize=min(max(size, 4.0), 10.0)
        )
    axes.set(ylim=(0, 1), yticks=[], xlabel="")
    axes.set_ylabel(name, rotation=0, ha="right", va="center", color=PALE)
    axes.grid(False)
    axes.tick_params(bottom=False, labelbottom=False)
