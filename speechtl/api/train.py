"""``speechtl.train``: a config to a trained model."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from speechtl.api.paths import StrPath

if TYPE_CHECKING:
    from speechtl.experiment.train import Trained


def train(
    config: StrPath, out: StrPath, *, settings: Sequence[str] = (), cluster_from: Literal["slurm"] | None = None
) -> "Trained":
    """Train an acoustic model, or continue where a run stopped; a finished one is left alone.

    At its end the model is exported into its directory, so that it recognises speech without TensorFlow, unless
    ``training.export = false``; what cannot be exported is logged.

    Args:
        config: TOML file that describes the experiment.
        out: the experiment directory.
        settings: ``"section.key=value"`` over the config.
        cluster_from: ``"slurm"``: this is one of the tasks of ``srun``, which train together. Without it, the workers
            are those of ``TF_CONFIG``, if that is set.

    Raises:
        SpeechtlError: the config, the data, the lexicons or the sources are wrong.
    """
    if cluster_from == "slurm":
        from speechtl.training.slurm_cluster import slurm_cluster

        # TensorFlow is told in its environment.
        os.environ["TF_CONFIG"] = slurm_cluster(os.environ)
    from speechtl.experiment.config import load_config
    from speechtl.experiment.train import Trained
    from speechtl.experiment.train import train as run
    from speechtl.exporting.export_graphs import export_at_the_end

    experiment = load_config(Path(config), settings)
    result = run(experiment, Path(out), export_at_the_end if experiment.training.export else None)
    return Trained(Path(out), result.get("dev_loss"), result.get("dev_per"), result.get("dev_pfer"))
