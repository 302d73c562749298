"""Declaring tables: what is accepted, what is refused and why, what a column can hold."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.table import (
    Attachments,
    Choice,
    Column,
    Json,
    Link,
    Number,
    PersonCell,
    PersonName,
    PersonNames,
    Table,
    Text,
    Timestamp,
    joined_names,
)

USER = Text("user", "用户")


def test_what_follows_from_a_declaration() -> None:
    table = Table(
        "t",
        (
            USER,
            PersonName("name", "姓名", of="user"),
            PersonCell("cell", of="user"),
            Number("n"),
            Timestamp("at", "时"),
        ),
        key=("user",),
        setting="T_TABLE_ID",
        indexes=(("n",),),
        ranked_by=("n",),
    )
    assert [column.name for column in table.stored] == ["user", "n", "at"]
    assert [column.name for column in table.mirrored] == ["user", "name", "at"]
    assert set(table.changeable) == {"n", "at"}
    assert table.blank == {"user": "", "n": 0, "at": None}
    assert table.by_name["n"] == Number("n")


def test_names_may_be_those_of_a_private_list() -> None:
    name, names = PersonName("name", "姓名", of="user"), PersonNames("names", "参与者", of="people")
    table = Table(
        "t",
        (USER, name, names, PersonNames("again", of="people"), Json("people"), Attachments("files", "附件")),
        key=("user",),
        setting="T_TABLE_ID",
    )
    assert [column.name for column in table.stored] == ["user", "people", "files"]
    assert table.people == ("user", "people")
    assert table.blank == {"user": "", "people": None, "files": ()}
    known = {"ou_1": "李", "ou_2": "王", "ou_3": ""}
    row = {"user": "ou_2", "people": ["ou_2", "ou_9", "", 7, "ou_3", "ou_1"]}
    assert joined_names(name, row, known) == "王"
    assert joined_names(names, row, known) == "王, 李"
    assert names.people(row) == ["ou_2", "ou_9", "ou_3", "ou_1"]
    for nobody in (None, [], {"ou_1": 1}, "ou_1"):
        assert joined_names(names, {"people": nobody}, known) == ""
    assert joined_names(name, {"user": ""}, known) == ""


def test_a_table_is_equal_only_to_itself() -> None:
    one, other = Table("t", (USER,), key=("user",)), Table("t", (USER,), key=("user",))
    assert one != other
    assert len({one, other, one}) == 2


NAMES = ["", "A", "1a", "a-b", "a b", 'a"b', "名", "_id", "a" * 41, "a\n"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_plain_identifiers(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case ASCII identifiers"):
        Table(name, (USER,), key=("user",))
    with pytest.raises(ValueError, match="lower-case ASCII identifiers"):
        Table("t", (USER, Text(name)), key=("user",))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no key": ({"key": ()}, "key, indexes and `of` name stored columns"),
    "a key that is no column": ({"key": ("nobody",)}, r"\['nobody'\] are not"),
    "a key that is not stored": (
        {"columns": (USER, PersonName("name", of="user")), "key": ("name",)},
        r"\['name'\] are not",
    ),
    "a text as the key": ({"key": "user"}, r"\['key'\] are tuples of names"),
    "an index that is no column": ({"indexes": (("user", "x"),)}, r"\['x'\] are not"),
    "a rank that is no column": ({"ranked_by": ("x",)}, r"\['x'\] are not"),
    "a person of nobody": ({"columns": (USER, PersonCell("cell", of="x"))}, r"\['x'\] are not"),
    "a name given twice": ({"columns": (USER, Text("user"))}, "a column name is given twice"),
    "messages under two columns": (
        {"columns": (USER, Text("b")), "key": ("user", "b"), "by_message": True},
        "by_message needs a key of one column",
    ),
    "JSON in a title": ({"columns": (USER, Json("j", "清单"))}, r"\['j'\] are JSON"),
    "JSON in an index": ({"columns": (USER, Json("j")), "indexes": (("j",),)}, r"\['j'\] are JSON"),
    "JSON in the key": ({"columns": (Json("j"),), "key": ("j",)}, r"\['j'\] are JSON"),
    "JSON as one person": ({"columns": (USER, Json("j"), PersonName("n", of="j"))}, r"\['j'\] are JSON"),
    "names of no list": (
        {"columns": (USER, PersonNames("n", of="user"))},
        r"PersonNames are `of` Json columns; \['user'\] are not",
    ),
    "names of nobody": ({"columns": (USER, PersonNames("n", of="x"))}, r"\['x'\] are not"),
    "attachments in the key": (
        {"columns": (Attachments("f", "附件"),), "key": ("f",)},
        r"\['f'\] are attachments; such columns have no index",
    ),
    "a search for a number": (
        {"columns": (USER, Number("n")), "search": ("user", "n")},
        r"search names Text columns, each once; \['n'\] are not",
    ),
    "a search for no column": ({"search": ("x",)}, r"search names Text columns, each once; \['x'\] are not"),
    "a search twice": ({"search": ("user", "user")}, "search names Text columns, each once"),
    "a mirrored key without a title": (
        {"columns": (Text("user"),), "setting": "T_TABLE_ID"},
        "the columns of its key need titles",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_declaration_that_cannot_work_says_what_is_wrong(case: str) -> None:
    parts, told = WRONG[case]
    with pytest.raises(ValueError, match=told) as raised:
        Table(**{"name": "t", "columns": (USER,), "key": ("user",)} | parts)
    assert str(raised.value).startswith("table 't': ")


HOLDS: list[tuple[Column, list[Any], list[Any]]] = [
    (Text("c"), ["", "a", "深", "🎉", "a\0b"], [None, 1, b"a", "\ud83d", ["a"]]),
    (
        Number("c"),
        [0, -1, 2**63 - 1, -(2**63), 1.5, True],
        [None, "1", 2**63, -(2**63) - 1, float("nan"), float("inf")],
    ),
    (Timestamp("c"), [None, 0, 1_793_500_000_000], ["", "1", 1.5, 2**63, 253_402_300_800_000, -62_200_000_000_000]),
    (Json("c"), [None, [], {"a": [1, "深"]}, "a", 1.5], [object(), {1: 2}, {"a": {1}}, "\ud83d", 2**64]),
    (Choice("c"), ["", "a", "深"], [None, 1, "\ud83d"]),
    (Choice("c", options=("活跃", "沉默")), ["", "活跃"], ["别的", None, ["活跃"]]),
    (Link("c"), ["", "https://example.com"], [None, {"link": "https://example.com"}]),
    (Attachments("c"), [(), [], [{"file_token": "b", "size": 3}]], [None, "a", {}, ["b"], [{"a": object()}]]),
    (PersonName("c", of="u"), [], ["", "李"]),
    (PersonNames("c", of="u"), [], ["", "李", []]),
]


@pytest.mark.parametrize(("column", "yes", "no"), HOLDS)
def test_what_a_column_can_hold(column: Column, yes: list[Any], no: list[Any]) -> None:
    assert [value for value in yes if not column.holds(value)] == []
    assert [value for value in no if column.holds(value)] == []


@given(st.text(st.characters(exclude_categories=())))
def test_text_holds_whatever_utf_8_can_carry(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        assert not Text("c").holds(value)
    else:
        assert Text("c").holds(value)


@given(st.recursive(st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(), lambda one: st.lists(one, max_size=3)))
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert Json("c").holds(value)
    assert orjson.loads(orjson.dumps(value)) == value
