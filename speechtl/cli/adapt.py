"""``speechtl adapt``: a model and some recordings of one person in, a better model for that person out."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def adapt(
    source: Annotated[Path, typer.Argument(help="Experiment directory of a trained model; it is only read.")],
    data: Annotated[
        Path,
        typer.Argument(help="Data directory, folder of audio with .txt or .lab files, or CSV of file and text."),
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the result: speaker.h5 or an experiment; the report.")],
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="fine_tuning, conservative_training, layer_transfer, lhuc, lin, adapter or lora; by default the one "
            "that suits the amount of speech.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one setting: learning_rate=0.01, decoding.lm_weight=1.5. May be repeated."),
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Which head of the model; needed if it has several.")
    ] = None,
    lexicon: Annotated[
        Path | None, typer.Option("--lexicon", help="Pronunciations of the words; by default the model's own.")
    ] = None,
    notation: Annotated[
        Literal["ipa", "arpabet", "xsampa"], typer.Option("--notation", help="How --lexicon and --word write phones.")
    ] = "ipa",
    words: Annotated[
        list[str] | None,
        typer.Option("--word", help="A word that the lexicon lacks: WORD=PHONES, or WORD with --g2p. May be repeated."),
    ] = None,
    g2p: Annotated[
        Path | None,
        typer.Option("--g2p", help="Model of spelling (speechtl lexicon g2p): guess words that the lexicon lacks."),
    ] = None,
    lm: Annotated[
        Path | None, typer.Option("--lm", help="Language model: word n-grams, in ARPA format or as a trie of KenLM.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file; its [decoding] table goes over the experiment's.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option("--test", help="Other recordings of the speaker, to compare on; never learnt from.")
    ] = None,
    source_speech: Annotated[
        Path | None, typer.Option("--source-speech", help="Recordings of the model's own speakers: what was forgotten?")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", help="Training speech of the model, to repeat some; by default where it was trained."),
    ] = None,
    unsupervised: Annotated[
        bool, typer.Option("--unsupervised", help="Learn from what the model hears; transcripts only serve to compare.")
    ] = False,
    confidence: Annotated[
        float, typer.Option("--confidence", min=0, max=1, help="Without transcripts: least mean confidence of words.")
    ] = 0.7,
    allow_pipes: Annotated[bool, typer.Option("--allow-pipes", help="Run the commands in wav.scp.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another result in OUT.")] = False,
) -> None:
    """Adapt a model to one speaker, and say on held-out speech what it bought.

    Parts of the recordings are held out in turn to find when to stop; if adaptation does not help on them, the model is
    kept as it is.
    """
    from speechtl.adaptation.adapt import Request
    from speechtl.adaptation.adapt import adapt as run
    from speechtl.adaptation.vocabulary import new_words
    from speechtl.experiment.directory import ExperimentDirectory
    from speechtl.grammar.read import read_language_model

    kept = ExperimentDirectory(source)
    mine = [setting for setting in settings or [] if setting.startswith("decoding.")]
    loaded = kept.read_lexicon(lexicon, language, notation) if lexicon is not None else None
    request = Request(
        source=source,
        data=data,
        out=out,
        method=method,
        settings=tuple(setting for setting in settings or [] if not setting.startswith("decoding.")),
        language=language,
        lexicon=loaded,
        new_words=new_words(source, kept.data_of(language).language, loaded, data, words or [], g2p, notation),
        lm=read_language_model(lm) if lm else None,
        decoding=kept.decoding_config(config, mine),
        test=test,
        replay=replay,
        source_speech=source_speech,
        unsupervised=unsupervised,
        confidence=confidence,
        allow_pipes=allow_pipes,
        overwrite=overwrite,
    )
    result = run(request)
    for warning in result.warnings:
        typer.echo(f"warning: {warning}", err=True)
    print("\n".join(result.lines))
