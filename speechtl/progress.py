"""A progress bar, shown on terminals only."""

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(description: str, total: float | None) -> Iterator[Callable[..., None]]:
    """Show a progress bar with elapsed time and ETA if standard error is a terminal, and nothing otherwise.

    Args:
        description: name of the task, for example ``"features"``.
        total: number of steps, or None if unknown.

    Yields:
        ``advance(step=1, status="")``: advance by ``step``; ``status`` is shown after the bar (loss, frames/s).
    """
    if not sys.stderr.isatty():
        yield lambda step=1, status="": None
        return
    # Importing rich takes 50 ms, which commands without a bar should not pay.
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
