"""``speechtl decode``: words and phones from the features of a data directory."""

from pathlib import Path
from typing import Annotated

import typer

from speechtl.cli import options


def decode(
    model: options.Model,
    data: Annotated[Path, typer.Argument(help="Data directory with features.")],
    out: Annotated[
        Path,
        typer.Argument(
            help="Folder of the results: phones, text, ctm, phones.ctm, utt2lang, log.jsonl, decoding.toml."
        ),
    ],
    lexicon: Annotated[
        Path | None,
        typer.Option(
            "--lexicon",
            help="Pronunciation lexicon of the words to find, or a folder with LANGUAGE.txt; without it, phones alone.",
        ),
    ] = None,
    add_word: options.AddWord = None,
    notation: options.Notation = "ipa",
    missing_phones: options.MissingPhones = "nearest",
    g2p: options.G2p = None,
    rules: options.Rules = None,
    lm: options.Lm = None,
    grammar: options.Grammar = None,
    inventory: options.Inventory = "auto",
    language: options.Language = None,
    speaker: options.Speaker = None,
    config: options.Config = None,
    settings: options.Settings = None,
    beam: options.Beam = None,
    oov: options.Oov = None,
    tune: Annotated[
        Path | None,
        typer.Option(
            "--tune", help="Data directory with text: first choose weights and penalties on it, into OUT/tuned.toml."
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", help="With --tune, the values to try of one setting: lm_weight=0.5,1,2. Repeatable."),
    ] = None,
    posteriors: Annotated[
        list[Path] | None,
        typer.Option("--posteriors", help="scp table of stored posteriors, instead of running the model. Repeatable."),
    ] = None,
    save_posteriors: Annotated[
        Path | None, typer.Option("--save-posteriors", help="Folder: keep the posteriors as posteriors.ark and .scp.")
    ] = None,
    nbest: options.Nbest = 1,
    times: Annotated[
        bool, typer.Option("--times/--no-times", help="Times and confidence of words; without, the search is faster.")
    ] = True,
    jobs: options.Threads = 1,
) -> None:
    """Decode speech: greedy phones, and words through a lexicon and a language model.

    ``--config OUT/tuned.toml`` decodes other data with the values that ``--tune`` chose.
    """
    import speechtl

    speechtl.decode(
        model,
        data,
        out,
        lexicon=lexicon,
        add_words=add_word or (),
        notation=notation,
        missing_phones=missing_phones,
        g2p=g2p,
        rules=rules,
        lm=lm,
        grammar=grammar,
        inventory=inventory,
        language=language,
        speaker=speaker,
        config=config,
        settings=options.decoding_settings(settings, beam, oov),
        tune_on=tune,
        grid=grid or (),
        posteriors=posteriors or (),
        save_posteriors=save_posteriors,
        nbest=nbest,
        times=times,
        jobs=jobs,
    )
