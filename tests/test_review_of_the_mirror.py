"""What a review of the mirror found: rows that were never written, written as they had been, or at a high price."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from mirror_stage import PLUGIN, ROWS, staged
from unruly import CREATE, DELETE, FIELDS, SEARCH, UPDATE, refused

from sandbox.endpoint import Answer, Call
from sandbox.reply import ApiError


async def test_a_row_with_the_number_of_one_that_was_refused_is_written(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, three, *_ = stage.people
        stage.put(one, count=1)
        assert await stage.flush()
        stage.sandbox.troubles[CREATE].append(refused(1254060))
        stage.put(two, count=2)
        assert await stage.flush()
        stage.drop(two)
        assert await stage.flush()
        stage.put(three, count=3)
        assert stage.entry.waiting
        assert await stage.flush()
        assert sorted(stage.counts().values()) == [1, 3]


async def test_a_full_table_does_not_keep_rows_from_being_changed_and_deleted(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, three, four, *_ = stage.people

        async def full(call: Call, answer: Answer) -> Any:
            if len(stage.remote()) + len(call.body["records"]) > 3:
                raise ApiError(1254103, "RecordExceedLimit")
            return await answer(call)

        stage.put(one, two, three, count=1)
        assert await stage.flush()
        stage.sandbox.troubles[CREATE].extend([full] * 5)
        stage.put(four, count=9)
        stage.put(one, count=2)
        assert not await stage.flush()
        assert sorted(stage.counts().values()) == [1, 1, 2]
        stage.drop(two)
        assert await stage.flush()
        assert sorted(stage.counts().values()) == [1, 2, 9]
        assert len(stage.sandbox.seen[DELETE]) == 1


@pytest.mark.parametrize(("code", "status"), [(1254103, 200), (1254302, 403), (99991672, 400)])
async def test_what_is_refused_for_good_is_not_looked_for_in_the_table(tmp_path: Path, code: int, status: int) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.put(one, count=1)
        assert await stage.flush()
        searched = stage.calls(SEARCH)
        stage.sandbox.troubles[CREATE].extend([refused(code, status)] * 4)
        stage.put(two, count=2)
        for _ in range(4):
            before = stage.calls()
            assert not await stage.flush()
            assert stage.calls() - before == 1
        assert stage.calls(SEARCH) == searched
        assert await stage.flush()
        assert sorted(stage.counts().values()) == [1, 2]
        assert len(stage.there.records) == 2


async def test_of_a_refusal_that_says_nothing_of_the_write_the_table_is_asked(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:

        async def done_and_refused(call: Call, answer: Answer) -> Any:
            await answer(call)
            raise ApiError(1299999, "Unknown")

        assert await stage.flush()
        stage.sandbox.troubles[CREATE].append(done_and_refused)
        stage.put(stage.people[0], count=2)
        assert not await stage.flush()
        assert await stage.flush()
        assert list(stage.counts().values()) == [2]
        assert len(stage.there.records) == 1


async def test_a_column_of_another_type_is_told_before_every_row_is_tried_by_itself(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        people = stage.invite(100)
        stage.put(*people, count=1)
        assert await stage.flush()
        period = stage.there.by_name["统计周期"]
        stage.there.change_field(period.field_id, {"field_name": "统计周期", "type": 2}, stage.terms)
        stage.put(*people, count=2)
        before = stage.calls()
        assert not await stage.flush()
        assert stage.calls() - before == 1
        assert "统计周期" in stage.entry.problem


async def test_one_row_that_is_refused_costs_one_look_at_the_columns(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[CREATE].extend([refused(1254060)] * 3)
        stage.put(*stage.people[:4], count=1)
        assert await stage.flush()
        assert len(stage.sandbox.seen[FIELDS]) == 2
        assert len(stage.counts()) == 3


async def test_a_create_that_is_repeated_later_shows_what_is_known_then(tmp_path: Path) -> None:
    async def never(call: Call, _: Answer) -> web.StreamResponse:
        assert call.request.transport is not None
        call.request.transport.abort()
        return web.Response()

    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.there.delete_field(stage.there.by_name["被Pin次数"].field_id)
        stage.put(one, count=0, pins=1)
        assert await stage.flush()
        stage.sandbox.troubles[CREATE].extend([never] * 5)
        stage.put(two, count=3, pins=7)
        assert not await stage.flush()
        stage.there.add_field({"field_name": "被Pin次数", "type": 2})
        await stage.restart()
        assert await stage.flush()
        assert {user: cells["被Pin次数"] for (user, _), cells in stage.remote().items()} == {one: 1, two: 7}
        assert not stage.entry.waiting


async def test_a_name_that_is_learned_while_its_row_is_on_the_way_is_written(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]

        async def meanwhile(call: Call, answer: Answer) -> Any:
            done = await answer(call)
            stage.store.save_people({one: "新名字"}, stage.clock(), [(PLUGIN, ROWS, "user")])
            return done

        stage.put(one, count=1)
        assert await stage.flush()
        stage.sandbox.troubles[UPDATE].append(meanwhile)
        stage.put(one, count=2)
        assert await stage.flush()
        assert await stage.flush()
        (cells,) = stage.remote().values()
        assert "新名字" in str(cells["用户名称"])
        assert not stage.entry.waiting
