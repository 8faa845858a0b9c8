import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from command_line import verb

from speechtl.errors import ConfigError, DataError
from speechtl.report.curves import Curve, draw_curves, read_curves
from speechtl.report.picture import save_picture

POINTS = [(1.0, 10.0, 9.0, 12.0), (10.0, 20.0, 18.0, 21.0), (100.0, 5.0, 4.0, 6.0)]


def places(figure):
    """Return where the points of a figure with one curve lie, in pixels from the lower left corner."""
    figure.draw_without_rendering()
    line = figure.axes[0].lines[0]
    return line.get_transform().transform(line.get_xydata())


def texts(path):
    return [one.text for one in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_higher_values_are_higher_and_a_logarithmic_axis_has_equal_steps_for_equal_factors():
    (x1, y1), (x2, y2), (x3, y3) = places(draw_curves("t", [Curve("a", POINTS)], "s", "%", log_x=True))
    assert y2 > y1 > y3
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2) and x2 > x1
    (x1, _), (x2, _), (x3, _) = places(draw_curves("t", [Curve("a", POINTS)], "s", "%"))
    assert (x3 - x2) / (x2 - x1) == pytest.approx(10, rel=0.01)


def test_text_is_escaped_and_every_curve_is_in_the_key(tmp_path):
    curves = [Curve("x & y", [(1, 2, 2, 2)]), Curve("none", [])]
    save_picture(draw_curves("a < b", curves, "seconds", "errors, %"), tmp_path / "a.svg")
    found = texts(tmp_path / "a.svg")
    assert {"a < b", "x & y", "seconds", "errors, %"} <= set(found) and "none" not in found


def test_a_reference_is_dashed_and_has_no_error_bars():
    points = [(1, 2, 1, 3), (2, 2, 1, 3)]
    reference = draw_curves("t", [Curve("source", points, reference=True)], "s", "%").axes[0]
    assert reference.lines[0].get_linestyle() == "--" and not reference.collections
    other = draw_curves("t", [Curve("other", points)], "s", "%").axes[0]
    assert other.lines[0].get_linestyle() == "-"
    (bars,) = other.collections
    assert [bar[:, 1].tolist() for bar in bars.get_segments()] == [[1, 3], [1, 3]]


def test_the_axis_begins_at_zero_and_holds_every_error_bar():
    low, high = draw_curves("t", [Curve("a", POINTS)], "s", "%").axes[0].get_ylim()
    assert low == 0 and high > 21


def test_curves_differ_in_more_than_colour():
    curves = [Curve(str(number), [(1, number, number, number)]) for number in range(30)]
    lines = draw_curves("t", curves, "s", "%").axes[0].lines
    looks = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}
    assert len(looks) >= 24
    assert len({line.get_marker() for line in list(lines)[:8]}) == 8


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


def test_the_suffix_says_which_kind_of_picture(tmp_path):
    figure = draw_curves("t", [Curve("a", POINTS)], "s", "%")
    save_picture(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "t.tsv").write_text("a\t1\t10\n")
    with pytest.raises(ConfigError, match=r"t\.gif: not a picture \(got '\.gif', expected \.svg or \.png\)"):
        verb("chart", tmp_path / "t.tsv", tmp_path / "t.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "t.tsv"]


@pytest.mark.parametrize("name", ["a.svg", "a.png"])
def test_the_same_data_give_the_same_bytes(tmp_path, name):
    for folder in ("first", "second"):
        save_picture(draw_curves("t", [Curve("a", POINTS)], "s", "%", log_x=True), tmp_path / folder / name)
    assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_matplotlib_is_loaded_when_something_is_drawn():
    code = "import sys, speechtl.report.curves, speechtl.report.page; print('matplotlib' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "False\n"


@pytest.mark.parametrize("log_x", [True, False])
def test_every_point_is_within_the_picture(log_x):
    shorter = [(1.0, 20.0, 20.0, 20.0), (10.0, 10.0, 10.0, 10.0)]
    curves = [Curve("a", shorter), Curve("b", [*shorter, (60.0, 5.0, 4.0, 6.0)]), Curve("c", [(0.2, 9.0, 9.0, 9.0)])]
    axes = draw_curves("t", curves, "minutes", "%", log_x=log_x).axes[0]
    low, high = axes.get_xlim()
    assert low < 0.2 and 60 < high < 90 and (low > 0) == log_x
    assert draw_curves("t", [Curve("a", shorter[:1])], "minutes", "%", log_x=log_x).axes[0].get_xlim()[0] < 1
