"""``tables verify`` finds every kind of difference, leaves alone what is a person's, and repairing mends the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mirror_stage import PLUGIN, ROWS, Stage, predecessor, staged
from unruly import CREATE, DELETE, SEARCH, UPDATE, refused

from core.mirroring.verify import Comparison, Unfinished, calls_to_compare, compare, repair

NOW = "2026-11"


async def compared(stage: Stage) -> Comparison:
    return await compare(stage.entry, stage.store)


async def mended(stage: Stage) -> Comparison:
    """Repair what differs; what differs afterwards."""
    await repair(stage.entry, stage.store, await compared(stage))
    return await compared(stage)


async def test_a_table_as_it_was_written_has_no_difference(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.put(*stage.people, "cli_app", "ou_stranger", count=3, pins=2, score=2.125)
        stage.put(stage.people[0], period="2026-12", updated=None)
        assert await stage.flush()
        found = await compared(stage)
        assert (found.total, found.rows, found.records, found.waiting) == (0, 7, 7, 0)


async def test_rows_that_wait_to_be_written_are_no_difference(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, three, _ = stage.people
        stage.put(one, two, count=1)
        assert await stage.flush()
        stage.put(one, count=2)
        stage.drop(two)
        stage.put(three, count=1)
        found = await compared(stage)
        assert (found.total, found.waiting) == (0, 3)


async def test_a_record_that_a_person_deleted_is_found_and_made_again(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.put(one, two, count=1)
        assert await stage.flush()
        stage.there.delete([stage.remote()[one, NOW]["record"]])
        found = await compared(stage)
        assert [key for key, _ in found.missing_there] == [(one, NOW)]
        assert (await mended(stage)).total == 0
        assert stage.counts() == {(one, NOW): 1, (two, NOW): 1}


async def test_cells_that_a_person_changed_are_told_by_column_and_written_again(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.put(one, two, count=1, score=2.5)
        assert await stage.flush()
        stage.edit(stage.remote()[one, NOW]["record"], 发言次数=9, 用户名称="某人", 活跃度分数=None)
        stage.edit(stage.remote()[two, NOW]["record"], 发言次数=8)
        found = await compared(stage)
        assert found.by_column == {"发言次数": 2, "用户名称": 1, "活跃度分数": 1}
        (change,) = (change for change in found.changed if change.key == (one, NOW))
        assert change.cells["发言次数"] == (1, 9)
        assert change.cells["用户名称"] == ("李雷", "某人")
        before = stage.calls()
        assert (await mended(stage)).total == 0
        assert stage.calls() == before + 1
        assert stage.remote()[one, NOW]["用户名称"] == "李雷"


async def test_only_rows_that_differ_are_written(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        people = stage.invite(120)
        stage.put(*people, count=1)
        assert await stage.flush()
        stage.edit(stage.remote()[people[7], NOW]["record"], 发言次数=9)
        await mended(stage)
        assert [len(call.body["records"]) for call in stage.sandbox.seen[UPDATE]] == [1]


async def test_of_records_with_one_key_the_one_its_row_knows_stays(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        stage.put(one, count=3)
        assert await stage.flush()
        known = stage.remote()[one, NOW]["record"]
        twins = stage.insert(predecessor(one, 1), predecessor(one, 2))
        found = await compared(stage)
        assert found.double == [((one, NOW), known, twins)]
        assert found.total == 2
        assert (await mended(stage)).total == 0
        assert stage.remote()[one, NOW]["record"] == known


async def test_where_the_record_that_the_row_knows_is_gone_the_first_of_the_others_stays(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        stage.put(one, count=3)
        assert await stage.flush()
        stage.there.delete([stage.remote()[one, NOW]["record"]])
        first, second = stage.insert(predecessor(one, 1), predecessor(one, 2))
        found = await compared(stage)
        assert found.double == [((one, NOW), first, [second])]
        assert (await mended(stage)).total == 0
        assert stage.remote()[one, NOW]["record"] == first
        assert stage.counts() == {(one, NOW): 3}


async def test_a_record_whose_key_is_not_here_is_taken_over_and_not_changed(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.put(one, count=1)
        assert await stage.flush()
        (record,) = stage.insert(predecessor(two, 41))
        found = await compared(stage)
        assert [extra.record for extra in found.missing_here] == [record]
        before = stage.calls()
        assert (await mended(stage)).total == 0
        assert stage.calls() == before
        row = stage.store.get(PLUGIN, ROWS, (two, NOW))
        assert row is not None
        assert row["count"] == 41


async def test_a_record_whose_row_does_not_know_it_is_remembered_and_not_made_twice(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        await stage.entry.adopt()
        (record,) = stage.insert(predecessor(one, 1))
        stage.put(one, count=2)
        found = await compared(stage)
        assert [extra.record for extra in found.unknown] == [record]
        assert (await mended(stage)).total == 0
        assert stage.calls(CREATE) == 0
        assert stage.counts() == {(one, NOW): 2}


async def test_what_people_added_is_left_alone(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        stage.there.add_field({"field_name": "备注", "type": 1})
        stage.put(one, count=1)
        assert await stage.flush()
        stage.edit(stage.remote()[one, NOW]["record"], 备注="组长")
        stage.insert({"备注": "合计", "发言次数": 12}, {"用户ID": "草稿"})
        found = await compared(stage)
        assert (found.total, found.foreign) == (0, 2)
        before = stage.items()
        await mended(stage)
        assert stage.items() == before


async def test_reading_costs_the_calls_that_were_said(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        people = stage.invite(501)
        stage.put(*people, count=1)
        assert await stage.flush()
        await stage.restart()
        used = stage.ledger.used
        assert (await compared(stage)).total == 0
        assert stage.ledger.used - used - 1 == calls_to_compare(501)  # One is for the token.
        assert len(stage.sandbox.seen[SEARCH]) == 3  # The first adoption read an empty table.


async def test_what_bitable_refuses_is_not_called_mended(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        stage.put(one, count=1)
        assert await stage.flush()
        stage.there.delete([stage.remote()[one, NOW]["record"]])
        stage.sandbox.troubles[CREATE].append(refused(1254061))
        with pytest.raises(Unfinished, match="1 rows"):
            await mended(stage)


async def test_a_lost_answer_to_the_deletion_of_doubles_does_no_harm(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        stage.put(one, count=3)
        assert await stage.flush()
        stage.insert(predecessor(one, 1))

        async def gone(call: Any, answer: Any) -> Any:
            await answer(call)
            return await refused(1255002)(call, answer)

        stage.sandbox.troubles[DELETE].append(gone)
        assert (await mended(stage)).total == 0
