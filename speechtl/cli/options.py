"""Options that several verbs share: the same option means the same everywhere."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechtl.errors import ConfigError
from speechtl.g2p.rule_languages import rule_languages

# Not a Path, which would make NAME of ./NAME.
Model = Annotated[
    str,
    typer.Argument(help="Experiment directory, file of speechtl export, or name of one of speechtl models."),
]
Lexicon = Annotated[
    Path | None,
    typer.Option(
        "--lexicon",
        help="Pronunciation lexicon of the words to find, or a folder with LANGUAGE.txt; by default the model's own.",
    ),
]
Notation = Annotated[
    Literal["ipa", "arpabet", "xsampa"],
    typer.Option("--notation", help="How the lexicon and --add-word write phones."),
]
AddWord = Annotated[
    list[str] | None,
    typer.Option(
        "--add-word",
        help="One more word: 'Kubernetes=k u b ə n ɛ t i z', or the word alone, to be guessed. Repeatable.",
    ),
]
G2p = Annotated[
    Path | None,
    typer.Option(
        "--g2p",
        help="Grapheme-to-phoneme model (speechtl lexicon g2p --save) that guesses; by default trained on the lexicon.",
    ),
]
Rules = Annotated[
    str | None,
    typer.Option(
        "--rules",
        metavar="LANGUAGE",
        help=f"In place of --g2p, guess by the spelling rules of a language: {' '.join(rule_languages())}.",
    ),
]
Lm = Annotated[
    Path | None,
    typer.Option(
        "--lm",
        help="Language model: word n-grams, in ARPA format or as a trie of KenLM; without it, any word may follow any.",
    ),
]
Grammar = Annotated[
    Path | None,
    typer.Option("--grammar", help="In place of --lm, a grammar of commands: JSGF, or OpenFst text."),
]
Language = Annotated[
    str | None,
    typer.Option("--language", help="Which of the model's languages; by default the only one, or it is recognised."),
]
Speaker = Annotated[
    Path | None,
    typer.Option(
        "--speaker", help="Adapted layers of the speaker, to put on top (OUT of speechtl adapt, or its file)."
    ),
]
Inventory = Annotated[
    str,
    typer.Option(
        "--inventory",
        help="The phones to recognise: auto, what language and lexicon suggest; model, those of a trained head; with a "
        "model of the transfer method "
        "'attributes' also lexicon, all phones of --lexicon, all, those of all its languages, or a file of IPA phones.",
    ),
]
MissingPhones = Annotated[
    Literal["nearest", "refuse"],
    typer.Option(
        "--missing-phones",
        help="Phones of the lexicon that the model lacks: take the nearest that it has and say so, or refuse them.",
    ),
]
Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file; its [decoding] table overrides that of the experiment.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Override one setting: decoding.lm_weight=1.5. Repeatable.")
]
Beam = Annotated[float | None, typer.Option("--beam", min=0, help="Beam of the search: --set decoding.beam=BEAM.")]
Oov = Annotated[
    Literal["words", "phones"] | None,
    typer.Option("--oov", help="phones: where no word fits, write the phones themselves, as <oov:k_u_b>."),
]
Nbest = Annotated[
    int,
    typer.Option("--nbest", min=1, help="Length of the N-best lists (in JSON); with --phones, of that of each phone."),
]
SearchThreads = Annotated[
    int | None, typer.Option("--nj", min=1, help="Threads of the search; by default as many as there are processors.")
]
Threads = Annotated[int, typer.Option("--nj", min=1, help="Threads of the search.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ENGINE",
        help="Compute on a Dask cluster: local:8, tcp://scheduler:8786, slurm:partition=cpu,jobs=40 (sge, pbs, lsf), "
        "kubernetes:image=NAME.",
    ),
]
Channel = Annotated[
    str | None,
    typer.Option(
        "--channel",
        metavar="mix|first|N",
        help="Of recordings with several channels, the mean of all, the first, or the one with this number from 0; by "
        "default what the model's [features] say.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Random seed.")]
AllowPipes = Annotated[
    bool, typer.Option("--allow-pipes", help="Run the shell commands in wav.scp; for data you trust.")
]
Export = Annotated[
    bool,
    typer.Option(help="Export the finished model into its folder: then it recognises speech without TensorFlow."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a result that exists.")]


def channel_number(channel: str | None, *also: str) -> str | int | None:
    """Return ``--channel`` as the features' setting; ``also`` are other words that it may be.

    Raises:
        ConfigError: it is none of these.
    """
    if channel is None or channel in ("mix", "first", *also):
        return channel
    if not (channel.isascii() and channel.isdigit()):
        known = ", ".join(("mix", "first", *also))
        raise ConfigError(f"--channel {channel}: expected {known} or the number of a channel, counted from 0")
    return int(channel)


def decoding_settings(settings: list[str] | None, beam: float | None = None, oov: str | None = None) -> tuple[str, ...]:
    """Return ``--set`` with the options that are short for a setting."""
    short = [f"decoding.beam={beam}"] if beam is not None else []
    short += [f"decoding.oov={oov}"] if oov else []
    return (*(settings or ()), *short)
