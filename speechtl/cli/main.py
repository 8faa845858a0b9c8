"""``speechtl``: the command line. A verb imports what it needs when it runs, so that ``--help`` answers at once."""

import errno
import os
import sys

import typer

from speechtl import __version__
from speechtl.cli import (
    adapt,
    align,
    chart,
    data,
    data_exchange,
    data_shard,
    decode,
    export,
    features,
    import_checkpoint,
    lexicon,
    lm,
    models,
    probe,
    report,
    score,
    serve,
    study,
    train,
    transcribe,
)
from speechtl.cli.console import show_log
from speechtl.errors import SpeechtlError

app = typer.Typer(
    help="Speech transfer learning: train, adapt to a speaker, decode through a pronunciation lexicon.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: drawing boxes with rich would double the time to the answer.
    rich_markup_mode=None,
)
data.app.command("import")(data_exchange.import_data)
data.app.command("export")(data_exchange.export_data)
data.app.command("shard")(data_shard.shard)
app.add_typer(data.app, name="data")
app.add_typer(lexicon.app, name="lexicon")
app.command("features")(features.features)
app.command("lm")(lm.lm)
app.command("import")(import_checkpoint.import_checkpoint)
app.command("train")(train.train)
app.command("adapt")(adapt.adapt)
app.command("study")(study.study)
app.command("decode")(decode.decode)
app.command("transcribe")(transcribe.transcribe)
app.command("export")(export.export)
app.command("align")(align.align)
app.command("serve")(serve.serve)
app.command("score")(score.score)
app.command("compare")(score.compare)
app.command("report")(report.report)
app.command("models")(models.models)
app.command("package")(models.package)
app.command("probe")(probe.probe)
app.command("chart")(chart.chart)


# What a shell expects of a program that Ctrl-C has ended; and the verbs that continue where that was.
_INTERRUPTED = 130
_RESUMED = [("train",), ("study",), ("features",), ("data", "shard"), ("data", "perturb-pitch")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"speechtl {__version__}")
        raise typer.Exit()


@app.callback()
def _global_options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """Run the command line: a user's mistake is one message and exit code 1, a bug keeps its traceback."""
    # TensorFlow announces at every start what it found and did not find; its errors stay.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    show_log()
    try:
        app()
    except SpeechtlError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            again = any(sys.argv[1 : 1 + len(verb)] == list(verb) for verb in _RESUMED)
            print(f"stopped{'; the same command goes on from here' if again else ''}", file=sys.stderr)
        raise
    except BrokenPipeError:
        # The reader of a pipe (head) has seen enough.
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        # What is written line by line (logs, standard output) can fill a disk too.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"error: {error}; free some space and run the command again", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
