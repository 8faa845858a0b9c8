"""``speechtl decode``: words and phones of recordings, with files of the results."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from speechtl.cli import options
from speechtl.cli.word_options import DecodingOptions, with_options


@dataclasses.dataclass(frozen=True)
class DecodeOptions(DecodingOptions):
    """The same, but for words that are only looked for where a lexicon is given."""

    lexicon: Annotated[
        Path | None,
        typer.Option(
            "--lexicon",
            help="Pronunciation lexicon of the words to find, or a folder with LANGUAGE.txt; without it, phones alone.",
        ),
    ] = None


@with_options
def decode(
    model: options.Model,
    data: Annotated[
        Path,
        typer.Argument(
            help="Data directory, folder of audio (with .txt, .lab or .TextGrid files), or CSV of file and text."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            help="Folder of the results: phones, text, ctm, phones.ctm, utt2lang, log.jsonl, decoding.toml."
        ),
    ],
    *,
    words: DecodeOptions,
    tune: Annotated[
        Path | None,
        typer.Option(
            "--tune", help="The same with transcripts: first choose weights and penalties on it, into OUT/tuned.toml."
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
    times: Annotated[
        bool, typer.Option("--times/--no-times", help="Times and confidence of words; without, the search is faster.")
    ] = True,
    channel: options.Channel = None,
    allow_pipes: options.AllowPipes = False,
    cluster: options.Cluster = None,
) -> None:
    """Decode speech: greedy phones, and words through a lexicon and a language model.

    Features that are not there yet are computed into OUT/data.
    ``--config OUT/tuned.toml`` decodes other data with the values that ``--tune`` chose.
    """
    import speechtl

    speechtl.decode(
        model,
        data,
        out,
        tune_on=tune,
        grid=grid or (),
        posteriors=posteriors or (),
        save_posteriors=save_posteriors,
        times=times,
        channel=options.channel_number(channel),
        allow_pipes=allow_pipes,
        cluster=cluster,
        **words.arguments(),
    )
