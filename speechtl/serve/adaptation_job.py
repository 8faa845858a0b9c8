"""One adaptation that runs beside the server."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

# A line of the worker; a report with many warnings is a few kilobytes.
_LONGEST_LINE = 1 << 22


class AdaptationJob:
    """An adaptation in a process of its own; its progress is in its attributes.

    Args:
        request: of `speechtl.serve.adaptation_worker`.
        turn: how many may run at once, on the whole server.
        use: is called with the result of the worker, before the adaptation is done.

    Attributes:
        state: ``waiting``, ``running``, ``done``, ``failed`` or ``stopped``.
        stage: what it is doing, in words.
        progress: share of the stage that is done, in [0, 1]; None where that is not known.
        result: of the worker, when it is done.
        error: why it failed.
    """

    def __init__(
        self,
        request: dict[str, Any],
        turn: asyncio.Semaphore,
        use: Callable[[dict[str, Any]], Awaitable[None]],
    ):
        self._request, self._turn, self._use = request, turn, use
        self.state, self.stage, self.progress = "waiting", "waiting for its turn", 0.0 if turn.locked() else None
        self.result: dict[str, Any] | None = None
        self.error = ""
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Run to the end; cancel the task to stop it."""
        try:
            async with self._turn:
                self.state = "running"
                await self._run()
                if self.result is not None:
                    await self._use(self.result)
                    self.state, self.progress = "done", 1.0
        except asyncio.CancelledError:
            self.state = "stopped"
            raise
        except Exception as error:
            self.state, self.error = "failed", str(error)
            raise

    async def _run(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "speechtl.serve.adaptation_worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
        )
        try:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("a process without pipes")
            process.stdin.write(json.dumps(self._request).encode() + b"\n")
            await process.stdin.drain()
            async for line in process.stdout:
                self._read(json.loads(line))
            await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self.state == "running" and self.result is None:
            self.state, self.error = "failed", "The adaptation ended early; the server's log says why."

    def _read(self, message: dict[str, Any]) -> None:
        if "error" in message:
            self.state, self.error = "failed", message["error"]
        elif "result" in message:
            self.result, self.stage, self.progress = message["result"], "loading the adapted model", None
        else:
            self.stage, total = message["stage"], message["total"]
            self.progress = None if not total else min(message["done"] / total, 1.0)

    def as_json(self) -> dict[str, Any]:
        """Return what the interface shows."""
        return {
            "state": self.state,
            "stage": self.stage,
            "progress": self.progress,
            "result": self.result,
            "error": self.error,
        }
