"""Long utterances under encoders whose attention sees windows: in pieces, they have the same posteriors."""

import numpy as np
import pytest
from small_encoders import ENCODERS
from small_experiments import small_experiment

from speechtl.decoding import reach
from speechtl.decoding.reach import posteriors_of_batch
from speechtl.experiment.experiment import Experiment

WHISPER = ENCODERS["whisper"]
TOPS = {
    "tdnn": {"kind": "tdnn", "size": 16, "dilations": (1, 2)},
    "tdnn_3": {"kind": "tdnn", "size": 16, "dilations": (1,), "subsampling": {"factor": 3}},
    "blstm": {"kind": "blstm", "size": 8, "blocks": 1},
}


def computed_in_pieces(model, patch, features):
    """Return the posteriors of an utterance in one piece and in several, and the longest piece."""
    longest = []

    def compute(some, lengths):
        longest.append(some.shape[1])
        return model.batch_posteriors(some, lengths, "de")

    def posteriors():
        lengths = np.array([len(features)], np.int32)
        window = model.directory.attention_window
        return posteriors_of_batch(compute, features[np.newaxis], lengths, model.subsampling, window)[0]

    whole = posteriors()
    longest.clear()
    patch.setattr(reach, "_LONG", 100)
    patch.setattr(reach, "_WINDOWS", 3)
    return whole, posteriors(), max(longest)


@pytest.mark.parametrize("name", ["whisper", "wav2vec2_pre_norm", "wavlm_pre_norm"])
@pytest.mark.parametrize("frames", [419, 421, 700])
def test_windows_of_attention_are_computed_piece_by_piece(name, frames, tmp_path, monkeypatch):
    model = Experiment.load(small_experiment(tmp_path / "exp", ENCODERS[name]))
    assert model.directory.attention_window == (14 if "whisper" in name else 7)
    features = np.random.default_rng(frames).normal(size=(frames, model.features.dimension)).astype(np.float32)
    whole, pieces, longest = computed_in_pieces(model, monkeypatch, features)
    assert longest <= 7 * 14 < frames
    np.testing.assert_allclose(pieces, whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("top", ["tdnn", "tdnn_3"])
def test_what_stands_on_top_may_look_into_the_next_window(top, tmp_path, monkeypatch):
    model = Experiment.load(small_experiment(tmp_path / "exp", WHISPER, model={"encoder": WHISPER, "top": TOPS[top]}))
    features = np.random.default_rng(0).normal(size=(503, 80)).astype(np.float32)
    whole, pieces, longest = computed_in_pieces(model, monkeypatch, features)
    assert longest < len(features)
    np.testing.assert_allclose(pieces, whole, rtol=1e-4, atol=1e-4)
    # With less around a piece they would differ: what is taken is needed.
    monkeypatch.setattr(reach, "_AROUND", 0)
    assert np.abs(computed_in_pieces(model, monkeypatch, features)[1] - whole).max() > 1e-2


@pytest.mark.parametrize(
    "name", ["tdnn", "blstm", "conformer", "whisper_padded", "wav2vec2", "hubert", "wavlm", "data2vec"]
)
def test_others_have_no_windows(name, tmp_path):
    """They look at everything, normalise over all of it, or see a number of frames that is found by trying."""
    assert Experiment.load(small_experiment(tmp_path / "exp", ENCODERS[name])).directory.attention_window is None


def test_what_looks_at_everything_on_top_is_none(tmp_path):
    sections = {"model": {"encoder": WHISPER, "top": TOPS["blstm"]}}
    assert Experiment.load(small_experiment(tmp_path / "exp", WHISPER, **sections)).directory.attention_window is None
