"""``speechtl data``: validate, repair, subset, split, combine, perturb and splice Kaldi data directories."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechtl.cli.console import size_of

app = typer.Typer(
    help="Validate, repair, subset, split, combine, perturb and splice data directories.", no_args_is_help=True
)

Source = Annotated[Path, typer.Argument(help="Data directory to read.")]
Destination = Annotated[Path, typer.Argument(help="Data directory to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the tables of an existing directory.")]
Seed = Annotated[int, typer.Option(help="Random seed.")]
AllowPipes = Annotated[bool, typer.Option("--allow-pipes", help="Run shell commands in wav.scp (trusted data only).")]
NoAudioCheck = Annotated[bool, typer.Option("--no-audio-check", help="Do not open the recordings.")]
Decode = Annotated[bool, typer.Option("--decode", help="Decode every recording completely.")]


@app.command("validate")
def validate(
    directory: Source,
    no_text: Annotated[bool, typer.Option("--no-text", help="Allow missing transcripts.")] = False,
    no_audio_check: NoAudioCheck = False,
    decode: Decode = False,
    allow_pipes: AllowPipes = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Print all problems, not three of a kind.")] = False,
) -> None:
    """List the problems of a data directory with file and line; exit code 1 if there are errors."""
    from speechtl.data.tables import problem_lines
    from speechtl.data.validate import validate

    report = validate(
        directory, require_text=not no_text, check_audio=not no_audio_check, decode=decode, allow_pipes=allow_pipes
    )
    lines = problem_lines(report.errors if quiet else report.problems, every=every)
    typer.echo("\n".join([*lines, report.summary()]))
    if report.errors:
        raise typer.Exit(1)


@app.command("fix")
def fix(
    directory: Source,
    no_audio_check: NoAudioCheck = False,
    decode: Decode = False,
    allow_pipes: AllowPipes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done; write nothing.")] = False,
) -> None:
    """Repair a data directory: drop unusable entries, sort, rebuild spk2utt; old tables go to DIRECTORY/.backup."""
    from speechtl.data.fix import fix
    from speechtl.errors import grouped

    repair = fix(directory, check_audio=not no_audio_check, decode=decode, allow_pipes=allow_pipes, dry_run=dry_run)
    for line in grouped([*repair.actions, *(f"not repaired: {problem}" for problem in repair.remaining)]):
        typer.echo(line)
    done = "nothing to repair" if not repair.actions else "nothing written" if dry_run else "old tables in .backup"
    typer.echo(f"{directory}: {repair.after} of {repair.before} utterances kept; {done}")


@app.command("subset")
def subset(
    source: Source,
    destination: Destination,
    speakers: Annotated[str | None, typer.Option(help="Keep these speakers (comma-separated).")] = None,
    speaker_list: Annotated[Path | None, typer.Option(help="Keep the speakers listed in this file.")] = None,
    utterance_list: Annotated[Path | None, typer.Option(help="Keep the utterances listed in this file.")] = None,
    exclude: Annotated[str | None, typer.Option(help="Leave these utterances out (comma-separated).")] = None,
    seconds_per_speaker: Annotated[float | None, typer.Option(help="Seconds of speech to keep per speaker.")] = None,
    utterances_per_speaker: Annotated[int | None, typer.Option(help="Utterances to keep per speaker.")] = None,
    utterances: Annotated[int | None, typer.Option(help="Utterances to keep in total.")] = None,
    first: Annotated[bool, typer.Option("--first", help="Take the first utterances by id, not random ones.")] = False,
    last: Annotated[bool, typer.Option("--last", help="Take the last utterances by id.")] = False,
    shortest: Annotated[bool, typer.Option("--shortest", help="Take the shortest utterances.")] = False,
    seed: Seed = 1,
    allow_pipes: AllowPipes = False,
    overwrite: Overwrite = False,
) -> None:
    """Select utterances by speaker, list, number or seconds per speaker; all conditions must hold."""
    from speechtl.data.datadir import DataDir, require_vacant
    from speechtl.data.durations import short_speakers
    from speechtl.data.subset import Order, subset
    from speechtl.data.tables import read_table
    from speechtl.errors import DataError, grouped

    if first + last + shortest > 1:
        raise DataError("--first, --last and --shortest exclude each other; give one")
    if speakers is not None and speaker_list is not None:
        raise DataError("--speakers and --speaker-list exclude each other; give one")
    conditions = (
        speakers,
        speaker_list,
        utterance_list,
        exclude,
        seconds_per_speaker,
        utterances_per_speaker,
        utterances,
    )
    if all(condition is None for condition in conditions):
        raise DataError("nothing says what to keep; give --speakers, --utterances or another condition (see --help)")
    require_vacant(destination, overwrite=overwrite, sources=[source])
    order: Order = "first" if first else "last" if last else "shortest" if shortest else "random"
    wanted = [name.strip() for name in speakers.split(",") if name.strip()] if speakers is not None else None
    chosen = subset(
        DataDir.load(source),
        speakers=list(read_table(speaker_list)) if speaker_list else wanted,
        utterance_ids=list(read_table(utterance_list)) if utterance_list else None,
        excluded=[name.strip() for name in (exclude or "").split(",") if name.strip()],
        seconds_per_speaker=seconds_per_speaker,
        utterances_per_speaker=utterances_per_speaker,
        utterances=utterances,
        order=order,
        seed=seed,
        allow_pipes=allow_pipes,
    )
    chosen.save(destination)
    if seconds_per_speaker is not None and utterances is None and utterances_per_speaker is None:
        short = short_speakers(chosen, seconds_per_speaker, allow_pipes=allow_pipes)
        for line in grouped(f"warning: speaker '{name}' has only {seconds:.1f} s" for name, seconds in short.items()):
            typer.echo(line, err=True)
    typer.echo(size_of(destination, chosen))


@app.command("split")
def split(
    source: Source,
    rest: Annotated[Path, typer.Argument(help="Data directory to write: the remaining utterances.")],
    held_out: Annotated[Path, typer.Argument(help="Data directory to write: the held-out utterances.")],
    by: Annotated[
        Literal["speaker", "utterance"],
        typer.Option(help="speaker: no speaker is in both; utterance: a fraction of each."),
    ] = "speaker",
    fraction: Annotated[float | None, typer.Option(help="Fraction to hold out, between 0 and 1.")] = None,
    speakers: Annotated[int | None, typer.Option(help="Number of speakers to hold out.")] = None,
    seed: Seed = 1,
    overwrite: Overwrite = False,
) -> None:
    """Hold out speakers, or some utterances of every speaker; perturbed copies stay with their originals."""
    from speechtl.data.datadir import DataDir
    from speechtl.data.split import save_parts, split

    parts = split(DataDir.load(source), by=by, fraction=fraction, speakers=speakers, seed=seed)
    save_parts(source, parts, (rest, held_out), overwrite=overwrite)
    for part, path in zip(parts, (rest, held_out)):
        typer.echo(size_of(path, part))


@app.command("combine")
def combine(
    destination: Destination,
    sources: Annotated[list[Path], typer.Argument(help="Data directories to combine.")],
    overwrite: Overwrite = False,
) -> None:
    """Combine data directories into one."""
    from speechtl.data.combine import combine
    from speechtl.data.datadir import DataDir, require_vacant

    require_vacant(destination, overwrite=overwrite, sources=sources)
    joined, notes = combine([DataDir.load(source) for source in sources])
    joined.save(destination)
    for note in notes:
        typer.echo(f"warning: {note}", err=True)
    typer.echo(size_of(destination, joined))


@app.command("perturb-speed")
def perturb_speed(
    source: Source,
    destination: Destination,
    factors: Annotated[str, typer.Option(help="Speed factors (comma-separated); 1.0: original.")] = "0.9,1.0,1.1",
    overwrite: Overwrite = False,
) -> None:
    """Add slower and faster copies of all utterances; the audio itself is not copied."""
    from speechtl.data.datadir import DataDir, require_vacant
    from speechtl.data.perturb import perturb_speed

    speeds = _amounts("--factors", factors, "0.9,1.0,1.1")
    require_vacant(destination, overwrite=overwrite, sources=[source])
    perturbed = perturb_speed(DataDir.load(source), speeds)
    perturbed.save(destination)
    typer.echo(size_of(destination, perturbed))


@app.command("perturb-pitch")
def perturb_pitch(
    source: Source,
    destination: Destination,
    semitones: Annotated[
        str, typer.Option(help="Shifts of pitch and formants together, separated by commas; 0 keeps the original.")
    ] = "-2,0,2",
    formants: Annotated[
        str, typer.Option(help="Factors of the formants alone (VTLP), separated by commas: 0.9,1.1. Pitch stays.")
    ] = "",
    jobs: Annotated[int, typer.Option("--nj", min=1, help="Processes.")] = 1,
    allow_pipes: AllowPipes = False,
    overwrite: Overwrite = False,
) -> None:
    """Add copies of all utterances in other voices: pitch and formants are moved, the duration stays.

    The audio of the copies is written into DESTINATION/audio as FLAC. Run again, it continues where it stopped.
    """
    from speechtl.data.datadir import DataDir
    from speechtl.data.perturb_pitch import perturb_pitch

    perturbed = perturb_pitch(
        DataDir.load(source),
        destination,
        _amounts("--semitones", semitones, "-2,0,2"),
        _amounts("--formants", formants, "0.9,1.1"),
        jobs=jobs,
        allow_pipes=allow_pipes,
        overwrite=overwrite,
    )
    typer.echo(size_of(destination, perturbed))


def _amounts(option: str, given: str, example: str) -> list[float]:
    from speechtl.errors import DataError

    try:
        return [float(amount) for amount in given.split(",")] if given.strip() else []
    except ValueError as error:
        raise DataError(f"{option} {given}: expected numbers separated by commas, as in {example}") from error


@app.command("splice")
def splice(
    source: Annotated[Path, typer.Argument(help="Data directory with features.")],
    phones: Annotated[Path, typer.Argument(help="CTM of its phones, for example from speechtl align.")],
    destination: Destination,
    config: Annotated[Path | None, typer.Option(help="TOML file; its [features] must be those of SOURCE.")] = None,
    lexicon: Annotated[
        Path | None,
        typer.Option(help="Lexicon (IPA) to write to DESTINATION/lang/, with a word '_p' added for every phone 'p'."),
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="Splice these words of the lexicon, one per line, instead of random phones.")
    ] = None,
    longest_piece: Annotated[int, typer.Option(min=1, help="Maximum phones per piece; not with --words.")] = 2,
    copies: Annotated[
        int, typer.Option(min=1, help="Number of times every piece is used, or every word is spliced.")
    ] = 1,
    overlap: Annotated[int, typer.Option(min=0, help="Frames cross-faded on each side of a cut.")] = 1,
    seed: Seed = 1,
    overwrite: Overwrite = False,
) -> None:
    """Splice new utterances from pieces of one to a few phones, in random order, within each speaker.

    Trained on together with the real utterances, they keep a model from learning the words of the training data instead
    of their phones. They have features but no audio. Their text is phones; with --lexicon it is the words '_p' of the
    written lexicon, which also has all other words, so that one training can use both kinds of utterances.

    With --words every speaker says the given words, which need not occur in any recording, surrounded by other pieces.
    """
    from speechtl.config import parse, read_toml
    from speechtl.data.ctm import read_ctm
    from speechtl.data.datadir import DataDir, filled_at_once, require_vacant
    from speechtl.errors import DataError
    from speechtl.features.config import FeatureConfig
    from speechtl.features.parts import check_features, recorded_config
    from speechtl.splicing.phones import SplicingConfig
    from speechtl.splicing.phones import splice as splice_phones
    from speechtl.splicing.splicing_lexicon import SplicingLexicon
    from speechtl.splicing.words import WordSplicingConfig, splice_words

    if words is not None and lexicon is None:
        raise DataError("--words needs their pronunciations; give a lexicon with --lexicon")
    require_vacant(destination, overwrite=overwrite, sources=[source])
    entries = SplicingLexicon(lexicon) if lexicon else None
    data = DataDir.load(source)
    if config is not None:
        features = parse(FeatureConfig, read_toml(config).get("features", {}), f"{config}: [features]")
        check_features(data, features)
    else:
        features = recorded_config(data) or FeatureConfig()
    timed = read_ctm(phones, data)
    label = "{}" if entries is None else entries.add_phones(one.label for labels in timed.values() for one in labels)
    with filled_at_once(destination) as folder:
        if words is not None and entries is not None:
            options = WordSplicingConfig(copies=copies, overlap=overlap, seed=seed)
            spoken = entries.pronunciations(words)
            spliced = splice_words(data, timed, spoken, options, features, folder, label=label, place=destination)
        else:
            splicing = SplicingConfig(longest_piece=longest_piece, copies=copies, overlap=overlap, seed=seed)
            spliced = splice_phones(data, timed, splicing, features, folder, label=label, place=destination)
        if entries is not None:
            entries.save(folder / "lang")
    hours = sum(spliced.utt2dur.values()) / 3600
    units = sum(len(text.split()) for text in spliced.text.values())
    kinds = "phones" if words is None else "words and phones"
    typer.echo(f"{size_of(destination, spliced)}, {hours:.2f} h, {units} {kinds}")
