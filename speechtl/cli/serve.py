"""``speechtl serve``: a page in the browser for the three jobs, and its HTTP and WebSocket interface."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechtl.cli import options

if TYPE_CHECKING:
    from speechtl.recognition.recogniser import Recogniser


def serve(
    model: options.Model,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; any but this machine's own makes a token necessary.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: one that is free.")] = 8000,
    token: Annotated[
        bool, typer.Option("--token", help="Require a token on this machine, too: others may have an account here.")
    ] = False,
    allow_name: Annotated[
        list[str] | None,
        typer.Option("--allow-name", help="A name that people call this server by in their browser. Repeatable."),
    ] = None,
    certificate: Annotated[Path | None, typer.Option("--certificate", help="PEM file: serve HTTPS.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="PEM file of the certificate's private key.")] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep audio and transcripts there; else they are deleted."),
    ] = None,
    max_megabytes: Annotated[float, typer.Option("--max-megabytes", min=0.1, help="Of one upload.")] = 100,
    max_minutes: Annotated[float, typer.Option("--max-minutes", min=0.1, help="Of one recording or stream.")] = 30,
    max_sessions: Annotated[int, typer.Option("--max-sessions", min=1, help="At once.")] = 50,
    max_streams: Annotated[int, typer.Option("--max-streams", min=1, help="At once, of all sessions.")] = 60,
    idle_minutes: Annotated[
        float, typer.Option("--idle-minutes", min=0.1, help="After which an unused session ends.")
    ] = 30,
    lexicon: options.Lexicon = None,
    add_word: options.AddWord = None,
    notation: options.Notation = "ipa",
    missing_phones: options.MissingPhones = "nearest",
    g2p: options.G2p = None,
    rules: options.Rules = None,
    lm: options.Lm = None,
    grammar: options.Grammar = None,
    language: options.Language = None,
    config: options.Config = None,
    settings: options.Settings = None,
    beam: options.Beam = None,
) -> None:
    """Serve a model: speak and see the words, add words, adapt it to a speaker, in the browser.

    Listens to this machine alone unless --host says otherwise. Audio is deleted when a session ends.
    """
    import secrets

    import speechtl
    from speechtl.cli.console import show_log
    from speechtl.errors import ConfigError
    from speechtl.pretrained.model_path import model_path

    try:
        from speechtl.serve.guard import is_loopback
        from speechtl.serve.limits import Limits
        from speechtl.serve.run import run
        from speechtl.serve.served_model import ServedModel
    except ModuleNotFoundError as error:
        raise ConfigError(f"speechtl serve needs {error.name}: pip install 'speechtl[serve]'") from error

    show_log(notes=True)
    chosen = options.decoding_settings(settings, beam)

    def load(name: str, speaker: Path | None) -> "Recogniser":
        return speechtl.load(
            name,
            lexicon=lexicon,
            add_words=add_word or (),
            notation=notation,
            missing_phones=missing_phones,
            g2p=g2p,
            rules=rules,
            lm=lm,
            grammar=grammar,
            language=language,
            config=config,
            settings=chosen,
            speaker=speaker,
        )

    adaptation = {
        "lexicon": lexicon and str(lexicon),
        "add_words": add_word or [],
        "notation": notation,
        "missing_phones": missing_phones,
        "g2p": g2p and str(g2p),
        "rules": rules,
        "lm": lm and str(lm),
        "config": config and str(config),
        "settings": [setting for setting in chosen if setting.startswith("decoding.")],
    }
    path = model_path(model)
    run(
        ServedModel(model, load, path if path.is_dir() else None, adaptation),
        host=host,
        port=port,
        token=secrets.token_urlsafe(32) if token or not is_loopback(host) else None,
        limits=Limits(
            megabytes=max_megabytes,
            minutes=max_minutes,
            sessions=max_sessions,
            streams=max_streams,
            idle_minutes=idle_minutes,
        ),
        names=allow_name or (),
        keep=keep,
        certificate=certificate,
        key=key,
        announce=lambda address: print(f"speechtl listens at {address} (stop it with Ctrl+C)", flush=True),
    )
