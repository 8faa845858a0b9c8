"""Line charts of the report page as SVG, in the page's own markup.

Everything that stands alone is drawn by matplotlib (`speechtl.report.picture`). The page is not: its lines take their
colours from the page's style sheet, so that they follow a dark screen; every point shows its value under the pointer;
and the page is one file that runs no script, so that it opens from an e-mail, a build server or a disk without a
network. matplotlib's SVG fixes its colours and shows no values, and interactive libraries (plotly, bokeh, vega) bring
megabytes of script.
"""

import dataclasses
import math
from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 380, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 10, 36


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: shown under the pointer, with the values.
        points: ``(x, y)``, sorted by x.
        colour: number of a colour of the page.
        dashed: drawn dashed.
    """

    name: str
    points: Sequence[tuple[float, float]]
    colour: int = 0
    dashed: bool = False


def line_chart(
    title: str,
    lines: Sequence[Line],
    x_name: str,
    *,
    log: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Draw lines over one x axis.

    Args:
        title: with the unit of y.
        lines: those without points are left out.
        x_name: below the x axis.
        log: logarithmic y axis, if all values are above 0; else the y axis holds 0.
        marks: places on the x axis and what happened there, drawn as vertical lines.

    Returns:
        A ``<figure>``, or ``""`` if there is nothing to draw.
    """
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    log = log and min(ys) > 0
    x_low, x_high = min(xs), max(max(xs), min(xs) + 1)
    y_low, y_high = (min(ys) / 1.1, max(ys) * 1.1) if log else (min(0.0, *ys), max(0.0, *ys))
    # Room above the highest point; some height where all values are 0.
    y_high += 0.0 if log else 0.05 * (y_high - y_low) or 1.0

    def across(x: float) -> float:
        return _LEFT + (x - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)

    def up(y: float) -> float:
        low, high, y = (math.log(y_low), math.log(y_high), math.log(y)) if log else (y_low, y_high, y)
        return _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for y in log_ticks(y_low, y_high) if log else ticks(y_low, y_high):
        parts.append(f'<path class="grid" d="M{_LEFT} {up(y):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{up(y) + 3.5:.1f}" text-anchor="end">{short(y)}</text>')
    for x in ticks(x_low, x_high, whole=True):
        parts.append(f'<text x="{across(x):.1f}" y="{_HEIGHT - _BOTTOM + 15}" text-anchor="middle">{short(x)}</text>')
    for x, text in marks:
        where = f'd="M{across(x):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"'
        parts.append(f'<path class="mark" {where}><title>{escape(text)}</title></path>')
    for line in lines:
        places = [(across(x), up(y)) for x, y in line.points]
        drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path class="line c{line.colour}{" dashed" * line.dashed}" d="M{drawn}"/>')
        dot = 2.2 if len(places) <= 40 and not line.dashed else 0.1
        for (x, y), (x_value, y_value) in zip(places, line.points):
            text = f"{line.name}, {x_name} {short(x_value)}: {short(y_value)}"
            # The wide invisible rim makes the point easy to hit.
            place = f'class="c{line.colour}" cx="{x:.1f}" cy="{y:.1f}" r="{dot}"'
            parts.append(f"<circle {place}><title>{escape(text)}</title></circle>")
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 5}" text-anchor="middle">{escape(x_name)}</text>')
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'role="img" aria-label="{escape(title)}">{"".join(parts)}</svg></figure>'
    )


def ticks(low: float, high: float, count: int = 6, whole: bool = False) -> list[float]:
    """Return about ``count`` round numbers between ``low`` and ``high``, and no more."""
    power = 10.0 ** math.floor(math.log10((high - low) / count))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if (high - low) / (factor * power) <= count - 1)
    step = max(step, 1.0) if whole else step
    return [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten between two positive numbers; the powers alone where those are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [factor * 10.0**power for power in powers for factor in (1, 2, 5) if low <= factor * 10.0**power <= high]
    coarse = [10.0**power for power in powers if low <= 10.0**power <= high]
    chosen = fine if len(fine) <= 8 else coarse
    return chosen if len(chosen) >= 2 else ticks(low, high)


def short(number: float) -> str:
    """Write a number with four digits that count, thousands apart."""
    if number and not 1e-3 <= abs(number) < 1e6:
        return f"{number:.3g}"
    return f"{number:,.0f}" if abs(number) >= 1000 or number == round(number) else f"{number:.4g}"
