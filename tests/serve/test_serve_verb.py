"""What the command line hands to the server."""

import pytest
from command_line import verb
from spoken_numbers import NumberRecogniser

import speechtl
from speechtl.errors import ConfigError
from speechtl.serve import run as run_file
from speechtl.serve.app import make_app


@pytest.fixture
def served(monkeypatch):
    """Return what the server is started with; it does not listen."""
    found = {"loaded": []}

    def load(model, **options):
        found["loaded"].append((model, options))
        return NumberRecogniser()

    monkeypatch.setattr(speechtl, "load", load)
    monkeypatch.setattr(run_file, "run", lambda served, **options: found.update(options, served=served))
    return found


def test_the_model_is_loaded_and_adapted_with_the_same_options(served, tmp_path):
    options = {
        "lexicon": "l.txt",
        "add_word": ["bat=b a t"],
        "language": "xx",
        "beam": 9,
        "set_": "segmentation.pause=1",
    }
    verb("serve", tmp_path, rules="fi", **options)
    (model, loaded), model_served = served["loaded"][0], served["served"]
    assert model == str(tmp_path) and model_served.source() == tmp_path and not model_served.why_not_adaptable
    assert loaded["language"] == "xx" and loaded["speaker"] is None
    assert loaded["settings"] == ("segmentation.pause=1", "decoding.beam=9.0")
    model_served.adapted(tmp_path / "anna", stored_alone=True)
    assert served["loaded"][1] == (str(tmp_path), {**loaded, "speaker": tmp_path / "anna"})
    model_served.adapted(tmp_path / "anna", stored_alone=False)
    assert served["loaded"][2] == (str(tmp_path / "anna"), loaded)
    adaptation = model_served.adaptation
    assert adaptation["lexicon"] == "l.txt" and adaptation["add_words"] == ["bat=b a t"] and adaptation["rules"] == "fi"
    # Adaptation cuts nothing at pauses.
    assert adaptation["settings"] == ["decoding.beam=9.0"]


def test_a_token_is_made_where_it_is_needed(served, tmp_path):
    tokens = []
    for host, token in [("127.0.0.1", False), ("127.0.0.1", True), ("0.0.0.0", False), ("0.0.0.0", False)]:
        verb("serve", tmp_path, host=host, **({"token": True} if token else {}))
        tokens.append(served["token"])
    assert tokens[0] is None and all(len(token) >= 43 for token in tokens[1:]) and len(set(tokens)) == 4


def test_limits_of_the_command_line(served, tmp_path):
    verb("serve", tmp_path, max_megabytes=2, max_minutes=3, max_sessions=4, max_streams=5, idle_minutes=6)
    limits = served["limits"]
    assert (limits.bytes, limits.seconds, limits.sessions, limits.streams) == (2_000_000, 180, 4, 5)
    assert limits.idle_minutes == 6 and make_app(served["served"], limits=limits)


def test_addresses_that_cannot_be_listened_at(tmp_path):
    import socket

    from speechtl.serve.limits import Limits
    from speechtl.serve.served_model import ServedModel

    model = ServedModel("numbers", lambda name, speaker: NumberRecogniser())
    options = {"token": None, "limits": Limits()}
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="choose another"):
        run_file.run(model, host="127.0.0.1", port=taken.getsockname()[1], **options)
    (tmp_path / "file").write_text("")
    for more, message in [
        ({"certificate": tmp_path / "file"}, "--certificate"),
        ({"keep": tmp_path / "file"}, "--keep"),
    ]:
        with pytest.raises(ConfigError, match=message):
            run_file.run(model, host="127.0.0.1", port=0, **options, **more)
