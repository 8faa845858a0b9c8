"""``speechtl models`` and ``speechtl package``: models that come with the package, and how one becomes such."""

from pathlib import Path
from typing import Annotated

import typer


def models(
    name: Annotated[
        str | None, typer.Argument(help="Print the card of this model; without it, a line for each.")
    ] = None,
) -> None:
    """List the models that come with speechtl, or print the card of one: speech, licences, numbers, limits.

    Their names stand for an experiment directory in every verb, and as the source in a config.
    """
    from speechtl.errors import ModelError
    from speechtl.pretrained.named_models import named_cards

    cards = named_cards()
    if name is None:
        for model, card in cards.items():
            print(f"{model}\t{card.summary}")
        return
    if name not in cards:
        raise ModelError(f"{name}: no model of this name comes with speechtl; there are: {', '.join(cards) or 'none'}")
    print(cards[name].page(name), end="")


def package(
    experiment: Annotated[Path, typer.Argument(help="Experiment directory of a finished training.")],
    out: Annotated[Path, typer.Argument(help="Folder to write: speechtl/pretrained/models/NAME.")],
    card: Annotated[
        Path,
        typer.Option("--card", help="TOML: summary, licence, attribution, trained, good, bad, [[data]], [[numbers]]."),
    ],
    limit: Annotated[float, typer.Option("--limit", help="Refuse what is larger, in MB.")] = 12.0,
    frozen: Annotated[
        str | None,
        typer.Option(
            "--frozen", help="hf:owner/name: leave out what is unchanged of this checkpoint; fetched by users."
        ),
    ] = None,
    download: Annotated[float, typer.Option("--download", help="Size of that checkpoint's download, in MB.")] = 0.0,
) -> None:
    """Make of an experiment what comes with the package: half precision, no lexicons, no paths, and a card."""
    import speechtl

    result = speechtl.package(experiment, out, card, limit=limit, frozen=frozen, download=download)
    for name, size in result.sizes.items():
        print(f"{size / 1e6:8.3f} MB  {name}")
    print(f"{result.size / 1e6:8.3f} MB  {out} ({result.card.stored.parameters:,} weights; at most {limit:g} MB)")
