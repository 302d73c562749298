"""Defining, replacing and deleting the fields of the sandbox's Bitable (FEISHU.md §5.4, §5.7)."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from bitable_platform import BOT, LI, NOON, TERMS, TITLE, table_of

from sandbox.bitable.bases import Base, Bases
from sandbox.bitable.fields import declare
from sandbox.bitable.media import Media
from sandbox.bitable.properties import UI_TYPES
from sandbox.reply import ApiError


@pytest.fixture
def bases() -> Iterator[Bases]:
    media = Media()
    yield Bases(media, clock=lambda: NOON, write_seconds=0.0, editor=BOT.open_id)
    media.close()


@pytest.fixture
def base(bases: Bases) -> Base:
    return bases.create("台账")


@pytest.mark.parametrize(
    ("type_", "property_", "code"),
    [
        (1, {"options": []}, 1254080),
        (2, {"formatter": "two digits"}, 1254081),
        (2, {"min": 5, "max": 1}, 1254081),
        (3, {"options": {}}, 1254082),
        (3, {"options": [{"color": 1}]}, 1254082),
        (3, {"options": [{"name": "A"}, {"name": "A"}]}, 1254082),
        (3, {"options": [{"name": "A", "color": 55}]}, 1254082),
        (3, {"options": [{"name": "A", "id": "optUnknown"}]}, 1254082),
        (4, {"choices": []}, 1254083),
        (5, {"date_formatter": "YYYY"}, 1254084),
        (5, {"auto_fill": "yes"}, 1254084),
        (7, {"multiple": True}, 1254085),
        (11, {"multiple": 1}, 1254086),
        (15, {}, 1254087),
        (17, {"multiple": True}, 1254088),
        (18, None, 1254089),
        (18, {"table_id": "tblUnknown"}, 1254089),
        (19, {"target_field": 1}, 1254090),
        (20, {}, 1254091),
        (21, {"multiple": True}, 1254092),
        (1001, {"auto_fill": True}, 1254093),
        (1002, {"auto_fill": True}, 1254094),
        (1003, {"multiple": True}, 1254095),
        (1004, {"multiple": True}, 1254096),
    ],
)
def test_a_property_that_does_not_suit_the_type_is_refused_with_http_400(
    base: Base, type_: int, property_: Any, code: int
) -> None:
    with pytest.raises(ApiError) as problem:
        table_of(base, type_, property_)
    assert (problem.value.code, problem.value.status) == (code, 400)
    assert base.tables == {}


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"field_name": "值"}, 1254001),
        ({"field_name": "值", "type": 6}, 1254001),
        ({"field_name": "值", "type": True}, 1254001),
        ({"field_name": "值", "type": 1, "ui_type": "Number"}, 1254001),
        ({"field_name": "值", "type": 1, "description": 5}, 1254001),
        ({"field_name": "值", "type": 24}, 1254012),
        ({"field_name": "值", "type": 3001}, 1254012),
        ({"field_name": "", "type": 1}, 1254029),
        ({"field_name": "长" * 101, "type": 1}, 1254029),
        ({"field_name": "标题", "type": 1}, 1254014),
        ("值", 1254001),
    ],
)
def test_a_field_that_cannot_be_is_refused(base: Base, spec: Any, code: int) -> None:
    table = base.create_table("表", [TITLE])
    with pytest.raises(ApiError) as problem:
        table.add_field(spec)
    assert problem.value.code == code
    assert [field.name for field in table.fields] == ["标题"]


@pytest.mark.parametrize("type_", sorted(set(UI_TYPES) - {1, 2, 5, 13, 15, 20, 22}))
def test_only_some_types_may_be_the_primary_field(base: Base, type_: int) -> None:
    property_ = {"table_id": "tblAny"} if type_ in (18, 21) else None
    with pytest.raises(ApiError) as problem:
        base.create_table("表", [{"field_name": "值", "type": type_, "property": property_}])
    assert problem.value.code == 1254012


def test_every_ui_type_belongs_to_its_type(base: Base) -> None:
    properties = {18: {"table_id": "tblAny"}, 21: {"table_id": "tblAny"}, 20: {"formula_expression": "1+1"}}
    for type_, ui_types in UI_TYPES.items():
        if type_ in (24, 3001):
            continue
        for ui_type in ui_types:
            spec = {"field_name": "值", "type": type_, "ui_type": ui_type, "property": properties.get(type_)}
            assert declare(spec, base.new_id).shown()["ui_type"] == ui_type


def test_a_table_holds_300_fields_and_100_formulas(base: Base) -> None:
    table = base.create_table("表", [TITLE])
    for number in range(100):
        table.add_field({"field_name": f"公式{number}", "type": 20, "property": {"formula_expression": "1"}})
    with pytest.raises(ApiError) as problem:
        table.add_field({"field_name": "公式", "type": 20, "property": {"formula_expression": "1"}})
    assert problem.value.code == 1254105
    for number in range(199):
        table.add_field({"field_name": f"字{number}", "type": 1})
    with pytest.raises(ApiError) as problem:
        table.add_field({"field_name": "字", "type": 1})
    assert problem.value.code == 1254105


def test_replacing_a_select_field_keeps_the_cells_of_the_options_that_stay(base: Base) -> None:
    table = table_of(base, 3)
    ids = table.create([{"值": "甲"}, {"值": "乙"}, {"值": "丙"}], TERMS)
    field = table.by_name["值"]
    first = field.shown()["property"]["options"][0]["id"]
    options = [{"id": first, "name": "甲二"}, {"name": "丙"}]
    table.change_field(field.field_id, {"field_name": "新值", "type": 3, "property": {"options": options}}, TERMS)
    assert [table.read(table.records[one], TERMS).get("新值") for one in ids] == ["甲二", None, "丙"]
    assert table.by_name["新值"].field_id == field.field_id


def test_replacing_a_multi_select_field_keeps_what_stays_chosen(base: Base) -> None:
    table = table_of(base, 4)
    [one] = table.create([{"值": ["甲", "乙"]}], TERMS)
    field_id = table.by_name["值"].field_id
    spec = {"field_name": "值", "type": 4, "property": {"options": [{"name": "乙"}]}}
    table.change_field(field_id, spec, TERMS)
    assert table.read(table.records[one], TERMS) == {"值": ["乙"]}


def test_a_new_type_keeps_the_cells_it_can_hold(base: Base) -> None:
    table = table_of(base, 1)
    ids = table.create([{"值": "13800000000"}, {"值": "你好"}], TERMS)
    field_id = table.by_name["值"].field_id
    table.change_field(field_id, {"field_name": "值", "type": 13}, TERMS)
    assert [table.read(table.records[one], TERMS) for one in ids] == [{"值": "13800000000"}, {}]
    with pytest.raises(ApiError) as problem:
        table.change_field(table.by_name["标题"].field_id, {"field_name": "标题", "type": 3}, TERMS)
    assert problem.value.code == 1254012


@pytest.mark.parametrize(
    ("type_", "value", "back"),
    [
        (1, "你好", 1),
        (11, [{"id": LI.open_id}], 11),
        (15, {"link": "https://a.example", "text": "甲"}, 15),
        (23, [{"id": "oc_1"}], 23),
        (2, 5, 5),
        (3, "甲", 1),
    ],
)
def test_a_cell_survives_the_types_that_can_hold_it_and_no_other(base: Base, type_: int, value: Any, back: int) -> None:
    table = table_of(base, type_)
    [one] = table.create([{"值": value}], TERMS)
    field_id = table.by_name["值"].field_id
    table.change_field(field_id, {"field_name": "值", "type": back}, TERMS)
    assert "值" in table.read(table.records[one], TERMS)
    table.change_field(field_id, {"field_name": "值", "type": 7}, TERMS)
    assert table.read(table.records[one], TERMS) == {}


def test_a_two_way_link_stays_one(base: Base) -> None:
    table = base.create_table("表", [TITLE])
    two_way = {"table_id": table.table_id}
    table.add_field({"field_name": "双", "type": 21, "property": {**two_way, "back_field_name": "标题"}})
    assert [field.name for field in table.fields] == ["标题", "双", "标题 2"]
    field = table.by_name["双"]
    back_id = field.property["back_field_id"]
    table.change_field(
        field.field_id, {"field_name": "双向", "type": 21, "property": {**two_way, "multiple": False}}, TERMS
    )
    changed = table.by_name["双向"]
    assert (changed.property["back_field_id"], changed.property["multiple"]) == (back_id, False)
    for spec in ({"type": 18, "property": two_way}, {"type": 1}):
        with pytest.raises(ApiError) as problem:
            table.change_field(field.field_id, {"field_name": "双向", **spec}, TERMS)
        assert problem.value.status == 400
    table.delete_field(field.field_id)
    assert [field.name for field in table.fields] == ["标题"]


def test_a_record_takes_about_a_kilobyte(base: Base) -> None:
    names = [f"数{number}" for number in range(10)]
    fields = [*({"field_name": name, "type": 2} for name in names), {"field_name": "人", "type": 11}]
    table = base.create_table("表", [TITLE, {"field_name": "月", "type": 1}, *fields])
    rows = [
        {
            "标题": f"ou_{n:032}",
            "月": "".join(["2026", "-11"]),
            "人": [{"id": LI.open_id}],
            **dict.fromkeys(names, n * 1.5),
        }
        for n in range(2000)
    ]
    gc.collect()
    tracemalloc.start()
    table.create(rows, TERMS)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(rows) < 1_200


def test_deleting_a_field_moves_the_cells_after_it(base: Base) -> None:
    table = base.create_table("表", [TITLE, {"field_name": "中", "type": 1}, {"field_name": "后", "type": 2}])
    [one] = table.create([{"标题": "一", "中": "二", "后": 3}], TERMS)
    table.delete_field(table.by_name["中"].field_id)
    table.update([(one, {"后": 4})], TERMS)
    assert table.read(table.records[one], TERMS) == {"标题": [{"type": "text", "text": "一"}], "后": 4}
    with pytest.raises(ApiError) as problem:
        table.delete_field(table.by_name["标题"].field_id)
    assert problem.value.code == 1254012
