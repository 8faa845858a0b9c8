import numpy as np
import pytest
from training_runs import SHORT, weights

from speechtl.errors import ModelError
from speechtl.experiment.config import load_config
from speechtl.experiment.train import train


@pytest.fixture(scope="module")
def tuned(shared_config_maker, source):
    """Return a function that trains on other speech than the source did and gives the weights."""
    root, make_config = shared_config_maker

    def run(name, *tables):
        tables = [table | {"source": str(source)} for table in tables]
        if not (root / name).exists():
            train(load_config(make_config(train="own", name=f"{name}.toml", transfer=tables), SHORT), root / name)
        return weights(root / name)

    return run


COPY = {"method": "fine_tuning"}


def mix(weight, **settings):
    return {"method": "weight_interpolation", "weight": weight} | settings


def test_the_weights_lie_on_the_line_between_both_ends(tuned, source):
    source, plain = weights(source), tuned("plain", COPY)
    ends = {share: tuned(f"share{share}", COPY, mix(share)) for share in (0, 1)}
    quarter = tuned("quarter", COPY, mix(0.25))
    assert any(np.any(source[name] != array) for name, array in plain.items())
    for name, array in plain.items():
        np.testing.assert_array_equal(ends[0][name], array, err_msg=name)
        np.testing.assert_array_equal(ends[1][name], source[name], err_msg=name)
        np.testing.assert_allclose(
            quarter[name], 0.25 * source[name] + 0.75 * array, rtol=1e-6, atol=1e-7, err_msg=name
        )


def test_what_is_fresh_stays_as_trained(tuned, source):
    plain, source = tuned("plain", COPY), weights(source)
    mixed = tuned("fresh", COPY, mix(1.0, fresh=["heads/*"]))
    for name, array in mixed.items():
        np.testing.assert_array_equal(array, (plain if name.startswith("heads/") else source)[name], err_msg=name)


def test_a_source_of_another_shape_is_refused_before_training(source, shared_config_maker):
    root, make_config = shared_config_maker
    transfer = mix(0.5, source=str(source))
    path = make_config(train="own", name="wide.toml", transfer=transfer, model__encoder={"size": 20})
    with pytest.raises(ModelError, match=r"encoder/tdnn1/conv/kernel: shape \(60, 20\) here, \(48, 16\) there"):
        train(load_config(path), root / "wide")
    assert not (root / "wide" / "weights.h5").exists()
