"""``speechtl data``: look at, mend, divide, join, perturb and splice Kaldi data directories."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Look at, mend, divide, join, perturb and splice data directories.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="Data directory to read.")]
Destination = Annotated[Path, typer.Argument(help="Data directory to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the tables of a directory that exists.")]
Seed = Annotated[int, typer.Option(help="Seed of the random choice.")]
AllowPipes = Annotated[bool, typer.Option("--allow-pipes", help="Run shell commands in wav.scp; for data you trust.")]
NoAudioCheck = Annotated[bool, typer.Option("--no-audio-check", help="Do not open the recordings.")]
Decode = Annotated[bool, typer.Option("--decode", help="Decode every recording from beginning to end.")]


@app.command("validate")
def validate(
    directory: Source,
    no_text: Annotated[bool, typer.Option("--no-text", help="Transcripts may be missing.")] = False,
    no_audio_check: NoAudioCheck = False,
    decode: Decode = False,
    allow_pipes: AllowPipes = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only, no warnings.")] = False,
) -> None:
    """Print every problem of a data directory, with file and line; exit code 1 if there is an error."""
    from speechtl.data.validate import validate

    report = validate(
        directory, require_text=not no_text, check_audio=not no_audio_check, decode=decode, allow_pipes=allow_pipes
    )
    for problem in report.errors if quiet else report.problems:
        typer.echo(f"{'warning' if problem.warning else 'error'}: {problem}")
    typer.echo(report.summary())
    if report.errors:
        raise typer.Exit(1)


@app.command("fix")
def fix(
    directory: Source,
    no_audio_check: NoAudioCheck = False,
    decode: Decode = False,
    allow_pipes: AllowPipes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
) -> None:
    """Drop what cannot be used and say so, sort, make spk2utt anew; the old tables go to DIRECTORY/.backup."""
    from speechtl.data.fix import fix

    mending = fix(directory, check_audio=not no_audio_check, decode=decode, allow_pipes=allow_pipes, dry_run=dry_run)
    for action in mending.actions:
        typer.echo(action)
    for problem in mending.remaining:
        typer.echo(f"left as it is: {problem}")
    done = "nothing to mend" if not mending.actions else "nothing written" if dry_run else "old tables in .backup"
    typer.echo(f"{directory}: {mending.after} of {mending.before} utterances kept; {done}")


@app.command("subset")
def subset(
    source: Source,
    destination: Destination,
    speakers: Annotated[str | None, typer.Option(help="Keep these speakers, separated by commas.")] = None,
    speaker_list: Annotated[Path | None, typer.Option(help="Keep the speakers that this file lists.")] = None,
    utterance_list: Annotated[Path | None, typer.Option(help="Keep the utterances that this file lists.")] = None,
    seconds_per_speaker: Annotated[float | None, typer.Option(help="Keep this much speech of each speaker.")] = None,
    utterances_per_speaker: Annotated[int | None, typer.Option(help="Keep so many utterances of each speaker.")] = None,
    utterances: Annotated[int | None, typer.Option(help="Keep so many utterances in all.")] = None,
    first: Annotated[bool, typer.Option("--first", help="Take the first ones by id, not random ones.")] = False,
    last: Annotated[bool, typer.Option("--last", help="Take the last ones by id.")] = False,
    shortest: Annotated[bool, typer.Option("--shortest", help="Take the shortest ones.")] = False,
    seed: Seed = 0,
    allow_pipes: AllowPipes = False,
    overwrite: Overwrite = False,
) -> None:
    """Choose utterances by speaker, list, number or seconds per speaker; conditions add up."""
    from speechtl.data.datadir import DataDir, require_vacant
    from speechtl.data.durations import short_speakers
    from speechtl.data.subset import Order, subset
    from speechtl.data.tables import read_table
    from speechtl.errors import DataError

    if first + last + shortest > 1:
        raise DataError("--first, --last and --shortest exclude each other; give one")
    if speakers is not None and speaker_list is not None:
        raise DataError("--speakers and --speaker-list exclude each other; give one")
    conditions = (speakers, speaker_list, utterance_list, seconds_per_speaker, utterances_per_speaker, utterances)
    if all(condition is None for condition in conditions):
        raise DataError("nothing says what to keep; give --speakers, --utterances or another condition (see --help)")
    require_vacant(destination, overwrite=overwrite, sources=[source])
    order: Order = "first" if first else "last" if last else "shortest" if shortest else "random"
    wanted = [name.strip() for name in speakers.split(",") if name.strip()] if speakers is not None else None
    chosen = subset(
        DataDir.load(source),
        speakers=list(read_table(speaker_list)) if speaker_list else wanted,
        utterance_ids=list(read_table(utterance_list)) if utterance_list else None,
        seconds_per_speaker=seconds_per_speaker,
        utterances_per_speaker=utterances_per_speaker,
        utterances=utterances,
        order=order,
        seed=seed,
        allow_pipes=allow_pipes,
    )
    chosen.save(destination)
    if seconds_per_speaker is not None and utterances is None and utterances_per_speaker is None:
        for speaker, seconds in short_speakers(chosen, seconds_per_speaker, allow_pipes=allow_pipes).items():
            typer.echo(f"warning: speaker '{speaker}' has only {seconds:.1f} s", err=True)
    typer.echo(f"{destination}: {len(chosen)} utterances of {len(chosen.spk2utt)} speakers")


@app.command("split")
def split(
    source: Source,
    rest: Annotated[Path, typer.Argument(help="Data directory to write: what is left.")],
    held_out: Annotated[Path, typer.Argument(help="Data directory to write: what is held out.")],
    by: Annotated[
        Literal["speaker", "utterance"], typer.Option(help="speaker: none on both sides; utterance: a share of each.")
    ] = "speaker",
    fraction: Annotated[float | None, typer.Option(help="Share to hold out, between 0 and 1.")] = None,
    speakers: Annotated[int | None, typer.Option(help="Number of speakers to hold out.")] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Hold out some speakers, or some utterances of every speaker; perturbed copies stay with their originals."""
    from speechtl.data.datadir import DataDir, require_vacant
    from speechtl.data.split import split

    require_vacant(rest, held_out, overwrite=overwrite, sources=[source])
    parts = split(DataDir.load(source), by=by, fraction=fraction, speakers=speakers, seed=seed)
    for part, path in zip(parts, (rest, held_out)):
        part.save(path)
        typer.echo(f"{path}: {len(part)} utterances of {len(part.spk2utt)} speakers")


