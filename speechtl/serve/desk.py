"""What the functions that answer requests share."""

import asyncio
import dataclasses
import os
from pathlib import Path

from anyio import CapacityLimiter
from starlette.requests import HTTPConnection

from speechtl.serve.limits import Limits
from speechtl.serve.served_model import ServedModel
from speechtl.serve.session import Session, Sessions


@dataclasses.dataclass
class Desk:
    """What the functions that answer requests share.

    Attributes:
        served: the model.
        limits: of the server.
        sessions: all of them.
        keep: where audio is kept when a session ends; None deletes it.
        listening: how many blocks of streams are recognised at once.
        reading: how many whole recordings are decoded and recognised at once, apart from streams, which go on.
        adapting: how many models are adapted at once.
    """

    served: ServedModel
    limits: Limits
    sessions: Sessions
    keep: Path | None = None
    listening: CapacityLimiter = dataclasses.field(default_factory=lambda: CapacityLimiter(os.cpu_count() or 1))
    reading: CapacityLimiter = dataclasses.field(
        default_factory=lambda: CapacityLimiter(max((os.cpu_count() or 1) // 2, 1))
    )
    adapting: asyncio.Semaphore = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Make what needs the limits."""
        self.adapting = asyncio.Semaphore(self.limits.adaptations)


def desk_of(connection: HTTPConnection) -> Desk:
    """Return what the server has."""
    desk: Desk = connection.app.state.desk
    return desk


def session_of(connection: HTTPConnection) -> Session:
    """Return the session that a request names.

    Raises:
        HTTPException: 404: there is none.
    """
    return desk_of(connection).sessions.find(connection.path_params["session"])
