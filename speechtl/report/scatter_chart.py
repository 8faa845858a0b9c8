"""Points of several classes in two dimensions, as SVG: one panel each, side by side."""

import dataclasses
from collections.abc import Sequence
from html import escape

import numpy as np

from speechtl.report.style import COLOURS

_PANEL, _GAP, _TOP, _BOTTOM = 330, 24, 44, 34


@dataclasses.dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
        title: above it.
        note: below the title.
        points: ``(points, 2)``.
        classes: the class of each point.
    """

    title: str
    note: str
    points: np.ndarray
    classes: Sequence[str]


def scatter_chart(panels: Sequence[Panel]) -> str:
    """Draw panels side by side, each on a scale of its own; a class has the same colour in all of them.

    Returns:
        An image that stands alone. Classes beyond the number of colours share them, and are told apart by what a point
        says when pointed at.
    """
    names = sorted({name for panel in panels for name in panel.classes})
    width = len(panels) * (_PANEL + _GAP) - _GAP
    rows = 1 + (len(names) - 1) // 8
    height = _TOP + _PANEL + _BOTTOM + 20 * (rows - 1)
    parts = [f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for number, panel in enumerate(panels):
        left = number * (_PANEL + _GAP)
        parts.append(f'<text x="{left}" y="16" font-weight="bold">{escape(panel.title)}</text>')
        parts.append(f'<text x="{left}" y="34" fill="#6b7280">{escape(panel.note)}</text>')
        frame = f'x="{left}.5" y="{_TOP}.5" width="{_PANEL - 1}" height="{_PANEL - 1}"'
        parts.append(f'<rect {frame} fill="none" stroke="#e2e5e9"/>')
        middle = (panel.points.max(axis=0) + panel.points.min(axis=0)) / 2
        # One scale for both axes: distances in the picture are distances in the plane.
        scale = 0.47 * _PANEL / max(float(np.abs(panel.points - middle).max()), 1e-12)
        for (x, y), name in zip((panel.points - middle) * scale, panel.classes):
            place = f'cx="{left + _PANEL / 2 + x:.1f}" cy="{_TOP + _PANEL / 2 - y:.1f}" r="3"'
            colour = COLOURS[names.index(name) % len(COLOURS)]
            parts.append(f'<circle {place} fill="{colour}" fill-opacity="0.6"><title>{escape(name)}</title></circle>')
    for number, name in enumerate(names):
        x, y = number % 8 * width / min(len(names), 8), _TOP + _PANEL + 20 + 20 * (number // 8)
        parts.append(f'<circle cx="{x + 5:.0f}" cy="{y - 4}" r="5" fill="{COLOURS[number % len(COLOURS)]}"/>')
        parts.append(f'<text x="{x + 15:.0f}" y="{y}">{escape(name)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="13" '
        f'font-family="system-ui, sans-serif" fill="#1c1f23" role="img">{"".join(parts)}</svg>\n'
    )
