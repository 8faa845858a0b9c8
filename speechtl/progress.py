"""A progress bar, shown on terminals only."""

import contextlib
import sys
from collections.abc import Callable, Iterator

Watcher = Callable[[str, float, float | None], object]
_watchers: list[Watcher] = []


@contextlib.contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell a function, too, what progress bars show within: ``watcher(description, done, total)`` after each step."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextlib.contextmanager
def progress_bar(description: str, total: float | None) -> Iterator[Callable[..., None]]:
    """Show a progress bar with elapsed time and ETA if standard error is a terminal, and nothing otherwise.

    Args:
        description: name of the task, for example ``"features"``.
        total: number of steps, or None if unknown.

    Yields:
        ``advance(step=1, status="")``: advance by ``step``; ``status`` is shown after the bar (loss, frames/s).
    """
    done = 0.0

    def tell(step: float = 1, status: str = "") -> None:
        nonlocal done
        done += step
        for watcher in _watchers:
            watcher(description, done, total)

    tell(0)
    if not sys.stderr.isatty():
        yield tell
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

        def advance(step: float = 1, status: str = "") -> None:
            bar.update(task, advance=step, status=status)
            tell(step)

        yield advance
