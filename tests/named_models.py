"""A stand-in for the models that come with the package: small ones, packaged into a folder of a test."""

import tomli_w

from speechtl.exporting.exported_parts import exported_parts
from speechtl.pretrained import named_models
from speechtl.pretrained.package_model import package_model

CARD = {
    "summary": "A small model of invented speech.",
    "licence": "CC0",
    "attribution": ["Nobody's work."],
    "trained": "For seconds.",
    "good": ["Invented speech."],
    "bad": ["Speech."],
    "data": [{"name": "invented", "languages": ["xx"], "hours": 0.1, "licence": "CC0", "attribution": "the tests"}],
    "numbers": [{"test": "invented", "measure": "PER, %", "value": "0", "by": "a test"}],
}


def write_card(path, **changes):
    """Write what people write of a model; None leaves a field out."""
    path.write_text(tomli_w.dumps({key: value for key, value in (CARD | changes).items() if value is not None}))
    return path


def package_as(experiment, folder, patch, name="tiny", **options):
    """Package an experiment into a folder, which takes the place of the package's; ``patch`` is a monkeypatch."""
    folder.mkdir(exist_ok=True)
    packaged = package_model(
        experiment, folder / name, write_card(folder / "given.toml"), exported_parts, **({"limit": 1.0} | options)
    )
    patch.setattr(named_models, "FOLDER", folder)
    return packaged
