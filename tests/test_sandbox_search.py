"""Searching the sandbox's Bitable: operators, dates, groups, order, pages (FEISHU.md §5.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bitable_platform import BOT, HAN, LI, NOON, TERMS, Platform
from hypothesis import given
from hypothesis import strategies as st

from sandbox.bitable.bases import Bases
from sandbox.bitable.media import Media
from sandbox.bitable.search import Pages, Query, show
from sandbox.bitable.table import Table
from sandbox.reply import ApiError

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIELDS = [
    {"field_name": "文", "type": 1},
    {"field_name": "数", "type": 2},
    {"field_name": "选", "type": 3},
    {"field_name": "多", "type": 4},
    {"field_name": "日", "type": 5},
    {"field_name": "勾", "type": 7},
    {"field_name": "人", "type": 11},
    {"field_name": "链", "type": 15},
    {"field_name": "附", "type": 17},
    {"field_name": "式", "type": 20, "property": {"formula_expression": "1"}},
    {"field_name": "建", "type": 1001},
    {"field_name": "号", "type": 1005},
    {"field_name": "群", "type": 23},
]
LI_IN, HAN_IN = {"id": LI.open_id}, {"id": HAN.open_id}


def new_table(media: Media) -> Table:
    bases = Bases(media, clock=lambda: NOON, write_seconds=0.0, editor=BOT.open_id)
    return bases.create("台账").create_table("表", FIELDS)


@pytest.fixture
def table() -> Iterator[Table]:
    media = Media()
    yield new_table(media)
    media.close()


def at(month: int, day: int, hour: int = 12) -> int:
    return int(datetime(2026, month, day, hour, tzinfo=SHANGHAI).timestamp() * 1000)


def condition(field: str, operator: str, *value: str) -> dict[str, Any]:
    return {"field_name": field, "operator": operator, "value": list(value)}


def search(table: Table, **body: Any) -> list[Any]:
    """The values of 号 of what is found, in its order."""
    records = Query.parse(body, table, TERMS).run(table)
    return [int(table.read(record, TERMS)["号"]) for record in records]


def found(table: Table, *conditions: dict[str, Any], conjunction: str = "and", **more: Any) -> list[Any]:
    return search(table, filter={"conjunction": conjunction, "conditions": list(conditions), **more})


def refusal(table: Table, **body: Any) -> int:
    with pytest.raises(ApiError) as problem:
        Query.parse(body, table, TERMS)
    return problem.value.code


@pytest.mark.parametrize(
    ("field", "rows", "expected"),
    [
        (
            "文",
            ["你好", "你好世界", None],
            {
                ("is", "你好"): [1],
                ("isNot", "你好"): [2, 3],
                ("contains", "好"): [1, 2],
                ("doesNotContain", "世界"): [1, 3],
                ("isEmpty",): [3],
                ("isNotEmpty",): [1, 2],
            },
        ),
        (
            "数",
            [1, 2.5, None, 0],
            {
                ("is", "1"): [1],
                ("is", "1.0"): [1],
                ("isNot", "1"): [2, 3, 4],
                ("isGreater", "1"): [2],
                ("isGreaterEqual", "1"): [1, 2],
                ("isLess", "1"): [4],
                ("isLessEqual", "1"): [1, 4],
                ("isEmpty",): [3],
            },
        ),
        (
            "选",
            ["甲", "乙", None],
            {
                ("is", "甲"): [1],
                ("isNot", "甲"): [2, 3],
                ("contains", "甲", "乙"): [1, 2],
                ("doesNotContain", "甲"): [2, 3],
                ("is", "丙"): [],
                ("isNotEmpty",): [1, 2],
            },
        ),
        (
            "多",
            [["甲"], ["乙", "甲"], None],
            {
                ("is", "甲"): [1],
                ("is", "甲", "乙"): [2],
                ("isNot", "甲"): [2, 3],
                ("contains", "甲"): [1, 2],
                ("doesNotContain", "乙"): [1, 3],
                ("isEmpty",): [3],
            },
        ),
        ("勾", [True, False, None], {("is", "true"): [1], ("is", "false"): [2, 3]}),
        (
            "人",
            [[LI_IN], [HAN_IN, LI_IN], None],
            {
                ("is", LI.open_id): [1],
                ("contains", HAN.open_id): [2],
                ("doesNotContain", HAN.open_id): [1, 3],
                ("isEmpty",): [3],
                ("is", "ou_nobody"): [],
            },
        ),
        (
            "链",
            [{"link": "https://a.example", "text": "官网"}, None],
            {("is", "官网"): [1], ("contains", "官"): [1], ("isEmpty",): [2]},
        ),
        ("附", [None], {("isEmpty",): [1], ("isNotEmpty",): []}),
        ("群", [[{"id": "oc_1"}], None], {("contains", "oc_1"): [1], ("isEmpty",): [2]}),
    ],
)
def test_each_operator_finds_what_it_says(
    table: Table, field: str, rows: list[Any], expected: dict[tuple[str, ...], list[int]]
) -> None:
    table.create([{field: value} for value in rows], TERMS)
    for (operator, *value), numbers in expected.items():
        assert found(table, condition(field, operator, *value)) == numbers, (operator, value)


@pytest.mark.parametrize(
    ("word", "days"),
    [
        ("Today", [(11, 1)]),
        ("Yesterday", [(10, 31)]),
        ("Tomorrow", [(11, 2)]),
        ("CurrentWeek", [(10, 26), (10, 31), (11, 1)]),
        ("LastWeek", [(10, 19), (10, 25)]),
        ("CurrentMonth", [(11, 1), (11, 2), (11, 8), (11, 9), (11, 30)]),
        ("LastMonth", [(10, 1), (10, 2), (10, 19), (10, 25), (10, 26), (10, 31)]),
        ("TheLastWeek", [(10, 25), (10, 26), (10, 31)]),
        ("TheNextWeek", [(11, 2), (11, 8)]),
        ("TheLastMonth", [(10, 2), (10, 19), (10, 25), (10, 26), (10, 31)]),
        ("TheNextMonth", [(11, 2), (11, 8), (11, 9), (11, 30), (12, 1)]),
    ],
)
def test_a_date_word_means_days_of_the_base_s_time_zone(table: Table, word: str, days: list[tuple[int, int]]) -> None:
    """The clock says Sunday, 2026-11-01, 12:00 in Shanghai; in UTC it is the same day from 08:00 on only."""
    everything = [(10, 1), (10, 2), (10, 19), (10, 25), (10, 26), (10, 31), (11, 1), (11, 2), (11, 8), (11, 9)]
    everything += [(11, 30), (12, 1), (12, 2)]
    for hour in (0, 23):
        table.delete(list(table.records))
        table.create([{"日": at(*day, hour)} for day in everything] + [{}], TERMS)
        records = Query.parse({"filter": {"conditions": [condition("日", "is", word)]}}, table, TERMS).run(table)
        assert [record.values[4] for record in records] == [at(*day, hour) for day in days]


def test_an_exact_date_stands_for_its_day(table: Table) -> None:
    table.create([{"日": at(11, 1, 0)}, {"日": at(11, 1, 23)}, {"日": at(11, 2, 0)}, {"日": at(10, 31, 23)}, {}], TERMS)
    day = str(at(11, 1, 15))
    assert found(table, condition("日", "is", "ExactDate", day)) == [1, 2]
    assert found(table, condition("日", "isGreater", "ExactDate", day)) == [3]
    assert found(table, condition("日", "isLess", "ExactDate", day)) == [4]
    assert found(table, condition("日", "isGreater", "Yesterday")) == [1, 2, 3]
    assert found(table, condition("日", "isEmpty")) == [5]
    assert found(table, condition("建", "is", "Today")) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "spec",
    [
        condition("无此字段", "is", "x"),
        condition("式", "is", "1"),
        condition("式", "isEmpty"),
        condition("文", "isGreater", "a"),
        condition("文", "is"),
        condition("文", "is", "a", "b"),
        condition("文", "isEmpty", "a"),
        condition("数", "contains", "1"),
        condition("数", "is", "one"),
        condition("数", "is", "nan"),
        condition("数", "is", "1", "2"),
        condition("勾", "is", "yes"),
        condition("勾", "isEmpty"),
        condition("附", "is", "boxcn"),
        condition("选", "isLess", "甲"),
        condition("日", "isNot", "Today"),
        condition("日", "isGreaterEqual", "Today"),
        condition("日", "isGreater", "LastWeek"),
        condition("日", "is", "Someday"),
        condition("日", "is", "Today", "Tomorrow"),
        condition("日", "is", "ExactDate"),
        condition("日", "is", "ExactDate", "2026-11-01"),
        condition("日", "is", "ExactDate", "9" * 30),
        {"field_name": "文", "operator": "is", "value": "a"},
        {"field_name": "文", "operator": "is", "value": [1]},
        {"field_name": "文", "operator": ["is"], "value": ["a"]},
        {"operator": "is", "value": ["a"]},
        "文 is a",
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(table: Table, spec: Any) -> None:
    assert refusal(table, filter={"conjunction": "and", "conditions": [spec]}) == 1254018


@pytest.mark.parametrize(
    "spec",
    [
        "all",
        {"conjunction": "xor", "conditions": []},
        {"conditions": "none"},
        {"children": {"conditions": []}},
        {"children": [1]},
        {"children": [{"children": [{"conditions": []}]}]},
    ],
)
def test_a_filter_of_another_shape_is_refused(table: Table, spec: Any) -> None:
    assert refusal(table, filter=spec) == 1254018


def test_a_filter_has_at_most_50_conditions(table: Table) -> None:
    one = condition("文", "isEmpty")
    assert found(table, *[one] * 50) == []
    assert refusal(table, filter={"conditions": [one] * 25, "children": [{"conditions": [one] * 26}]}) == 1254107


def test_children_are_combined_with_the_conditions(table: Table) -> None:
    table.create([{"文": "a", "数": 1}, {"文": "a", "数": 2}, {"文": "b", "数": 3}], TERMS)
    either = {"conjunction": "or", "conditions": [condition("数", "is", "1"), condition("数", "is", "3")]}
    assert found(table, condition("文", "is", "a"), children=[either]) == [1]
    assert found(table, condition("文", "is", "b"), children=[either], conjunction="or") == [1, 3]
    assert found(table, children=[either, {"conditions": [condition("文", "is", "b")]}]) == [3]
    assert found(table) == [1, 2, 3]


def test_sorting_follows_each_key_and_puts_empty_cells_last(table: Table) -> None:
    table.create([{"数": 2, "文": "b"}, {"数": 1, "文": "a"}, {}, {"数": 2, "文": "a"}, {"数": 10}], TERMS)
    up = [{"field_name": "数"}, {"field_name": "文", "desc": False}]
    assert search(table, sort=up) == [2, 4, 1, 5, 3]
    assert search(table, sort=[{"field_name": "数", "desc": True}]) == [5, 1, 4, 2, 3]
    assert search(table, sort=[{"field_name": "号", "desc": True}]) == [5, 4, 3, 2, 1]


def test_options_are_ordered_as_the_field_lists_them(table: Table) -> None:
    table.create([{"选": "乙", "多": ["乙"]}, {"选": "甲", "多": ["甲"]}, {"选": "乙", "多": ["乙", "甲"]}], TERMS)
    assert search(table, sort=[{"field_name": "选"}]) == [1, 3, 2]
    assert search(table, sort=[{"field_name": "多", "desc": True}]) == [2, 3, 1]


def test_every_field_can_be_sorted_by(table: Table) -> None:
    row = {"链": {"link": "https://a.example"}, "人": [LI_IN], "群": [{"id": "oc_1"}], "勾": True, "日": 1}
    table.create([row, {}], TERMS)
    for field in table.fields:
        assert search(table, sort=[{"field_name": field.name, "desc": False}]) == [1, 2]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"sort": [{"field_name": "无此字段"}]}, 1254016),
        ({"sort": ["文"]}, 1254016),
        ({"sort": "文"}, 1254016),
        ({"sort": [{"field_name": "文", "desc": "yes"}]}, 1254016),
        ({"sort": [{"field_name": "文"}] * 101}, 1254108),
        ({"field_names": ["文", "无此字段"]}, 1254024),
        ({"field_names": "文"}, 1254024),
        ({"view_id": "grid"}, 1254005),
        ({"view_id": "vewUnknown"}, 1254042),
    ],
)
def test_what_is_not_there_cannot_be_asked_for(table: Table, body: dict[str, Any], code: int) -> None:
    assert refusal(table, **body) == code


def test_a_view_is_ignored_when_there_is_a_filter_or_a_sort(table: Table) -> None:
    table.create([{}], TERMS)
    assert search(table, view_id="vewUnknown", sort=[{"field_name": "文"}]) == [1]
    assert search(table, view_id=next(iter(table.views)).view_id) == [1]


def test_only_the_named_fields_are_shown_and_times_only_when_asked(table: Table) -> None:
    [record_id] = table.create([{"文": "a", "数": 1}], TERMS)
    record = table.records[record_id]
    query = Query.parse({"field_names": ["数", "日"]}, table, TERMS)
    assert show(record, table, TERMS, query) == {"fields": {"数": 1}, "record_id": record_id}
    shown = show(record, table, TERMS, Query.parse({"automatic_fields": True}, table, TERMS))
    assert shown["created_time"] == shown["last_modified_time"] == int(NOON * 1000)
    assert shown["created_by"]["name"] == shown["last_modified_by"]["name"] == "机器人"


def test_a_change_between_two_pages_is_seen(table: Table) -> None:
    table.create([{"数": number} for number in range(5)], TERMS)
    pages, query = Pages(), Query.parse({}, table, TERMS)
    first, total, token = pages.page(table, query, [], 2, "")
    assert ([record.values[1] for record in first], total) == ([0, 1], 5)
    table.update([(first[0].record_id, {"数": 10})], TERMS)
    table.create([{"数": 5}], TERMS)
    second, total, token = pages.page(table, query, [], 2, token)
    assert ([record.values[1] for record in second], total) == ([2, 3], 6)
    last, _, token = pages.page(table, query, [], 2, token)
    assert ([record.values[1] for record in last], token) == ([4, 5], "")


async def test_pages_are_walked_through_the_api() -> None:
    async with Platform() as platform:
        table = await platform.table({"field_name": "数", "type": 2})
        rows = [{"fields": {"数": number}} for number in range(7)]
        await platform.call("POST", f"{table}/records/batch_create", {"records": rows})
        body = {
            "sort": [{"field_name": "数", "desc": True}],
            "filter": {"conditions": [condition("数", "isLess", "6")]},
        }
        seen, token = [], ""
        for more in (True, True, False):
            answer = await platform.call("POST", f"{table}/records/search?page_size=2&page_token={token}", body)
            assert (answer.data["has_more"], answer.data["total"]) == (more, 6)
            seen += [item["fields"]["数"] for item in answer.data["items"]]
            token = answer.data["page_token"]
        assert (seen, token) == ([5, 4, 3, 2, 1, 0], "")
        for size in ("0", "501", "x"):
            answer = await platform.call("POST", f"{table}/records/search?page_size={size}", {})
            assert (answer.status, answer.code) == (400, 1254011)
        for token in ("nonsense", "QUJD"):
            answer = await platform.call("POST", f"{table}/records/search?page_token={token}", {})
            assert answer.code == 1254002


# Against a naive reading of the same filter.

TEXTS, NUMBERS, CHOICES = ["", "a", "ab", "b"], [-1, 0, 2.5], ["甲", "乙"]
ROWS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "文": st.sampled_from(TEXTS),
            "数": st.sampled_from(NUMBERS),
            "选": st.sampled_from(CHOICES),
            "多": st.lists(st.sampled_from(CHOICES), unique=True),
        },
    ),
    max_size=8,
)
CONDITIONS = st.one_of(
    st.builds(
        condition,
        st.just("文"),
        st.sampled_from(["is", "isNot", "contains", "doesNotContain"]),
        st.sampled_from(["a", "b", "x"]),
    ),
    st.builds(
        condition,
        st.just("数"),
        st.sampled_from(["is", "isNot", "isGreater", "isGreaterEqual", "isLess", "isLessEqual"]),
        st.sampled_from(["-1", "0", "2.5", "1e0"]),
    ),
    st.builds(
        condition,
        st.sampled_from(["选", "多"]),
        st.sampled_from(["is", "isNot", "contains", "doesNotContain"]),
        st.sampled_from(CHOICES),
    ),
    st.builds(condition, st.sampled_from(["文", "数", "选", "多"]), st.sampled_from(["isEmpty", "isNotEmpty"])),
)
GROUPS = st.fixed_dictionaries(
    {"conjunction": st.sampled_from(["and", "or"]), "conditions": st.lists(CONDITIONS, min_size=1, max_size=3)}
)
FILTERS = st.builds(lambda group, children: {**group, "children": children}, GROUPS, st.lists(GROUPS, max_size=2))
NAIVE: dict[str, Callable[[Any, str], bool]] = {
    "is": lambda cell, value: cell == ([value] if isinstance(cell, list) else type(cell)(value)),
    "contains": lambda cell, value: value in cell,
    "isGreater": lambda cell, value: cell > float(value),
    "isGreaterEqual": lambda cell, value: cell >= float(value),
    "isLess": lambda cell, value: cell < float(value),
    "isLessEqual": lambda cell, value: cell <= float(value),
}


def naive(row: dict[str, Any], spec: dict[str, Any]) -> bool:
    if "operator" in spec:
        cell, operator = row.get(spec["field_name"]), spec["operator"]
        empty = cell is None or cell in ("", [])
        if operator in ("isEmpty", "isNotEmpty"):
            return empty == (operator == "isEmpty")
        opposite = {"isNot": "is", "doesNotContain": "contains"}.get(operator)
        if isinstance(cell, int | float):
            cell = float(cell)
        holds = not empty and NAIVE[opposite or operator](cell, spec["value"][0])
        return not holds if opposite else holds
    parts = [naive(row, part) for part in spec["conditions"] + spec.get("children", [])]
    return all(parts) if spec["conjunction"] == "and" else any(parts)


@given(rows=ROWS, spec=FILTERS)
def test_a_search_finds_exactly_the_rows_that_match(rows: list[dict[str, Any]], spec: dict[str, Any]) -> None:
    media = Media()
    try:
        table = new_table(media)
        table.create(rows, TERMS)
        expected = [number for number, row in enumerate(rows, 1) if naive(row, spec)]
        assert search(table, filter=spec) == expected
    finally:
        media.close()
