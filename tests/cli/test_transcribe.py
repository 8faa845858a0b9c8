import re

import pytest
from command_line import command_tree

from speechtl.recognition.results import WRITERS


def test_every_output_format_can_be_asked_for(capsys):
    with pytest.raises(SystemExit):
        command_tree()(["transcribe", "--help"])
    assert re.search(r"--format <(\S+)>", capsys.readouterr().out)[1].split("|") == list(WRITERS)
