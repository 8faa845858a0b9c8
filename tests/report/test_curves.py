import re
import xml.etree.ElementTree as ElementTree

import pytest
from typer.testing import CliRunner

from speechtl.cli.main import app
from speechtl.errors import DataError
from speechtl.report.curves import Curve, curves_chart, read_curves

SPACE = "{http://www.w3.org/2000/svg}"


def circles(image):
    root = ElementTree.fromstring(image)
    return [(float(one.get("cx")), float(one.get("cy"))) for one in root.iter(f"{SPACE}circle")]


def test_higher_values_are_higher_and_a_logarithmic_axis_has_equal_steps_for_equal_factors():
    points = [(1.0, 10.0, 9.0, 12.0), (10.0, 20.0, 18.0, 21.0), (100.0, 5.0, 4.0, 6.0)]
    (x1, y1), (x2, y2), (x3, y3) = circles(curves_chart("t", [Curve("a", points)], "s", "%", log_x=True))
    assert y2 < y1 < y3
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2) and x2 > x1
    (x1, _), (x2, _), (x3, _) = circles(curves_chart("t", [Curve("a", points)], "s", "%"))
    assert (x3 - x2) / (x2 - x1) == pytest.approx(10, rel=0.01)


def test_text_is_escaped_and_every_curve_is_in_the_key():
    image = curves_chart("a < b", [Curve("x & y", [(1, 2, 2, 2)]), Curve("none", [])], "s", "%")
    texts = [one.text for one in ElementTree.fromstring(image).iter(f"{SPACE}text")]
    assert "a < b" in texts and "x & y" in texts and "none" not in texts


def test_a_reference_is_dashed_and_has_no_band():
    image = curves_chart("t", [Curve("source", [(1, 2, 1, 3), (2, 2, 1, 3)], reference=True)], "s", "%")
    assert "stroke-dasharray" in image and "fill-opacity" not in image
    assert "fill-opacity" in curves_chart("t", [Curve("other", [(1, 2, 1, 3), (2, 2, 1, 3)])], "s", "%")


def test_runs_with_one_name_and_one_x_are_a_point_with_a_band(tmp_path):
    (tmp_path / "t.tsv").write_text("# a comment\na\t2\t30\na\t1\t10\na\t1\t14\n=b\t1\t5\t4\t7\n")
    curves = read_curves(tmp_path / "t.tsv")
    assert curves == [
        Curve("a", [(1.0, 12.0, 10.0, 14.0), (2.0, 30.0, 30.0, 30.0)]),
        Curve("b", [(1.0, 5.0, 4.0, 7.0)], reference=True),
    ]


def test_wrong_lines_are_all_named(tmp_path):
    (tmp_path / "t.tsv").write_text("a\t1\nb\t1\tx\nc\t1\t2\nd\t1\tnan\n")
    with pytest.raises(DataError) as error:
        read_curves(tmp_path / "t.tsv")
    assert re.findall(r"t\.tsv:(\d)", str(error.value)) == ["1", "2", "4"]


def test_the_verb_writes_a_picture(tmp_path):
    (tmp_path / "t.tsv").write_text("a\t1\t10\na\t2\t5\n")
    result = CliRunner().invoke(app, ["chart", str(tmp_path / "t.tsv"), str(tmp_path / "t.svg"), "--title", "Layers"])
    assert result.exit_code == 0
    assert "Layers" in (tmp_path / "t.svg").read_text()
    (tmp_path / "empty.tsv").write_text("")
    with pytest.raises(DataError, match=r"no curve has a point"):
        CliRunner().invoke(app, ["chart", str(tmp_path / "empty.tsv"), str(tmp_path / "x")], catch_exceptions=False)
