"""The results of a study as a picture: error against seconds of speech, a curve with its band for each system."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from speechtl.report.line_chart import short, ticks
from speechtl.report.style import COLOURS

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 190, 34, 52
_DRAWS = 1000
_SURE = (2.5, 97.5)


def main_unit(line: dict[str, Any]) -> str:
    """Return what is counted: words where there are words, phones otherwise."""
    return "words" if "words" in line["after"] else "phones"


def curve(lines: Sequence[dict[str, Any]], when: str = "after") -> list[tuple[float, float, float, float]]:
    """Return error rates of one system, with intervals from resampled speakers.

    Args:
        lines: of the study, of one system, each after the last epoch.
        when: ``"after"`` or ``"before"``.

    Returns:
        For every count of utterances: mean seconds of speech, error rate, and its 95 % interval, in percent.
    """
    points = []
    for count in dict.fromkeys(line["count"] for line in lines):
        group = [line for line in lines if line["count"] == count]
        speakers: dict[str, np.ndarray] = {}
        for line in group:
            speakers[line["speaker"]] = speakers.get(line["speaker"], 0) + np.array(line[when][main_unit(line)])
        errors = np.array(list(speakers.values()), float)
        chosen = np.random.default_rng(0).integers(len(errors), size=(_DRAWS, len(errors)))
        sums = errors[chosen].sum(axis=1)
        low, high = np.percentile(100 * sums[:, 0] / np.maximum(sums[:, 1], 1), _SURE)
        total = errors.sum(axis=0)
        seconds = float(np.mean([line["seconds"] for line in group]))
        points.append((seconds, 100 * total[0] / max(total[1], 1), float(low), float(high)))
    return sorted(points)


def study_chart(lines: Sequence[dict[str, Any]], title: str) -> str:
    """Draw a study as SVG.

    Args:
        lines: of the study.
        title: above the picture.

    Returns:
        An image that stands alone. Bands are 95 % intervals over speakers; the dashed line is the source model. The
        axis of seconds is logarithmic.
    """
    finished = [line for line in lines if line["last"]]
    systems = {name: [one for one in finished if one["system"] == name] for name in _names(finished)}
    curves = {name: curve(group) for name, group in systems.items()}
    first = next(iter(systems.values()))
    curves = {"source model": curve(first, "before"), **curves}
    seconds = [point[0] for points in curves.values() for point in points]
    left, right = math.log(min(seconds)), math.log(max(seconds))
    highest = 1.08 * max(point[1] for points in curves.values() for point in points) or 1.0

    def across(value: float) -> float:
        share = (math.log(value) - left) / (right - left) if right > left else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return _HEIGHT - _BOTTOM - min(value / highest, 1.0) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>']
    parts.append(f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(title)}</text>')
    for value in ticks(0, highest):
        parts.append(f'<path stroke="#e2e5e9" d="M{_LEFT} {up(value):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{up(value) + 4:.1f}" text-anchor="end">{short(value)}</text>')
    for value in _round_seconds(min(seconds), max(seconds)):
        parts.append(f'<path stroke="#e2e5e9" d="M{across(value):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
        where = f'x="{across(value):.1f}" y="{_HEIGHT - _BOTTOM + 18}"'
        parts.append(f'<text {where} text-anchor="middle">{short(value)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 12}" text-anchor="middle">seconds of speech adapted to</text>')
    unit = main_unit(finished[0])[:-1]
    parts.append(
        f'<text transform="translate(16 {_HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">{unit} errors, %</text>'
    )
    for number, (name, points) in enumerate(curves.items()):
        source = number == 0
        colour = "#1c1f23" if source else COLOURS[(number - 1) % len(COLOURS)]
        if not source:
            there = [f"{across(x):.1f} {up(high):.1f}" for x, _, _, high in points]
            back = [f"{across(x):.1f} {up(low):.1f}" for x, _, low, _ in reversed(points)]
            parts.append(f'<path fill="{colour}" fill-opacity="0.07" d="M{"L".join(there + back)}Z"/>')
        drawn = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y, _, _ in points)
        dash = ' stroke-dasharray="6 4"' if source or number > len(COLOURS) else ""
        parts.append(f'<path fill="none" stroke="{colour}" stroke-width="2"{dash} d="M{drawn}"/>')
        for x, y, low, high in points:
            text = f"{name}, {short(x)} s: {y:.1f} % ({low:.1f} to {high:.1f})"
            place = f'cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{colour}"'
            parts.append(f"<circle {place}><title>{escape(text)}</title></circle>")
        row = _TOP + 10 + 20 * number
        key = _WIDTH - _RIGHT + 14
        parts.append(f'<path stroke="{colour}" stroke-width="3"{dash} d="M{key} {row}h22"/>')
        parts.append(f'<text x="{key + 30}" y="{row + 4}">{escape(name)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-size="13" '
        f'font-family="system-ui, sans-serif" fill="#1c1f23" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>\n"
    )


def _names(lines: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(line["system"] for line in lines))


def _round_seconds(low: float, high: float) -> list[float]:
    values = [factor * 10.0**power for power in range(-1, 5) for factor in (1, 2, 5)]
    return [value for value in values if low <= value <= high]
