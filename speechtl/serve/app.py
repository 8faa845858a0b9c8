"""The server: what answers which request, from its start to its end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from speechtl.errors import SpeechtlError
from speechtl.serve import live_stream, new_words, openai_transcriptions, speakers, transcripts
from speechtl.serve.desk import Desk, desk_of, session_of
from speechtl.serve.guard import LOOPBACK_NAMES, Guard
from speechtl.serve.limits import Limits
from speechtl.serve.served_model import ServedModel
from speechtl.serve.session import Sessions
from speechtl.staging import scratch_folder

_PAGE = Path(__file__).parent / "static"
# Seconds between two looks at sessions that nobody uses.
_LOOK = 20.0


def make_app(
    served: ServedModel,
    *,
    limits: Limits | None = None,
    token: str | None = None,
    names: Collection[str] | None = LOOPBACK_NAMES,
    more_names: Collection[str] = (),
    keep: Path | None = None,
) -> Starlette:
    """Return the server as an ASGI application.

    Args:
        served: the model.
        limits: what it takes at most.
        token: that requests must have; None for none.
        names: that it may be called in ``Host``, see `Guard`.
        more_names: likewise, besides.
        keep: a folder that exists, where audio is kept when a session ends; None deletes it.
    """
    limits = limits or Limits()

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with scratch_folder() as root:
            sessions = Sessions(served, limits, root, keep)
            app.state.desk = Desk(served, limits, sessions, keep)
            looking = asyncio.create_task(_end_idle(sessions))
            try:
                yield
            finally:
                looking.cancel()
                await sessions.end_all()

    in_session: list[BaseRoute] = [
        WebSocketRoute("/stream", live_stream.listen),
        *(*transcripts.ROUTES, *new_words.ROUTES, *speakers.ROUTES),
    ]
    return Starlette(
        routes=[
            Route("/", page, methods=["GET"]),
            Route("/api/about", about, methods=["GET"]),
            Route("/api/sessions", begin_session, methods=["POST"]),
            Route("/api/sessions/{session}", show_session, methods=["GET"]),
            Route("/api/sessions/{session}", end_session, methods=["DELETE"]),
            Mount("/api/sessions/{session}", routes=in_session),
            *openai_transcriptions.ROUTES,
            Mount("/static", StaticFiles(directory=_PAGE)),
        ],
        middleware=[Middleware(Guard, names=names, token=token, largest=limits.bytes, more_names=more_names)],
        exception_handlers={HTTPException: _tell, SpeechtlError: _tell_mistake},  # type: ignore[dict-item]
        lifespan=lifespan,
    )


async def page(request: Request) -> Response:
    """``GET /``: the page; it has no secrets, and needs no token."""
    return FileResponse(_PAGE / "index.html")


async def about(request: Request) -> Response:
    """``GET /api/about``: what the model can do, and what the server takes."""
    desk = desk_of(request)
    served, limits = desk.served, desk.limits
    return JSONResponse(
        {
            "model": served.name,
            "languages": served.languages,
            "phones": {language: served.phones(language) for language in served.languages},
            "finds_words": served.finds_words,
            "why_not_adaptable": served.why_not_adaptable,
            "keeps_audio": desk.keep is not None,
            "limits": {"megabytes": limits.megabytes, "minutes": limits.minutes, "idle_minutes": limits.idle_minutes},
        }
    )


async def begin_session(request: Request) -> Response:
    """``POST /api/sessions``: the id that the answer has opens all that is below."""
    return JSONResponse(desk_of(request).sessions.begin().as_json(), 201)


async def show_session(request: Request) -> Response:
    """``GET /api/sessions/{session}``: its words and speakers."""
    return JSONResponse(session_of(request).as_json())


async def end_session(request: Request) -> Response:
    """``DELETE /api/sessions/{session}``: all recordings are deleted."""
    await desk_of(request).sessions.end(session_of(request))
    return Response(status_code=204)


async def _end_idle(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(_LOOK)
        await sessions.end_idle()


async def _tell(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _tell_mistake(request: Request, error: SpeechtlError) -> Response:
    return JSONResponse({"error": str(error)}, 422)
