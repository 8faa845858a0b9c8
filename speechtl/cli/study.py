"""``speechtl study``: the methods of adaptation against each other, over many speakers."""

from pathlib import Path
from typing import Annotated

import typer

from speechtl.cli import options


def study(
    source: options.Model,
    data: Annotated[Path, typer.Argument(help="Data directory of several speakers, with features and transcripts.")],
    out: Annotated[Path, typer.Argument(help="Folder of the results; a study that stopped there continues.")],
    systems: Annotated[
        list[str] | None,
        typer.Option(
            "--system",
            help="What to try: METHOD, or NAME=METHOD,key=value,... (fast=lhuc,learning_rate=0.1); default is what "
            "speechtl adapt does. Repeatable; by default all methods.",
        ),
    ] = None,
    counts: Annotated[
        str,
        typer.Option(
            "--counts", help="Comma-separated numbers of utterances to train on; 0 is all that are not tested on."
        ),
    ] = "1,2,5,10,0",
    folds: Annotated[
        int, typer.Option("--folds", min=2, help="Folds of a speaker's utterances; each is the test set once.")
    ] = 4,
    seeds: Annotated[
        str,
        typer.Option("--seeds", help="Comma-separated seeds; the splits and the training are repeated for each."),
    ] = "1",
    every_epoch: Annotated[
        bool, typer.Option("--every-epoch", help="Also count the errors after every epoch, to choose their number.")
    ] = False,
    source_speech: Annotated[
        Path | None, typer.Option("--source-speech", help="Speech of the model's own speakers, to measure forgetting.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", help="Data directory that the model was trained on, for replay=N.")
    ] = None,
    lexicon: options.Lexicon = None,
    notation: options.Notation = "ipa",
    missing_phones: options.MissingPhones = "nearest",
    lm: options.Lm = None,
    config: options.Config = None,
    settings: options.Settings = None,
    beam: options.Beam = None,
    language: options.Language = None,
    cluster: options.Cluster = None,
    title: Annotated[str, typer.Option("--title", help="Above the picture.")] = "",
) -> None:
    """Adapt to every speaker with several amounts of speech and every method, and count errors on other speech.

    Writes results.jsonl (a line for each adaptation), table.md and chart.svg into OUT, and prints the table.
    """
    from speechtl.adaptation.config import METHODS, choose_config
    from speechtl.adaptation.study import Study, run_study
    from speechtl.adaptation.study_report import markdown_table, study_chart, study_rows, text_table
    from speechtl.cluster.open_workers import open_workers
    from speechtl.errors import ConfigError
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.files import atomic_write
    from speechtl.grammar.read import read_language_model
    from speechtl.pretrained.model_path import model_path
    from speechtl.report.picture import save_picture

    directory = model_path(source)
    kept = ExperimentDirectory(directory)
    chosen = {}
    for text in systems or ["default", *METHODS]:
        first, *rest = text.split(",")
        name, equals, method = first.partition("=")
        if name in chosen:
            raise ConfigError(f"--system {name}: given twice; name one of them (--system NAME=METHOD,key=value,...)")
        chosen[name] = (method if equals else name, tuple(rest))
        if chosen[name][0] != "default":
            choose_config(30.0, *chosen[name])
    sizes, seed_numbers = _numbers("--counts", counts), _numbers("--seeds", seeds)
    with open_workers(cluster) as workers:
        workers.require([directory, data, source_speech, replay])
        lines = run_study(
            Study(directory, data, chosen, sizes, folds, source_speech, replay, every_epoch, seed_numbers),
            out,
            kept.read_lexicon(lexicon, language, notation) if lexicon else None,
            read_language_model(lm) if lm else None,
            kept.decoding_config(config, options.decoding_settings(settings, beam)),
            language,
            missing_phones,
            workers,
        )
    rows = study_rows(lines)
    with atomic_write(out / "table.md") as file:
        file.writelines(line + "\n" for line in markdown_table(rows))
    save_picture(study_chart(lines, title or f"{data} adapted from {source}"), out / "chart.svg")
    print("\n".join(text_table(rows)))


def _numbers(option: str, given: str) -> tuple[int, ...]:
    from speechtl.errors import ConfigError

    if not all(number.strip().isdecimal() for number in given.split(",")):
        raise ConfigError(f"{option} {given}: expected numbers with commas between them (1,5,10)")
    return tuple(int(number) for number in given.split(","))
