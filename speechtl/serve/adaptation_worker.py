"""The process that adapts a model, apart from the server: it loads TensorFlow, and can be stopped at any time.

``python -m speechtl.serve.adaptation_worker`` reads one line of JSON, ``{"source", "recordings", "out", "options"}``,
and writes lines of JSON: ``{"stage", "done", "total"}`` on the way, at the end ``{"result"}`` or ``{"error"}``. It ends
when its standard input does, so it does not outlive the server.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import IO, Any

_PATHS = ("lexicon", "g2p", "lm", "config")


def main() -> None:
    """Adapt once."""
    # Whatever libraries print must not be among the lines.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    # Streams go first.
    os.nice(10)
    _tell(lines, stage="loading", done=0, total=None)
    from speechtl.errors import SpeechtlError

    try:
        result = adapt_once(request, lines)
    except SpeechtlError as error:
        _tell(lines, error=str(error))
        return
    _tell(lines, result=result)


def adapt_once(request: dict[str, Any], lines: IO[str]) -> dict[str, Any]:
    """Adapt as a request says, and tell the progress in lines; return what the page shows of the result."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from speechtl.adaptation.adapt import adapt
    from speechtl.adaptation.report import as_json, verdict_line
    from speechtl.adaptation.request import read_request
    from speechtl.progress import watched

    def watch(description: str, done: float, total: float | None) -> None:
        _tell(lines, stage=description, done=done, total=total)

    source, recordings, out = (Path(request[name]) for name in ("source", "recordings", "out"))
    options: dict[str, Any] = {
        name: Path(value) if name in _PATHS and value is not None else value
        for name, value in request["options"].items()
    }
    with watched(watch):
        adapted = adapt(read_request(source, recordings, out, **options))
    return {
        "method": adapted.config.method,
        "parameters": adapted.parameters,
        "utterances": adapted.utterances,
        "seconds": round(adapted.seconds, 1),
        "kept_source": not adapted.epochs,
        "stored_alone": adapted.config.stored_alone,
        "warnings": adapted.warnings,
        "comparisons": [
            {"title": one.title, "verdict": verdict_line(one), **as_json(one)} for one in adapted.comparisons
        ],
    }


def _tell(lines: IO[str], **message: Any) -> None:
    lines.write(json.dumps(message) + "\n")


def _end_with(stream: IO[str]) -> None:
    stream.read()
    os._exit(1)


if __name__ == "__main__":
    main()
