"""Run the command line in this process: the only file of the tests, but for those of `main`, that imports it."""

import contextlib
import io
from typing import NamedTuple

import typer

from speechtl.cli.console import show_log
from speechtl.cli.main import app

WrongOption = typer.BadParameter


class Outcome(NamedTuple):
    """What a command left: its exit code and what it printed."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self):
        """Everything that was printed, standard error last."""
        return self.stdout + self.stderr


def verb(name, *arguments, **options):
    """Run ``speechtl NAME ARGUMENTS --OPTIONS`` and return its exit code; a user's mistake is raised as it is.

    An option is ``key=value``: None leaves it out, True and False are flags, the items of a list are given one by one,
    and ``set_`` stands for ``--set``. What is trained is not exported, which takes a second, unless ``export=True``.
    """
    if name in ("train", "adapt"):
        options = {"export": False} | options
    words = [*name.split(), *map(str, arguments)]
    for key, value in options.items():
        option = "--" + key.rstrip("_").replace("_", "-")
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        elif value is not None:
            for item in value if isinstance(value, list | tuple) else [value]:
                words += [option, str(item)]
    show_log()
    return app(words, standalone_mode=False) or 0


def run(name, *arguments, **options):
    """Run a verb as `verb` does and return its `Outcome`."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        exit_code = verb(name, *arguments, **options)
    return Outcome(exit_code, stdout.getvalue(), stderr.getvalue())


def command_tree():
    """Return the commands of the command line, as click has them."""
    return typer.main.get_command(app)
