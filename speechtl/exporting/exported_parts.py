"""What an exported model has besides what its experiment directory has."""

import zipfile
from pathlib import Path

from speechtl.experiment.experiment import Experiment
from speechtl.exporting.export_model import export_model
from speechtl.staging import scratch_folder


def exported_parts(experiment: Path) -> dict[str, bytes]:
    """Return the description and the computation graphs of an exported model, by their names in it.

    Args:
        experiment: the experiment directory.

    Raises:
        ModelError: the model is missing or wrong, or cannot be converted.
    """
    with scratch_folder() as folder:
        file = folder / "model.speechtl"
        export_model(Experiment.load(experiment), file, "float16")
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if name == "speechtl.json" or name.startswith("graphs/")]
            return {name: archive.read(name) for name in names}
