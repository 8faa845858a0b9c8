"""The part of the page that shows spectrograms of a forced alignment, where ``speechtl align --plot`` drew some."""

import base64
import os
from collections.abc import Iterator
from html import escape
from pathlib import Path

from speechtl.files import original_name
from speechtl.layout import ExperimentLayout
from speechtl.report.spectrogram import PLOTS

_SHOWN = 3  # Of an experiment: each is some hundred kilobytes of the page.


def find_pictures(experiment: Path) -> list[Path]:
    """Return the first pictures of alignments below an experiment, sorted by path; not of experiments inside it."""
    return sorted(_pictures(experiment))[:_SHOWN]


def alignment_section(name: str, pictures: list[Path]) -> str:
    """Return the pictures of one experiment, embedded in the page.

    Args:
        name: the experiment's name in the heading; empty where there is only one.
        pictures: PNG files.
    """
    if not pictures:
        return ""
    figures = []
    for picture in pictures:
        title = escape(original_name(picture.stem))
        data = base64.b64encode(picture.read_bytes()).decode("ascii")
        figures.append(f'<figure><img alt="Spectrogram of {title}" src="data:image/png;base64,{data}"></figure>')
    heading = escape(f"Alignment of {name}" if name else "Alignment")
    return f"<h2>{heading}</h2>{''.join(figures)}"


def _pictures(experiment: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(experiment):
        if Path(parent).name == PLOTS:
            yield from (Path(parent) / name for name in files if name.endswith(".png") and not name.startswith("."))
        shown = [name for name in folders if not name.startswith(".")]
        folders[:] = [name for name in shown if not ExperimentLayout(Path(parent) / name).config.exists()]
