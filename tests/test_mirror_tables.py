"""What the mirror makes of the tables it finds: other people's rows, missing columns, other tables."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from log_lines import logged
from mirror_stage import PLUGIN, ROWS, predecessor, staged
from sandbox_client import until
from unruly import CREATE, FIELDS, SEARCH, raw, refused

from core.mirroring.mirror import LONGEST_RETRY, RETRY_AFTER

NOW = "2026-11"


async def test_a_record_a_person_deleted_is_made_again(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.put(one, two, count=1)
        await stage.flush()
        stage.there.delete([stage.remote()[one, NOW]["record"]])
        stage.put(one, two, count=2)
        await stage.flush()
        await stage.flush()
        assert stage.counts() == {(one, NOW): 2, (two, NOW): 2}
        assert not stage.entry.waiting


async def test_deleting_what_a_person_deleted_already_succeeds(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.put(one, two, count=1)
        await stage.flush()
        stage.there.delete([stage.remote()[one, NOW]["record"]])
        stage.drop(one, two)
        assert await stage.flush()
        assert stage.counts() == {}
        assert not stage.entry.waiting


async def test_a_missing_column_is_named_with_its_type_and_recovers(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        table = stage.there
        table.delete_field(table.by_name["发言次数"].field_id)
        stage.put(stage.people[0], count=1)
        heard: list[str] = []
        taking = asyncio.create_task(stage.mirror.take_over(stage.entry, heard.append))
        await until(lambda: bool(heard))
        assert heard == [
            (
                f"Bitable table {stage.table_id} (BITABLE_TABLE_ID): column 发言次数 is missing: "
                "add it as 数字 (number); `python -m core tables check --add` adds what is missing"
            )
        ]
        assert stage.entry.status(stage.store).problem == heard[0]
        assert stage.calls() == 0
        table.add_field({"field_name": "发言次数", "type": 2})
        stage.clock.now = stage.entry.next_flush
        await asyncio.wait_for(taking, 5)
        assert await stage.flush()
        assert stage.counts() == {(stage.people[0], NOW): 1}
        assert stage.entry.status(stage.store).problem == ""


async def test_a_column_of_the_wrong_type_is_named(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        table = stage.there
        table.delete_field(table.by_name["人员"].field_id)
        table.add_field({"field_name": "人员", "type": 1})
        assert not await stage.mirror._tried(stage.entry, stage.entry.adopt)
        assert "column 人员 is 文本 (text): change it to 人员 (person)" in stage.entry.problem


async def test_a_column_deleted_while_running_is_named_and_recovers(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.put(stage.people[0], count=1)
        await stage.flush()
        table = stage.there
        table.delete_field(table.by_name["发言次数"].field_id)
        stage.put(stage.people[0], count=2)
        assert not await stage.flush()
        assert not await stage.flush()
        assert "column 发言次数 is missing: add it as 数字 (number)" in stage.entry.problem
        table.add_field({"field_name": "发言次数", "type": 2})
        assert await stage.flush()
        assert stage.counts() == {(stage.people[0], NOW): 2}


async def test_a_column_that_was_away_is_filled_again_in_every_row(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, three, *_ = stage.people
        stage.put(one, two, count=7)
        await stage.flush()
        table = stage.there
        table.delete_field(table.by_name["发言次数"].field_id)
        stage.put(three, count=1)
        assert not await stage.flush()
        assert not await stage.flush()
        await stage.restart()
        table.add_field({"field_name": "发言次数", "type": 2})
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 7, (two, NOW): 7, (three, NOW): 1}
        calls = stage.calls()
        assert await stage.flush()
        assert stage.calls() == calls


async def test_a_missing_optional_column_is_fine(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        table = stage.there
        table.delete_field(table.by_name["被Pin次数"].field_id)
        stage.put(stage.people[0], count=1, pins=2)
        assert await stage.flush()
        assert "被Pin次数" not in stage.remote()[stage.people[0], NOW]


async def test_what_is_refused_once_is_written_within_seconds(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[CREATE].append(refused(1254040))
        stage.put(stage.people[0], count=1)
        assert not await stage.flush()
        assert stage.entry.next_flush - stage.clock.now <= 2_000
        assert await stage.flush()
        assert stage.counts() == {(stage.people[0], NOW): 1}


async def test_a_broken_table_costs_fewer_and_fewer_calls(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        table = stage.there
        table.delete_field(table.by_name["发言次数"].field_id)
        waits = []
        for _ in range(9):
            assert not await stage.mirror._tried(stage.entry, stage.entry.adopt)
            waits.append(stage.entry.next_flush - stage.clock.now)
        assert waits[0] == RETRY_AFTER
        assert waits == sorted(waits)
        assert sum(waits[:6]) < LONGEST_RETRY < sum(waits[:7])  # Seven tries in the first hour.
        assert waits[-1] == LONGEST_RETRY


async def test_rows_of_the_predecessor_are_counted_on_from_there(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.insert(predecessor(one, 40), {}, predecessor(two, 2), {"用户名称": "只有名字"})
        await stage.entry.adopt()
        found = {row["user"]: (row["count"], row["score"]) for row in stage.store.scan(PLUGIN, ROWS)}
        assert found == {one: (40, 1.5), two: (2, 1.5)}
        assert not stage.entry.waiting
        stage.put(one, count=41)
        await stage.flush()
        assert len(stage.items()) == 4
        assert [item["fields"].get("发言次数") for item in stage.items()] == [41, None, 2, None]
        await stage.restart()
        await stage.entry.adopt()
        assert stage.calls(SEARCH) == 1


async def test_of_duplicate_rows_the_first_is_the_one(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        first, second = stage.insert(predecessor(one, 40), predecessor(one, 3))
        stage.put(stage.people[1], count=1)
        await stage.flush()
        stage.put(one, count=41)
        await stage.flush()
        counts = {item["record_id"]: item["fields"]["发言次数"] for item in stage.items()}
        assert (counts[first], counts[second]) == (41, 3)


async def test_senseless_cells_of_people_are_no_obstacle(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.insert(predecessor(stage.people[0], 1e300, 更新时间=1e300))
        await stage.entry.adopt()
        [row] = stage.store.scan(PLUGIN, ROWS)
        assert (row["count"], row["updated"]) == (0, None)


async def test_a_table_of_many_pages_is_read_to_its_end(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        people = stage.invite(1001)
        stage.insert(*(predecessor(one, 1) for one in people))
        await stage.entry.adopt()
        assert stage.calls(SEARCH) == 3
        assert sum(1 for _ in stage.store.scan(PLUGIN, ROWS)) == 1001


async def test_an_interrupted_takeover_is_done_again(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        people = stage.invite(501)
        stage.insert(*(predecessor(one, 7) for one in people))

        async def first_page(call: Any, answer: Any) -> Any:
            stage.sandbox.troubles[SEARCH].extend([raw(b"", 502)] * 5)
            return await answer(call)

        stage.sandbox.troubles[SEARCH].append(first_page)
        assert not await stage.mirror._tried(stage.entry, stage.entry.adopt)
        assert not stage.entry.adopted
        await stage.restart()
        await stage.entry.adopt()
        assert sum(row["count"] for row in stage.store.scan(PLUGIN, ROWS)) == 7 * 501
        assert not stage.entry.waiting


async def test_another_table_gets_every_row(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.put(one, two, count=5)
        await stage.flush()
        old = stage.there
        specs = [{"field_name": field.name, "type": field.type} for field in old.fields]
        new = old.base.create_table("新表", specs)
        new.create([predecessor(two, 1)], stage.terms)
        stage.put(one, count=6)
        with logged() as lines:
            await stage.restart(new.table_id)
            await stage.flush()
        assert stage.counts() == {(one, NOW): 6, (two, NOW): 5}
        assert len(old.records) == 2
        assert any("moved from Bitable table" in line for line in lines)


async def test_nothing_is_written_before_the_table_was_taken_over(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.insert(predecessor(stage.people[0], 40))
        stage.put(stage.people[0], count=1)
        stage.sandbox.troubles[FIELDS].append(refused(1254302, 403))
        heard: list[str] = []
        running = asyncio.create_task(stage.mirror.run())
        taking = asyncio.create_task(stage.mirror.take_over(stage.entry, heard.append))
        await until(lambda: bool(heard))
        await stage.mirror.flush_all()
        assert stage.calls() == 0
        stage.clock.now = stage.entry.next_flush
        await asyncio.wait_for(taking, 5)
        stage.mirror.stop()
        await running
        await stage.mirror.flush_all()
        assert stage.counts() == {(stage.people[0], NOW): 1}
