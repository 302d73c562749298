"""Every field type of the sandbox's Bitable: what it accepts, what it answers, what it keeps (FEISHU.md §5.4, §5.7)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from bitable_platform import BOT, HAN, LI, NOON, PEOPLE, TERMS, TITLE, table_of
from hypothesis import given
from hypothesis import strategies as st

from sandbox.bitable.bases import Base, Bases
from sandbox.bitable.kinds import Terms
from sandbox.bitable.media import Media
from sandbox.bitable.properties import UI_TYPES
from sandbox.bitable.table import Table
from sandbox.reply import ApiError


@pytest.fixture
def bases() -> Iterator[Bases]:
    media = Media()
    yield Bases(media, clock=lambda: NOON, write_seconds=0.0, editor=BOT.open_id)
    media.close()


@pytest.fixture
def base(bases: Bases) -> Base:
    return bases.create("台账")


def file_in(bases: Bases, app_token: str, data: bytes = b"png", name: str = "图.png") -> str:
    with bases.media.spool() as spool:
        spool.write(data)
        return bases.media.keep(spool, name, "bitable_file", app_token).token


def write(table: Table, value: Any, terms: Terms = TERMS) -> tuple[Any, Any]:
    """What a write of ``value`` echoes and what is read afterwards; None stands for no cell."""
    [record_id] = table.create([{"值": value}], terms)
    return table.echo({"值": value}).get("值"), table.read(table.records[record_id], terms).get("值")


def refusal(table: Table, value: Any, terms: Terms = TERMS) -> int:
    """The code a write of ``value`` gets; nothing may be written."""
    before = len(table.records)
    with pytest.raises(ApiError) as problem:
        table.create([{"值": value}], terms)
    assert len(table.records) == before
    assert problem.value.error["message"] == "fields.值"
    return problem.value.code


@pytest.mark.parametrize(
    ("type_", "value", "read"),
    [
        (1, "你好", [{"type": "text", "text": "你好"}]),
        (1, "", None),
        (2, 3, 3),
        (2, -1.25, -1.25),
        (3, "进行中", "进行中"),
        (3, "", None),
        (4, ["甲", "乙", "甲"], ["甲", "乙"]),
        (4, [], None),
        (5, 1763740800000, 1763740800000),
        (7, True, True),
        (7, False, False),
        (13, "+8613800000000", "+8613800000000"),
        (15, {"text": "官网", "link": "https://example.com"}, {"text": "官网", "link": "https://example.com"}),
        (15, {"link": "https://example.com"}, {"text": "https://example.com", "link": "https://example.com"}),
        (23, [{"id": "oc_1"}], [{"id": "oc_1", "name": "", "avatar_url": ""}]),
        (11, [], None),
    ],
)
def test_a_value_is_echoed_as_written_and_read_in_its_read_form(base: Base, type_: int, value: Any, read: Any) -> None:
    assert write(table_of(base, type_), value) == (value, read)


def test_nothing_is_shown_of_an_empty_cell(base: Base) -> None:
    assert write(table_of(base, 1), None) == (None, None)


@pytest.mark.parametrize(
    ("type_", "value", "code"),
    [
        (1, 5, 1254060),
        (1, [{"text": "segments are read, not written"}], 1254060),
        (2, "5", 1254061),
        (2, True, 1254061),
        (2, math.inf, 1254061),
        (3, ["A"], 1254062),
        (4, "A", 1254063),
        (4, ["A", 1], 1254063),
        (4, [""], 1254063),
        (4, ["A"] * 1001, 1254063),
        (5, "2026-11-01", 1254064),
        (5, 1.5, 1254064),
        (5, True, 1254064),
        (5, 10**18, 1254064),
        (7, "true", 1254065),
        (7, 1, 1254065),
        (11, "ou_li", 1254066),
        (11, {"id": "ou_li"}, 1254066),
        (11, ["ou_li"], 1254066),
        (11, [{"name": "李雷"}], 1254066),
        (11, [{"id": "ou_nobody"}], 1254066),
        (11, [{"id": LI.union_id}], 1254066),
        (13, "not a number", 1254072),
        (13, 13800000000, 1254072),
        (13, "1" * 65, 1254072),
        (15, "https://example.com", 1254068),
        (15, {"text": "no link"}, 1254068),
        (15, {"link": "https://example.com", "text": 1}, 1254068),
        (17, "boxcn", 1254069),
        (17, [{"file_token": "boxcnUnknown"}], 1254069),
        (17, [{}], 1254069),
        (17, [{"file_token": "x"}] * 101, 1254106),
        (22, "Beijing", 1254015),
        (22, "190.0,39.9", 1254015),
        (22, {"location": "1,1"}, 1254015),
        (23, "oc_1", 1254015),
        (23, [{"id": "ou_li"}], 1254015),
        (23, [{"id": f"oc_{number}"} for number in range(11)], 1254015),
        (1001, 1763740800000, 1254015),
        (1002, 1763740800000, 1254015),
        (1003, [{"id": "ou_li"}], 1254015),
        (1004, [{"id": "ou_li"}], 1254015),
        (1005, "1", 1254015),
        (19, "x", 1254015),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_the_code_of_its_type(
    base: Base, type_: int, value: Any, code: int
) -> None:
    assert refusal(table_of(base, type_), value) == code


def test_text_holds_100_000_characters(base: Base) -> None:
    table = table_of(base, 1)
    write(table, "字" * 100_000)
    assert refusal(table, "字" * 100_001) == 1254130


def test_an_unknown_option_is_made_and_shown_in_the_field(base: Base) -> None:
    table = table_of(base, 3, {"options": [{"name": "旧", "color": 7}]})
    write(table, "新")
    options = table.by_name["值"].shown()["property"]["options"]
    assert [(option["name"], option["id"][:3]) for option in options] == [("旧", "opt"), ("新", "opt")]
    assert options[0]["color"] == 7


def test_a_refused_batch_leaves_no_new_options_behind(base: Base) -> None:
    table = table_of(base, 3)
    with pytest.raises(ApiError):
        table.create([{"值": "新"}, {"值": 5}], TERMS)
    assert table.by_name["值"].shown()["property"] == {"options": []}


@pytest.mark.parametrize("id_type", ["open_id", "union_id", "user_id"])
def test_people_are_written_and_read_by_the_id_the_caller_names(base: Base, id_type: str) -> None:
    terms = Terms(PEOPLE.get, id_type)
    li, han = getattr(LI, id_type), getattr(HAN, id_type)
    echoed, read = write(table_of(base, 11), [{"id": li, "name": "ignored"}, {"id": han}], terms)
    assert echoed == [{"id": li}, {"id": han}]
    assert read[0] == {"id": li, "name": "李雷", "en_name": "Li Lei", "email": "", "avatar_url": ""}
    assert read[1]["id"] == han


def test_a_field_for_one_person_refuses_two(base: Base) -> None:
    table = table_of(base, 11, {"multiple": False})
    write(table, [{"id": LI.open_id}])
    assert refusal(table, [{"id": LI.open_id}, {"id": HAN.open_id}]) == 1254066


def test_a_file_can_be_used_in_the_base_it_was_uploaded_to_and_nowhere_else(bases: Bases, base: Base) -> None:
    token = file_in(bases, base.app_token)
    echoed, [read] = write(table_of(base, 17), [{"file_token": token, "name": "ignored"}])
    assert echoed == [{"file_token": token}]
    assert (read["file_token"], read["name"], read["size"], read["type"]) == (token, "图.png", 3, "image/png")
    assert read["url"] == f"https://open.feishu.cn/open-apis/drive/v1/medias/{token}/download"
    assert refusal(table_of(bases.create("别处"), 17), [{"file_token": token}]) == 1254069


def test_a_place_is_read_with_its_position(base: Base) -> None:
    echoed, read = write(table_of(base, 22), "116.397755,39.903179")
    assert echoed == "116.397755,39.903179"
    assert read["location"] == echoed
    assert set(read) == {"location", "pname", "cityname", "adname", "address", "name", "full_address"}


def test_automatic_fields_are_filled_by_the_table(base: Base) -> None:
    kinds = {"创建时间": 1001, "修改时间": 1002, "创建人": 1003, "修改人": 1004, "编号": 1005}
    table = base.create_table("表", [TITLE, *({"field_name": name, "type": type_} for name, type_ in kinds.items())])
    table.create([{}], TERMS)
    [second] = table.create([{"标题": "二"}], TERMS)
    read = table.read(table.records[second], TERMS)
    assert read["编号"] == "2"
    assert read["创建时间"] == read["修改时间"] == int(NOON * 1000)
    assert [person["name"] for person in read["创建人"] + read["修改人"]] == ["机器人", "机器人"]


def test_a_date_that_fills_itself_takes_the_time_of_creation(base: Base) -> None:
    table = table_of(base, 5, {"auto_fill": True})
    first, second = table.create([{}, {"值": 1}], TERMS)
    assert table.read(table.records[first], TERMS)["值"] == int(NOON * 1000)
    assert table.read(table.records[second], TERMS)["值"] == 1


# Links.


def test_a_link_names_records_of_the_linked_table(base: Base) -> None:
    people = base.create_table("人", [TITLE])
    [li] = people.create([{"标题": "李"}], TERMS)
    table = table_of(base, 18, {"table_id": people.table_id, "multiple": False})
    assert write(table, [li]) == ([li], {"link_record_ids": [li]})
    assert refusal(table, ["recNobody0"]) == 1254067
    assert refusal(table, "rec") == 1254067
    assert refusal(table, [li, *people.create([{}], TERMS)]) == 1254067


def test_deleting_a_record_empties_the_links_to_it(base: Base) -> None:
    people = base.create_table("人", [TITLE])
    [li] = people.create([{}], TERMS)
    table = table_of(base, 18, {"table_id": people.table_id})
    [record_id] = table.create([{"值": [li]}], TERMS)
    people.delete([li])
    assert table.read(table.records[record_id], TERMS) == {}


def test_a_two_way_link_is_one_relation_seen_from_two_tables(base: Base) -> None:
    people = base.create_table("人", [TITLE])
    one, two = people.create([{}, {}], TERMS)
    table = table_of(base, 21, {"table_id": people.table_id, "back_field_name": "事情"})
    [task] = table.create([{"值": [one]}], TERMS)

    def seen(person: str) -> Any:
        return people.read(people.records[person], TERMS).get("事情")

    assert seen(one) == {"link_record_ids": [task]}
    people.update([(two, {"事情": [task]})], TERMS)
    assert set(table.read(table.records[task], TERMS)["值"]["link_record_ids"]) == {one, two}
    table.update([(task, {"值": [two]})], TERMS)
    assert seen(one) is None
    table.delete([task])
    assert seen(two) is None
    assert refusal(table, [1]) == 1254074
    table.delete_field(table.by_name["值"].field_id)
    assert "事情" not in people.by_name


def test_a_two_way_link_may_join_a_table_with_itself(base: Base) -> None:
    table = base.create_table("人", [TITLE])
    table.add_field({"field_name": "上级", "type": 21, "property": {"table_id": table.table_id}})
    boss, worker = table.create([{}, {}], TERMS)
    back = table.by_name["上级"].property["back_field_name"]
    table.update([(worker, {"上级": [boss]}), (boss, {"标题": "老板"})], TERMS)
    assert table.read(table.records[boss], TERMS)[back] == {"link_record_ids": [worker]}
    base.delete_tables([table.table_id])
    assert base.tables == {}


# Whatever is accepted can be read, and reading twice says the same.

VALUES: dict[int, st.SearchStrategy[Any]] = {
    1: st.text(max_size=40),
    2: st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    3: st.text(max_size=5),
    4: st.lists(st.text(min_size=1, max_size=3), max_size=5),
    5: st.integers(-(10**12), 10**14),
    7: st.booleans(),
    11: st.lists(st.sampled_from([{"id": LI.open_id}, {"id": HAN.open_id}]), max_size=3),
    15: st.fixed_dictionaries({"link": st.text(min_size=1)}, optional={"text": st.text()}),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "link", "x"]), inner),
    max_leaves=5,
)


@given(row=st.fixed_dictionaries({}, optional={f"值{type_}": values for type_, values in VALUES.items()}))
def test_what_is_read_is_what_was_written(row: dict[str, Any]) -> None:
    media = Media()
    try:
        base = Bases(media, clock=lambda: NOON).create("台账")
        table = base.create_table("表", [{"field_name": f"值{type_}", "type": type_} for type_ in VALUES])
        assert table.echo(row) == row
        [one] = table.create([row], TERMS)
        read = table.read(table.records[one], TERMS)
    finally:
        media.close()
    expected = {
        "值1": lambda text: [{"type": "text", "text": text}],
        "值4": lambda names: list(dict.fromkeys(names)),
        "值11": lambda people: [TERMS.show(one) for one in dict.fromkeys(person["id"] for person in people)],
        "值15": lambda url: {"link": url["link"], "text": url.get("text") or url["link"]},
    }
    filled = {name: value for name, value in row.items() if value not in ("", [])}
    assert read == {name: expected.get(name, lambda value: value)(value) for name, value in filled.items()}


@given(type_=st.sampled_from(sorted(set(UI_TYPES) - {18, 19, 20, 21, 24, 3001})), value=ANYTHING)
def test_any_json_is_either_stored_or_refused_by_a_known_code(type_: int, value: Any) -> None:
    media = Media()
    try:
        table = table_of(Bases(media, clock=lambda: NOON).create("台账"), type_)
        try:
            table.create([{"值": value}], TERMS)
        except ApiError as problem:
            assert 1254015 <= problem.code <= 1254130  # noqa: PT017 - either outcome is right
            assert table.records == {}
        else:
            [record] = table.records.values()
            table.read(record, TERMS)
    finally:
        media.close()