@app.command("combine")
def combine(
    destination: Destination,
    sources: Annotated[list[Path], typer.Argument(help="Data directories to join.")],
    overwrite: Overwrite = False,
) -> None:
    """Join data directories into one."""
    from speechtl.data.combine import combine
    from speechtl.data.datadir import DataDir, require_vacant

    require_vacant(destination, overwrite=overwrite, sources=sources)
    joined, notes = combine([DataDir.load(source) for source in sources])
    joined.save(destination)
    for note in notes:
        typer.echo(f"warning: {note}", err=True)
    typer.echo(f"{destination}: {len(joined)} utterances of {len(joined.spk2utt)} speakers")


@app.command("perturb-speed")
def perturb_speed(
    source: Source,
    destination: Destination,
    factors: Annotated[str, typer.Option(help="Speeds, separated by commas; 1.0 keeps the original.")] = "0.9,1.0,1.1",
    overwrite: Overwrite = False,
) -> None:
    """Add copies of all utterances played slower and faster; the audio itself is not copied."""
    from speechtl.data.datadir import DataDir, require_vacant
    from speechtl.data.perturb import perturb_speed
    from speechtl.errors import DataError

    try:
        speeds = [float(factor) for factor in factors.split(",")]
    except ValueError as error:
        raise DataError(f"--factors {factors}: expected numbers separated by commas, as in 0.9,1.0,1.1") from error
    require_vacant(destination, overwrite=overwrite, sources=[source])
    perturbed = perturb_speed(DataDir.load(source), speeds)
    perturbed.save(destination)
    typer.echo(f"{destination}: {len(perturbed)} utterances of {len(perturbed.spk2utt)} speakers")


