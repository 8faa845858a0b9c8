"""Curves with bands as one SVG image that stands alone, for a README."""

import dataclasses
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from speechtl.errors import DataError, list_problems
from speechtl.files import read_lines
from speechtl.report.line_chart import short, ticks
from speechtl.report.style import COLOURS

_WIDTH, _HEIGHT = 800, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 230, 34, 52


@dataclasses.dataclass(frozen=True)
class Curve:
    """One curve.

    Attributes:
        name: in the key.
        points: ``(x, y, low, high)``, sorted by x; low and high bound the band.
        reference: drawn black and dashed, without a colour of its own.
    """

    name: str
    points: Sequence[tuple[float, float, float, float]]
    reference: bool = False


def curves_chart(title: str, curves: Sequence[Curve], x_name: str, y_name: str, *, log_x: bool = False) -> str:
    """Draw curves over one x axis; the y axis begins at 0.

    Args:
        title: above the picture.
        curves: those without points are left out.
        x_name: below the x axis.
        y_name: beside the y axis.
        log_x: logarithmic x axis, if all x are above 0.

    Raises:
        DataError: no curve has a point.
    """
    curves = [curve for curve in curves if curve.points]
    if not curves:
        raise DataError(f"{title}: no curve has a point; give a table with a line for each point")
    xs = [point[0] for curve in curves for point in curve.points]
    log_x = log_x and min(xs) > 0
    left, right = (math.log(min(xs)), math.log(max(xs))) if log_x else (min(xs), max(xs))
    highest = 1.08 * max(point[1] for curve in curves for point in curve.points) or 1.0

    def across(value: float) -> float:
        share = ((math.log(value) if log_x else value) - left) / (right - left) if right > left else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return _HEIGHT - _BOTTOM - min(max(value / highest, 0.0), 1.0) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>']
    parts.append(f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(title)}</text>')
    for value in ticks(0, highest):
        parts.append(f'<path stroke="#e2e5e9" d="M{_LEFT} {up(value):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{up(value) + 4:.1f}" text-anchor="end">{short(value)}</text>')
    for value in _round_numbers(min(xs), max(xs)) if log_x else ticks(min(xs), max(max(xs), min(xs) + 1)):
        parts.append(f'<path stroke="#e2e5e9" d="M{across(value):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
        where = f'x="{across(value):.1f}" y="{_HEIGHT - _BOTTOM + 18}"'
        parts.append(f'<text {where} text-anchor="middle">{short(value)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 12}" text-anchor="middle">{escape(x_name)}</text>')
    turned = f'transform="translate(16 {_HEIGHT / 2:.0f}) rotate(-90)"'
    parts.append(f'<text {turned} text-anchor="middle">{escape(y_name)}</text>')
    number = 0
    for row, curve in enumerate(curves):
        colour = "#1c1f23" if curve.reference else COLOURS[number % len(COLOURS)]
        dash = ' stroke-dasharray="6 4"' if curve.reference or number >= len(COLOURS) else ""
        number += not curve.reference
        if not curve.reference and any(low < high for _, _, low, high in curve.points):
            there = [f"{across(x):.1f} {up(high):.1f}" for x, _, _, high in curve.points]
            back = [f"{across(x):.1f} {up(low):.1f}" for x, _, low, _ in reversed(curve.points)]
            parts.append(f'<path fill="{colour}" fill-opacity="0.07" d="M{"L".join(there + back)}Z"/>')
        drawn = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y, _, _ in curve.points)
        parts.append(f'<path fill="none" stroke="{colour}" stroke-width="2"{dash} d="M{drawn}"/>')
        for x, y, low, high in curve.points:
            text = f"{curve.name}, {short(x)}: {y:.1f} ({low:.1f} to {high:.1f})"
            place = f'cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{colour}"'
            parts.append(f"<circle {place}><title>{escape(text)}</title></circle>")
        height, key = _TOP + 10 + 20 * row, _WIDTH - _RIGHT + 14
        parts.append(f'<path stroke="{colour}" stroke-width="3"{dash} d="M{key} {height}h22"/>')
        parts.append(f'<text x="{key + 30}" y="{height + 4}">{escape(curve.name)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-size="13" '
        f'font-family="system-ui, sans-serif" fill="#1c1f23" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>\n"
    )


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


def _round_numbers(low: float, high: float) -> list[float]:
    values = [factor * 10.0**power for power in range(-3, 7) for factor in (1, 2, 5)]
    return [value for value in values if low <= value <= high]
