"""``speechtl lexicon``: pronunciation dictionaries, and words that they lack."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.phones import PhoneInventory

app = typer.Typer(
    help="Pronunciation dictionaries: check, convert, build, add words, guess pronunciations.", no_args_is_help=True
)


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
_Model = Annotated[
    Path | None, typer.Option("--model", help="Guess with a stored model (speechtl lexicon g2p --save).")
]
_Rules = Annotated[
    str | None, typer.Option("--rules", metavar="LANGUAGE", help="Guess by spelling rules: de es fi it pl ru tr.")
]
_Experiment = Annotated[
    Path | None, typer.Option(help="An experiment; phones that its model lacks become the nearest, and this is said.")
]
_Language = Annotated[str | None, typer.Option(help="Which phones of an experiment that has several languages.")]
_TONE_HELP = "Tones: keep them on their phone, drop them, or make them phones of their own."


@app.command()
def check(
    lexicon: Annotated[Path, typer.Argument(help="A lexicon.txt or lexiconp.txt.")],
    phones: Annotated[
        Path | None, typer.Option(help="A model's phone table, exp/x/phones/LANGUAGE.txt; all phones must be in it.")
    ] = None,
    experiment: Annotated[
        Path | None, typer.Option(help="An experiment: say which phones its model lacks, and what stands for them.")
    ] = None,
    language: _Language = None,
    notation: Annotated[Notation, typer.Option("--from", help="How the lexicon writes phones.")] = Notation.ipa,
    stress: Annotated[Stress, typer.Option(help=_STRESS_HELP)] = Stress.drop,
    tone: Annotated[Tone, typer.Option(help=_TONE_HELP)] = Tone.keep,
) -> None:
    """Read a lexicon and say what it holds, or everything that is wrong with it."""
    from speechtl.errors import LexiconError, list_problems
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.phone_mapping import map_lexicon
    from speechtl.lang.phones import PhoneInventory

    loaded = Lexicon.load(lexicon, notation.value, stress.value, tone.value)
    if phones is not None:
        problems = loaded.check(PhoneInventory.load(phones))
        if problems:
            heading = f"{lexicon}: {len(problems)} phone{'s' * (len(problems) > 1)} not in {phones}"
            raise LexiconError(list_problems(heading, problems))
    typer.echo(_summary(lexicon, loaded))
    typer.echo(" ".join(sorted(loaded.phones())))
    inventory = _inventory(experiment, language)
    if inventory is None:
        return
    _, replaced = map_lexicon(loaded, inventory)
    typer.echo(
        f"{experiment}: its model has {len(loaded.phones()) - len(replaced)} of the {len(loaded.phones())} phones"
    )
    for phone, new in replaced.items():
        words = [word for word, options in loaded.entries.items() if any(phone in option.phones for option in options)]
        more = f" and {len(words) - 5} more words" if len(words) > 5 else ""
        typer.echo(f"  {phone} -> {new or 'left out'}   in {' '.join(words[:5])}{more}")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="The lexicon to read.")],
    destination: Annotated[Path, typer.Argument(help="The lexicon to write, in IPA; lexiconp*.txt has probabilities.")],
    notation: Annotated[Notation, typer.Option("--from", help="How the source writes phones.")],
    stress: Annotated[Stress, typer.Option(help=_STRESS_HELP)] = Stress.drop,
    tone: Annotated[Tone, typer.Option(help=_TONE_HELP)] = Tone.keep,
    case: Annotated[Case, typer.Option(help="Write words as they are, in lower or in upper case.")] = Case.as_is,
    experiment: _Experiment = None,
    language: _Language = None,
) -> None:
    """Turn a lexicon in ARPABET, X-SAMPA or IPA into one in speechtl's IPA; with --experiment, in a model's phones."""
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.phone_mapping import describe_replacements, map_lexicon

    loaded = _in_case(Lexicon.load(source, notation.value, stress.value, tone.value), case)
    inventory = _inventory(experiment, language)
    if inventory is not None:
        loaded, replaced = map_lexicon(loaded, inventory)
        if replaced:
            typer.echo(describe_replacements(replaced))
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


@app.command()
def add(
    lexicon: Annotated[Path, typer.Argument(help="The lexicon to add to.")],
    words: Annotated[
        list[str], typer.Argument(metavar="WORD[=PHONES]...", help="'cub=k ʌ b'; without phones, they are guessed.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The lexicon to write; may be LEXICON itself.")],
    notation: Annotated[Notation, typer.Option("--from", help="How LEXICON and PHONES are written.")] = Notation.ipa,
    model: _Model = None,
    rules: _Rules = None,
    candidates: Annotated[
        int | None, typer.Option("-n", min=1, help="Guesses per word at most. Default: 3 in lexiconp*.txt, else 1.")
    ] = None,
    experiment: _Experiment = None,
    language: _Language = None,
    stress: Annotated[Stress, typer.Option(help=_STRESS_HELP)] = Stress.drop,
    tone: Annotated[Tone, typer.Option(help=_TONE_HELP)] = Tone.keep,
) -> None:
    """Add words; those without phones are pronounced by guess, learnt from the lexicon itself by default."""
    from speechtl.g2p.new_words import choose_pronouncer, parse_new_words
    from speechtl.lang.lexicon import Lexicon

    loaded = Lexicon.load(lexicon, notation.value, stress.value, tone.value)
    inventory = _inventory(experiment, language)
    guesses = any("=" not in text for text in words)
    pronouncer = choose_pronouncer(loaded, model=model, rules=rules) if guesses else None
    weighted = out.name.startswith("lexiconp")
    candidates = candidates or (3 if weighted else 1)
    added = 0
    for new in parse_new_words(words, pronouncer, inventory, candidates=candidates, notation=notation.value):
        for note in new.notes:
            typer.echo(note)
        known = [option.phones for option in loaded.entries.get(new.word, [])]
        if known:
            typer.echo(f"'{new.word}' is in the lexicon already: {', '.join(' '.join(phones) for phones in known)}")
        for option in new.pronunciations:
            if option.phones in known:
                continue
            loaded.add(new.word, option.phones, option.probability if weighted else 1.0)
            typer.echo(f"+ {new.word} {' '.join(option.phones)}")
            added += 1
    loaded.save(out)
    typer.echo(f"{added} pronunciation{'s' * (added != 1)} added; {_summary(out, loaded)}")


@app.command()
def g2p(
    words: Annotated[list[str] | None, typer.Argument(metavar="[WORD]...", help="Words to pronounce.")] = None,
    lexicon: Annotated[Path | None, typer.Option("--lexicon", help="Learn from this lexicon.")] = None,
    model: _Model = None,
    rules: _Rules = None,
    save: Annotated[Path | None, typer.Option("--save", help="Store the model that was learnt in this file.")] = None,
    word_list: Annotated[Path | None, typer.Option("--words", help="File of words, the first of each line.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="lexiconp.txt to write instead of printing it.")
    ] = None,
    candidates: Annotated[int, typer.Option("-n", min=1, help="Pronunciations per word at most.")] = 3,
    notation: Annotated[Notation, typer.Option("--from", help="How the lexicon writes phones.")] = Notation.ipa,
    stress: Annotated[Stress, typer.Option(help=_STRESS_HELP)] = Stress.drop,
    tone: Annotated[Tone, typer.Option(help=_TONE_HELP)] = Tone.keep,
) -> None:
    """Guess pronunciations from spelling, with probabilities: learnt from a lexicon, or by a language's rules."""
    from speechtl.errors import LexiconError, list_problems
    from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
    from speechtl.g2p.new_words import choose_pronouncer
    from speechtl.grammar.sentences import read_words
    from speechtl.lang.lexicon import Lexicon

    if sum(source is not None for source in (lexicon, model, rules)) != 1:
        raise LexiconError("give one thing to guess with: --lexicon FILE, --model FILE or --rules LANGUAGE")
    if out is not None and not out.name.startswith("lexiconp"):
        raise LexiconError(f"{out}: guesses have probabilities; call the file lexiconp.txt to keep them")
    wanted = list(dict.fromkeys([*(words or []), *(read_words(word_list) if word_list else [])]))
    if not wanted and save is None:
        raise LexiconError("no words; name some, give a file with --words, or store a model with --save")
    loaded = Lexicon.load(lexicon, notation.value, stress.value, tone.value) if lexicon else None
    pronouncer = choose_pronouncer(loaded, model=model, rules=rules)
    if pronouncer is None:
        raise LexiconError(f"{lexicon}: no words to learn pronunciations from; give a lexicon that is not empty")
    if save is not None:
        if not isinstance(pronouncer, GraphemeToPhoneme):
            raise LexiconError(f"--save {save}: there is no model to store, rules are always there; leave --save out")
        pronouncer.save(save)
        typer.echo(f"{save}: learnt from {pronouncer.words} words, {len(pronouncer.letters)} units", err=True)
    if pronouncer.caution and wanted:
        typer.echo(f"pronounced by guess, {pronouncer.caution}", err=True)
    result = Lexicon()
    problems = []
    for word in wanted:
        try:
            options = pronouncer.pronounce(word, candidates)
        except LexiconError as error:
            problems.append(str(error))
            continue
        for option in options:
            probability = max(round(option.probability, 4), 1e-4)
            result.add(word, option.phones, probability)
            if out is None:
                typer.echo(f"{word} {probability:.4f} {' '.join(option.phones)}")
    if out is not None and len(result):
        result.save(out)
        typer.echo(_summary(out, result))
    if problems:
        raise LexiconError(list_problems(f"{len(problems)} of {len(wanted)} words have no guess:", problems))


