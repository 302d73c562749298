"""An answer that was lost is not repeated blindly: whatever the fault and the operation, each row is there once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from api_client import client_of
from mirror_stage import Stage, staged
from sandbox_client import until
from unruly import CREATE, DELETE, SEARCH, UPDATE, answer_lost, refused

from core.errors import ApiError, QuotaExhausted, StorageError
from core.feishu.bitable import CATCHING_UP
from core.feishu.transport import Operation
from sandbox.config import SandboxConfig
from sandbox.faults.fault import Fault
from sandbox.server import Sandbox

NOW = "2026-11"
WRITE_NAMES = (CREATE, UPDATE, DELETE)
LAG = (1254040, 1254041, 1254042, 1254043, 1254044, 1254045)
CONFLICT = (1254608, 1255006)

FAULTS = {
    "the answer is lost": Fault(kind="answer-lost", times=1),
    "the answer is cut": Fault(kind="answer-cut", times=1),
    "the answer is garbage": Fault(kind="answer-garbage", times=1),
    "every answer of a call is lost": Fault(kind="answer-lost", times=5),
    "every answer of a call is cut": Fault(kind="answer-cut", times=5),
    "a server fails after the work": Fault(kind="failed", times=5, done=1.0),
    "a server fails before the work": Fault(kind="failed", times=5, done=0.0),
    "a time-out after the work": Fault(kind="refused", codes=(1255040,), times=6, done=1.0),
    "nothing changed": Fault(kind="refused", codes=(1254606,), times=1),
    **{f"{code} after the work": Fault(kind="refused", codes=(code,), times=1, done=1.0) for code in CONFLICT},
    **{f"{code} instead of the work": Fault(kind="refused", codes=(code,), times=1, done=0.0) for code in CONFLICT},
    **{f"lag {code}": Fault(kind="refused", codes=(code,), times=1, done=0.0) for code in LAG},
    **{f"lag {code} after the work": Fault(kind="refused", codes=(code,), times=1, done=1.0) for code in LAG},
}


async def flushed(stage: Stage) -> None:
    """Flush until it succeeds, as the mirror does when time passes; a new life in between."""
    for _ in range(4):
        if not await stage.flush():
            await stage.restart()
        elif not stage.entry.waiting:
            return
    raise AssertionError(stage.entry.problem)


@pytest.mark.parametrize("name", FAULTS)
async def test_every_row_is_there_once_and_as_it_is(tmp_path: Path, name: str) -> None:
    async with staged(tmp_path) as stage:
        one, two, three, four = stage.people
        for operation in WRITE_NAMES:
            stage.sandbox.faults.add(replace(FAULTS[name], on=operation))
        stage.put(one, two, three, count=1)
        await flushed(stage)
        assert stage.counts() == {(one, NOW): 1, (two, NOW): 1, (three, NOW): 1}
        stage.put(one, count=2)
        stage.drop(two)
        stage.put(four, count=4)
        await flushed(stage)
        assert stage.counts() == {(one, NOW): 2, (three, NOW): 1, (four, NOW): 4}
        assert not stage.entry.waiting
        for operation in (CREATE, UPDATE):
            assert stage.sandbox.calls.document()["by_name_and_code"][operation], f"{operation} met no fault"


async def test_a_refused_value_after_a_lost_answer_does_not_prove_that_nothing_was_done(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[CREATE].extend([answer_lost, refused(1254061)])
        stage.put(*stage.people, count=3)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}


async def test_too_many_records_after_a_time_out_does_not_prove_that_nothing_was_done(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:

        async def late(call: Any, answer: Any) -> Any:
            await answer(call)
            return await refused(1255040, 504)(call, answer)

        stage.sandbox.troubles[CREATE].extend([late, refused(1254104)])
        stage.put(*stage.people, count=3)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}


async def test_an_update_that_changes_nothing_is_done(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        stage.put(one, count=1)
        assert await stage.flush()
        stage.sandbox.troubles[UPDATE].append(refused(1254606))
        stage.put(one, count=1, score=0.0)
        assert await stage.flush()
        assert not stage.entry.waiting


@pytest.mark.parametrize("code", CONFLICT)
async def test_before_it_looks_it_gives_the_platform_time_to_show_what_was_written(tmp_path: Path, code: int) -> None:
    async with staged(tmp_path) as stage:
        await stage.entry.adopt()
        looked = len(stage.sandbox.seen[SEARCH])
        stage.sandbox.troubles[CREATE].append(refused(code, 403))
        stage.put(*stage.people, count=3)
        assert await stage.flush()
        assert CATCHING_UP in stage.sleep.slept
        assert len(stage.sandbox.seen[SEARCH]) == looked + 1


async def test_a_record_that_is_only_not_shown_yet_is_not_made_again(tmp_path: Path) -> None:
    """Update answers 1254043, though the record is there: it is looked for, and not forgotten."""
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        stage.put(one, count=1)
        assert await stage.flush()
        record = stage.remote()[one, NOW]["record"]
        stage.sandbox.troubles[UPDATE].append(refused(1254043))
        stage.put(one, count=2)
        await flushed(stage)
        assert CATCHING_UP in stage.sleep.slept
        assert stage.remote()[one, NOW]["record"] == record
        assert stage.counts() == {(one, NOW): 2}


async def test_an_error_says_whether_it_answers_a_repetition_and_whether_it_passes() -> None:
    operation = Operation(CREATE, "POST", "/open-apis/bitable/v1/apps/x/tables/y/records/batch_create")
    limited, unreached = Fault(kind="limited", times=5), Fault(kind="unreached", on=CREATE, times=1)
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox, client_of(sandbox) as (api, _):
        with pytest.raises(ApiError) as plain:
            await api.call(operation, body={"records": []})
        sandbox.faults.add(unreached)
        with pytest.raises(ApiError) as repeated:
            await api.call(operation, body={"records": []})
        sandbox.faults.add(limited)
        with pytest.raises(ApiError) as passing:
            await api.call(operation, body={"records": []})
    assert not isinstance(passing.value, QuotaExhausted)
    told = [(one.value.repeated, one.value.passing) for one in (plain, repeated, passing)]
    assert told == [(False, False), (True, False), (True, True)]


async def test_a_disk_that_cannot_be_read_is_a_problem_of_the_table_and_not_the_end_of_the_mirror(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path) as stage:
        await stage.entry.adopt()
        pending = stage.store.pending
        stage.put(stage.people[0], count=1)

        def unreadable(*_: Any) -> Any:
            raise StorageError("SQLite: disk I/O error")

        stage.store.pending = unreadable  # type: ignore[method-assign]
        running = asyncio.create_task(stage.mirror.run())
        await until(lambda: "disk I/O error" in stage.entry.problem or running.done())
        assert not running.done()
        stage.store.pending = pending  # type: ignore[method-assign]
        assert await stage.flush()
        stage.mirror.stop()
        await running
        assert stage.counts() == {(stage.people[0], NOW): 1}
