"""``python -m core tables check``: what a table lacks is said, and added when asked for; nothing else is touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tables_desk import ADD_FIELD, Desk, desk_at
from unruly import answer_lost

from sandbox.bitable.table import Table


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path, monkeypatch) as found:
        assert (await found.give("tables", "create")).exit_code == 0
        yield found


def delete(table: Table, *names: str) -> None:
    for name in names:
        table.delete_field(table.by_name[name].field_id)


def shown(table: Table) -> list[dict[str, Any]]:
    return [field.shown() for field in table.fields]


async def test_missing_columns_are_named_and_added_in_their_form_on_request(desk: Desk) -> None:
    table = desk.table("活跃度")
    whole = {field.name: {**field.shown(), "field_id": ""} for field in table.fields}
    delete(table, "活跃度分数", "被Pin次数")
    table.add_field({"field_name": "备注", "type": 1})
    desk.insert(table, {"用户ID": "ou_1", "备注": "mine"})
    refused = await desk.give("tables", "check")
    assert refused.exit_code == 2
    assert "activity.activity: column 活跃度分数 is missing" in refused.output
    assert "add it as 数字 (number), or use --add" in refused.output
    assert "activity.activity: not there, and not needed: 被Pin次数" in refused.output
    assert "archive.archive: every column is right." in refused.output
    before = shown(table)
    added = await desk.give("tables", "check", "activity", "--add")
    assert added.exit_code == 0, added.output
    assert "activity.activity: added 活跃度分数, 被Pin次数" in added.output
    assert shown(table)[: len(before)] == before
    assert {name: {**table.by_name[name].shown(), "field_id": ""} for name in whole} == whole
    [record] = table.records.values()
    assert table.cell(record, table.by_name["备注"]) is not None
    assert "added" not in (await desk.give("tables", "check", "--add")).output


async def test_a_wrong_type_is_never_changed_and_says_what_to_do(desk: Desk) -> None:
    table = desk.table("活跃度")
    delete(table, "发言次数")
    table.add_field({"field_name": "发言次数", "type": 1})
    before = shown(table)
    refused = await desk.give("tables", "check", "--add")
    assert refused.exit_code == 2
    assert "activity.activity: column 发言次数 is 文本 (text)" in refused.output
    assert "change it to 数字 (number); or rename it, and --add makes a new one beside it" in refused.output
    assert shown(table) == before


async def test_options_a_person_changed_are_told_and_left_alone(desk: Desk) -> None:
    table = desk.table("话题汇总")
    delete(table, "话题状态")
    table.add_field(
        {"field_name": "话题状态", "type": 3, "property": {"options": [{"name": "活跃"}, {"name": "mine"}]}}
    )
    before = shown(table)
    told = await desk.give("tables", "check", "--add")
    assert told.exit_code == 0, told.output
    assert "archive.topics: 话题状态 gets the options 沉默, 冷却 when they are first written" in told.output
    assert shown(table) == before


async def test_a_table_that_is_gone_is_a_problem_beside_the_others(desk: Desk) -> None:
    desk.base.delete_tables([desk.table("消息归档").table_id])
    refused = await desk.give("tables", "check")
    assert refused.exit_code == 2
    assert "archive.archive: " in refused.output
    assert "1254041" in refused.output
    assert "correct BITABLE_APP_TOKEN or ARCHIVE_TABLE_ID" in refused.output
    assert "activity.activity: every column is right." in refused.output


async def test_a_column_whose_answer_was_lost_is_there_once(desk: Desk) -> None:
    table = desk.table("活跃度")
    delete(table, "活跃度分数")
    desk.sandbox.troubles[ADD_FIELD].append(answer_lost)
    added = await desk.give("tables", "check", "--add")
    assert added.exit_code == 0, added.output
    assert [field.name for field in table.fields].count("活跃度分数") == 1


async def test_without_tables_it_says_how_to_make_them(desk: Desk) -> None:
    desk.env.write_text(desk.env.read_text("utf-8").replace("TABLE_ID=", "NOTHING="), "utf-8")
    refused = await desk.give("tables", "check")
    assert refused.exit_code == 2
    assert "no table is mirrored" in refused.output
    assert "python -m core tables create" in refused.output
