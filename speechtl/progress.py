"""A progress bar that is quiet where nobody looks."""

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(description: str, total: float | None) -> Iterator[Callable[..., None]]:
    """Show a bar with elapsed time and ETA on a terminal; show nothing when standard error is not one.

    Args:
        description: what is going on, for example ``"features"``.
        total: number of steps, or None if unknown.

    Yields:
        ``advance(step=1, status="")``: move on by ``step``; ``status`` is shown behind the bar (loss, frames/s).
    """
    if not sys.stderr.isatty():
        yield lambda step=1, status="": None
        return
    # rich costs 50 ms to import; a command that shows no bar does not pay for it.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total, status="")
        yield lambda step=1, status="": bar.update(task, advance=step, status=status)
