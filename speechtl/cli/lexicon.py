"""``speechtl lexicon``: pronunciation lexicons."""

from pathlib import Path
from typing import Annotated

import typer

from speechtl.cli import lexicon_options as options
from speechtl.cli import lexicon_words

app = typer.Typer(
    help="Pronunciation lexicons: check, convert, build, add words, guess pronunciations.", no_args_is_help=True
)


@app.command()
def check(
    lexicon: Annotated[Path, typer.Argument(help="A lexicon.txt or lexiconp.txt.")],
    phones: Annotated[
        Path | None,
        typer.Option("--phones", help="A model's phone table, exp/x/phones/LANGUAGE.txt; all phones must be in it."),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option("--experiment", help="Experiment: list the phones that its model lacks, and what replaces them."),
    ] = None,
    language: options.Language = None,
    notation: options.Notation = "ipa",
    stress: options.Stress = "drop",
    tone: options.Tone = "keep",
) -> None:
    """Read a lexicon and print its size and phones, or everything that is wrong with it."""
    from speechtl.errors import LexiconError, list_problems
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.phone_inventory import PhoneInventory
    from speechtl.lang.phone_mapping import map_lexicon

    loaded = Lexicon.load(lexicon, notation, stress, tone)
    if phones is not None and (problems := loaded.check(PhoneInventory.load(phones))):
        heading = f"{lexicon}: {len(problems)} phone{'s' * (len(problems) > 1)} not in {phones}"
        raise LexiconError(list_problems(heading, problems))
    needed = loaded.phones()
    typer.echo(f"{lexicon}: {loaded.summary()}")
    typer.echo(" ".join(sorted(needed)))
    inventory = options.read_inventory(experiment, language)
    if inventory is None:
        return
    _, replaced = map_lexicon(loaded, inventory)
    typer.echo(f"{experiment}: its model has {len(needed) - len(replaced)} of the {len(needed)} phones")
    for phone, new in replaced.items():
        words = loaded.words_with(phone)
        more = f" and {len(words) - 5} more words" if len(words) > 5 else ""
        typer.echo(f"  {phone} -> {new or 'left out'}   in {' '.join(words[:5])}{more}")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="The lexicon to read.")],
    destination: Annotated[Path, typer.Argument(help="The lexicon to write, in IPA; lexiconp*.txt has probabilities.")],
    notation: options.Notation,
    stress: options.Stress = "drop",
    tone: options.Tone = "keep",
    case: options.Case = "as-is",
    experiment: options.Experiment = None,
    language: options.Language = None,
) -> None:
    """Convert a lexicon in ARPABET, X-SAMPA or IPA to speechtl's IPA; with --experiment, to the phones of a model."""
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.phone_mapping import describe_replacements, map_lexicon

    loaded = Lexicon.load(source, notation, stress, tone).in_case(case)
    inventory = options.read_inventory(experiment, language)
    if inventory is not None:
        loaded, replaced = map_lexicon(loaded, inventory)
        if replaced:
            typer.echo(describe_replacements(replaced))
    loaded.save(destination)
    typer.echo(f"{destination}: {loaded.summary()}")


@app.command("build-english")
def build_english(
    destination: Annotated[Path, typer.Argument(help="The lexicon.txt to write, in IPA.")],
    case: options.Case = "as-is",
) -> None:
    """Build the full English lexicon (126,000 words) from the CMU dictionary that comes with pocketsphinx."""
    from speechtl.lang import dictionaries

    loaded = dictionaries.build_english().in_case(case)
    loaded.save(destination)
    typer.echo(f"{destination}: {loaded.summary()}")


app.command("add")(lexicon_words.add)
app.command("g2p")(lexicon_words.pronounce)
app.command("oov")(lexicon_words.oov)
