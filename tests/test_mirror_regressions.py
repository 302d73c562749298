"""What once went wrong between the store and Bitable, each named after what it did."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from api_client import DAY
from mirror_stage import staged
from sandbox_client import until
from unruly import CREATE, FIELDS, NAMES, SEARCH, answer_lost, raw, refused

NOW = "2026-11"


@pytest.mark.parametrize(("code", "status"), [(99991400, 429), (2200, 500), (99991672, 400), (1254302, 403)])
async def test_another_error_after_a_lost_answer_made_rows_twice(tmp_path: Path, code: int, status: int) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[CREATE].extend([answer_lost, *[refused(code, status)] * 4])
        stage.put(*stage.people, count=3)
        assert not await stage.flush()
        stage.sandbox.troubles[CREATE].clear()
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}
        assert not stage.entry.waiting


async def test_a_token_the_platform_had_forgotten_made_rows_twice(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[CREATE].extend([answer_lost] * 5)
        stage.put(*stage.people, count=3)
        assert not await stage.flush()
        stage.there.gate._answered.clear()
        await stage.restart()
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}
        assert not stage.entry.waiting


async def test_a_refused_row_was_told_as_refused_after_it_was_written(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        stage.sandbox.troubles[CREATE].append(refused(1254061))
        stage.put(one, count=3)
        assert await stage.flush()
        assert stage.entry.status(stage.store).problem
        stage.put(one, count=4)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 4}
        status = stage.entry.status(stage.store)
        assert (status.waiting, status.problem) == (0, "")


async def test_a_clock_put_back_kept_rows_waiting_for_the_old_time(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.put(one, count=3)
        assert await stage.flush()
        stage.clock.now -= 7 * DAY
        stage.put(two, count=3)
        running = asyncio.create_task(stage.mirror.run())
        await until(lambda: not stage.entry.waiting)
        stage.mirror.stop()
        await running
        assert stage.counts() == {(one, NOW): 3, (two, NOW): 3}


async def test_a_clock_put_back_kept_a_table_from_being_taken_over(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        problems: list[str] = []

        def put_back(problem: str) -> None:
            problems.append(problem)
            stage.clock.now -= 7 * DAY

        stage.sandbox.troubles[FIELDS].append(refused(1254302, 403))
        async with asyncio.timeout(20):
            await stage.mirror.take_over(stage.entry, put_back)
        assert len(problems) == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (FIELDS, b'{"items":[{"type":1}]}'),
        (FIELDS, b'{"items":[],"has_more":true}'),
        (FIELDS, b'{"items":7}'),
        (SEARCH, b'{"items":[{"fields":{}}]}'),
        (SEARCH, b'{"items":["rec"]}'),
    ],
)
async def test_an_unforeseen_answer_ended_the_program(tmp_path: Path, name: str, data: bytes) -> None:
    async with staged(tmp_path) as stage:
        problems: list[str] = []

        def pass_time(problem: str) -> None:
            problems.append(problem)
            stage.clock.now += DAY

        answer = raw(b'{"code":0,"msg":"","data":' + data + b"}", content_type="application/json")
        stage.sandbox.troubles[name].append(answer)
        await stage.mirror.take_over(stage.entry, pass_time)
        assert len(problems) == 1
        assert problems[0]
        stage.put(*stage.people, count=3)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}


async def test_an_unforeseen_answer_about_names_ended_the_program(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        body = b'{"code":0,"msg":"","data":{"items":[{"name":"x"}]}}'
        stage.sandbox.troubles[NAMES].append(raw(body, content_type="application/json"))
        stage.put(*stage.people, count=3)
        assert await stage.flush()
        assert not stage.entry.problem
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}
