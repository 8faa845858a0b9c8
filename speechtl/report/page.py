"""One HTML page about one experiment, or about several side by side; it needs no network."""

import dataclasses
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from speechtl.config import read_toml
from speechtl.errors import ModelError
from speechtl.files import atomic_write
from speechtl.layout import ExperimentLayout
from speechtl.report.alignment_section import alignment_section, find_pictures
from speechtl.report.history import History, curve, read_history
from speechtl.report.line_chart import Line, line_chart, short
from speechtl.report.score_sections import Scored, rate_table, score_section
from speechtl.report.scored_test import MEASURES, ScoredTest, find_scored_tests
from speechtl.report.style import COLOURS, STYLE

# What steps log in addition to the terms of the loss.
_STEP_TITLES = {
    "learning_rate": "learning rate",
    "gradient_norm": "gradient norm, before clipping",
    "frames_per_second": "frames per second",
}


@dataclasses.dataclass(frozen=True)
class ReportedExperiment:
    """All that the page shows of one experiment.

    Attributes:
        name: unlike that of the others on the page.
        config: the tables of ``config.toml``.
        config_text: the file itself.
        history: of its training.
        tests: its scored decodings.
        pictures: spectrograms of alignments.
    """

    name: str
    config: dict[str, Any]
    config_text: str
    history: History
    tests: list[ScoredTest]
    pictures: list[Path]


def write_report(experiments: Sequence[Path], output: Path) -> None:
    """Write the page of one or several experiments.

    Args:
        experiments: their directories.
        output: the file, written atomically.

    Raises:
        ModelError: a directory is not of an experiment, or its log is missing or damaged.
        ConfigError: a ``config.toml`` is damaged.
        DataError: scores below an experiment are damaged, or the page cannot be written.
    """
    page = html_page([read_experiment(path, name) for path, name in zip(experiments, _names(experiments))])
    with atomic_write(output) as file:
        file.write(page)


def read_experiment(path: Path, name: str) -> ReportedExperiment:
    """Read what a page shows of an experiment.

    Raises:
        ModelError, ConfigError, DataError: see `write_report`.
    """
    layout = ExperimentLayout(path)
    config = layout.config
    if not config.is_file():
        raise ModelError(f"{path}: not an experiment (no config.toml); give a directory that speechtl train made")
    tables = read_toml(config)
    text = config.read_text(encoding="utf-8")
    return ReportedExperiment(
        name, tables, text, read_history(layout.log), find_scored_tests(path), find_pictures(path)
    )


def html_page(experiments: Sequence[ReportedExperiment]) -> str:
    """Return the whole page."""
    title = " · ".join(experiment.name for experiment in experiments)
    tests = _group_tests(experiments)
    sections = [
        f"<h1>{escape(title)}</h1>",
        _legend(experiments),
        _training_table(experiments),
        rate_table(tests),
        _curves(experiments),
        *map(score_section, tests),
        *(alignment_section(e.name if len(experiments) > 1 else "", e.pictures) for e in experiments),
        _configs(experiments),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{_join(sections)}\n</body></html>\n"
    )


