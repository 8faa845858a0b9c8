"""``speechtl serve``: a page in the browser for the three jobs, and its HTTP and WebSocket interface."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechtl.cli import options
from speechtl.cli.word_options import SearchOptions, with_options

if TYPE_CHECKING:
    from speechtl.recognition.recogniser import Recogniser


@with_options
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
    *,
    words: SearchOptions,
) -> None:
    """Serve a model: speak and see the words, add words, adapt it to a speaker, in the browser.

    Listens to this machine alone unless --host says otherwise. Audio is deleted when a session ends.
    """
    import secrets

    import speechtl
    from speechtl.cli.console import show_log
    from speechtl.errors import ConfigError
    from speechtl.pretrained.model_path import model_path
    from speechtl.pretrained.named_models import model_names

    try:
        from speechtl.serve.guard import is_loopback
        from speechtl.serve.limits import Limits
        from speechtl.serve.run import run
        from speechtl.serve.served_model import ServedModel
    except ModuleNotFoundError as error:
        raise ConfigError(f"speechtl serve needs {error.name}: pip install 'speechtl[serve]'") from error

    show_log(notes=True)
    arguments = words.arguments()

    def load(name: str, speaker: Path | None) -> "Recogniser":
        return speechtl.load(name, **arguments, speaker=speaker)

    # What adaptation takes as well, as JSON has it.
    adaptation = {key: str(value) if isinstance(value, Path) else value for key, value in arguments.items()}
    adaptation["add_words"] = list(arguments["add_words"])
    adaptation["settings"] = [one for one in arguments["settings"] if one.startswith("decoding.")]
    del adaptation["language"], adaptation["grammar"]
    trainable = model in model_names() or Path(model).is_dir()
    run(
        ServedModel(model, load, (lambda: model_path(model)) if trainable else None, adaptation),
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
