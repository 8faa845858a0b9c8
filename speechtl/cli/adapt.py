"""``speechtl adapt``: a model and some recordings of one speaker in, a better model for that speaker out."""

from pathlib import Path
from typing import Annotated

import typer

from speechtl.cli import options


def adapt(
    source: options.Model,
    recordings: Annotated[
        Path,
        typer.Argument(help="Data directory, folder of audio with .txt or .lab files, or CSV of file and text."),
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the result: speaker.h5 or an experiment; the report.")],
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="fine_tuning, conservative_training, layer_transfer, lhuc, lin, adapter or lora; by default what "
            "suits the amount of speech.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override one setting: learning_rate=0.01, decoding.lm_weight=1.5. Repeatable."),
    ] = None,
    language: options.Language = None,
    lexicon: options.Lexicon = None,
    add_word: options.AddWord = None,
    notation: options.Notation = "ipa",
    missing_phones: options.MissingPhones = "nearest",
    g2p: Annotated[
        Path | None,
        typer.Option("--g2p", help="Grapheme-to-phoneme model: guess all words of the transcripts that are OOV."),
    ] = None,
    rules: options.Rules = None,
    lm: options.Lm = None,
    config: options.Config = None,
    beam: options.Beam = None,
    test: Annotated[
        Path | None, typer.Option("--test", help="Other recordings of the speaker, to compare on; never trained on.")
    ] = None,
    source_speech: Annotated[
        Path | None,
        typer.Option("--source-speech", help="Recordings of the model's own speakers, to measure forgetting."),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", help="Training speech of the model, to repeat some; by default where it was trained."),
    ] = None,
    unsupervised: Annotated[
        bool, typer.Option("--unsupervised", help="Train on what the model recognises; transcripts only compare.")
    ] = False,
    confidence: Annotated[
        float, typer.Option("--confidence", min=0, max=1, help="Without transcripts: least mean confidence of words.")
    ] = 0.7,
    channel: options.Channel = None,
    allow_pipes: options.AllowPipes = False,
    overwrite: options.Overwrite = False,
    export: options.Export = True,
) -> None:
    """Adapt a model to one speaker, and report the measured gain.

    Adaptation is cross-validated on the recordings; if it does not help, the source model is kept.
    """
    import speechtl

    result = speechtl.adapt(
        source,
        recordings,
        out,
        method=method,
        settings=options.decoding_settings(settings, beam),
        language=language,
        lexicon=lexicon,
        add_words=add_word or (),
        notation=notation,
        missing_phones=missing_phones,
        g2p=g2p,
        rules=rules,
        lm=lm,
        config=config,
        test=test,
        source_speech=source_speech,
        replay=replay,
        unsupervised=unsupervised,
        confidence=confidence,
        channel=options.channel_number(channel),
        allow_pipes=allow_pipes,
        overwrite=overwrite,
        export=export,
    )
    for warning in result.warnings:
        typer.echo(f"warning: {warning}", err=True)
    print("\n".join(result.lines))
