import shutil

import numpy as np
import pytest
import tensorflow as tf
from training_runs import SHORT

from speechtl.errors import ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.config import ModelConfig
from speechtl.models.lateral import Lateral
from speechtl.models.tdnn import TdnnConfig
from speechtl.models.weights import arrays_of, load_arrays
from speechtl.transfer.method import load_source
from speechtl.transfer.progressive import Progressive

# As the shared config has it.
MODEL = ModelConfig.model_validate(
    {"encoder": {"kind": "tdnn", "size": 16, "dilations": (1, 2), "subsampling": {"factor": 2}}}
)


@pytest.fixture(scope="module")
def trained(shared_config_maker, source):
    """Return the folder of two plain experiments and one with both as columns; and one whose column is that one."""
    root, make_config = shared_config_maker
    shutil.copytree(source, root / "one")
    train(load_config(make_config(), [*SHORT, "seed=2"]), root / "two")
    both = {"method": "progressive", "columns": [str(root / "one"), str(root / "two")], "lateral": 5}
    train(load_config(make_config(transfer=both), SHORT), root / "both")
    chain = {"method": "progressive", "columns": str(root / "both"), "lateral": 3}
    train(load_config(make_config(transfer=chain), SHORT), root / "chain")
    return root


def features(seed=0, frames=31):
    matrix = np.random.default_rng(seed).normal(size=(1, frames, 12)).astype(np.float32)
    return tf.constant(matrix), tf.constant([frames])


def fresh(config=MODEL):
    tf.keras.utils.set_random_seed(5)
    return AcousticModel(config, 12, {"xx": 7})


def prepared(*columns):
    return Progressive(columns=tuple(map(str, columns)), lateral=4).prepare(fresh())


def test_at_the_start_the_new_column_is_a_fresh_one(trained):
    plain, model = fresh().encode(*features()), prepared(trained / "one", trained / "two").encode(*features())
    for name, outputs in plain.outputs.items():
        np.testing.assert_array_equal(outputs, model.outputs[name])


def test_what_a_block_hears_is_the_formula_of_the_paper():
    lateral = Lateral(2, 3, 4)
    rng = np.random.default_rng(0)
    for variable in lateral.weights:
        variable.assign(rng.normal(size=variable.shape))
    outputs = [rng.normal(size=(2, 5, 3)).astype(np.float32) for _ in range(2)]
    scale, down, bias, up = (np.asarray(v.value) for v in (lateral.scale, lateral.down, lateral.bias, lateral.up))
    joint = scale[0] * outputs[0] @ down[:3] + scale[1] * outputs[1] @ down[3:] + bias
    np.testing.assert_allclose(lateral(outputs), np.maximum(joint, 0) @ up, rtol=1e-4, atol=1e-5)


def test_training_leaves_columns_as_they_were_and_uses_every_adapter(trained):
    arrays = load_arrays(trained / "both" / "weights.h5")[0]
    for number, name in (("1", "one"), ("2", "two")):
        source = load_arrays(trained / name / "weights.h5")[0]
        encoder = {path: array for path, array in source.items() if path.startswith("encoder/")}
        kept = {p.split("/", 2)[2]: array for p, array in arrays.items() if p.startswith(f"columns/{number}/")}
        assert kept.keys() == encoder.keys()
        for path, array in encoder.items():
            np.testing.assert_array_equal(array, kept[path], err_msg=path)
    for block in ("subsampling", "tdnn1", "tdnn2"):
        assert np.any(arrays[f"laterals/{block}/up"]) and np.any(arrays[f"laterals/{block}/scale"] != np.float32(0.1))


def test_outputs_of_columns_are_those_of_their_sources(trained):
    model = Experiment.load(trained / "both").model
    for number, name in (("1", "one"), ("2", "two")):
        alone = load_source(str(trained / name), 12).encode(*features())
        column = model.columns[number].encode(*features())
        for block, outputs in alone.outputs.items():
            np.testing.assert_array_equal(outputs, column.outputs[block])


def test_columns_matter_and_hear_what_is_masked_for_the_new_one(trained):
    model = Experiment.load(trained / "both").model
    before = model.encode(*features()).outputs["tdnn2"]
    for variable in model.columns["2"].blocks[0].weights:
        variable.assign(variable.value + 1.0)
    assert np.abs(before - model.encode(*features()).outputs["tdnn2"]).max() > 1e-4


def test_padding_does_not_reach_what_is_heard(trained):
    model = Experiment.load(trained / "both").model
    matrix, lengths = features()
    padded = tf.pad(matrix, [[0, 0], [0, 9], [0, 0]], constant_values=50.0)
    alone, among = model.encode(matrix, lengths), model.encode(padded, lengths)
    valid = int(alone.lengths["tdnn2"][0])
    np.testing.assert_allclose(
        alone.outputs["tdnn2"][:, :valid], among.outputs["tdnn2"][:, :valid], rtol=1e-4, atol=1e-5
    )


def test_it_stands_alone_without_its_sources_even_as_a_column_of_a_column(trained, tmp_path):
    before = {name: Experiment.load(trained / name).posteriors(features()[0][0].numpy()) for name in ("both", "chain")}
    for name in before:
        shutil.copytree(trained / name, tmp_path / name)
    hidden = [(trained / name, trained / f"{name}_hidden") for name in ("one", "two", "both")]
    for place, elsewhere in hidden:
        place.rename(elsewhere)
    try:
        for name, posteriors in before.items():
            again = Experiment.load(tmp_path / name)
            np.testing.assert_array_equal(again.posteriors(features()[0][0].numpy()), posteriors)
            assert len(dict(again.posteriors_of(trained / "dev"))) == 12
    finally:
        for place, elsewhere in hidden:
            elsewhere.rename(place)
    assert set(Experiment.load(tmp_path / "chain").model.columns["1"].columns) == {"1", "2"}


def test_columns_are_frozen_after_loading_and_preparing(trained):
    for model in (prepared(trained / "both"), Experiment.load(trained / "chain").model):
        names = model.trainable_variables()
        assert not [name for name in names if name.startswith("columns/")]
        assert {name.split("/")[0] for name in names} == {"encoder", "heads", "laterals"}


def test_growth_is_said(trained, capfd):
    Progressive(columns=(str(trained / "one"),), lateral=4).attach(prepared(trained / "one"), [])
    said = capfd.readouterr().out
    model = fresh()
    encoder = sum(v.size for name, v in arrays_of(model.variables()).items() if name.startswith("encoder/"))
    assert f"1 frozen column of {encoder:,} parameters, adapters of {3 * (1 + 2 * 16 * 4 + 4):,}" in said
    assert f"new column of {model.parameter_count():,}" in said and "times the time" in said


def test_other_encoders_and_second_tables_are_refused(trained):
    method = Progressive(columns=(str(trained / "one"),))
    with pytest.raises(ModelError, match=r"must have the encoder of this experiment.*\n.*one/config.toml: \[model.enc"):
        method.prepare(AcousticModel(ModelConfig(encoder=TdnnConfig(size=8)), 12, {"xx": 7}))
    with pytest.raises(ModelError, match="has columns already"):
        method.prepare(prepared(trained / "two"))
