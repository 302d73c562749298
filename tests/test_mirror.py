"""Write-behind to Bitable: every row is there once and as it is, and no call is made that is not needed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from api_client import NOVEMBER
from mirror_stage import staged
from sandbox_client import until
from unruly import CREATE, DELETE, FIELDS, UPDATE, refused

from core.errors import ApiError

NOW = "2026-11"


async def test_rows_are_created_changed_and_deleted_in_batches(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, three, _ = stage.people
        stage.put(one, two, three, count=1, score=2.04)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 1, (two, NOW): 1, (three, NOW): 1}
        first = stage.remote()[one, NOW]
        assert first["用户名称"] == "李雷"
        assert (first["人员"], first["活跃度分数"], first["更新时间"]) == ([one], 2.04, NOVEMBER)
        stage.put(one, count=5)
        stage.put(two, count=6)
        stage.drop(three)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 5, (two, NOW): 6}
        assert stage.remote()[one, NOW]["record"] == first["record"]
        assert [len(stage.sandbox.seen[name]) for name in (CREATE, UPDATE, DELETE)] == [1, 1, 1]
        assert stage.entry.written == 6


async def test_nothing_is_written_twice(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.put(*stage.people, count=1)
        await stage.flush()
        before = stage.calls()
        assert not stage.entry.waiting
        await stage.flush()
        await stage.restart()
        await stage.flush()
        assert stage.calls() == before


async def test_a_row_changed_a_hundred_times_is_written_once(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for count in range(1, 101):
            stage.put(stage.people[0], count=count)
        await stage.flush()
        assert stage.calls() == 1
        assert stage.counts() == {(stage.people[0], NOW): 100}


async def test_a_cell_that_became_empty_is_cleared(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        who = stage.people[0]
        stage.put(who, count=1)
        await stage.flush()
        stage.put(who, count=0, updated=None)
        await stage.flush()
        row = stage.remote()[who, NOW]
        assert row["发言次数"] == 0
        assert "更新时间" not in row


async def test_columns_a_person_added_and_cells_of_others_are_left_alone(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.there.add_field({"field_name": "备注", "type": 1})
        stage.put(stage.people[0], count=1)
        await stage.flush()
        stage.edit(stage.items()[0]["record_id"], 备注="组长")
        stage.put(stage.people[0], count=2)
        await stage.flush()
        row = stage.remote()[stage.people[0], NOW]
        assert (row["备注"], row["发言次数"]) == ("组长", 2)


async def test_more_rows_than_a_batch_holds(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        people = stage.invite(1203)
        stage.put(*people, count=1)
        await stage.flush()
        assert [len(call.body["records"]) for call in stage.sandbox.seen[CREATE]] == [500, 500, 203]
        stage.drop(*people[:700])
        await stage.flush()
        assert [len(call.body["records"]) for call in stage.sandbox.seen[DELETE]] == [500, 200]
        assert set(stage.counts()) == {(one, NOW) for one in people[700:]}


async def test_flushes_take_their_time_by_the_pace(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.put(stage.people[0], count=1)
        assert await stage.flush()
        assert stage.entry.last_flush == stage.clock.now
        assert stage.entry.next_flush == stage.clock.now + 5_000
        running = asyncio.create_task(stage.mirror.run())
        before = stage.calls()
        stage.put(stage.people[0], count=2)
        await asyncio.sleep(0.01)
        assert stage.calls() == before
        stage.clock.now += 5_000
        await until(lambda: not stage.entry.waiting)
        stage.mirror.stop()
        await running
        assert stage.counts() == {(stage.people[0], NOW): 2}


async def test_writes_of_one_table_never_meet(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.there.gate.write_seconds = 0.02
        stage.put(*stage.people, count=1)
        await stage.entry.adopt()
        await asyncio.gather(stage.mirror.flush(stage.entry), stage.mirror.flush(stage.entry))
        by_code = stage.sandbox.calls.document()["by_code"]
        assert set(by_code) == {"0"}


async def test_an_error_that_is_nobodys_fault_is_raised_as_it_is(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[FIELDS].append(refused(1254041))
        with pytest.raises(ApiError, match=r"1254041 .*check the table ID"):
            await stage.entry.adopt()
