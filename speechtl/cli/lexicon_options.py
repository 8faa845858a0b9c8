"""Options that the verbs of ``speechtl lexicon`` share."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from speechtl.lang.phone_inventory import PhoneInventory

Notation = Annotated[
    Literal["ipa", "arpabet", "xsampa"], typer.Option("--notation", help="Phone notation of the input.")
]
Stress = Annotated[
    Literal["drop", "keep"],
    typer.Option("--stress", help="Stress marks: drop them, or keep them on vowels (ˈa is then another phone than a)."),
]
Tone = Annotated[
    Literal["keep", "drop", "separate"],
    typer.Option("--tone", help="Tones: keep them on their phone, drop them, or make each a phone of its own."),
]
Case = Annotated[
    Literal["as-is", "lower", "upper"],
    typer.Option("--case", help="Write words as they are, in lower or in upper case."),
]
Experiment = Annotated[
    str | None,
    typer.Option("--experiment", help="Experiment; phones that its model lacks are replaced by the nearest, listed."),
]
Language = Annotated[
    str | None, typer.Option("--language", help="Which phones of an experiment that has several languages.")
]


def read_inventory(experiment: str | None, language: str | None) -> "PhoneInventory | None":
    """Return the phones of an experiment's model; the language may be left out where there is one only."""
    from speechtl.errors import LexiconError
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.lang.phone_inventory import PhoneInventory
    from speechtl.layout import ExperimentLayout
    from speechtl.pretrained.model_path import model_path

    if experiment is None:
        if language is not None:
            raise LexiconError(f"--language {language}: says which phones of an experiment; give --experiment too")
        return None
    layout = ExperimentLayout(model_path(experiment))
    found = (ExperimentDirectory(layout) if layout.config.is_file() else layout).phone_tables()
    if language is None and len(set(found.values())) == 1:
        language = next(iter(found))
    if language is None or language not in found:
        named = f"its languages are {' '.join(sorted(found))}; name one with --language"
        shown = named if found else "no phones/*.txt in it"
        raise LexiconError(
            f"{experiment}: {'no' if language is None else f'no {language},'} phone table to take; {shown}"
        )
    return PhoneInventory.load(found[language])
