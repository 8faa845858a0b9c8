import numpy as np
import pytest
from matplotlib.text import Text

from speechtl.adaptation.study_report import (
    HEADING,
    curve,
    errors_of_speakers,
    markdown_table,
    relative_reduction,
    study_chart,
    study_rows,
    text_table,
)


def line(system, speaker, count, before, after, part=0, **more):
    counts = {"before": {"words": [before, 10], "phones": [2 * before, 30]}}
    counts["after"] = {"words": [after, 10], "phones": [2 * after, 30]}
    facts = {"system": system, "speaker": speaker, "part": part, "count": count, "seconds": 2.0 * max(count, 1)}
    facts["seed"] = 1
    facts |= {"processor": 1.5, "parameters": 1234, "bytes": 4321, "last": True}
    return facts | counts | more


LINES = [
    line("a", "s1", 1, 4, 2, source_before={"words": [1, 50]}, source_after={"words": [5, 50]}),
    line("a", "s1", 1, 2, 1, part=1),
    line("a", "s2", 1, 2, 3),
    line("a", "s2", 2, 2, 0) | {"seconds": 5.0},
    line("a", "s2", 2, 2, 9) | {"last": False},
]


def test_errors_of_a_speaker_are_summed_over_draws():
    np.testing.assert_array_equal(errors_of_speakers(LINES[:3], "before", "words"), [[6, 20], [2, 10]])


def test_relative_reduction_is_the_mean_over_speakers():
    before, after = (errors_of_speakers(LINES[:3], when, "words") for when in ("before", "after"))
    assert relative_reduction(before, after) == pytest.approx(100 * (0.5 - 0.5) / 2)
    perfect = np.array([[0.0, 10.0]])
    assert relative_reduction(perfect, perfect) == 0
    assert relative_reduction(perfect, perfect + 1) == -100


def test_rows_count_who_lost_and_what_was_forgotten():
    first, second = (dict(zip(("system", "count", "seconds", *HEADING[3:]), row)) for row in study_rows(LINES))
    assert (first["%WER before"], first["worse"], first["time"], first["trained"]) == (
        "26.67",
        "1 of 2",
        "1.5 s",
        "1,234",
    )
    row = study_rows(LINES)[0]
    assert row[HEADING.index("source before")] == "2.00" and row[HEADING.index("source before") + 1] == "10.00"
    assert row[HEADING.index("stored")] == "5 kB"
    assert row[4] == "20.00" and row[8] == "13.33"
    assert second["count"] == "2" and second["worse"] == "0 of 1"


def test_the_spread_over_seeds_stands_behind_the_rate():
    again = [line("a", "s1", 1, 4, 4, seed=2), line("a", "s2", 1, 2, 3, seed=2)]
    row = study_rows(LINES[:3] + again)[0]
    # Six of 30 words are wrong with seed 1, seven of 20 with seed 2.
    assert row[4] == f"{100 * 13 / 50:.2f} ± {np.std([20, 35], ddof=1):.2f}"


def test_tables_have_a_row_for_each_system_and_count():
    rows = study_rows(LINES)
    assert len(text_table(rows)) == 3
    lines = markdown_table(rows)
    assert len(lines) == 4 and {text.count("|") for text in lines} == {len(HEADING) + 1}


def test_the_curve_and_its_picture():
    points = curve([one for one in LINES if one["last"]])
    assert [point[0] for point in points] == [2.0, 5.0]
    assert points[0][1] == pytest.approx(20.0) and points[0][2] <= 20.0 <= points[0][3]
    image = study_chart(LINES, "errors & speech")
    shown = {text.get_text() for text in image.findobj(Text)}
    assert {"errors & speech", "source model", "word errors, %"} <= shown
