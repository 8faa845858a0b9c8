"""A transcript that grows while someone speaks."""

import json
import shutil
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from speechtl.recognition.stream import Stream, Update

_TO_THE_BEGINNING = "\r\x1b[K"


def write_live(stream: "Stream", blocks: Iterable[np.ndarray], form: str, out: IO[str]) -> None:
    """Write what is said as it is said, until there are no more blocks or the user interrupts.

    Args:
        stream: recognises it.
        blocks: of samples.
        form: ``text``, a line for each segment, on a terminal also the words of the one that goes on; or ``json``, a
            line for each segment with all that is known of it.
        out: where to write.
    """
    from speechtl.errors import printable
    from speechtl.recognition.result_json import segment_as_json

    terminal = out.isatty()

    def write(update: "Update") -> None:
        segment = update.segment
        if form == "json":
            if update.final:
                print(json.dumps(segment_as_json(segment), ensure_ascii=False), file=out, flush=True)
            return
        line = printable(segment.text or " ".join(phone.label for phone in segment.phones))
        if update.final:
            end = f"{line}\n" if line else ""
            out.write(_TO_THE_BEGINNING + end if terminal else end)
        elif terminal:
            width = shutil.get_terminal_size().columns - 1
            # Of what does not fit, the end is what is new.
            out.write(_TO_THE_BEGINNING + line[-width:])
        out.flush()

    try:
        for block in blocks:
            for update in stream.feed(block):
                write(update)
    except KeyboardInterrupt:
        # That is how one stops speaking to a microphone.
        pass
    for update in stream.finish():
        write(update)
