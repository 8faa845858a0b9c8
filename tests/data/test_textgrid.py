"""TextGrid files read back, also in a reader that others wrote."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.data.ctm import TimedLabel
from speechtl.data.textgrid import write_textgrid
from speechtl.errors import DataError


def read_textgrid(path):
    """Read what a long TextGrid says: tier -> [(start, end, label)]; strict about sizes and numbering."""
    lines = iter(path.read_text(encoding="utf-8").splitlines())

    def expect(pattern):
        match = re.fullmatch(pattern, next(lines).strip())
        assert match, pattern
        return match.groups()

    number, quoted = r"([0-9.]+)", '"((?:[^"]|"")*)"'
    for line in ('File type = "ooTextFile"', 'Object class = "TextGrid"', ""):
        expect(line)
    assert expect(f"xmin = {number}") == ("0",)
    (duration,) = expect(f"xmax = {number}")
    expect(r"tiers\? <exists>")
    (size,) = expect(r"size = (\d+)")
    expect(r"item \[\]:")
    tiers = {}
    for tier in range(1, int(size) + 1):
        expect(rf"item \[{tier}\]:")
        expect('class = "IntervalTier"')
        (name,) = expect(f"name = {quoted}")
        assert (expect(f"xmin = {number}"), expect(f"xmax = {number}")) == (("0",), (duration,))
        rows = tiers[name] = []
        for interval in range(1, int(expect(r"intervals: size = (\d+)")[0]) + 1):
            expect(rf"intervals \[{interval}\]:")
            (first,), (last,), (label,) = (
                expect(f"xmin = {number}"),
                expect(f"xmax = {number}"),
                expect(f"text = {quoted}"),
            )
            rows.append((float(first), float(last), label.replace('""', '"')))
        assert rows[0][0] == 0 and rows[-1][1] == float(duration)
        assert all(a[1] == b[0] for a, b in pairwise(rows)) and all(a < b for a, b, _ in rows)
    assert not list(lines)
    return tiers


TIERS = {
    "words": [TimedLabel("да", 0.25, 0.5), TimedLabel('"said"', 0.5, 1.0)],
    "phones": [TimedLabel("d", 0.25, 0.3), TimedLabel("a", 0.3, 0.5), TimedLabel("s", 0.5, 1.0)],
}


def test_a_textgrid(tmp_path):
    write_textgrid(tmp_path / "u.TextGrid", TIERS, 1.5)
    tiers = read_textgrid(tmp_path / "u.TextGrid")
    assert list(tiers) == ["words", "phones"]
    assert tiers["words"] == [(0, 0.25, ""), (0.25, 0.5, "да"), (0.5, 1.0, '"said"'), (1.0, 1.5, "")]


def test_a_textgrid_in_an_independent_reader(tmp_path):
    praatio = pytest.importorskip("praatio.textgrid")
    write_textgrid(tmp_path / "u.TextGrid", TIERS, 1.5)
    grid = praatio.openTextgrid(str(tmp_path / "u.TextGrid"), includeEmptyIntervals=False)
    assert grid.maxTimestamp == 1.5
    for name, intervals in TIERS.items():
        entries = [(entry.start, entry.end, entry.label.replace('""', '"')) for entry in grid.getTier(name).entries]
        assert entries == [(i.start, i.end, i.label) for i in intervals]


@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3), st.text(max_size=4)), max_size=8),
    st.floats(min_value=0.001, max_value=5),
)
def test_a_textgrid_fills_the_whole_file(tmp_path_factory, rows, duration):
    path = tmp_path_factory.mktemp("grid") / "u.TextGrid"
    now, intervals = 0.0, []
    for gap, length, label in rows:
        intervals.append(TimedLabel(" ".join(label.split()), now + gap, now + gap + length))
        now = intervals[-1].end
    write_textgrid(path, {"words": intervals, "none": []}, duration)
    assert read_textgrid(path)["none"] == [(0.0, round(duration, 4), "")]


def test_textgrids_that_cannot_be(tmp_path):
    with pytest.raises(DataError, match=r"'b' starts at 0.4 s, before the label in front of it ends"):
        write_textgrid(tmp_path / "x", {"words": [TimedLabel("a", 0, 0.5), TimedLabel("b", 0.4, 1)]}, 1)
    with pytest.raises(DataError, match="needs a duration above 0"):
        write_textgrid(tmp_path / "x", {}, 0)
    assert not (tmp_path / "x").exists()