@app.command("splice")
def splice(
    source: Annotated[Path, typer.Argument(help="Data directory with features.")],
    phones: Annotated[Path, typer.Argument(help="CTM of its phones, for example of speechtl align.")],
    destination: Destination,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file; its [features] table says how long a frame is.")
    ] = None,
    lexicon: Annotated[
        Path | None,
        typer.Option(help="Write DESTINATION/lang/ too: this lexicon (IPA) with a word '_p' for a phone 'p'."),
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="Say these words of the lexicon, one a line, instead of phones in random order.")
    ] = None,
    longest_piece: Annotated[int, typer.Option(min=1, help="Phones of a piece, at most; not with --words.")] = 2,
    copies: Annotated[
        int, typer.Option(min=1, help="How often to use every piece, or with --words to say every word.")
    ] = 1,
    overlap: Annotated[int, typer.Option(min=0, help="Frames on both sides of a cut that are faded.")] = 1,
    seed: Seed = 1,
    overwrite: Overwrite = False,
) -> None:
    """Make utterances of pieces of one to a few phones in random order, each speaker's among themselves.

    Beside the real ones they keep a model from learning the words of the training instead of their phones. They have
    features, no audio. Their text is phones; with --lexicon it is the words '_p' of the lexicon that is written, which
    has all other words too, so that one training takes both kinds of utterances.

    With --words every speaker says these words, which need not be in any recording, with pieces of others.
    """
    from speechtl.config import parse, read_toml
    from speechtl.data.ctm import read_ctm
    from speechtl.data.datadir import DataDir, require_vacant
    from speechtl.errors import DataError, LexiconError
    from speechtl.features.config import FeatureConfig
    from speechtl.files import read_lines
    from speechtl.lang.lexicon import Lexicon
    from speechtl.splicing.phones import SplicingConfig
    from speechtl.splicing.phones import splice as splice_phones
    from speechtl.splicing.words import WordSplicingConfig, splice_words

    if words is not None and lexicon is None:
        raise DataError("--words needs their pronunciations; give a lexicon with --lexicon")
    table = read_toml(config) if config else {}
    section = parse(FeatureConfig, table.get("features", {}), f"{config}: [features]")
    require_vacant(destination, overwrite=overwrite, sources=[source])
    entries = Lexicon.load(lexicon, stress="keep") if lexicon else None
    data = DataDir.load(source)
    timed, label = read_ctm(phones, data), "{}" if entries is None else "_{}"
    if words is not None and entries is not None:
        listed = [line.partition("#")[0].strip() for line in read_lines(words)]
        said = {word: [option.phones for option in entries.pronounce(word)] for word in listed if word}
        options = WordSplicingConfig(copies=copies, overlap=overlap, seed=seed)
        spliced = splice_words(data, timed, said, options, section, destination, label=label)
    else:
        splicing = SplicingConfig(longest_piece=longest_piece, copies=copies, overlap=overlap, seed=seed)
        spliced = splice_phones(data, timed, splicing, section, destination, label=label)
    if entries is not None and lexicon is not None:
        for phone in sorted({one.label for labels in timed.values() for one in labels}):
            if f"_{phone}" in entries:
                raise LexiconError(f"{lexicon}: has a word '_{phone}', the name of a spliced phone; rename the word")
            entries.add(f"_{phone}", [phone])
        entries.save(destination / "lang" / lexicon.name)
    hours = sum(spliced.utt2dur.values()) / 3600
    number = sum(len(text.split()) for text in spliced.text.values())
    typer.echo(
        f"{destination}: {len(spliced)} utterances of {len(spliced.spk2utt)} speakers, {hours:.2f} h, "
        f"{number} {'phones' if words is None else 'words and phones'}"
    )
