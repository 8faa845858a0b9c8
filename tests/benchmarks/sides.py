"""Two programs in processes of their own, on the same processors, which are measured in turn."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable


def pin(threads: int) -> None:
    """Keep this process to the first processors."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def serve(functions: dict[str, Callable[[], object]]) -> None:
    """Answer requests, one name a line, with what the function gave and the seconds that it took.

    ``memory`` is the largest that the process has had so far, in MiB.
    """
    functions = functions | {"memory": lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    print("ready", flush=True)
    for line in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        result = functions[line.strip()]()
        seconds = time.perf_counter() - wall, time.process_time() - processor
        told = result if isinstance(result, dict | list | float) else None
        print(json.dumps([told, *seconds]), flush=True)


class Side:
    """A process that measures one program, only when asked."""

    def __init__(self, command: list[str]):
        """Start it, and wait until it can be asked: what it writes before, the next may read."""
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer("ready")

    def ask(self, name: str) -> list:
        """Return the function's value, and the wall and processor seconds that it took."""
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return json.loads(self._answer())

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answer(self, expected: str = "") -> str:
        line = self.process.stdout.readline().strip()
        if not line or (expected and line != expected):
            raise SystemExit(f"a process of the benchmark ended: {line or 'see above'}")
        return line
