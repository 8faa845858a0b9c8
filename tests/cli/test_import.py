import pytest
from command_line import run, verb
from tiny_checkpoints import write_checkpoint

from speechtl.config import read_toml
from speechtl.errors import ModelError


def test_import_writes_an_experiment_directory_whole_or_not_at_all(tmp_path):
    folder = write_checkpoint(tmp_path / "checkpoint", "wav2vec2")
    (folder / "LICENSE.txt").write_text("\nMIT License\n\nCopyright\n")
    out = tmp_path / "out"
    shown = run("import", folder, out).stdout
    assert "wav2vec2" in shown and "licence: MIT License" in shown and "blocks: stem, projection, positions" in shown
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.toml", "weights.h5"]
    table = read_toml(out / "config.toml")
    assert table["features"]["kind"] == "waveform" and table["normalisation"]["kind"] == "none" and "data" not in table
    with pytest.raises(ModelError, match="out: exists; give a new directory"):
        verb("import", folder, out)
    with pytest.raises(ModelError, match="is a folder, which has no revision 'main'"):
        verb("import", folder, tmp_path / "other", revision="main")
    (folder / "model.safetensors").write_bytes(b"<html>")
    with pytest.raises(ModelError, match="is a web page"):
        verb("import", folder, tmp_path / "other")
    assert not (tmp_path / "other").exists() and len(list(tmp_path.iterdir())) == 2
