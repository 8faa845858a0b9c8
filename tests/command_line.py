"""Run the command line in this process."""

from speechtl.cli.console import show_log
from speechtl.cli.main import app


def verb(name, *arguments, **options):
    """Run ``speechtl NAME ARGUMENTS --OPTIONS`` and return its exit code; a user's mistake is raised as it is.

    An option is ``key=value``: None leaves it out, True and False are flags, the items of a list are given one by one,
    and ``set_`` stands for ``--set``.
    """
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
