import re

import pytest
from command_line import command_tree, run

from speechtl.errors import ConfigError, ModelError
from speechtl.recognition.results import WRITERS


def test_every_output_format_can_be_asked_for(capsys):
    with pytest.raises(SystemExit):
        command_tree()(["transcribe", "--help"])
    assert re.search(r"--format <(\S+)>", capsys.readouterr().out)[1].split("|") == list(WRITERS)


def test_audio_where_the_model_belongs_is_told_from_a_missing_model(tmp_path):
    talk = tmp_path / "talk.WAV"
    for arguments in ([talk], [talk, talk], ["nowhere/talk.wav", "other.wav"]):
        with pytest.raises(ConfigError, match=r"is audio, where the model is expected: speechtl transcribe base "):
            run("transcribe", *arguments)
    talk.touch()
    with pytest.raises(ModelError, match=r"nowhere: not an experiment directory .*a name that speechtl models lists"):
        run("transcribe", tmp_path / "nowhere", talk)
    (tmp_path / "text.txt").write_text("no model")
    with pytest.raises(ModelError, match=r"text\.txt: where a model is expected"):
        run("transcribe", tmp_path / "text.txt", talk)