@app.command()
def oov(
    lexicon: Annotated[Path, typer.Argument(help="The lexicon.")],
    texts: Annotated[list[Path], typer.Argument(metavar="TEXT...", help="Text tables, or data directories with one.")],
    layout: Annotated[
        Literal["kaldi", "plain"], typer.Option("--text-column", help="Lines begin with an utterance id, or are plain.")
    ] = "kaldi",
    guess: Annotated[bool, typer.Option("--g2p", help="Guess their pronunciations, learnt from LEXICON.")] = False,
    model: _Model = None,
    rules: _Rules = None,
    notation: Annotated[Notation, typer.Option("--from", help="How the lexicon writes phones.")] = Notation.ipa,
    stress: Annotated[Stress, typer.Option(help=_STRESS_HELP)] = Stress.drop,
    tone: Annotated[Tone, typer.Option(help=_TONE_HELP)] = Tone.keep,
) -> None:
    """List the words of a text that a lexicon lacks, most frequent first: how often, the word, phones if asked for."""
    from speechtl.errors import DataError, LexiconError
    from speechtl.g2p.new_words import choose_pronouncer, count_missing
    from speechtl.grammar.sentences import read_sentences
    from speechtl.lang.lexicon import Lexicon

    loaded = Lexicon.load(lexicon, notation.value, stress.value, tone.value)
    missing, total, different = count_missing(loaded, (line for path in texts for line in read_sentences(path, layout)))
    if not total:
        raise DataError(f"{', '.join(map(str, texts))}: no sentence with words; give a text")
    wanted = guess or model is not None or rules is not None
    pronouncer = choose_pronouncer(loaded, model=model, rules=rules) if wanted and missing else None
    if pronouncer is not None and pronouncer.caution:
        typer.echo(f"pronounced by guess, {pronouncer.caution}", err=True)
    for word, count in sorted(missing.items(), key=lambda item: (-item[1], item[0])):
        phones = ""
        if pronouncer is not None:
            try:
                phones = "\t" + " ".join(pronouncer.pronounce(word, 1)[0].phones)
            except (LexiconError, IndexError) as error:
                phones = f"\t# {error}"
        typer.echo(f"{count}\t{word}{phones}")
    running = missing.total()
    typer.echo(
        f"{running} of {total} words ({100 * running / total:.2f} %) and {len(missing)} of {different} different ones "
        f"are not in {lexicon}",
        err=True,
    )
    cased = [word for word in missing if word.lower() in loaded or word.upper() in loaded]
    if cased:
        typer.echo(
            f"{len(cased)} of them it has in another case, such as '{cased[0]}'; see lexicon convert --case", err=True
        )


def _inventory(experiment: Path | None, language: str | None) -> "PhoneInventory | None":
    """Return the phones of an experiment's model; the language may be left out where there is one only."""
    from speechtl.errors import LexiconError
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.lang.phones import PhoneInventory
    from speechtl.layout import ExperimentLayout

    if experiment is None:
        if language is not None:
            raise LexiconError(f"--language {language}: says which phones of an experiment; give --experiment too")
        return None
    layout = ExperimentLayout(experiment)
    found = (ExperimentDirectory(layout) if layout.config.is_file() else layout).phone_tables()
    if language is None and len(set(found.values())) == 1:
        language = next(iter(found))
    if language is None or language not in found:
        shown = (
            f"its languages are {' '.join(sorted(found))}; name one with --language"
            if found
            else "no phones/*.txt in it"
        )
        raise LexiconError(
            f"{experiment}: {'no' if language is None else f'no {language},'} phone table to take; {shown}"
        )
    return PhoneInventory.load(found[language])


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
