"""A plugin's new version with further columns: here, in Bitable tables the program made, and in those of people."""

from __future__ import annotations

from pathlib import Path

from mirror_stage import PLUGIN, ROWS, Stage, staged
from unruly import refused

from core import Table, Text
from core.mirroring.made import MadeTable

NOW = "2026-11"
ADD = "bitable.v1.appTableField.create"
NEWER = Table("rows", (*ROWS.columns, Text("note", "备注")), key=ROWS.key, setting=ROWS.setting)


async def upgrade(stage: Stage, *, made: bool, columns: tuple[str, ...] = ()) -> str:
    """The first version has written a row; then the second one is started. Its row's user."""
    one = stage.people[0]
    stage.put(one, count=7)
    assert await stage.flush()
    if made:
        titles = tuple(column.title for column in ROWS.mirrored)
        table = MadeTable(stage.sandbox.tables.app_token, "活跃度", (*titles, *columns), stage.table_id)
        table.note(stage.store, f"{PLUGIN}.rows")
    stage.table = NEWER
    await stage.restart()
    return one


async def test_a_table_the_program_made_gets_the_new_column_by_itself(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = await upgrade(stage, made=True)
        key = (one, NOW)
        stage.put(one, count=7, note="new")
        assert await stage.flush()
        assert (stage.remote()[key]["备注"], stage.remote()[key]["发言次数"]) == ("new", 7)
        asked = len(stage.sandbox.seen[ADD])
        await stage.restart()
        assert await stage.flush()
        assert (asked, len(stage.sandbox.seen[ADD])) == (1, 1)


async def test_a_table_of_a_person_waits_and_names_the_command(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = await upgrade(stage, made=False)
        stage.put(one, count=8, note="new")
        assert not await stage.flush()
        assert "column 备注 is missing: add it as 文本 (text)" in stage.entry.problem
        assert "`python -m core tables check --add`" in stage.entry.problem
        assert stage.sandbox.seen[ADD] == []
        stage.there.add_field({"field_name": "备注", "type": 1})
        assert await stage.flush()
        assert stage.remote()[one, NOW]["备注"] == "new"


async def test_a_column_a_person_deleted_is_not_made_again(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await upgrade(stage, made=True, columns=("备注",))
        stage.put(stage.people[1], count=1)
        assert not await stage.flush()
        assert "column 备注 is missing" in stage.entry.problem
        assert stage.sandbox.seen[ADD] == []


async def test_a_column_that_cannot_be_added_waits_and_is_tried_again(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = await upgrade(stage, made=True)
        stage.sandbox.troubles[ADD].append(refused(1254302, 403))
        stage.put(one, count=8, note="new")
        assert not await stage.flush()
        assert "1254302" in stage.entry.problem
        assert await stage.flush()
        assert stage.remote()[one, NOW]["备注"] == "new"
