"""``speechtl lexicon add``, ``g2p`` and ``oov``: words that a lexicon lacks."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechtl.cli import lexicon_options, options


def add(
    lexicon: Annotated[Path, typer.Argument(help="The lexicon to add to.")],
    words: Annotated[
        list[str], typer.Argument(metavar="WORD[=PHONES]...", help="'cub=k ʌ b'; without phones, they are guessed.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The lexicon to write; may be LEXICON itself.")],
    notation: lexicon_options.Notation = "ipa",
    g2p: options.G2p = None,
    rules: options.Rules = None,
    candidates: Annotated[
        int | None, typer.Option("-n", min=1, help="Maximum guesses per word. Default: 3 in lexiconp*.txt, else 1.")
    ] = None,
    experiment: lexicon_options.Experiment = None,
    language: lexicon_options.Language = None,
    stress: lexicon_options.Stress = "drop",
    tone: lexicon_options.Tone = "keep",
) -> None:
    """Add words; those without phones are guessed, by default by a model trained on the lexicon itself."""
    from speechtl.g2p.new_words import add_new_words, choose_pronouncer, parse_new_words
    from speechtl.lang.lexicon import Lexicon

    loaded = Lexicon.load(lexicon, notation, stress, tone)
    inventory = lexicon_options.read_inventory(experiment, language)
    guesses = any("=" not in text for text in words)
    pronouncer = choose_pronouncer(loaded, model=g2p, rules=rules) if guesses else None
    weighted = out.name.startswith("lexiconp")
    candidates = candidates or (3 if weighted else 1)
    parsed = parse_new_words(words, pronouncer, inventory, candidates=candidates, notation=notation)
    added = add_new_words(loaded, parsed, with_probabilities=weighted)
    for word in added:
        for note in word.new.notes:
            typer.echo(note)
        if word.known:
            typer.echo(f"'{word.new.word}' is in the lexicon already: {', '.join(map(' '.join, word.known))}")
        for phones in word.added:
            typer.echo(f"+ {word.new.word} {' '.join(phones)}")
    loaded.save(out)
    count = sum(len(word.added) for word in added)
    typer.echo(f"{count} pronunciation{'s' * (count != 1)} added; {out}: {loaded.summary()}")


def pronounce(
    words: Annotated[list[str] | None, typer.Argument(metavar="[WORD]...", help="Words to pronounce.")] = None,
    lexicon: Annotated[Path | None, typer.Option("--lexicon", help="Train a model on this lexicon.")] = None,
    g2p: options.G2p = None,
    rules: options.Rules = None,
    save: Annotated[Path | None, typer.Option("--save", help="File to store the trained model in.")] = None,
    word_list: Annotated[Path | None, typer.Option("--words", help="File of words, the first of each line.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="lexiconp.txt to write instead of printing it.")
    ] = None,
    candidates: Annotated[int, typer.Option("-n", min=1, help="Maximum pronunciations per word.")] = 3,
    notation: lexicon_options.Notation = "ipa",
    stress: lexicon_options.Stress = "drop",
    tone: lexicon_options.Tone = "keep",
) -> None:
    """Guess pronunciations from spelling, with probabilities: by a model trained on a lexicon, or by spelling rules."""
    from speechtl.errors import LexiconError, list_problems
    from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
    from speechtl.g2p.new_words import choose_pronouncer, guess_pronunciations
    from speechtl.grammar.sentences import read_words
    from speechtl.lang.lexicon import Lexicon

    if sum(source is not None for source in (lexicon, g2p, rules)) != 1:
        raise LexiconError(
            "give one thing to guess with: --lexicon FILE, --g2p FILE or --rules LANGUAGE (speechtl lexicon "
            "build-english makes a lexicon of English)"
        )
    if out is not None and not out.name.startswith("lexiconp"):
        raise LexiconError(f"{out}: guesses have probabilities; call the file lexiconp.txt to keep them")
    wanted = list(dict.fromkeys([*(words or []), *(read_words(word_list) if word_list else [])]))
    if not wanted and save is None:
        raise LexiconError("no words; name some, give a file with --words, or store a model with --save")
    loaded = Lexicon.load(lexicon, notation, stress, tone) if lexicon else None
    pronouncer = choose_pronouncer(loaded, model=g2p, rules=rules)
    if pronouncer is None:
        raise LexiconError(f"{lexicon}: no words to learn pronunciations from; give a lexicon that is not empty")
    if save is not None:
        if not isinstance(pronouncer, GraphemeToPhoneme):
            raise LexiconError(f"--save {save}: there is no model to store, rules are always there; leave --save out")
        pronouncer.save(save)
        typer.echo(f"{save}: trained on {pronouncer.words} words, {len(pronouncer.letters)} units", err=True)
    if pronouncer.caution and wanted:
        typer.echo(f"pronounced by guess, {pronouncer.caution}", err=True)
    result, problems = guess_pronunciations(wanted, pronouncer, candidates)
    if out is None:
        for word, options in result.entries.items():
            for option in options:
                typer.echo(f"{word} {option.probability:.4f} {' '.join(option.phones)}")
    elif len(result):
        result.save(out)
        typer.echo(f"{out}: {result.summary()}")
    if problems:
        raise LexiconError(list_problems(f"{len(problems)} of {len(wanted)} words have no guess:", problems.values()))


def oov(
    lexicon: Annotated[Path, typer.Argument(help="The lexicon.")],
    texts: Annotated[list[Path], typer.Argument(metavar="TEXT...", help="Text tables, or data directories with one.")],
    layout: Annotated[
        Literal["kaldi", "plain"], typer.Option("--text-column", help="Lines begin with an utterance id, or are plain.")
    ] = "kaldi",
    guess: Annotated[
        bool, typer.Option("--guess", help="Guess their pronunciations; without --g2p and --rules, trained on LEXICON.")
    ] = False,
    g2p: options.G2p = None,
    rules: options.Rules = None,
    notation: lexicon_options.Notation = "ipa",
    stress: lexicon_options.Stress = "drop",
    tone: lexicon_options.Tone = "keep",
) -> None:
    """List the words of a text that a lexicon lacks (OOVs), with their counts, most frequent first."""
    from speechtl.errors import DataError
    from speechtl.g2p.new_words import choose_pronouncer, guess_pronunciations
    from speechtl.grammar.sentences import read_sentences
    from speechtl.lang.lexicon import Lexicon
    from speechtl.lang.missing_words import find_missing_words

    loaded = Lexicon.load(lexicon, notation, stress, tone)
    missing = find_missing_words(loaded, (line for path in texts for line in read_sentences(path, layout)))
    if not missing.total:
        raise DataError(f"{', '.join(map(str, texts))}: no sentence with words; give a text")
    guesses = None
    if missing.counts and (guess or g2p is not None or rules is not None):
        pronouncer = choose_pronouncer(loaded, model=g2p, rules=rules)
        if pronouncer is not None:
            guesses = guess_pronunciations(missing.counts, pronouncer, 1)
            if pronouncer.caution:
                typer.echo(f"pronounced by guess, {pronouncer.caution}", err=True)
    for word, count in missing.most_frequent():
        phones = ""
        if guesses is not None and word in guesses.lexicon:
            phones = "\t" + " ".join(guesses.lexicon.pronounce(word)[0].phones)
        elif guesses is not None:
            phones = f"\t# {guesses.problems.get(word, 'no guess')}"
        typer.echo(f"{count}\t{word}{phones}")
    typer.echo(
        f"{missing.counts.total()} of {missing.total} words ({100 * missing.rate:.2f} %) and {len(missing.counts)} of "
        f"{missing.different} different ones are not in {lexicon}",
        err=True,
    )
    if missing.in_other_case:
        number, first = len(missing.in_other_case), missing.in_other_case[0]
        typer.echo(f"{number} of them it has in another case, such as '{first}'; see lexicon convert --case", err=True)
