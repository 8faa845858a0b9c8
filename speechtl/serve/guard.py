"""Who may ask: what every request passes before anything reads it."""

import hmac
import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechtl.serve.limits import refused

# A browser cannot give a WebSocket other headers, so a token comes as one of the protocols that it offers.
PROTOCOL, _TOKEN_PROTOCOL = "speechtl", "token."
_GUARDED = ("/api/", "/v1/")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; "
        "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}


class Guard:
    """Refuse requests that another page made, that lack the token or that are too large; add headers to answers.

    A page that somebody visits elsewhere can send requests here, in the name of its visitor. Three things give it away:
    ``Host`` is its own name, if it has that name point here (DNS rebinding); ``Origin`` is not where the request goes;
    ``Sec-Fetch-Site`` says so.

    Args:
        app: what answers.
        names: that the server may be called in ``Host``, without ports; None if any address of numbers or this
            machine's name is one.
        token: that ``/api/`` and ``/v1/`` require, in ``Authorization: Bearer`` or the protocol of a WebSocket; or
            None.
        largest: bytes of a request.
        more_names: further names of the server.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: Collection[str] | None,
        token: str | None,
        largest: int,
        more_names: Collection[str] = (),
    ):
        self.app, self.token, self.largest = app, token, largest
        self.any_address = names is None
        self.names = {*LOOPBACK_NAMES, *(names or ()), *(name.lower() for name in more_names)}
        if names is None:
            own = socket.gethostname().lower()
            self.names |= {own, f"{own}.local", socket.getfqdn().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refusal is not None:
                await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
                return
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    added[name] = value
                if scope["path"].startswith(_GUARDED):
                    added["Cache-Control"] = "no-store"
                else:
                    added["Cache-Control"] = "no-cache"
            await send(message)

        if refusal is not None:
            answer = JSONResponse({"error": refusal[1]}, refusal[0])
            if refusal[0] == 401:
                answer.headers["WWW-Authenticate"] = "Bearer"
            await answer(scope, receive, send_with_headers)
            return
        await self.app(scope, self._counted(receive), send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Return status and reason, None if the request may pass."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own_name(hosts[0]):
            return 421, "this server does not have the name in Host; start it with --allow-name NAME if it should"
        origins = headers.getlist("origin")
        if origins and (len(origins) > 1 or not _same_place(origins[0], hosts[0])):
            return 403, "a request from another page (Origin)"
        if not scope["path"].startswith(_GUARDED):
            return None
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return 403, "a request from another page (Sec-Fetch-Site)"
        if self.token is not None and not self._has_token(scope, headers):
            return 401, "the token that the server printed when it started is needed"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.largest:
            return 413, _too_large(self.largest)
        return None

    def _is_own_name(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            _ = urlsplit(f"//{host}").port
        except ValueError:
            return False
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        given = [headers.get("authorization", "").removeprefix("Bearer ")]
        if scope["type"] == "websocket":
            offered = scope.get("subprotocols", [])
            given += [name.removeprefix(_TOKEN_PROTOCOL) for name in offered if name.startswith(_TOKEN_PROTOCOL)]
        expected = (self.token or "").encode()
        return any(hmac.compare_digest(one.encode(), expected) for one in given)

    def _counted(self, receive: Receive) -> Receive:
        """Return a function that receives no more than the largest request, whatever its header says."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.largest:
                raise refused(413, _too_large(self.largest))
            return message

        return counted


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _same_place(origin: str, host: str) -> bool:
    found = urlsplit(origin)
    return found.scheme in ("http", "https") and found.netloc.lower() == host.lower()


def _too_large(largest: int) -> str:
    return f"the upload is larger than {largest / 1e6:g} MB, the most that this server takes"
