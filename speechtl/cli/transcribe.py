"""``speechtl transcribe``: words from audio files, with words that were added a second ago."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from speechtl.experiment.experiment import Experiment


def transcribe(
    experiment: Annotated[Path, typer.Argument(help="Experiment directory of a trained model.")],
    audio: Annotated[
        list[str],
        typer.Argument(help="Audio files, folders (searched with all folders below) or - for standard input."),
    ],
    lexicon: Annotated[
        Path | None,
        typer.Option(
            "--lexicon",
            help="Pronunciations of the words to find, or a folder with LANGUAGE.txt; by default the model's own.",
        ),
    ] = None,
    notation: Annotated[
        Literal["ipa", "arpabet", "xsampa"],
        typer.Option("--notation", help="How the lexicon and --add-word write phones."),
    ] = "ipa",
    new_words: Annotated[
        list[str] | None,
        typer.Option(
            "--add-word",
            help="One more word: 'Kubernetes=k u b ə n ɛ t i z', or the word alone, to be guessed. Repeatable.",
        ),
    ] = None,
    g2p: Annotated[
        Path | None,
        typer.Option("--g2p", help="Model of 'speechtl lexicon g2p' that guesses; by default learnt from the lexicon."),
    ] = None,
    lm: Annotated[
        Path | None, typer.Option("--lm", help="Language model: word n-grams, in ARPA format or as a trie of KenLM.")
    ] = None,
    grammar: Annotated[
        Path | None,
        typer.Option("--grammar", help="In place of --lm, a grammar of commands: JSGF, or OpenFst text."),
    ] = None,
    phones: Annotated[bool, typer.Option("--phones", help="Phones alone, without any lexicon.")] = False,
    form: Annotated[
        Literal["text", "json", "ctm", "srt", "textgrid"],
        typer.Option("--format", help="text, json (a line per recording, with all there is), or words with times."),
    ] = "text",
    out: Annotated[
        str | None,
        typer.Option("--out", help="A file for everything; or a folder (existing, or with / at its end), a file each."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option("--language", help="Which of the model's languages; by default it is recognised, if it can be."),
    ] = None,
    phones_of: Annotated[
        Literal["model", "lexicon"],
        typer.Option(
            "--inventory",
            help="The phones to recognise: a trained head's, or all of --lexicon, heard in training or not (needs the "
            'transfer method "attributes"; a language need not be named).',
        ),
    ] = "model",
    oov: Annotated[
        Literal["words", "phones"] | None,
        typer.Option("--oov", help="phones: where no word fits, the phones themselves, as <oov:k_u_b>."),
    ] = None,
    nbest: Annotated[int, typer.Option("--nbest", min=1, help="Hypotheses per segment, in json.")] = 1,
    whole: Annotated[
        bool, typer.Option("--whole", help="Do not look for pauses: a recording is one segment (10 minutes at most).")
    ] = False,
    speaker: Annotated[
        Path | None,
        typer.Option("--speaker", help="What speechtl adapt wrote about who speaks (folder or speaker.h5)."),
    ] = None,
    one_speaker: Annotated[
        bool, typer.Option("--one-speaker", help="All recordings are of one speaker: normalise them together.")
    ] = False,
    raw_rate: Annotated[
        int | None,
        typer.Option("--raw-rate", min=1, help="Standard input is raw 16-bit samples of one channel at so many Hz."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="TOML file: [decoding] goes over the experiment's; [segmentation]."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one setting: decoding.lm_weight=1.5, segmentation.pause=0.5. Repeatable."),
    ] = None,
    jobs: Annotated[int, typer.Option("--nj", min=1, help="Threads of the search.")] = 1,
) -> None:
    """Transcribe audio of any length and sample rate, into any words that have a pronunciation.

    One recording gives its text; several give a line each, name and text with a tab between.
    """
    import contextlib
    import sys

    from speechtl.audio.stream import duration
    from speechtl.audio.voice_activity import SegmentationConfig
    from speechtl.decoding.config import DecodingConfig
    from speechtl.errors import ConfigError
    from speechtl.progress import progress_bar
    from speechtl.recognition.results import results
    from speechtl.recognition.transcript import Recording
    from speechtl.recognition.vocabulary import make_decoder, read_lexicon

    if lm and grammar:
        raise ConfigError("--lm and --grammar both define the word sequences; give one of them")
    if phones and (lexicon or new_words or lm or grammar or oov):
        raise ConfigError("--phones finds no words; leave --lexicon, --add-word, --lm, --grammar and --oov out")
    if phones and form in ("ctm", "srt"):
        raise ConfigError(f"--format {form} is about words; take text, json or textgrid with --phones")
    if phones_of == "lexicon" and lexicon is None:
        raise ConfigError("--inventory lexicon takes the phones of a lexicon; give it with --lexicon")
    if raw_rate and "-" not in audio:
        raise ConfigError("--raw-rate is about standard input; give - as the audio")
    names = _find(audio)

    from speechtl.experiment.experiment import Experiment
    from speechtl.lang.phones import PhoneInventory
    from speechtl.recognition.language_identifier import LanguageIdentifier
    from speechtl.recognition.posteriors import NEW_LANGUAGE
    from speechtl.recognition.spoken_language import SpokenLanguage, describe_languages
    from speechtl.recognition.transcriber import Transcriber

    model = Experiment.load(experiment, speaker)
    sections = _sections(model, config, [*(settings or []), *([f"decoding.oov={oov}"] if oov else [])])
    several = language is None and len(model.languages) > 1 and phones_of == "model"
    # The first language says how lexicons are read where any may be decoded.
    one = language or (model.languages[0] if phones_of == "lexicon" else None)
    languages = LanguageIdentifier(model).languages if several else [model.language(one)]
    if len(languages) > 1 and (new_words or lm or grammar or (lexicon and not lexicon.is_dir())):
        raise ConfigError(
            "--add-word, --lm, --grammar and the file of a --lexicon are of one language; name it with --language "
            f"({', '.join(languages)})"
        )
    decoders = {}
    for name in languages if not phones else ():
        data = next(data for data in model.config.data if name in (data.language, data.head_name))
        given = lexicon / f"{name}.txt" if lexicon and lexicon.is_dir() else lexicon
        words = read_lexicon(given, model.directory.lexicon(name), notation, data, new_words or [])
        if phones_of == "lexicon":
            language = NEW_LANGUAGE
            model.add_language(language, PhoneInventory(sorted(words.phones())))
        decoders[name if phones_of == "model" else NEW_LANGUAGE] = make_decoder(
            model,
            words,
            language=name if phones_of == "model" else NEW_LANGUAGE,
            new_words=new_words or [],
            notation=notation,
            g2p=g2p,
            lm=lm,
            grammar=grammar,
            config=sections(DecodingConfig, "decoding"),
            say=lambda line: typer.echo(f"note: {line}", err=True),
        )
    segmentation = None if whole else sections(SegmentationConfig, "segmentation")
    transcriber = Transcriber(
        model,
        decoders or None,
        language=language,
        segmentation=segmentation,
        nbest=nbest,
        one_speaker=one_speaker,
        jobs=jobs,
    )
    recordings = [
        Recording(name, sys.stdin.buffer, raw_rate) if name == "-" else Recording(name, Path(name)) for name in names
    ]
    lengths = [None if name == "-" else duration(name) for name in names]
    failed = 0
    with contextlib.ExitStack() as stack:
        stream = sys.stdout
        total = None if None in lengths else sum(filter(None, lengths))
        advance = stack.enter_context(progress_bar("transcribing (s)", total))
        # The bar redirects standard output to the terminal; what goes into a file or a pipe must not go there.
        stream = sys.stdout if stream.isatty() else stream
        write = stack.enter_context(results(form, out, names, stream))
        for transcript in transcriber.transcribe_all(recordings, advance):
            if transcript.error is not None:
                failed += 1
                typer.echo(f"error: {transcript.error}", err=True)
            elif not transcript.segments:
                typer.echo(f"note: {transcript.name}: no speech in {transcript.seconds:.2f} s of audio", err=True)
            elif several:
                spoken = [SpokenLanguage(s.language or "", s.language_probability) for s in transcript.segments]
                typer.echo(f"note: {transcript.name}: {describe_languages(spoken)}", err=True)
            if transcript.error is None or transcript.segments:
                write(transcript)
    if failed:
        if len(names) > 1:
            typer.echo(f"error: {failed} of {len(names)} recordings could not be read to their end", err=True)
        raise typer.Exit(1)


def _find(audio: list[str]) -> dict[str, str]:
    """Return the recordings and their short names.

    Raises:
        DataError: nothing of what was named exists, or a folder has no audio.
    """
    from speechtl.audio.stream import find_audio
    from speechtl.errors import DataError, list_problems
    from speechtl.recognition.results import short_name

    found: dict[str, str] = {}
    missing = []
    for name in audio:
        if Path(name).is_dir():
            found.update((str(path), short_name(str(path), name)) for path in find_audio(name))
        else:
            found[name] = short_name(name)
            missing += [] if name == "-" or Path(name).exists() else [f"{name}: no such file or folder"]
    # What is missing beside others is reported in its turn.
    if len(missing) == len(found):
        raise DataError(missing[0] if len(missing) == 1 else list_problems("nothing to transcribe:", missing))
    return found


def _sections(model: "Experiment", config: Path | None, settings: list[str]) -> Any:
    """Return a function that reads a section: the experiment's, under that of ``--config``, under ``--set``."""
    from speechtl.config import override, parse, read_toml
    from speechtl.errors import ConfigError

    known = ("decoding", "segmentation")
    for setting in settings:
        if setting.partition(".")[0] not in known:
            raise ConfigError(f"--set {setting}: expected decoding.key=value or segmentation.key=value")
    given = read_toml(config) if config else {}
    own = {"decoding": model.config.decoding.model_dump(exclude_none=True)}
    table = override({name: {**own.get(name, {}), **given.get(name, {})} for name in known}, settings)
    origin = config or model.directory.config
    return lambda section, name: parse(section, table[name], f"{origin}: [{name}]")
