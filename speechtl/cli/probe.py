"""``speechtl probe``: how much a block's outputs reveal about the domain or the speaker, by a linear probe."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class By(str, Enum):
    """What the classes are."""

    domain = "domain"
    speaker = "speaker"
    directory = "directory"


def probe(
    experiments: Annotated[
        list[str],
        typer.Argument(metavar="EXP...", help="Experiment directories (or names of speechtl models), side by side."),
    ],
    data: Annotated[
        list[Path], typer.Option("--data", help="Data directory with features, no transcripts needed. Repeatable.")
    ],
    block: Annotated[str, typer.Option("--block", help="Encoder block: a name, first:1 or last:1.")] = "last:1",
    by: Annotated[By, typer.Option("--by", help="utt2dom, utt2spk, or which --data it comes from.")] = By.domain,
    language: Annotated[
        str | None, typer.Option("--language", help="Language, for a model that has blocks per language.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Picture (.svg or .png) of the outputs' first two principal components."),
    ] = None,
) -> None:
    """Fit a linear classifier to a block's outputs, averaged over each utterance, and test it on other utterances."""
    import numpy as np

    from speechtl.batches.config import DataConfig
    from speechtl.batches.source import Source
    from speechtl.errors import DataError, ModelError, list_problems
    from speechtl.experiment.experiment import Experiment
    from speechtl.pretrained.model_path import model_path
    from speechtl.report import linear_probe
    from speechtl.report.picture import check_picture_path, save_picture
    from speechtl.report.scatter_chart import Panel, draw_scatter
    from speechtl.training.block_outputs import pooled_outputs
    from speechtl.transfer.method import choose_blocks

    if out is not None:
        check_picture_path(out)
    panels = []
    for path in experiments:
        experiment = Experiment.load(model_path(path))
        chosen = choose_blocks(experiment.model, block)
        if len(chosen) != 1:
            raise ModelError(f"--block {block}: stands for {len(chosen)} blocks; name one of: {', '.join(chosen)}")
        table = DataConfig(language=language or "und")
        features = experiment.config.features
        sources = [Source([], table, experiment.normaliser, features, unlabelled=[folder]) for folder in data]
        classes: list[str] = []
        speakers: list[str] = []
        points = []
        for folder, source in zip(data, sources, strict=True):
            kinds = {"domain": source.domains, "speaker": source.speakers, "directory": [folder.name] * len(source)}
            classes += kinds[by.value]
            speakers += source.speakers
            points.append(pooled_outputs(experiment.model, source, chosen[0], experiment.config.batches))
        if by is By.domain and not all(classes):
            lacking = [name for source in sources for name, dom in zip(source.utterance_ids, source.domains) if not dom]
            raise DataError(list_problems("utterances without a domain; add utt2dom, or use --by", lacking))
        outputs = np.concatenate(points)
        found = linear_probe.probe(outputs, classes, speakers)
        line = f"{100 * found.accuracy:.1f} % told apart, chance {100 * found.chance:.1f} %"
        typer.echo(
            f"{path} {chosen[0]}: {line}, balanced {100 * found.balanced:.1f} % ({len(outputs)} utterances, "
            f"{len(set(classes))} classes, other {found.held_out} in the test)"
        )
        panels.append(
            Panel(Path(path).name, f"{chosen[0]}: {line}", linear_probe.principal_components(outputs), classes)
        )
    if out is not None:
        save_picture(draw_scatter(panels), out)
