"""How much a server takes, and the answer to what it does not take."""

import dataclasses
import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

# Bytes of a request that is not audio.
_LARGEST_JSON = 1 << 18


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a server takes at most, so that no visitor can use up the machine.

    Attributes:
        megabytes: of one upload, in units of 10^6 bytes.
        minutes: of one recording or stream.
        sessions: at once.
        streams: at once, of all sessions together.
        idle_minutes: after which a session that nobody uses is ended.
        words: added in one session.
        speakers: in one session.
        takes: recordings of one speaker.
        transcripts: that a session remembers; the oldest is forgotten first.
        adaptations: at once, of all sessions together; more of them wait.
    """

    megabytes: float = 100.0
    minutes: float = 30.0
    sessions: int = 50
    streams: int = 60
    idle_minutes: float = 30.0
    words: int = 500
    speakers: int = 5
    takes: int = 40
    transcripts: int = 50
    adaptations: int = 1

    @property
    def bytes(self) -> int:
        """Of one upload."""
        return round(self.megabytes * 1e6)

    @property
    def seconds(self) -> float:
        """Of one recording or stream."""
        return self.minutes * 60


def refused(status: int, message: str) -> HTTPException:
    """Return what to raise where a request is not answered as it wanted to be."""
    return HTTPException(status, message)


async def read_json(request: Request, **types: type | tuple[type, ...]) -> dict[str, Any]:
    """Return the body of a request: a JSON object with these fields; ``None`` stands for those that are left out.

    Raises:
        HTTPException: 413, 422: it is too long, no such object, or a field is of another type.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_JSON:
            raise refused(413, f"the request is longer than {_LARGEST_JSON} bytes")
    try:
        found = json.loads(bytes(body) or b"{}")
    except (ValueError, RecursionError) as error:
        raise refused(422, "the body of the request is not JSON") from error
    if not isinstance(found, dict):
        raise refused(422, "the body of the request is not a JSON object")
    fields = {name: found.get(name) for name in types}
    wrong = [name for name, value in fields.items() if value is not None and not isinstance(value, types[name])]
    if wrong:
        raise refused(422, f"of another type than expected: {', '.join(wrong)}")
    return fields


def required(fields: dict[str, Any], name: str) -> Any:
    """Return a field of `read_json` that must be there.

    Raises:
        HTTPException: 422: it is not, or is empty.
    """
    if not fields[name]:
        raise refused(422, f"the request lacks '{name}'")
    return fields[name]
