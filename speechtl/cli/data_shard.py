"""``speechtl data shard``."""

from pathlib import Path
from typing import Annotated

import typer

from speechtl.cli.data import AllowPipes, Overwrite, Seed, Source


def shard(
    source: Source,
    folder: Annotated[Path, typer.Argument(help="Folder of the shards to write.")],
    megabytes: Annotated[float, typer.Option("--size", min=0.001, help="Size of a shard in megabytes.")] = 128,
    seed: Seed = 1,
    jobs: Annotated[int, typer.Option("--nj", min=1, help="Threads that read and encode audio.")] = 1,
    allow_pipes: AllowPipes = False,
    overwrite: Overwrite = False,
) -> None:
    """Write audio and transcripts as tar shards (WebDataset layout) with an index, to train from.

    FOLDER, or its address after it was copied to a web server, to S3 or to Google Cloud Storage, then stands where a
    data directory does: train = "FOLDER". Run again, it continues where it stopped.
    """
    from speechtl.data.datadir import DataDir
    from speechtl.data.shard import shard
    from speechtl.errors import quantity

    data = DataDir.load(source)
    done = shard(data, folder, megabytes=megabytes, seed=seed, jobs=jobs, allow_pipes=allow_pipes, overwrite=overwrite)
    found = f" ({done.found} found)" if done.found else ""
    hours = f"{done.seconds / 3600:.2f} h"
    typer.echo(
        f"{folder}: {quantity(done.utterances, 'utterance')}, {hours}, {done.size / 1e6:,.1f} MB in "
        f"{quantity(done.shards, 'shard')}{found}"
    )