def _names(paths: Sequence[Path]) -> list[str]:
    names = [path.resolve().name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _legend(experiments: Sequence[ReportedExperiment]) -> str:
    if len(experiments) == 1:
        return ""
    keys = (f'<span class="key c{_colour(n)}">{escape(e.name)}</span>' for n, e in enumerate(experiments))
    return f"<p>{''.join(keys)}</p>"


def _training_table(experiments: Sequence[ReportedExperiment]) -> str:
    rows = []
    for experiment in experiments:
        history = experiment.history
        planned = experiment.config.get("training", {}).get("epochs")
        ended = "" if history.final else ' <span class="pale">(not ended)</span>'
        last = history.epochs[-1] if history.epochs else {}
        best, final = history.best_epoch or {}, history.final or {}
        speeds = sorted(
            speed for _, speed in curve(history.steps, "step", "frames_per_second", max(len(history.steps), 1))
        )
        cells = [
            escape(str(experiment.config.get("model", {}).get("encoder", {}).get("kind", "–"))),
            f"{last.get('epoch', 0)} of {planned or '–'}{ended}",
            _number(last, "train_loss"),
            _number(last, "dev_loss"),
            f"{_number(best, 'dev_per')} <span class=pale>(epoch {best['epoch']})</span>" if best else "–",
            _number(final, "dev_per"),
            _number(final, "dev_pfer"),
            short(round(speeds[len(speeds) // 2])) if speeds else "–",
        ]
        row = f'<td class="left">{escape(experiment.name)}</td><td class="left">{cells[0]}</td>'
        rows.append(row + "".join(f"<td>{cell}</td>" for cell in cells[1:]))
    names = (
        "epochs",
        "train loss",
        "dev loss",
        "best dev PER %",
        "averaged: dev PER %",
        "dev PFER %",
        "frames per second",
    )
    head = '<th class="left">experiment</th><th class="left">encoder</th>' + "".join(f"<th>{n}</th>" for n in names)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<h2>Training</h2><div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _curves(experiments: Sequence[ReportedExperiment]) -> str:
    single = len(experiments) == 1
    changes = experiments[0].history.pronunciations if single else []
    marks = [(entry["epoch"], f"{entry.get('changed')} words changed their pronunciation") for entry in changes]

    def draw(title: str, over: str, *names: str, log: bool = False) -> str:
        """Draw logged numbers of all experiments over epochs or steps."""
        lines = []
        for number, experiment in enumerate(experiments):
            entries = experiment.history.epochs if over == "epoch" else experiment.history.steps
            for name in names:
                label = name if single else f"{experiment.name}, {name}"
                line = Line(label, curve(entries, over, name), _colour(number), dashed=name == "train_loss")
                lines.append(line)
        return line_chart(title, lines, over, log=log, marks=marks if over == "epoch" else ())

    charts = [
        draw("loss per utterance, nats (dashed: train)", "epoch", "train_loss", "dev_loss", log=True),
        draw("phone error rate of dev, greedy, %", "epoch", "dev_per"),
    ]
    if any("dev_pfer" in entry for experiment in experiments for entry in experiment.history.epochs):
        charts.append(draw("phone feature error rate of dev, greedy, %", "epoch", "dev_pfer"))
    names = dict.fromkeys(name for experiment in experiments for name in experiment.history.step_names)
    terms = [name for name in names if name not in _STEP_TITLES]
    charts += [draw(f"loss term {name}", "step", name, log=True) for name in terms]
    charts += [draw(title, "step", name, log=name == "gradient_norm") for name, title in _STEP_TITLES.items()]
    note = (
        "Point at a curve for its values; over steps, long curves are means of neighbours."
        + " Dotted: pronunciations were chosen again." * bool(marks)
    )
    return f'<h2>Learning curves</h2><div class="charts">{_join(charts)}</div><p class="note">{note}</p>'


def _group_tests(experiments: Sequence[ReportedExperiment]) -> list[Scored]:
    """Return the systems of each test, words first; the same test has the same path below all experiments."""
    groups: dict[tuple[str, str, str], dict[tuple[str, int], ScoredTest]] = {}
    for number, experiment in enumerate(experiments):
        for test in experiment.tests:
            groups.setdefault((test.name, test.measure, test.place), {})[experiment.name, _colour(number)] = test
    return [groups[key] for key in sorted(groups, key=lambda key: (key[0], MEASURES.index(key[1]), key))]


def _configs(experiments: Sequence[ReportedExperiment]) -> str:
    parts = ["<h2>Configuration</h2>"]
    flat = [_flatten(experiment.config) for experiment in experiments]
    keys = dict.fromkeys(key for table in flat for key in table)
    different = [key for key in keys if len({table.get(key) for table in flat}) > 1]
    if different:
        head = "".join(f'<th class="left">{escape(experiment.name)}</th>' for experiment in experiments)
        rows = "".join(
            f'<tr><td class="left">{escape(key)}</td>'
            + "".join(f'<td class="left wrap">{escape(table.get(key, "–"))}</td>' for table in flat)
            + "</tr>"
            for key in different
        )
        parts.append(
            f'<div class="scroll"><table><tr><th class="left">what differs</th>{head}</tr>{rows}</table></div>'
        )
    elif len(experiments) > 1:
        parts.append('<p class="note">All have the same.</p>')
    for experiment in experiments:
        opened = " open" if len(experiments) == 1 else ""
        text = escape(experiment.config_text)
        parts.append(
            f"<details{opened}><summary>{escape(experiment.name)}/config.toml</summary><pre>{text}</pre></details>"
        )
    return _join(parts)


def _flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Return dotted keys and their values as text; tables in lists are numbered."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        value = {str(number): item for number, item in enumerate(value)}
    if not isinstance(value, dict):
        return {prefix: str(value)}
    result: dict[str, str] = {}
    for key, item in value.items():
        result |= _flatten(item, f"{prefix}.{key}" if prefix else key)
    return result


def _number(entry: Mapping[str, Any], name: str) -> str:
    return f"{entry[name]:.2f}" if isinstance(entry.get(name), int | float) else "–"


def _colour(number: int) -> int:
    return number % len(COLOURS)


def _join(parts: Sequence[str]) -> str:
    return "\n".join(part for part in parts if part)
