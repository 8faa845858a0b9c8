"""Names to experiment directories: downloaded once, pinned, and clear about what is missing."""

import shutil

import pytest
from local_hub import serving
from tiny_checkpoints import write_checkpoint

from speechtl.errors import ModelError
from speechtl.models.weights import load_arrays
from speechtl.pretrained.hub import HubName, wanted_files
from speechtl.pretrained.import_checkpoint import import_checkpoint
from speechtl.pretrained.locate import locate


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEECHTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ask(address, monkeypatch):
    """Let the client take another address for that of the hub; it reads ``HF_ENDPOINT`` only once."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def hub(tmp_path, cache, monkeypatch):
    with serving() as (hub, address):
        ask(address, monkeypatch)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "downloads"))
        # What the client does with transient failures: wait and try again, here without waiting for long.
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        hub.repositories["some/model"] = {"main": write_checkpoint(tmp_path / "first")}
        yield hub


def weights(directory):
    return load_arrays(directory / "weights.h5")


def test_an_experiment_directory_is_what_it_is(tmp_path, cache):
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "config.json").write_text("{}")
    assert locate(tmp_path) == tmp_path
    assert locate("nowhere/at/all") == locate(locate("nowhere/at/all"))
    assert not cache.exists()


def test_a_folder_is_imported_once_and_again_when_it_has_changed(tmp_path, cache):
    folder = write_checkpoint(tmp_path / "whisper", "whisper")
    first = locate(folder)
    assert cache in first.parents and locate(str(folder)) == first
    stamp = (first / "weights.h5").stat().st_mtime_ns
    shutil.move(folder, tmp_path / "moved" / "whisper")
    assert locate(tmp_path / "moved" / "whisper") == first and (first / "weights.h5").stat().st_mtime_ns == stamp
    write_checkpoint(
        tmp_path / "moved" / "whisper", "whisper", lambda tensors: tensors.pop("encoder.x", None), dropout=0.5
    )
    assert locate(tmp_path / "moved" / "whisper") != first
    assert not [path.name for path in first.parent.iterdir() if path.name.startswith(".")]


def test_a_name_is_downloaded_once_and_keeps_its_version(hub, tmp_path, cache):
    first = locate("hf:some/model")
    commit = hub.commit("some/model", "main")
    assert first.name == commit and cache in first.parents
    arrays, marks = weights(first)
    assert marks == {"origin": "hf:some/model", "revision": commit}
    assert f"hf:some/model@{commit}" in (first / "README.md").read_text()
    asked = len(hub.requests)
    assert locate("hf:some/model") == first and len(hub.requests) == asked

    # A newer version: what was meant stays, and the new one is there by name.
    newer = write_checkpoint(tmp_path / "second", "whisper", lambda t: t["model.encoder.conv1.bias"].fill(0))
    hub.repositories["some/model"] = {"main": newer, "v1": tmp_path / "first"}
    assert locate("hf:some/model") == first
    second = locate("hf:some/model@main")
    assert second.name == hub.commit("some/model", "main") != commit
    assert (weights(second)[0]["encoder/stem/conv1/bias"] == 0).all() and arrays["encoder/stem/conv1/bias"].any()
    assert locate("hf:some/model@v1") == locate(f"hf:some/model@{commit}") == first


def test_only_what_is_needed_is_downloaded(hub, tmp_path):
    folder = tmp_path / "first"
    for name in ("pytorch_model.bin", "tf_model.h5", "tokenizer.json", "LICENSE", "preprocessor_config.json"):
        (folder / name).write_text('{"feature_size": 80}')
    (folder / "LICENSE").write_text("MIT License")
    assert "| licence | MIT License |" in (locate("hf:some/model") / "README.md").read_text()
    got = {request.rpartition("/")[2] for request in hub.requests if request.startswith("GET /some")}
    assert got == {"config.json", "model.safetensors", "LICENSE", "preprocessor_config.json"}


def test_a_download_that_was_cut_off_continues(hub):
    hub.cut_off = 1
    locate("hf:some/model")
    assert hub.cut_off == 0


def test_what_cannot_be_downloaded(hub, tmp_path, monkeypatch):
    elsewhere = "download the files elsewhere .* and give their folder as the source"
    with pytest.raises(ModelError, match=f"hf:no/such: no such repository, or a private one; .*{elsewhere}"):
        locate("hf:no/such")
    with pytest.raises(ModelError, match="hf:some/model@v9: no revision 'v9'"):
        locate("hf:some/model@v9")
    hub.gated.add("some/model")
    with pytest.raises(ModelError, match=f"accept conditions first; .*{elsewhere}"):
        locate("hf:some/model")
    ask("http://127.0.0.1:9", monkeypatch)
    with pytest.raises(ModelError, match=f"hf:some/model: cannot download .*check the network.*{elsewhere}"):
        locate("hf:some/model")
    for wrong in ("hf:whisper", "hf:a/b/c", "hf:a/b@", "hf:../b c"):
        with pytest.raises(ModelError, match="not a name on the Hugging Face hub; expected hf:owner/name"):
            locate(wrong)


def test_a_version_that_was_imported_needs_no_network(hub, monkeypatch):
    found = locate("hf:some/model")
    ask("http://127.0.0.1:9", monkeypatch)
    assert locate("hf:some/model") == locate(f"hf:some/model@{found.name}") == found
    shutil.rmtree(found)
    # The files are still in the hub's own cache, but which version a name means, nobody can say.
    with pytest.raises(ModelError, match="cannot download"):
        locate("hf:some/model@main")


def test_import_by_name(hub, tmp_path):
    (tmp_path / "first" / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# Model\n")
    commit = hub.commit("some/model", "main")
    result = import_checkpoint("hf:some/model", tmp_path / "out", "main")
    assert (result.revision, result.licence, result.family) == (commit, "apache-2.0", "whisper")
    with pytest.raises(ModelError, match="names one revision and --revision v2 another"):
        import_checkpoint("hf:some/model@main", tmp_path / "out2", "v2")


def test_names():
    assert HubName.parse("hf:a/b.c-d@refs/pr/1") == HubName("a/b.c-d", "refs/pr/1")
    assert str(HubName.parse("hf:a/b")) == "hf:a/b" and HubName.parse("hf:a/b").commit is None
    commit = "0123456789abcdef" * 2 + "01234567"
    assert HubName.parse(f"hf:a/b@{commit}").commit == commit


def test_one_form_of_the_weights_is_chosen():
    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    others = ["config.json", "pytorch_model.bin", "model.fp32.safetensors", "flax_model.msgpack"]
    index = "model.safetensors.index.json"
    assert wanted_files([*others, *parts, index]) == ["config.json", index, *parts]
    assert wanted_files([*others, *parts, index, "model.safetensors"]) == ["config.json", "model.safetensors"]
    assert wanted_files(others) == ["config.json", "pytorch_model.bin"]
