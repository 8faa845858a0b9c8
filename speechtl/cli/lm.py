"""``speechtl lm``: train an n-gram language model."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def lm(
    texts: Annotated[list[Path], typer.Argument(metavar="TEXT...", help="Text tables, or data directories with one.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="ARPA file to write; NAME.gz is compressed.")],
    order: Annotated[int, typer.Option("--order", min=1, help="Length of the longest n-grams.")] = 3,
    vocabulary: Annotated[
        Path | None,
        typer.Option(
            "--vocabulary", help="Lexicon or word list: its words are the vocabulary, also those that the text lacks."
        ),
    ] = None,
    layout: Annotated[
        Literal["kaldi", "plain"], typer.Option("--text-column", help="Lines begin with an utterance id, or are plain.")
    ] = "kaldi",
    prune: Annotated[
        str,
        typer.Option(
            "--prune", help="Highest count of n-grams to leave out, per order: 0,0,1 drops trigrams seen once."
        ),
    ] = "0",
    dev: Annotated[
        list[Path] | None, typer.Option("--dev", help="Text to print the perplexity of; same layout. Repeatable.")
    ] = None,
    mix: Annotated[
        Path | None,
        typer.Option("--mix", help="Language model of another kind of sentences, to mix in: ARPA or KenLM."),
    ] = None,
    share: Annotated[
        float | None, typer.Option("--share", min=0, max=1, help="Share of --mix; by default chosen on --dev.")
    ] = None,
) -> None:
    """Train an interpolated modified Kneser-Ney n-gram language model and write it as ARPA."""
    from speechtl.errors import ConfigError, DataError
    from speechtl.grammar.ngram_mixture import choose_shares, mix_ngrams
    from speechtl.grammar.ngram_model import train_ngram
    from speechtl.grammar.read import read_language_model
    from speechtl.grammar.sentences import read_sentences, read_words

    try:
        thresholds = [int(number) for number in prune.split(",")]
    except ValueError as error:
        raise DataError(f"--prune {prune}: expected whole numbers with commas, like 0,0,1") from error
    if mix is None and share is not None:
        raise ConfigError("--share is of another language model; give its file with --mix")
    if mix is not None and share is None and not dev:
        raise ConfigError("--mix needs --share, or a --dev text to choose it on")
    other = read_language_model(mix) if mix else None
    words = read_words(vocabulary) if vocabulary else None
    # Read first: a mistake in them should not wait for the training.
    held_out = {path: read_sentences(path, layout) for path in dev or []}
    sentences = [sentence for path in texts for sentence in read_sentences(path, layout)]
    if not sentences:
        raise DataError(f"{', '.join(map(str, texts))}: no sentence with words; give a text to train on")
    model = train_ngram(sentences, order, vocabulary=words, prune=thresholds)
    if other is not None:
        models = [model, other]
        text = [sentence for part in held_out.values() for sentence in part]
        shares = choose_shares(models, text) if share is None else [1 - share, share]
        model = mix_ngrams(models, shares)
        typer.echo(f"{mix}: share {shares[1]:.3f} of the sentences")
    model.write_arpa(out)
    sizes = [0] * model.order
    for ngram, _ in model.ngrams():
        sizes[len(ngram) - 1] += 1
    counts = ", ".join(f"{size} {length}-grams" for length, size in enumerate(sizes, start=1))
    typer.echo(f"{out}: {counts} from {len(sentences)} sentences, {sum(map(len, sentences))} words")
    for path, text in held_out.items():
        fit = model.fit(text)
        unknown = f", {fit.unknown} unknown, {fit.perplexity_of_known:.2f} without them" if fit.unknown else ""
        typer.echo(f"{path}: perplexity {fit.perplexity:.2f} ({fit.sentences} sentences, {fit.words} words{unknown})")
