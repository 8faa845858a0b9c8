"""Results of a study are not taken for those of another."""

import dataclasses
import json

import pytest

from speechtl.adaptation.study_results import Origin, study_results
from speechtl.errors import DataError

ORIGIN = Origin({"data": "/corpus/dev", "folds": 2, "decoding.beam": 14.0}, {"lhuc": "lhuc,learning_rate=0.1"})
KEY = ("lhuc", "anna", 0, 10, 1)


@pytest.fixture
def folder(tmp_path):
    with study_results(tmp_path, ORIGIN) as results:
        results.add(KEY, {"last": True})
    return tmp_path


def test_the_same_study_goes_on_and_others_come_beside_it(folder):
    with study_results(folder, ORIGIN) as results:
        assert results.done == {KEY}
    with study_results(folder, dataclasses.replace(ORIGIN, systems={"slow": "lhuc,learning_rate=0.01"})) as results:
        assert results.done == {KEY}
    written = json.loads((folder / "study.json").read_text())
    assert written == {"options": ORIGIN.options, "systems": ORIGIN.systems | {"slow": "lhuc,learning_rate=0.01"}}
    another = dataclasses.replace(ORIGIN, systems={"slow": "lora"})
    with (
        pytest.raises(DataError, match=r"slow is lhuc,learning_rate=0\.01 there, lora here"),
        study_results(folder, another),
    ):
        pass


def test_other_settings_under_the_same_name_are_refused(folder):
    other = Origin(ORIGIN.options | {"folds": 4, "data": "/corpus/test"}, {"lhuc": "lhuc"})
    with pytest.raises(DataError) as caught, study_results(folder, other):
        pass
    assert str(caught.value).splitlines()[1:] == [
        '  data: "/corpus/dev" there, "/corpus/test" here; choose another folder',
        "  folds: 2 there, 4 here; choose another folder",
        "  lhuc is lhuc,learning_rate=0.1 there, lhuc here; give it another name (--system NAME=METHOD,key=value,...)",
    ]
    with study_results(folder, ORIGIN) as results:  # Nothing was changed.
        assert results.done == {KEY}


def test_where_nothing_was_finished_other_settings_are_free(tmp_path):
    with study_results(tmp_path, ORIGIN):
        pass
    with study_results(tmp_path, Origin({"folds": 4}, {"lhuc": "lhuc"})):
        pass
    assert json.loads((tmp_path / "study.json").read_text()) == {"options": {"folds": 4}, "systems": {"lhuc": "lhuc"}}


def test_options_of_a_later_version_are_no_difference(folder):
    more = dataclasses.replace(ORIGIN, options=ORIGIN.options | {"decoding.new": 1})
    with study_results(folder, more) as results:
        assert results.done == {KEY}


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"options": 3, "systems": {}}', '{"options": {}, "systems": "x"}']
)
def test_damaged(folder, content):
    (folder / "study.json").write_text(content)
    with pytest.raises(DataError, match=r"study\.json: damaged; remove it"), study_results(folder, ORIGIN):
        pass
