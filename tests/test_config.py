from typing import Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechtl.batches.config import DataConfig
from speechtl.config import Section, override, parse, read_toml
from speechtl.errors import ConfigError


class Inner(Section):
    size: int = 3
    kind: Literal["a", "b"] = "a"


class Outer(Section):
    rate: float
    inner: Inner = Inner()
    inners: tuple[Inner, ...] = ()


def test_read_toml(tmp_path):
    path = tmp_path / "conf.toml"
    path.write_text('[model]\nname = "größer"\n[[transfer]]\nweight = 0.5\n', encoding="utf-8")
    assert read_toml(path) == {"model": {"name": "größer"}, "transfer": [{"weight": 0.5}]}


def test_read_toml_of_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"nosuch\.toml: cannot read: No such file .*; give the path of a TOML file"):
        read_toml(tmp_path / "nosuch.toml")


def test_read_toml_of_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="cannot read: Is a directory"):
        read_toml(tmp_path)


def test_read_toml_names_the_line_that_is_not_utf8(tmp_path):
    path = tmp_path / "conf.toml"
    path.write_bytes(b'[model]\nname = "gr\xf6\xdfer"\n')
    with pytest.raises(
        ConfigError, match=r"conf\.toml:2: not UTF-8 \(byte 0xF6 at column 11\); save the file as UTF-8"
    ):
        read_toml(path)


def test_read_toml_names_the_line_that_is_not_toml(tmp_path):
    path = tmp_path / "conf.toml"
    path.write_text("[model]\nsize = \n")
    with pytest.raises(ConfigError, match=r"conf\.toml: not valid TOML: .*line 2"):
        read_toml(path)


def test_override_reads_values_as_toml_and_anything_else_as_text():
    table = override(
        {"model": {"size": 1}},
        [
            "model.size=2",
            "model.rate = 1e-3",
            "model.on=true",
            "model.sizes=[1, 2]",
            "model.path=exp/base",
            "a.b.c='x=y'",
            "model.empty=",
        ],
    )
    assert table == {
        "model": {"size": 2, "rate": 1e-3, "on": True, "sizes": [1, 2], "path": "exp/base", "empty": ""},
        "a": {"b": {"c": "x=y"}},
    }


def test_override_reaches_into_a_list_of_tables_and_leaves_its_input_alone():
    table = {"transfer": [{"weight": 1.0}, {"weight": 2.0}]}
    assert override(table, ["transfer.1.weight=0.5"]) == {"transfer": [{"weight": 1.0}, {"weight": 0.5}]}
    assert table == {"transfer": [{"weight": 1.0}, {"weight": 2.0}]}


@pytest.mark.parametrize("setting", ["model.size", "=3", " =3", ""])
def test_override_wants_a_key_and_a_value(setting):
    with pytest.raises(ConfigError, match=r"expected section\.key=value"):
        override({}, [setting])


@pytest.mark.parametrize("setting", ["size.of=3", "transfer.2.weight=1", "transfer.x.weight=1"])
def test_override_of_what_is_no_table(setting):
    with pytest.raises(ConfigError, match="does not name a setting of this config"):
        override({"size": 1, "transfer": [{"weight": 1.0}]}, [setting])


@given(
    st.dictionaries(
        st.text("abc", min_size=1), st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
    )
)
def test_override_gives_back_any_value_that_toml_can_write(values):
    settings = [f"s.{key}={str(value).lower()}" for key, value in values.items()]
    assert override({}, settings).get("s", {}) == values


def test_parse_fills_in_defaults():
    section = parse(Outer, {"rate": 1, "inners": [{"size": 4}]}, "conf.toml")
    assert section == Outer(rate=1.0, inner=Inner(size=3, kind="a"), inners=(Inner(size=4),))


def test_parse_lists_all_problems_at_once():
    table = {"ratio": 1, "inner": {"sise": 4, "kind": "c"}, "inners": [{"size": "many"}]}
    with pytest.raises(ConfigError) as caught:
        parse(Outer, table, "conf.toml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "conf.toml: 5 problems"
    assert sorted(line.strip() for line in lines[1:]) == sorted(
        [
            "rate: missing; set it in the config or with --set",
            "ratio: unknown key; known keys: inner, inners, rate",
            "inner.sise: unknown key; known keys: kind, size",
            "inner.kind: Input should be 'a' or 'b' (got 'c')",
            "inners.0.size: Input should be a valid integer, unable to parse string as an integer (got 'many')",
        ]
    )


def test_parse_of_one_problem_says_one_problem():
    with pytest.raises(ConfigError, match=r"^conf\.toml \[model\]: 1 problem\n"):
        parse(Inner, {"size": "x"}, "conf.toml [model]")


def test_a_section_is_frozen():
    with pytest.raises(pydantic.ValidationError):
        Inner().size = 4


@pytest.mark.parametrize("name", ["../out", "a/b", "/etc/passwd", "..", ".hidden", "", "a%2Fb", "a\0b"])
def test_languages_and_heads_are_names_of_files(name):
    for key in ("language", "head") if name else ("language",):
        with pytest.raises(ConfigError, match="cannot be the name of a file"):
            parse(DataConfig, {"language": "xx", key: name}, "config.toml")
    assert parse(DataConfig, {"language": "zh-Hant_TW", "head": "IPA 中"}, "config.toml").head_name == "IPA 中"
