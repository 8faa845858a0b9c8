"""The sections of the page on scored decodings: error rates, speakers, utterances, confusions."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from speechtl.report.scored_test import ScoredTest
from speechtl.scoring.error_rate import ErrorCounts, Pair
from speechtl.scoring.significance import matched_pairs

SPEAKERS, UTTERANCES, CONFUSIONS = 40, 10, 15

# Name and colour of an experiment -> its scored decoding of one test.
Scored = Mapping[tuple[str, int], ScoredTest]


def rate_table(tests: Sequence[Scored]) -> str:
    """Return the table of all error rates with confidence intervals; others are compared to the first system."""
    if not tests:
        return '<h2>Error rates</h2><p class="note">Nothing scored yet: speechtl decode, then speechtl score --out.</p>'
    several = any(len(scored) > 1 for scored in tests)
    head = ["%", "confidence", "", *(["difference", "p"] if several else [])]
    head += ["errors", "ins", "del", "sub", "wrong sent. %"]
    rows, notes = [], []
    for scored in tests:
        first = next(iter(scored.values()))
        # One scale for all systems of a test, from 0.
        top = max(test.interval[1] if test.interval else _finite(test.score.total) for test in scored.values()) or 1.0
        for (experiment, colour), test in scored.items():
            total = test.score.total
            cells = [
                f"<b>{percent(total.rate)}</b>",
                _interval(test.interval),
                _range(test.interval, _finite(test.score.total), top, colour),
                *(_difference(first, test) if several else []),
                f'{total.errors:,} <span class="pale">/ {total.reference_length:,}</span>',
                *(f"{n:,}" for n in (total.insertions, total.deletions, total.substitutions)),
                percent(total.sentence_rate),
            ]
            rows.append(_row((test.name, test.measure, experiment), cells))
            notes.append(test.interval_note)
            if test.missing:
                notes.append(
                    f"{experiment}, {test.name}: {test.missing} utterances without a hypothesis count as deletions"
                )
        rows += _feature_rows(scored, several)
    if several:
        notes.append(
            "Difference to the first system in points; p by matched pairs (MAPSSWE), where references are the same"
        )
    names = "".join(f'<th class="left">{name}</th>' for name in ("test", "measure", "experiment"))
    names += "".join(f"<th>{name}</th>" for name in head)
    return f'<h2>Error rates</h2><div class="scroll"><table><tr>{names}</tr>{"".join(rows)}</table></div>' + "".join(
        f'<p class="note">{escape(note)}.</p>' for note in dict.fromkeys(notes) if note
    )


def _feature_rows(scored: Scored, several: bool) -> list[str]:
    """Return the phone feature error rates of a test; there is no test of matched pairs for them."""
    measured = {key: (test, test.features) for key, test in scored.items() if test.features}
    tops = [features.interval[1] if features.interval else features.rate for _, features in measured.values()]
    first = next(iter(scored.values())).features
    rows = []
    for (experiment, colour), (test, features) in measured.items():
        compared = first if several and first is not features else None
        cells = [
            f"<b>{percent(features.rate)}</b>",
            _interval(features.interval),
            _range(features.interval, features.rate, max(tops) or 1.0, colour),
            *([f"{100 * (features.rate - compared.rate):+.2f}" if compared else "", ""] if several else []),
            f'{features.errors:,.1f} <span class="pale">/ {features.segments:,}</span>',
            *[""] * 4,
        ]
        rows.append(_row((test.name, "PFER", experiment), cells))
    return rows


def _row(names: Sequence[str], cells: Sequence[str]) -> str:
    left = "".join(f'<td class="left">{escape(name)}</td>' for name in names)
    return f"<tr>{left}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def score_section(scored: Scored) -> str:
    """Return speakers, confusions and the worst utterances of one test."""
    test = next(iter(scored.values()))
    parts = [_speakers(scored), *(_confusions(name, test, len(scored)) for (name, _), test in scored.items())]
    return (
        f"<h2>{escape(test.name)}: {test.measure}</h2>"
        f'<div class="columns">{"".join(parts)}</div>{_worst_utterances(scored)}'
    )


def percent(rate: float) -> str:
    """Write a rate in percent, without the sign."""
    return f"{100 * rate:.2f}" if math.isfinite(rate) else "∞"


def _finite(counts: ErrorCounts) -> float:
    return counts.rate if math.isfinite(counts.rate) else 1.0


def _interval(interval: tuple[float, float] | None) -> str:
    return f"{percent(interval[0])} to {percent(interval[1])}" if interval else "–"


def _range(interval: tuple[float, float] | None, rate: float, top: float, colour: int) -> str:
    low, high = interval or (rate, rate)
    left, width, dot = (f"{100 * value / top:.1f}%" for value in (low, high - low, rate))
    bar = f'<i style="left:{left};width:{width}"></i><b style="left:{dot}"></b>'
    return f'<span class="range c{colour}">{bar}</span>'


def _difference(first: ScoredTest, test: ScoredTest) -> list[str]:
    """Return the difference of two rates and its p value, or blanks where there is nothing to compare."""
    if test is first or test.score.per_utterance.keys() != first.score.per_utterance.keys():
        return ["", ""]
    pairs = matched_pairs(first.score, test.score)
    p = pairs.p if pairs is not None else math.nan
    return [f"{100 * (test.score.rate - first.score.rate):+.2f}", "–" if math.isnan(p) else f"{p:.3f}"]


def _speakers(scored: Scored) -> str:
    """Return bars, the worst speakers of the first system first."""
    speakers: dict[str, float] = {}
    for test in scored.values():
        for speaker, counts in test.speakers.items():
            speakers.setdefault(speaker, _finite(counts))
    if not speakers:
        return ""
    top = max(_finite(counts) for test in scored.values() for counts in test.speakers.values()) or 1.0
    order = sorted(speakers, key=lambda speaker: (-speakers[speaker], speaker))
    rows = []
    for speaker in order[:SPEAKERS]:
        name = escape(speaker)
        for (_, colour), test in scored.items():
            if speaker in test.speakers:
                counts = test.speakers[speaker]
                bar = f'<span class="bar c{colour}"><i style="width:{100 * _finite(counts) / top:.1f}%"></i></span>'
                numbers = (
                    f'<td>{percent(counts.rate)}</td><td class="pale">{counts.errors} / {counts.reference_length}</td>'
                )
                rows.append(f'<tr><td class="left">{name}</td><td>{bar}</td>{numbers}</tr>')
                name = ""
    rest = len(order) - SPEAKERS
    more = f'<p class="note">and {rest} more with fewer errors</p>' if rest > 0 else ""
    return f'<div><h3>Speakers, %</h3><table class="bars">{"".join(rows)}</table>{more}</div>'


def _confusions(experiment: str, test: ScoredTest, systems: int) -> str:
    pairs = Counter(pair for pair in itertools.chain(*test.score.alignments.values()) if pair.operation != "C")
    if not pairs:
        return ""
    order = sorted(pairs.items(), key=lambda item: (-item[1], str(item[0])))
    rows = "".join(
        f'<tr><td class="left"><span class="{pair.operation}"><bdi>{_cell(pair.reference)}</bdi> → '
        f"<bdi>{_cell(pair.hypothesis)}</bdi></span></td><td>{count}</td></tr>"
        for pair, count in order[:CONFUSIONS]
    )
    whose = f" of {escape(experiment)}" if systems > 1 else ""
    return f'<div><h3>Most frequent errors{whose}</h3><table class="bars">{rows}</table></div>'


def _worst_utterances(scored: Scored) -> str:
    """Return the alignments of the utterances with most errors, summed over the systems."""
    errors: Counter[str] = Counter()
    for test in scored.values():
        errors.update({utterance: counts.errors for utterance, counts in test.score.per_utterance.items()})
    worst = sorted((utterance for utterance in errors if errors[utterance]), key=lambda u: (-errors[u], u))[:UTTERANCES]
    if not worst:
        return '<p class="note">No utterance has an error.</p>'
    parts = []
    for utterance in worst:
        rows, notes = [], []
        for (_, colour), test in scored.items():
            if utterance in test.score.alignments:
                counts = test.score.per_utterance[utterance]
                notes.append(f"{counts.errors} / {counts.reference_length}")
                pairs = "".join(map(_aligned, test.score.alignments[utterance]))
                # The browser turns right-to-left scripts around by their letters.
                rows.append(f'<div class="aligned c{colour}" dir="auto">{pairs}</div>')
        note = f'{escape(utterance)} <span class="pale">{", ".join(notes)} errors</span>'
        parts.append(f'<div class="utterance"><div>{note}</div>{"".join(rows)}</div>')
    names = {"S": "substitution", "D": "deletion", "I": "insertion"}
    legend = " ".join(f'<span class="{operation}">{name}</span>' for operation, name in names.items())
    return f'<h3>Worst utterances</h3><p class="note">Reference above, hypothesis below. {legend}</p>{"".join(parts)}'


def _aligned(pair: Pair) -> str:
    kind = f' class="{pair.operation}"' if pair.operation != "C" else ""
    return f"<span{kind}><span>{_cell(pair.reference)}</span><span>{_cell(pair.hypothesis)}</span></span>"


def _cell(word: str | None) -> str:
    return "–" if word is None else "␣" if word == "<space>" else escape(word)
