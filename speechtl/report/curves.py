"""Curves with error bars as a picture, for a README or a notebook."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechtl.errors import DataError, list_problems
from speechtl.files import read_lines
from speechtl.report.picture import TEXT, look, picture_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DODGE = 3.0  # Points between the error bars of neighbouring curves.


@dataclasses.dataclass(frozen=True)
class Curve:
    """One curve.

    Attributes:
        name: in the key.
        points: ``(x, y, low, high)``, sorted by x; low and high are the ends of the error bar.
        reference: drawn black and dashed, without a colour or error bars.
    """

    name: str
    points: Sequence[tuple[float, float, float, float]]
    reference: bool = False


def draw_curves(title: str, curves: Sequence[Curve], x_name: str, y_name: str, *, log_x: bool = False) -> "Figure":
    """Draw curves over one x axis; the y axis begins at 0.

    Args:
        title: of the picture.
        curves: those without points are left out.
        x_name: label of the x axis.
        y_name: label of the y axis.
        log_x: logarithmic x axis, if all x are above 0.

    Returns:
        A figure for `save_picture`, or to be shown in a notebook.

    Raises:
        DataError: no curve has a point.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
    from matplotlib.transforms import ScaledTranslation

    curves = [curve for curve in curves if curve.points]
    if not curves:
        raise DataError(f"{title}: no curve has a point; give a table with a line for each point")
    with picture_style():
        figure = Figure(figsize=(8, 4.4), layout="constrained")
        axes = figure.add_subplot(title=title, xlabel=x_name, ylabel=y_name)
        all_x = [point[0] for curve in curves for point in curve.points]
        logarithmic = log_x and min(all_x) > 0
        if logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        elif all(x == round(x) for x in all_x):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        coloured = sum(not curve.reference for curve in curves)
        number = 0
        for curve in curves:
            x, y, low, high = zip(*curve.points)
            if curve.reference:
                axes.plot(
                    x, y, label=curve.name, color=TEXT, linestyle="--", marker="" if len(x) > 1 else ".", zorder=3
                )
                continue
            bars = [[max(b - a, 0.0) for a, b in zip(low, y)], [max(b - a, 0.0) for a, b in zip(y, high)]]
            errors = bars if any(map(any, bars)) else None
            # Error bars at one x would hide each other.
            aside = min(_DODGE, 14 / coloured) * (number - (coloured - 1) / 2) if errors else 0.0
            place = axes.transData + ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans)
            axes.errorbar(x, y, errors, label=curve.name, capsize=2, elinewidth=0.8, transform=place, **look(number))
            number += 1
        # Not left to matplotlib, which takes what is drawn aside for other values.
        axes.set_xlim(*_with_margin(min(all_x), max(all_x), logarithmic))
        axes.set_ylim(0, 1.05 * max(max(point[1], point[3]) for curve in curves for point in curve.points) or 1.0)
        figure.legend(loc="outside right upper")
    return figure


def _with_margin(low: float, high: float, logarithmic: bool) -> tuple[float, float]:
    if low == high:
        return (low / 2, high * 2) if logarithmic else (low - 0.5, high + 0.5)
    if logarithmic:
        margin = (high / low) ** 0.05
        return low / margin, high * margin
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def read_curves(path: str | Path) -> list[Curve]:
    """Read curves from a table: ``name TAB x TAB y [TAB low TAB high]`` a line.

    Several lines with one name and one x are one point: the mean of y, and the lowest and highest as its band. A name
    that begins with ``=`` is a reference, drawn black.

    Raises:
        DataError: lines that are no points, all listed.
    """
    path = Path(path)
    found: dict[str, dict[float, list[list[float]]]] = {}
    problems = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, *cells = line.split("\t")
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            values = []
        if len(values) not in (2, 4) or not all(map(math.isfinite, values)):
            problems.append(f"{path}:{number}: expected name, x, y [, low, high] with tabs between them (got {line!r})")
            continue
        x, y, *band = values
        found.setdefault(name, {}).setdefault(x, []).append([y, *(band or (y, y))])
    if problems:
        raise DataError(list_problems(f"{path}: {len(problems)} wrong lines", problems))
    curves = []
    for name, places in found.items():
        points = []
        for x, rows in sorted(places.items()):
            low, high = min(row[1] for row in rows), max(row[2] for row in rows)
            points.append((x, sum(row[0] for row in rows) / len(rows), low, high))
        curves.append(Curve(name.removeprefix("="), points, name.startswith("=")))
    return curves
