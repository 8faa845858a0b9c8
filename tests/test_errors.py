import dataclasses

import pytest

from speechtl import errors
from speechtl.errors import grouped, list_problems, quantity


def test_every_error_of_the_user_is_a_speechtl_error():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 5
    assert all(issubclass(kind, errors.SpeechtlError) for kind in kinds)
    # Not an OSError or ValueError: `except OSError` around a read must not swallow the finished message.
    assert not any(issubclass(kind, (OSError, ValueError)) for kind in kinds)


def test_list_problems_puts_each_problem_on_a_line():
    text = list_problems("data/train: 2 problems", ["text:1: no value", "text:7: twice"])
    assert text == "data/train: 2 problems\n  text:1: no value\n  text:7: twice"


@pytest.mark.parametrize("count", [0, 1, 50])
def test_up_to_the_limit_every_problem_is_shown(count):
    lines = list_problems("heading", (f"problem {number}" for number in range(count))).splitlines()
    assert lines == ["heading", *(f"  problem {number}" for number in range(count))]


def test_beyond_the_limit_the_rest_is_counted():
    lines = list_problems("heading", [f"{a}{b}" for a in "abcdefgh" for b in "ijklmnop"]).splitlines()
    assert lines[-2:] == ["  gj", "  ... and 14 more"] and len(lines) == 52
    assert list_problems("heading", ["a", "b", "c"], limit=1) == "heading\n  a\n  ... and 2 more"


def test_what_occurs_a_hundred_thousand_times_is_three_examples_and_a_count():
    problems = [f"text:{n}: 'u{n}' appears again (first in line {n + 1}); keep one" for n in range(100_000)]
    problems[7:7] = ["wav.scp:3: 'r' has no value; add one or remove the line"]
    assert list_problems("heading", problems).splitlines() == [
        "heading",
        *(f"  {problem}" for problem in problems[:3]),
        "  ... and 99997 more like these",
        f"  {problems[7]}",
    ]
    assert grouped(["a 1", "a 2", "b", "a 3", "a 4", "a 5"], limit=5) == [
        "a 1",
        "a 2",
        "a 3",
        "... and 2 more like these",
        "b",
    ]
    assert grouped(["a 1", "a 2", "a 3", "a 4"], limit=3) == ["a 1", "a 2", "a 3", "a 4"]
    assert grouped(str(number) for number in range(50)) == [str(number) for number in range(50)]


def test_one_thing_is_no_things():
    assert [quantity(number, "utterance") for number in (0, 1, 2)] == ["0 utterances", "1 utterance", "2 utterances"]


def test_of_problems_that_know_their_place_only_those_shown_become_text():
    made = []

    @dataclasses.dataclass
    class Problem:
        line: int
        message: str

        def __str__(self):
            made.append(self.line)
            return f"a text:{self.line}: {self.message}"

    problems = [Problem(line, f"'u{line % 1000}' is twice" if line % 2 else "empty line") for line in range(100_000)]
    assert list_problems("heading", problems).splitlines() == [
        "heading",
        *(f"  a text:{line}: empty line" for line in (0, 2, 4)),
        "  ... and 49997 more like these",
        *(f"  a text:{line}: 'u{line}' is twice" for line in (1, 3, 5)),
        "  ... and 49997 more like these",
    ]
    assert made == [0, 2, 4, 1, 3, 5]
