import numpy as np
import pytest
import tensorflow as tf
from training_runs import SHORT

from speechtl.errors import ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.experiment import Experiment
from speechtl.experiment.train import train
from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import arrays_of, load_arrays
from speechtl.transfer.layer_transfer import LayerTransfer
from speechtl.transfer.method import choose_blocks


@pytest.fixture(scope="module")
def source(source):
    return str(source)


@pytest.fixture
def model(source):
    tf.keras.utils.set_random_seed(5)
    return AcousticModel(load_config(f"{source}/config.toml").model, 12, {"xx": 7})


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ("first:1", ["subsampling"]),
        ("first:2", ["subsampling", "tdnn1"]),
        ("last:1", ["tdnn2"]),
        ("last:3", ["subsampling", "tdnn1", "tdnn2"]),
        ("all", ["subsampling", "tdnn1", "tdnn2"]),
        ("tdnn2, subsampling", ["subsampling", "tdnn2"]),
        (("tdnn1",), ["tdnn1"]),
    ],
)
def test_blocks_are_counted_without_heads(model, blocks, expected):
    assert choose_blocks(model, blocks) == expected


@pytest.mark.parametrize("blocks", ["first:0", "last:4", "first:x", "middle:1", "first:-1"])
def test_a_number_of_blocks_that_there_are_not_is_refused(model, blocks):
    with pytest.raises(ModelError, match=r"expected first:N or last:N with N from 1 to 3 \(heads are not counted\)"):
        choose_blocks(model, blocks)


def test_all_unknown_blocks_are_listed(model):
    with pytest.raises(ModelError, match=r"has: subsampling, tdnn1, tdnn2\n  tdnn7\n  heads"):
        choose_blocks(model, ("tdnn7", "tdnn1", "heads"))


@pytest.mark.parametrize("trainable", [False, True])
def test_the_blocks_are_copied_and_the_rest_keeps_its_weights(source, model, trainable):
    before, theirs = arrays_of(model.variables()), load_arrays(f"{source}/weights.h5")[0]
    LayerTransfer(source=source, blocks="last:1", heads=True, trainable=trainable).prepare(model)
    chosen = ("encoder/tdnn2/", "heads/xx/")
    for name, array in arrays_of(model.variables()).items():
        np.testing.assert_array_equal(array, theirs[name] if name.startswith(chosen) else before[name], err_msg=name)
    trained = {name for name in before if trainable or not name.startswith(chosen)}
    assert model.trainable_variables().keys() == trained


def test_blocks_of_another_shape_list_every_weight(source, shared_config_maker):
    _, make_config = shared_config_maker
    wide = load_config(make_config(name="wide.toml"), ["model.encoder.size=20"])
    with pytest.raises(ModelError) as error:
        LayerTransfer(source=source, blocks="first:1").prepare(AcousticModel(wide.model, 12, {"xx": 7}))
    assert "encoder/subsampling/conv/kernel: shape (60, 20) here, (60, 16) in the source" in str(error.value)
    assert "encoder/subsampling/norm/scale" in str(error.value)
    deep = load_config(make_config(name="deep.toml"), ["model.encoder.dilations=[1, 2, 2]"])
    with pytest.raises(ModelError, match=r"encoder/tdnn3/conv/bias: not in the source"):
        LayerTransfer(source=source, blocks="last:2").prepare(AcousticModel(deep.model, 12, {"xx": 7}))


def test_heads_of_other_languages_cannot_be_copied(source):
    model = AcousticModel(load_config(f"{source}/config.toml").model, 12, {"yy": 7})
    with pytest.raises(ModelError, match=r"has no head for yy; leave out heads = true"):
        LayerTransfer(source=source, blocks="all", heads=True).prepare(model)


def test_a_copied_head_brings_its_phones(source, shared_config_maker, tmp_path):
    root, make_config = shared_config_maker
    config = make_config(train="own", name="own.toml")
    text = root / "own" / "text"
    text.write_text("".join(f"{line.split()[0]} tak\n" for line in text.read_text().splitlines()))
    for heads, phones in ((False, 3), (True, 6)):
        transfer = {"method": "layer_transfer", "source": source, "blocks": "first:2", "heads": heads}
        config = make_config(train="own", name=f"{heads}.toml", transfer=transfer, data={"dev": None})
        train(load_config(config, SHORT), tmp_path / str(heads))
        assert len(Experiment.load(tmp_path / str(heads)).inventory()) == phones
