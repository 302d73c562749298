"""What a declared table becomes in Bitable, and what a table that exists lacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import (
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
)
from core.feishu.bitable import Field
from core.mirroring.blueprint import TITLE_KINDS, TableMismatch, check_fields, compare, field, fields
from sandbox.bitable.bases import Bases
from sandbox.bitable.media import Media


def table(*columns: Column, key: tuple[str, ...] = ("id",)) -> Table:
    return Table("t", (*columns, Json("list")), key=key, setting="T_TABLE_ID")


@pytest.mark.parametrize(
    ("column", "type_", "property_"),
    [
        (Text("a", "甲"), 1, None),
        (Number("a", "甲"), 2, {"formatter": "0"}),
        (Number("a", "甲", places=2), 2, {"formatter": "0.00"}),
        (Number("a", "甲", places=9), 2, {"formatter": "0.0000"}),
        (Choice("a", "甲", options=("x", "y")), 3, {"options": [{"name": "x"}, {"name": "y"}]}),
        (Choice("a", "甲"), 3, None),
        (Timestamp("a", "甲"), 5, {"date_formatter": "yyyy-MM-dd HH:mm"}),
        (PersonCell("a", "甲", of="id"), 11, {"multiple": False}),
        (Link("a", "甲"), 15, None),
        (Attachments("a", "甲"), 17, None),
        (PersonName("a", "甲", of="id"), 1, None),
        (PersonNames("a", "甲", of="list"), 1, None),
    ],
)
def test_each_kind_of_column_has_its_type_and_format(column: Column, type_: int, property_: object) -> None:
    spec = {"field_name": "甲", "type": type_}
    assert field(column) == (spec if property_ is None else {**spec, "property": property_})


def test_the_first_column_is_one_that_can_be_the_title() -> None:
    person = PersonCell("who", "谁", of="id")
    kind = Choice("kind", "类", options=("x",))
    assert [one["field_name"] for one in fields(table(person, Text("id", "键")))] == ["键", "谁"]
    assert [one["field_name"] for one in fields(table(Timestamp("at", "时"), Text("id", "键")))] == ["时", "键"]
    first, *_ = fields(table(kind, person, Text("id"), key=("kind",)))
    assert first == {"field_name": "类", "type": 1}


KINDS = st.sampled_from([Text, Choice, Link, Number, Timestamp])


@given(st.lists(KINDS, min_size=1, max_size=5), st.booleans())
def test_whatever_is_declared_can_be_made(kinds: list[type[Column]], people_first: bool) -> None:
    columns = [kind(f"c{i}", f"列{i}") for i, kind in enumerate(kinds)]
    people: list[Column] = [PersonCell("who", "谁", of="c0"), Attachments("files", "附件")]
    if not (people_first and issubclass(kinds[0], Text)):
        people = []
    declared = table(*people, *columns, key=("c0",))
    made = Bases(Media(directory=Path())).create("base").create_table("t", fields(declared))
    assert made.fields[0].type in TITLE_KINDS
    there = [Field(one.name, one.type, tuple(one.options or ())) for one in made.fields]
    assert check_fields(declared, made.table_id, there) == declared.mirrored
    found = compare(declared, there)
    assert (found.absent, found.wrong, found.options) == ((), (), {})


def test_a_comparison_tells_needed_optional_wrong_and_unknown_options_apart() -> None:
    declared = table(
        Text("id", "键"),
        Number("count", "数"),
        Text("note", "注", optional=True),
        Choice("state", "态", options=("开", "关")),
        Link("link", "链"),
    )
    there = [Field("键", 1), Field("态", 3, ("开", "mine")), Field("链", 2), Field("mine", 7)]
    found = compare(declared, there)
    assert [column.name for column in found.missing] == ["count"]
    assert [column.name for column in found.optional] == ["note"]
    assert [(column.name, kind) for column, kind in found.wrong] == [("link", 2)]
    assert found.options == {"态": ("关",)}
    with pytest.raises(TableMismatch, match=r"tbl1 \(T_TABLE_ID\): column 数 is missing: add it as 数字 .*check --add"):
        check_fields(declared, "tbl1", there)


def test_a_title_is_one_that_bitable_takes() -> None:
    for title in ("a/b", "[x]", "x" * 61):
        with pytest.raises(ValueError, match="a title has at most 60 characters"):
            Table("t", (Text("id"),), key=("id",), title=title)
