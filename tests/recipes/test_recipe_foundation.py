"""The recipe on a foundation encoder: configs, and scripts without data."""

import shutil
from pathlib import Path

import pytest

from speechtl.config import read_toml
from speechtl.experiment.config import load_config
from speechtl.models.acoustic_model import AcousticModel
from speechtl.transfer.method import choose_blocks

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "foundation"
SYSTEMS = [path for path in sorted((RECIPE / "conf").glob("*.toml")) if path.name != "features.toml"]


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_every_system_has_the_features_of_the_recipe_and_the_encoder_of_its_checkpoint(path):
    config = load_config(path)
    features = read_toml(RECIPE / "conf/features.toml")["features"]
    assert {key: getattr(config.features, key) for key in features} == features
    assert (config.model.encoder.size, config.model.encoder.blocks) == (512, 6)
    # Masks act on the last block that is frozen, so that the outputs up to it are computed once.
    small = config.model.model_copy(
        update={"encoder": config.model.encoder.model_copy(update={"size": 8, "hidden": 8})}
    )
    model = AcousticModel(small, config.features.dimension, {"xx": 3})
    frozen = [
        block
        for method in config.transfer
        if method.method == "layer_transfer" and not method.trainable
        for block in choose_blocks(model, method.blocks)
    ]
    assert config.augmentation.after == frozen[-1]
    assert frozen == model.block_names[: len(frozen)]


def test_the_source_has_none_of_the_languages_that_it_is_tried_on():
    config = load_config(RECIPE / "conf/source.toml")
    assert {data.language for data in config.data} == {"en", "fa", "nan"}
    places = " ".join(place for data in config.data for place in data.train)
    assert not any(name in places for name in ("kerstin", "festvox", "arabic", "dspspeech"))


@pytest.mark.parametrize("script", ["languages.sh", "words.sh", "unheard.sh", "layers.sh", "speakers.sh"])
def test_a_script_without_its_data_says_what_is_missing(script, run_bash, tmp_path):
    shutil.copytree(RECIPE, tmp_path / "recipes/foundation", ignore=shutil.ignore_patterns("data", "exp"))
    shutil.copytree(RECIPE.parent / "shared", tmp_path / "recipes/shared")
    shutil.copy(RECIPE.parent.parent / "pyproject.toml", tmp_path)
    result = run_bash(tmp_path / "recipes/foundation" / script, "--nj", "1")
    assert result.returncode == 0, result.stderr
    assert "left out: " in result.stderr and "run.sh, stages 0 to 2" in result.stderr
