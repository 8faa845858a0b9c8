"""Listen at an address until somebody stops the server."""

import socket
from collections.abc import Callable, Collection
from pathlib import Path

import uvicorn

from speechtl.errors import ConfigError
from speechtl.serve.app import make_app
from speechtl.serve.guard import is_loopback
from speechtl.serve.limits import Limits
from speechtl.serve.served_model import ServedModel

# Bytes of one message of a WebSocket, and messages that wait to be read.
_LARGEST_MESSAGE, _QUEUE = 1 << 20, 8
# Connections besides streams: those of pages.
_CONNECTIONS = 200


def run(
    served: ServedModel,
    *,
    host: str,
    port: int,
    token: str | None,
    limits: Limits,
    names: Collection[str] = (),
    keep: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    announce: Callable[[str], object] = lambda address: None,
) -> None:
    """Serve a model until the process is interrupted.

    Args:
        served: the model.
        host: name or number of the address to listen at.
        port: 0 for one that is free.
        token: that requests must have; required where others than this machine can reach the server.
        limits: what it takes at most.
        names: of the server, besides its address.
        keep: where audio is kept, see `make_app`.
        certificate: PEM file, for HTTPS.
        key: PEM file of its private key, if it is not in the same.
        announce: is told the address of the page, once the server listens.

    Raises:
        ConfigError: it cannot listen there, or should not without a token.
    """
    loopback = is_loopback(host)
    if not loopback and token is None:
        raise ConfigError(f"--host {host}: others than this machine can reach it, so a token is needed")
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--keep {keep}: {error.strerror}; choose another folder") from error
    app = make_app(
        served,
        limits=limits,
        token=token,
        names={host.lower()} if loopback else None,
        more_names=names,
        keep=keep,
    )
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # Addresses of requests hold the ids of sessions.
        proxy_headers=False,
        server_header=False,
        ws_max_size=_LARGEST_MESSAGE,
        ws_max_queue=_QUEUE,
        ws_per_message_deflate=False,
        limit_concurrency=limits.streams + _CONNECTIONS,
        timeout_graceful_shutdown=5,
        ssl_certfile=None if certificate is None else str(certificate),
        ssl_keyfile=None if key is None else str(key),
    )
    try:
        config.load()
    except (OSError, ValueError) as error:
        raise ConfigError(f"--certificate {certificate}: cannot be used ({error}); give PEM files") from error
    try:
        listening = socket.create_server((host, port), family=_family(host), backlog=config.backlog)
    except OSError as error:
        raise ConfigError(f"--host {host} --port {port}: {error.strerror or error}; choose another") from error
    with listening:
        served.warm_up()
        shown = f"[{host}]" if ":" in host else host
        if not loopback and host in ("0.0.0.0", "::"):
            shown = socket.gethostname()
        scheme = "http" if certificate is None else "https"
        # What is behind # stays in the browser: it is in no request and no log.
        secret = "" if token is None else f"#token={token}"
        announce(f"{scheme}://{shown}:{listening.getsockname()[1]}/{secret}")
        uvicorn.Server(config).run(sockets=[listening])


def _family(host: str) -> socket.AddressFamily:
    try:
        return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise ConfigError(f"--host {host}: {error.strerror or error}; give an address of this machine") from error
