"""``speechtl.train``: a config to a trained model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechtl.api.paths import StrPath

if TYPE_CHECKING:
    from speechtl.experiment.train import Trained


def train(config: StrPath, out: StrPath, *, settings: Sequence[str] = ()) -> "Trained":
    """Train an acoustic model, or continue where a run stopped; a finished one is left alone.

    Args:
        config: TOML file that describes the experiment.
        out: the experiment directory.
        settings: ``"section.key=value"`` over the config.

    Raises:
        SpeechtlError: the config, the data, the lexicons or the sources are wrong.
    """
    from speechtl.experiment.config import load_config
    from speechtl.experiment.train import Trained
    from speechtl.experiment.train import train as run

    result = run(load_config(Path(config), settings), Path(out))
    return Trained(Path(out), result.get("dev_loss"), result.get("dev_per"), result.get("dev_pfer"))
