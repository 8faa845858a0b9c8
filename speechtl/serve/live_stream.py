"""Speech as it is said: blocks of samples come in by a WebSocket, words go out."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from anyio import CancelScope, to_thread
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket, WebSocketDisconnect

from speechtl.errors import SpeechtlError
from speechtl.serve.desk import Desk, desk_of, session_of
from speechtl.serve.guard import PROTOCOL
from speechtl.serve.limits import refused
from speechtl.serve.served_model import samples_of
from speechtl.serve.session import Session, new_id
from speechtl.serve.transcripts import keep_audio

if TYPE_CHECKING:
    from speechtl.recognition.stream import Update
    from speechtl.recognition.transcript import SpokenSegment

_RATES = range(8000, 192_001)
# Seconds of audio that wait to be recognised; a client that sends faster than that has to wait.
_WAITING = 20.0


async def listen(websocket: WebSocket) -> None:
    """``WS /api/sessions/{session}/stream?rate=16000&language=en``: 16-bit little-endian samples in, segments out."""
    desk = desk_of(websocket)
    try:
        session = session_of(websocket)
        rate = _rate(websocket.query_params.get("rate", "16000"))
        if desk.sessions.streams >= desk.limits.streams:
            raise refused(503, "too many people speak to this server at the moment; try again later")
    except HTTPException as error:
        await websocket.close(1008, error.detail)
        return
    session.streams += 1
    desk.sessions.streams += 1
    try:
        await websocket.accept(PROTOCOL if PROTOCOL in websocket.scope.get("subprotocols", []) else None)
        await LiveStream(websocket, desk, session, rate, websocket.query_params.get("language")).run()
    except WebSocketDisconnect:
        pass
    finally:
        session.streams -= 1
        desk.sessions.streams -= 1


def _rate(text: str) -> int:
    if not text.isdecimal() or int(text[:9]) not in _RATES:
        raise refused(422, f"rate: expected {_RATES[0]} to {_RATES[-1]} Hz")
    return int(text)


class LiveStream:
    """One stream, from its first block to its end.

    Words that are added and speakers that are chosen meanwhile count from the next pause on.
    """

    def __init__(self, websocket: WebSocket, desk: Desk, session: Session, rate: int, language: str | None):
        self.websocket, self.desk, self.session, self.rate, self.language = websocket, desk, session, rate, language
        self.id = new_id()
        self.segments: list[SpokenSegment] = []
        self._blocks: list[np.ndarray] = []
        self._kept: list[np.ndarray] = []
        self._waiting = 0  # Samples in blocks.
        self._changed = asyncio.Condition()
        self._ended = False
        self._why = "asked"
        # Samples before those that the stream in use has been given, and of those.
        self._before = self._given = 0

    async def run(self) -> None:
        """Receive and recognise until the client ends it, leaves, or has spoken for too long."""
        self.listener = self.session.listener
        try:
            self.stream = await to_thread.run_sync(self.listener.stream, self.rate, self.language)
        except SpeechtlError as error:
            await self._send(type="error", message=str(error))
            await self.websocket.close()
            return
        await self._send(type="ready", transcript=self.id)
        receiving = asyncio.create_task(self._receive())
        try:
            # Whoever ends the connection does not end what was said before.
            with CancelScope(shield=True):
                await self._recognise()
        except SpeechtlError as error:
            await self._send(type="error", message=str(error))
        finally:
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
                await receiving
            await self._remember()
        with contextlib.suppress(RuntimeError):
            await self._send(type="end", transcript=self.id, seconds=self._seconds, reason=self._why)
            await self.websocket.close()

    @property
    def _seconds(self) -> float:
        return (self._before + self._given) / self.rate

    async def _receive(self) -> None:
        """Take what the client sends, no faster than it is recognised."""
        most = self.desk.limits.seconds * self.rate
        received = 0
        try:
            while not self._ended:
                message = await self.websocket.receive()
                if message["type"] == "websocket.disconnect":
                    self._why = "left"
                    break
                block = message.get("bytes")
                if block is None:
                    # Any text ends it: {"type": "end"}.
                    break
                if len(block) % 2:
                    self._why = "half a sample"
                    break
                received += len(block) // 2
                async with self._changed:
                    await self._changed.wait_for(lambda: self._waiting < _WAITING * self.rate)
                    self._blocks.append(samples_of(block))
                    self._waiting += len(block) // 2
                    self._changed.notify_all()
                if received >= most:
                    self._why = "too long"
                    break
        finally:
            self._ended = True
            async with self._changed:
                self._changed.notify_all()

    async def _recognise(self) -> None:
        speaking = False
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._blocks or self._ended)
                samples = np.concatenate(self._blocks) if self._blocks else None
                self._blocks, self._waiting = [], 0
                self._changed.notify_all()
            if samples is None:
                break
            if self.session.listener is not self.listener and not speaking:
                await self._begin_anew()
            self._given += len(samples)
            if self.desk.keep is not None:
                self._kept.append(samples)
            updates = await to_thread.run_sync(self.stream.feed, samples, limiter=self.desk.listening)
            await self._tell(updates)
            if updates:
                speaking = not updates[-1].final
        await self._tell(await to_thread.run_sync(self.stream.finish, limiter=self.desk.listening))

    async def _begin_anew(self) -> None:
        """Go on with the words and the speaker that are chosen now."""
        await self._tell(await to_thread.run_sync(self.stream.finish, limiter=self.desk.listening))
        self._before, self._given = self._before + self._given, 0
        self.listener = self.session.listener
        self.stream = await to_thread.run_sync(self.listener.stream, self.rate, self.language)

    async def _tell(self, updates: "Sequence[Update]") -> None:
        from speechtl.recognition.result_json import segment_as_json

        for place, update in enumerate(updates):
            segment = _later(update.segment, self._before / self.rate)
            if update.final:
                self.segments.append(segment)
            elif place + 1 < len(updates):
                # The next one says more.
                continue
            await self._send(type="final" if update.final else "partial", segment=segment_as_json(segment))

    async def _send(self, **message: Any) -> None:
        try:
            await self.websocket.send_json(message)
        except (WebSocketDisconnect, RuntimeError):
            # The client has left; what was heard is remembered all the same.
            self._ended, self._why = True, "left"

    async def _remember(self) -> None:
        from speechtl.recognition.transcript import Transcript

        alone = not self.listener.recogniser.decoders
        transcript = Transcript("recording", self._seconds, tuple(self.segments), None, alone)
        self.session.remember(transcript, self.id)
        if self._kept:
            await to_thread.run_sync(
                keep_audio, self.session, self.id, np.concatenate(self._kept), self.rate, transcript
            )


def _later(segment: "SpokenSegment", seconds: float) -> "SpokenSegment":
    """Return a segment some seconds later."""
    if not seconds:
        return segment

    def moved(label: Any) -> Any:
        return dataclasses.replace(label, start=label.start + seconds, end=label.end + seconds)

    return moved(
        dataclasses.replace(segment, words=tuple(map(moved, segment.words)), phones=tuple(map(moved, segment.phones)))
    )
