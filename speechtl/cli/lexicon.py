"""``speechtl lexicon``: check, convert and build pronunciation dictionaries."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from speechtl.lang.lexicon import Lexicon

app = typer.Typer(help="Check, convert and build pronunciation dictionaries.", no_args_is_help=True)


class Notation(str, Enum):
    """How phones are written."""

    ipa = "ipa"
    arpabet = "arpabet"
    xsampa = "xsampa"


class Stress(str, Enum):
    """What becomes of stress."""

    drop = "drop"
    keep = "keep"


class Tone(str, Enum):
    """What becomes of tone."""

    keep = "keep"
    drop = "drop"
    separate = "separate"


class Case(str, Enum):
    """What becomes of the letters of words."""

    as_is = "as-is"
    to_lower = "lower"
    to_upper = "upper"


_STRESS_HELP = "Stress marks: drop them, or keep them on vowels (ˈa is then another phone than a)."
_TONE_HELP = "Tones: keep them on their phone, drop them, or make them phones of their own."


@app.command()
def check(
    lexicon: Annotated[Path, typer.Argument(help="A lexicon.txt or lexiconp.txt.")],
    phones: Annotated[
        Path | None, typer.Option(help="A model's phone table, exp/x/phones/LANGUAGE.txt; all phones must be in it.")
    ] = None,
    notation: Annotated[Notation, typer.Option("--from", help="How the lexicon writes phones.")] = Notation.ipa,
    stress: Annotated[Stress, typer.Option(help=_STRESS_HELP)] = Stress.drop,
    tone: Annotated[Tone, typer.Option(help=_TONE_HELP)] = Tone.keep,
) -> None:
    """Read a lexicon and say what it holds, or everything that is wrong with it."""
    from speechtl.errors import LexiconError, list_problems
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.phones import PhoneInventory

    loaded = Lexicon.load(lexicon, notation.value, stress.value, tone.value)
    if phones is not None:
        problems = loaded.check(PhoneInventory.load(phones))
        if problems:
            heading = f"{lexicon}: {len(problems)} phone{'s' * (len(problems) > 1)} not in {phones}"
            raise LexiconError(list_problems(heading, problems))
    typer.echo(_summary(lexicon, loaded))
    typer.echo(" ".join(sorted(loaded.phones())))


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="The lexicon to read.")],
    destination: Annotated[Path, typer.Argument(help="The lexicon to write, in IPA; lexiconp*.txt has probabilities.")],
    notation: Annotated[Notation, typer.Option("--from", help="How the source writes phones.")],
    stress: Annotated[Stress, typer.Option(help=_STRESS_HELP)] = Stress.drop,
    tone: Annotated[Tone, typer.Option(help=_TONE_HELP)] = Tone.keep,
    case: Annotated[Case, typer.Option(help="Write words as they are, in lower or in upper case.")] = Case.as_is,
) -> None:
    """Turn a lexicon in ARPABET, X-SAMPA or IPA into one in speechtl's IPA."""
    from speechtl.lang.lexicon import Lexicon

    loaded = _in_case(Lexicon.load(source, notation.value, stress.value, tone.value), case)
    loaded.save(destination)
    typer.echo(_summary(destination, loaded))


@app.command("build-english")
def build_english(
    destination: Annotated[Path, typer.Argument(help="The lexicon.txt to write, in IPA.")],
    case: Annotated[Case, typer.Option(help="Write words as they are (lower case), or in upper case.")] = Case.as_is,
) -> None:
    """Build the full English lexicon (126,000 words) from the CMU dictionary that comes with pocketsphinx."""
    from speechtl.lang import dictionaries

    loaded = _in_case(dictionaries.build_english(), case)
    loaded.save(destination)
    typer.echo(_summary(destination, loaded))


def _summary(path: Path, lexicon: "Lexicon") -> str:
    pronunciations = sum(len(options) for options in lexicon.entries.values())
    return f"{path}: {len(lexicon)} words, {pronunciations} pronunciations, {len(lexicon.phones())} phones"


def _in_case(lexicon: "Lexicon", case: Case) -> "Lexicon":
    if case is Case.as_is:
        return lexicon
    from speechtl.lang.lexicon import Lexicon

    result = Lexicon()
    for word, options in lexicon.entries.items():
        for option in options:
            changed = word.upper() if case is Case.to_upper else word.lower()
            result.add(changed, option.phones, option.probability)
    return result
