import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.report.line_chart import Line, line_chart, log_ticks, short, ticks

NUMBERS = st.floats(-1e9, 1e9, allow_subnormal=False)


def svg_of(figure):
    return ElementTree.fromstring(re.search("<svg.*</svg>", figure, re.DOTALL)[0])


@given(st.lists(st.tuples(st.integers(0, 10**6), NUMBERS), min_size=1, max_size=30), st.booleans())
def test_every_point_lies_inside_the_picture(points, log):
    svg = svg_of(line_chart("loss", [Line("train", sorted(points))], "epoch", log=log))
    _, _, width, height = map(float, svg.get("viewBox").split())
    circles = svg.findall("circle")
    assert len(circles) == len(points)
    for circle in circles:
        assert 0 <= float(circle.get("cx")) <= width and 0 <= float(circle.get("cy")) <= height


@pytest.mark.parametrize("log", [False, True])
def test_greater_values_stand_higher(log):
    svg = svg_of(line_chart("loss", [Line("train", [(1, 0.5), (2, 3.0), (3, 200.0)])], "epoch", log=log))
    low, middle, high = (float(circle.get("cy")) for circle in svg.findall("circle"))
    assert low > middle > high
    assert (low - middle > middle - high) == (False if not log else 3.0 / 0.5 > 200.0 / 3.0)


def test_points_tell_their_values_and_names_are_escaped():
    figure = line_chart("a < b", [Line("<x> & y", [(1, 0.25)])], "epoch", marks=[(1, "5 > 4")])
    svg = svg_of(figure)
    assert svg.find("circle/title").text == "<x> & y, epoch 1: 0.25"
    assert svg.find("path[@class='mark']/title").text == "5 > 4"
    assert "<figcaption>a &lt; b</figcaption>" in figure


def test_nothing_to_draw():
    assert line_chart("loss", [Line("train", [])], "epoch") == ""
    assert line_chart("loss", [], "epoch") == ""


@given(NUMBERS, st.floats(1e-3, 1e9), st.booleans())
def test_ticks_are_few_even_and_inside(low, width, whole):
    marks = ticks(low, low + width, whole=whole)
    assert len(marks) <= 6
    slack = 1e-6 * (abs(low) + width)
    assert all(low - slack <= mark <= low + width + slack for mark in marks)
    if not whole and width > 1e-6 * abs(low):
        assert len(marks) >= 2


def test_ticks_are_round():
    assert ticks(0, 45) == [0, 10, 20, 30, 40]
    assert ticks(1, 30, whole=True) == [10, 20, 30]
    assert ticks(1, 2, whole=True) == [1, 2]
    assert log_ticks(3, 60) == [5, 10, 20, 50]
    assert log_ticks(0.01, 1e4) == pytest.approx([0.01, 0.1, 1, 10, 100, 1e3, 1e4])
    assert log_ticks(11, 19) == [12, 14, 16, 18]


def test_short():
    numbers = (0, 3, 0.25, 12.3456, 1234.5, 25000, 1e7, 2e-5)
    assert [short(number) for number in numbers] == ["0", "3", "0.25", "12.35", "1,234", "25,000", "1e+07", "2e-05"]
