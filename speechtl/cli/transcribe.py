"""``speechtl transcribe``: words from audio files, with words that were added a second ago."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from speechtl.cli import options
from speechtl.cli.word_options import DecodingOptions, with_options

if TYPE_CHECKING:
    from speechtl.recognition.transcript import Transcript


@dataclasses.dataclass(frozen=True)
class TranscribeOptions(DecodingOptions):
    """The same with how recordings are cut."""

    config: Annotated[
        Path | None,
        typer.Option("--config", help="TOML file; its [decoding] overrides the experiment's; [segmentation]."),
    ] = None
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override one setting: decoding.lm_weight=1.5, segmentation.pause=0.5. Repeatable."),
    ] = None


@with_options
def transcribe(
    model: options.Model,
    audio: Annotated[
        list[str] | None,
        typer.Argument(
            help="Audio files, folders (searched with all folders below), data directories, or - for standard input.",
            show_default=False,
        ),
    ] = None,
    *,
    words: TranscribeOptions,
    phones: Annotated[bool, typer.Option("--phones", help="Phones alone, without any lexicon.")] = False,
    form: Annotated[
        Literal["text", "json", "ctm", "srt", "vtt", "textgrid"],
        typer.Option(
            "--format",
            help="text, json (a line per recording, with all there is), or words (with --phones, phones) with times.",
        ),
    ] = "text",
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", help="A file for everything; or a folder (existing, or with / at its end), a file each."
        ),
    ] = None,
    one_speaker: Annotated[
        bool, typer.Option("--one-speaker", help="All recordings are of one speaker: normalise them together.")
    ] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Do not cut at pauses: a recording is one segment (10 minutes at most).")
    ] = False,
    raw_rate: Annotated[
        int | None,
        typer.Option("--raw-rate", min=1, help="Sample rate in Hz of raw 16-bit mono samples on standard input."),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Transcribe while someone speaks, into the microphone (no audio is named) or through a pipe (- with "
            "--raw-rate): on a terminal the words so far, elsewhere a line when a segment has ended.",
        ),
    ] = False,
    channel: Annotated[
        str | None,
        typer.Option(
            "--channel",
            metavar="mix|first|N|each",
            help="Of recordings with several channels, the mean of all, the first, the one with this number from 0, or "
            "each as a recording of its own; by default what the model's [features] say.",
        ),
    ] = None,
    cluster: options.Cluster = None,
) -> None:
    """Transcribe audio of any length and sample rate, into any words that have a pronunciation.

    One recording gives its text; several give a line each, name and text with a tab between.
    """
    import contextlib
    import sys

    import speechtl
    from speechtl.audio.stream import duration, has_audio_suffix
    from speechtl.cli.console import show_log
    from speechtl.cluster.open_workers import open_workers
    from speechtl.errors import ConfigError
    from speechtl.pieces import spread
    from speechtl.progress import progress_bar
    from speechtl.recognition.recording_transcriber import GROUP_SECONDS, RecordingTranscriber, group_recordings
    from speechtl.recognition.recordings import by_channel, find_recordings, find_utterances, is_data_directory
    from speechtl.recognition.results import results
    from speechtl.recognition.transcript import Recording
    from speechtl.recognition.unheard import Unheard

    # Standard output is for the transcripts.
    show_log(notes=True)
    if has_audio_suffix(model) and not Path(model).is_dir():
        raise ConfigError(f"{model}: is audio, where the model is expected: speechtl transcribe base {model}")
    if phones and (words.lexicon or words.add_word or words.lm or words.grammar or words.oov):
        raise ConfigError("--phones finds no words; leave --lexicon, --add-word, --lm, --grammar and --oov out")
    if phones and form in ("srt", "vtt"):
        raise ConfigError(f"--format {form} is about words; take text, json, ctm or textgrid with --phones")
    if not audio and not live:
        raise typer.BadParameter("give audio files, folders or - for standard input; or --live for the microphone")
    audio = audio or []
    if raw_rate and "-" not in audio:
        raise ConfigError("--raw-rate is about standard input; give - as the audio")
    if live:
        _check_live(audio, raw_rate, form, out, channel, whole or one_speaker)
    if cluster and ("-" in audio or live or one_speaker):
        raise ConfigError("--cluster transcribes files one by one; leave standard input, --live and --one-speaker out")
    side = options.channel_number(channel, "each")
    utterances = find_utterances([name for name in audio if is_data_directory(name)])
    audio = [name for name in audio if not is_data_directory(name)]
    names = find_recordings(audio) if audio else {}
    files: dict[str, tuple[str, str | int | None]] = {name: (name, side) for name in names}
    if side == "each":
        parts = by_channel(names)
        files = {name: (file, number) for name, (file, _, number) in parts.items()}
        names = {name: short for name, (_, short, _) in parts.items()}
    if repeated := names.keys() & utterances.keys():
        raise ConfigError(f"{min(repeated)}: a file, and an utterance of a data directory; name one at a time")
    names |= {name: name for name in utterances}
    recogniser = speechtl.load(model, words=not phones, one_speaker=one_speaker, whole=whole, **words.arguments())
    if live:
        from speechtl.audio.listen import listen_to_microphone, listen_to_pipe
        from speechtl.cli.live_transcript import write_live

        rate, blocks = (raw_rate, listen_to_pipe(sys.stdin.buffer)) if raw_rate else listen_to_microphone()
        write_live(recogniser.stream(rate), blocks, form, sys.stdout)
        return
    recordings = [
        Recording(name, sys.stdin.buffer, raw_rate, side) if file == "-" else Recording(name, Path(file), channel=side)
        for name, (file, side) in files.items()
    ]
    recordings += [Recording(name, one, channel=None if side == "each" else side) for name, one in utterances.items()]
    lengths = [None if file == "-" else duration(file) for file, _ in files.values()]
    lengths += [None] * len(utterances)
    sentences = all(decoder.config.mode == "sentence" for decoder in recogniser.decoders.values())
    failed, unheard = 0, Unheard(sentences and words.grammar is None)
    with contextlib.ExitStack() as stack:
        stream = sys.stdout
        total = None if None in lengths else sum(filter(None, lengths))
        advance = stack.enter_context(progress_bar("transcribing (s)", total))
        # The bar redirects standard output to the terminal; what goes into a file or a pipe must not go there.
        stream = sys.stdout if stream.isatty() else stream
        write = stack.enter_context(results(form, out, names, stream))
        workers = stack.enter_context(open_workers(cluster, (words.jobs or 1) if cluster else 1))
        transcribe_groups = RecordingTranscriber.of(recogniser)
        if workers.here:
            transcribe_groups.advance = advance
        groups = group_recordings(recordings, lengths)
        workers.require([recogniser.experiment.path, words.lexicon, words.lm, words.grammar, words.speaker, *audio])
        for transcript in spread(workers, transcribe_groups, groups, lambda group: group.seconds + 1.0, GROUP_SECONDS):
            if not workers.here:
                advance(transcript.seconds)
            failed += transcript.error is not None
            _tell(transcript, len(recogniser.languages) > 1)
            unheard.add(transcript)
            if transcript.error is None or transcript.segments:
                write(transcript)
    for note in unheard.notes():
        typer.echo(f"note: {note}", err=True)
    if failed:
        if len(names) > 1:
            typer.echo(f"error: {failed} of {len(names)} recordings could not be read to their end", err=True)
        raise typer.Exit(1)


def _check_live(
    audio: list[str], raw_rate: int | None, form: str, out: str | None, channel: str | None, other: bool
) -> None:
    """Refuse what has no meaning while someone speaks."""
    from speechtl.errors import ConfigError

    if audio and (audio != ["-"] or raw_rate is None):
        raise ConfigError("--live listens to the microphone if no audio is named, or to a pipe: - --raw-rate 16000")
    if form not in ("text", "json"):
        raise ConfigError(f"--format {form} is of whole recordings; take text or json with --live")
    if out is not None or channel is not None or other:
        raise ConfigError("--live writes to standard output; leave --out, --channel, --whole and --one-speaker out")


def _tell(transcript: "Transcript", recognised: bool) -> None:
    """Say on standard error what is remarkable about a transcript."""
    from speechtl.errors import printable
    from speechtl.recognition.spoken_language import SpokenLanguage, describe_languages

    if transcript.error is not None:
        typer.echo(f"error: {transcript.error}", err=True)
    elif not transcript.segments:
        typer.echo(f"note: {printable(transcript.name)}: no speech in {transcript.seconds:.2f} s of audio", err=True)
    elif recognised:
        spoken = [SpokenLanguage(s.language or "", s.language_probability) for s in transcript.segments]
        typer.echo(f"note: {printable(transcript.name)}: {describe_languages(spoken)}", err=True)
