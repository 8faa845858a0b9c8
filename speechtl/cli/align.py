"""``speechtl align``: forced alignment of a corpus."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from speechtl.experiment.experiment import Experiment
    from speechtl.lang.lexicon import Lexicon


def align(
    experiment: Annotated[Path, typer.Argument(help="Experiment directory of a trained model.")],
    data: Annotated[Path, typer.Argument(help="Data directory with text and features.")],
    out: Annotated[Path, typer.Argument(help="Folder of the results: ctm, phones.ctm, textgrid/, log.jsonl.")],
    lexicon: Annotated[
        Path | None, typer.Option("--lexicon", help="Pronunciations of the words. Default: that of the training.")
    ] = None,
    notation: Annotated[
        Literal["ipa", "arpabet", "xsampa"], typer.Option("--notation", help="How the lexicon writes phones.")
    ] = "ipa",
    language: Annotated[
        str | None, typer.Option("--language", help="Which head of the model; needed if it has several.")
    ] = None,
    phones: Annotated[
        bool, typer.Option("--phones", help="The transcripts are phones of the model; no lexicon is used.")
    ] = False,
    refine: Annotated[
        Literal["auto", "always", "never"],
        typer.Option(
            "--refine",
            help="Refine boundaries with phone models trained on DATA itself; auto: if it has enough speech.",
        ),
    ] = "auto",
    textgrids: Annotated[bool, typer.Option(help="Write a TextGrid of each utterance.")] = True,
    jobs: Annotated[int, typer.Option("--nj", min=1, help="Threads of the alignment.")] = 1,
) -> None:
    """Align transcripts with their speech: words and phones with times, as CTM and TextGrid.

    Utterances that cannot be aligned are listed with the reason; all others are aligned.
    """
    from speechtl.alignment.align_corpus import WORTH_REFINING, align_corpus
    from speechtl.alignment.config import AlignmentConfig
    from speechtl.alignment.corpus import Corpus
    from speechtl.alignment.results import write_alignment
    from speechtl.data.datadir import DataDir
    from speechtl.errors import ConfigError, list_problems
    from speechtl.experiment.experiment import Experiment

    if phones and lexicon is not None:
        raise ConfigError("--phones says that transcripts are phones; leave --lexicon out")
    data_dir = DataDir.load(data)
    model = Experiment.load(experiment)
    language = model.language(language)
    words = None if phones else _load_lexicon(model, language, lexicon, notation)
    features, subsampling = model.config.features, model.model.subsampling
    alignment = align_corpus(
        Corpus(data_dir, model.inventory(language), words, features, subsampling),
        model.posteriors_of(data, language),
        AlignmentConfig(silence_phone=model.config.decoding.silence_phone, refine=refine, jobs=jobs),
    )
    write_alignment(out, alignment, data_dir, textgrids=textgrids)
    if alignment.problems:
        listed = [f"{utterance}: {problem}" for utterance, problem in alignment.problems.items()]
        typer.echo(list_problems(f"warning: {data}: {len(listed)} utterances are not aligned", listed), err=True)
    if alignment.refined:
        coarse = sum(not one.refined for one in alignment.utterances.values())
        how = "boundaries refined on this speech" + (f" (not in {coarse} utterances)" if coarse else "")
    else:
        why = f" (less than {WORTH_REFINING:g} s of speech)" if refine == "auto" else ""
        how = f"boundaries of the model, not refined{why}"
    print(f"{out}: {len(alignment.utterances)} utterances, {alignment.seconds / 60:.1f} minutes, {how}")


def _load_lexicon(
    model: "Experiment", language: str, path: Path | None, notation: Literal["ipa", "arpabet", "xsampa"]
) -> "Lexicon":
    from speechtl.errors import LexiconError
    from speechtl.lang.lexicon import Lexicon

    if path is not None:
        # Read as the training read its own: with stress and tone or without.
        source = next(source for source in model.config.data if source.language == language)
        return Lexicon.load(path, notation=notation, stress=source.stress, tone=source.tone)
    try:
        return model.lexicon(language)
    except LexiconError as error:
        raise LexiconError(f"{error}, or align transcripts of phones with --phones") from error
