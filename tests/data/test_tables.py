import shutil
import subprocess

import pytest
from datadir_strategies import few_examples, ids, values
from hypothesis import given
from hypothesis import strategies as st

from speechtl.data import table_blocks, tables
from speechtl.data.table_blocks import plain_entries
from speechtl.data.tables import read_table, scan_table, split_line, write_table
from speechtl.errors import DataError


@few_examples
@given(entries=st.dictionaries(ids, values))
def test_what_is_written_reads_back(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("table") / "text"
    write_table(path, entries)
    assert read_table(path) == entries
    assert [problem for problem in scan_table(path).problems if problem.kind == "order"] == []


@pytest.mark.skipif(shutil.which("sort") is None, reason="no sort program")
@few_examples
@given(entries=st.dictionaries(ids, values, min_size=1))
def test_order_is_that_of_the_sort_program(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("table") / "utt2spk"
    write_table(path, dict.fromkeys(entries, "s"))
    keys = [line.split(b" ")[0] for line in path.read_bytes().splitlines(keepends=False) if line]
    path.write_bytes(b"".join(key + b"\n" for key in keys))
    subprocess.run(["sort", "--check", str(path)], check=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a b c", ("a", "b c")),
        ("a\tb  c ", ("a", "b  c")),
        ("a \t b\r", ("a", "b")),
        ("a", ("a", "")),
        ("  a b", ("a", "b")),
        ("a\u00a0b c", ("a\u00a0b", "c")),
        ("", ("", "")),
    ],
)
def test_only_blanks_and_tabs_divide_a_line(line, expected):
    assert split_line(line) == expected


def test_all_bad_lines_are_listed_at_once(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"a one\n\xffb two\n\na again\nc\nd\x01e five\na one\n")
    with pytest.raises(DataError) as error:
        read_table(path, value_required=True)
    assert str(error.value).splitlines() == [
        f"{path}: 6 problems",
        f"  {path}:2: not UTF-8 (byte 0xFF at column 1); save the file as UTF-8",
        f"  {path}:3: empty line (expected a key and a value); remove it",
        f"  {path}:4: 'a' appears again with another value (first in line 1); keep one",
        f"  {path}:5: 'c' has no value; add one or remove the line",
        f"  {path}:6: id 'd\\x01e' holds U+0001 (control character); rename it in every table",
        f"  {path}:7: 'a' appears again (first in line 1); keep one",
    ]


def test_a_single_problem_is_one_line(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"a b\na b\n")
    with pytest.raises(DataError) as error:
        read_table(path)
    assert str(error.value) == f"{path}:2: 'a' appears again (first in line 1); keep one"


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none: cannot read: No such file or directory"):
        read_table(tmp_path / "none")


def test_lines_end_at_line_feeds_alone(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("a one\u2028two\x0bthree\nb four\r\nc".encode())
    assert read_table(path) == {"a": "one\u2028two\x0bthree", "b": "four", "c": ""}
    assert [problem.kind for problem in scan_table(path).problems] == ["line-end"]


def test_byte_order_mark_is_an_error_and_not_part_of_the_id(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfa one\n")
    table = scan_table(path)
    assert table.entries == {"a": "one"}
    assert "byte order mark" in str(table.problems[0])


def test_unsorted_lines_read_and_are_noted_once(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"b 1\na 2\nd 3\nc 4\n")
    assert read_table(path) == {"a": "2", "b": "1", "c": "4", "d": "3"}
    (problem,) = scan_table(path).problems
    assert str(problem) == (
        f"{path}:2: not sorted in C order ('a' after 'b'; 2 such places in the file); sort with LC_ALL=C (fix does)"
    )


@pytest.mark.parametrize("entries", [{"a b": "x"}, {"": "x"}, {"a\u3000": "x"}, {"a": "x\ny"}, {"a": "\ud800"}])
def test_what_would_not_read_back_is_not_written(tmp_path, entries):
    path = tmp_path / "text"
    write_table(path, {"old": "content"})
    with pytest.raises(DataError, match="text: "):
        write_table(path, entries)
    assert read_table(path) == {"old": "content"}
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_read_is_what_is_written(tmp_path):
    """A carriage return in front of a value, as files that were joined have it."""
    (tmp_path / "text").write_bytes(b"a \rb c\n1\t\rd\n")
    table = read_table(tmp_path / "text")
    assert table == {"a": "b c", "1": "d"}
    write_table(tmp_path / "again", table)
    assert read_table(tmp_path / "again") == table


LINES = [b"a 1", b"b  2 ", b"c", b"", b" d 4", b"e\tf", b"g\r", b"h x\ty", b"\xff z", b"a 1", b"k", b"z 9"]
LINES += [text.encode() for text in ("é x", "\ufeffq 1", "\ue000 z", "m\u2028 x", "n \u00a0v", "o\x01 1")]


@few_examples
@given(st.lists(st.sampled_from(LINES), max_size=8), st.lists(st.sampled_from("abcdefgh"), max_size=8), st.booleans())
def test_reading_by_the_block_finds_what_reading_by_the_line_does(tmp_path_factory, odd, plain, value_required):
    path = tmp_path_factory.mktemp("tables") / "text"
    lines = [*(f"{key} {key}".encode() for key in plain), *odd, *(f"{key}{key} 1".encode() for key in sorted(plain))]
    path.write_bytes(b"\n".join(lines))
    found = []
    for bytes_, blocks in ((1, plain_entries), (20, plain_entries), (1 << 20, lambda *_: None)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(table_blocks, "_BLOCK", bytes_)
            patch.setattr(tables, "plain_entries", blocks)
            table = tables.scan_table(path, value_required=value_required)
        found.append((table.entries, list(table.lines.pairs()), table.problems))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    ("line", "count", "kind", "message"),
    [
        (b"", 200_000, "blank-line", "empty line (expected a key and a value); remove it"),
        (b"\xff", 200_000, "encoding", "not UTF-8 (byte 0xFF at column 1); save the file as UTF-8"),
        (b"\x01 b", 200_000, "bad-id", "id '\\x01' holds U+0001 (control character); rename it in every table"),
        (b"a b", 199_999, "duplicate", "'a' appears again (first in line 1); keep one"),
    ],
)
def test_a_line_that_is_wrong_ever_so_often_is_counted_and_shown_three_times(tmp_path, line, count, kind, message):
    path = tmp_path / "text"
    path.write_bytes((line + b"\n") * 200_000)
    problems = scan_table(path).problems
    first = 200_001 - count
    assert [problem.line for problem in problems] == list(range(first, 200_001))
    assert {(problem.kind, problem.message) for problem in problems} == {(kind, message)}
    with pytest.raises(DataError) as error:
        read_table(path)
    shown = [f"  {path}:{number}: {message}" for number in range(first, first + 3)]
    assert str(error.value).splitlines() == [
        f"{path}: {count} problems",
        *shown,
        f"  ... and {count - 3} more like these",
    ]


def test_a_key_without_a_value_that_comes_again_is_told_as_both(tmp_path):
    (tmp_path / "utt2spk").write_bytes(b"a\na\na\nb c\nb d\nb d\nb c\n")
    table = scan_table(tmp_path / "utt2spk", value_required=True)
    assert [(problem.line, problem.kind) for problem in table.problems] == [
        (1, "empty"),
        (2, "duplicate"),
        (3, "duplicate"),
        (5, "conflict"),
        (6, "conflict"),
        (7, "duplicate"),
    ]
    assert table.entries == {"a": "", "b": "c"}
