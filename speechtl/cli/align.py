"""``speechtl align``: forced alignment of a corpus."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechtl.cli import options
from speechtl.cli.word_options import PronunciationOptions, with_options


@with_options
def align(
    model: options.Model,
    data: Annotated[
        Path,
        typer.Argument(
            help="Data directory, folder of audio with .txt, .lab or .TextGrid files, or CSV of file and text."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the results: ctm, phones.ctm, textgrid/, log.jsonl.")],
    *,
    words: PronunciationOptions,
    phones: Annotated[
        bool, typer.Option("--phones", help="The transcripts are phones of the model; no lexicon is used.")
    ] = False,
    speaker: options.Speaker = None,
    refine: Annotated[
        Literal["auto", "always", "never"],
        typer.Option(
            "--refine",
            help="Refine boundaries with phone models trained on DATA itself; auto: if it has enough speech.",
        ),
    ] = "auto",
    textgrids: Annotated[bool, typer.Option(help="Write a TextGrid of each utterance.")] = True,
    plot: Annotated[
        str, typer.Option("--plot", help="Draw spectrograms into OUT/plots: of the first N utterances, or of ID,ID,...")
    ] = "0",
    channel: options.Channel = None,
    allow_pipes: options.AllowPipes = False,
    jobs: options.Threads = 1,
    cluster: options.Cluster = None,
) -> None:
    """Align transcripts with their speech: words and phones with times, as CTM and TextGrid.

    Features that are not there yet are computed into OUT/data. Utterances that cannot be aligned are listed with
    the reason; all others are aligned.
    """
    import speechtl
    from speechtl.exchange.read_source import read_source
    from speechtl.report.spectrogram import choose_utterances, draw_alignments

    data_dir, _ = read_source(data)
    drawn = choose_utterances(data_dir, plot)
    alignment = speechtl.align(
        model,
        data,
        out,
        phones=phones,
        speaker=speaker,
        refine=refine,
        textgrids=textgrids,
        channel=options.channel_number(channel),
        allow_pipes=allow_pipes,
        jobs=jobs,
        cluster=cluster,
        **words.arguments(),
    )
    draw_alignments(data_dir, alignment.utterances, drawn, out, allow_pipes=allow_pipes)
