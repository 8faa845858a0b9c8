"""``speechtl chart`` as a person runs it."""

import pytest
from command_line import verb

from speechtl.errors import DataError


def test_the_verb_writes_a_picture(tmp_path):
    (tmp_path / "t.tsv").write_text("a\t1\t10\na\t2\t5\n")
    assert verb("chart", tmp_path / "t.tsv", tmp_path / "t.svg", title="Layers") == 0
    assert "Layers" in (tmp_path / "t.svg").read_text()
    (tmp_path / "empty.tsv").write_text("")
    with pytest.raises(DataError, match=r"no curve has a point"):
        verb("chart", tmp_path / "empty.tsv", tmp_path / "x.svg")
