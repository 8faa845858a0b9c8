import numpy as np
import pytest

from speechtl.errors import ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.train import train
from speechtl.models.weights import load_arrays


def weights(path):
    return load_arrays(path / "weights.h5")[0]


@pytest.fixture(scope="module")
def tuned(shared_config_maker):
    """Return a function that trains on other speech than the source did and gives the weights."""
    root, make_config = shared_config_maker
    train(load_config(make_config(), ["training.epochs=1"]), root / "source")

    def run(name, *tables):
        config = make_config(train="own", name=f"{name}.toml").read_text()
        for table in tables:
            config += f'\n[[transfer]]\nsource = "{root / "source"}"\n{table}\n'
        path = root / f"{name}.toml"
        path.write_text(config)
        train(load_config(path, ["training.epochs=1", "training.average=1"]), root / name)
        return weights(root / name)

    return root, run


COPY = 'method = "fine_tuning"'


def test_the_weights_lie_on_the_line_between_both_ends(tuned):
    root, run = tuned
    source, plain = weights(root / "source"), run("plain", COPY)
    ends = {share: run(f"share{share}", COPY, f'method = "weight_interpolation"\nweight = {share}') for share in (0, 1)}
    quarter = run("quarter", COPY, 'method = "weight_interpolation"\nweight = 0.25')
    assert any(np.any(source[name] != array) for name, array in plain.items())
    for name, array in plain.items():
        np.testing.assert_array_equal(ends[0][name], array, err_msg=name)
        np.testing.assert_array_equal(ends[1][name], source[name], err_msg=name)
        np.testing.assert_allclose(
            quarter[name], 0.25 * source[name] + 0.75 * array, rtol=1e-6, atol=1e-7, err_msg=name
        )


def test_what_is_fresh_stays_as_trained(tuned):
    root, run = tuned
    plain = weights(root / "plain") if (root / "plain").exists() else run("plain", COPY)
    mixed = run("fresh", COPY, 'method = "weight_interpolation"\nweight = 1.0\nfresh = ["heads/*"]')
    source = weights(root / "source")
    for name, array in mixed.items():
        np.testing.assert_array_equal(array, (plain if name.startswith("heads/") else source)[name], err_msg=name)


def test_a_source_of_another_shape_is_refused_before_training(tuned, shared_config_maker):
    root, make_config = shared_config_maker
    path = make_config(
        train="own", name="wide.toml", transfer=f'method = "weight_interpolation"\nsource = "{root / "source"}"'
    )
    path.write_text(path.read_text().replace("size = 16", "size = 20"))
    with pytest.raises(ModelError, match=r"encoder/tdnn1/conv/kernel: shape \(60, 20\) here, \(48, 16\) there"):
        train(load_config(path), root / "wide")
    assert not (root / "wide" / "weights.h5").exists()
