"""Writes whose answer was lost or that were refused: nothing is lost, nothing is there twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from log_lines import logged
from mirror_stage import sent, staged
from unruly import CREATE, DELETE, FIELDS, UPDATE, answer_lost, refused

from core.errors import StorageError
from core.mirroring.mirror import RETRY_AFTER

NOW = "2026-11"


async def test_the_lost_answer_of_a_create_makes_no_second_row(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[CREATE].append(answer_lost)
        stage.put(*stage.people, count=3)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}
        first, second = stage.sandbox.seen[CREATE]
        assert first.query["client_token"] == second.query["client_token"]
        assert first.body == second.body


async def test_a_create_whose_answers_are_all_lost_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[CREATE].extend([answer_lost] * 5)
        stage.put(*stage.people, count=3)
        assert not await stage.flush()
        assert "no answer" in stage.entry.problem
        stage.put(stage.people[0], count=4)  # Changed while it is unclear whether the row is there.
        await stage.restart()
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people} | {(stage.people[0], NOW): 4}
        assert len({call.query["client_token"] for call in stage.sandbox.seen[CREATE]}) == 1


async def test_a_row_deleted_while_it_was_being_created_is_deleted_in_bitable(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.sandbox.troubles[CREATE].extend([answer_lost] * 5)
        stage.put(one, two, count=3)
        assert not await stage.flush()
        stage.drop(one)
        await stage.restart()
        assert await stage.flush()
        assert stage.counts() == {(two, NOW): 3}


async def test_a_row_deleted_and_made_anew_while_it_was_being_created(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one = stage.people[0]
        stage.sandbox.troubles[CREATE].extend([answer_lost] * 5)
        stage.put(one, count=3)
        assert not await stage.flush()
        stage.drop(one)
        stage.put(one, count=1)
        await stage.restart()
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 1}


@pytest.mark.parametrize("code", [1254608, 1255006])
async def test_a_token_that_was_used_is_found_out_by_reading(tmp_path: Path, code: int) -> None:
    async with staged(tmp_path) as stage:
        stage.there.gate.replay = "resubmitted"
        stage.sandbox.troubles[CREATE].extend([answer_lost, refused(code, 403)])
        stage.put(*stage.people, count=3)
        assert await stage.flush()
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}
        assert not stage.entry.waiting


async def test_resubmission_refused_by_the_sandbox_itself_reconciles(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.there.gate.replay = "resubmitted"
        stage.sandbox.troubles[CREATE].append(answer_lost)
        stage.put(*stage.people, count=3)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}


async def test_a_refused_repetition_does_not_prove_that_the_first_was_not_done(tmp_path: Path) -> None:
    """The answer of a create is lost, then a person renames a column: the repetition is refused, the rows are there."""
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[CREATE].extend([answer_lost] * 5)
        stage.put(*stage.people, count=3)
        assert not await stage.flush()
        await stage.restart()
        stage.sandbox.troubles[CREATE].append(refused(1254045, 404))
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}


async def test_an_answer_with_too_few_records_is_not_believed(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:

        async def short(call: Any, answer: Any) -> dict[str, Any]:
            whole = await answer(call)
            return {"records": whole["records"][:-1]}

        stage.sandbox.troubles[CREATE].append(short)
        stage.put(*stage.people, count=3)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 3 for one in stage.people}


async def test_the_lost_answers_of_updates_and_deletes_do_no_harm(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        one, two, *_ = stage.people
        stage.put(one, two, count=1)
        await stage.flush()
        stage.sandbox.troubles[UPDATE].append(answer_lost)
        stage.sandbox.troubles[DELETE].append(answer_lost)
        stage.put(one, count=2)
        stage.drop(two)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 2}
        assert not stage.entry.waiting


async def test_a_person_the_app_may_not_see_is_left_out_of_the_cell(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stranger = "ou_stranger"
        stage.put(*stage.people, stranger, "ou_another", count=1)
        assert await stage.flush()
        assert stage.calls(CREATE) == 2  # Not one row after another: those without a name are suspected first.
        remote = stage.remote()
        assert len(remote) == 6
        assert "人员" not in remote[stranger, NOW]
        assert remote[stage.people[0], NOW]["人员"] == [stage.people[0]]
        stage.put(stranger, count=2)
        before = stage.calls()
        assert await stage.flush()
        assert stage.calls() == before + 1
        assert stage.counts()[stranger, NOW] == 2


async def test_a_row_the_platform_refuses_is_said_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        bad = stage.people[2]

        async def picky(call: Any, answer: Any) -> Any:
            stage.sandbox.troubles[CREATE].append(picky)
            if any(fields["用户ID"] == bad for fields in sent(call)):
                return await refused(1254061)(call, answer)
            return await answer(call)

        stage.sandbox.troubles[CREATE].append(picky)
        stage.put(*stage.people, count=1)
        with logged() as lines:
            assert await stage.flush()
        assert set(stage.counts()) == {(one, NOW) for one in stage.people if one != bad}
        assert any(f"row {bad}/{NOW} cannot be written" in line for line in lines)
        assert stage.entry.status(stage.store).problem == "1 rows cannot be written, see the log"
        assert not stage.entry.waiting
        before = stage.calls()
        await stage.flush()
        assert stage.calls() == before
        stage.sandbox.troubles[CREATE].clear()
        stage.put(bad, count=2)
        await stage.flush()
        assert stage.counts()[bad, NOW] == 2


async def test_too_many_records_at_once_makes_smaller_batches(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:

        async def narrow(call: Any, answer: Any) -> Any:
            stage.sandbox.troubles[CREATE].append(narrow)
            if len(call.body["records"]) > 60:
                return await refused(1254104)(call, answer)
            return await answer(call)

        stage.sandbox.troubles[CREATE].append(narrow)
        people = stage.invite(300)
        stage.put(*people, count=1)
        assert await stage.flush()
        assert len(stage.counts()) == 300
        stage.put(*people, period="2026-12", count=1)
        before = stage.calls(CREATE)
        assert await stage.flush()
        assert len(stage.counts()) == 600
        assert stage.calls(CREATE) - before == 300 // 37 + 1


@pytest.mark.parametrize(("code", "status"), [(1254291, 200), (1254290, 200), (1254607, 400), (1255002, 200)])
async def test_writes_refused_for_a_moment_are_repeated(tmp_path: Path, code: int, status: int) -> None:
    async with staged(tmp_path) as stage:
        for operation in (CREATE, UPDATE, DELETE):
            stage.sandbox.troubles[operation].extend([refused(code, status)] * 2)
        one, two, *_ = stage.people
        stage.put(one, two, count=1)
        assert await stage.flush()
        stage.put(one, count=2)
        stage.drop(two)
        assert await stage.flush()
        assert stage.counts() == {(one, NOW): 2}
        assert all(wait >= 0.5 for wait in stage.sleep.slept)


async def test_a_conflict_that_lasts_is_said_and_tried_again_with_the_same_token(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[CREATE].extend([refused(1254291)] * 6)
        stage.put(stage.people[0], count=1)
        assert not await stage.flush()
        assert "1254291" in stage.entry.problem
        assert stage.entry.next_flush == stage.clock.now + RETRY_AFTER
        assert await stage.flush()
        assert stage.entry.problem == ""
        assert stage.counts() == {(stage.people[0], NOW): 1}
        assert len({call.query["client_token"] for call in stage.sandbox.seen[CREATE]}) == 1


async def test_no_permission_is_said_with_what_to_do(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[CREATE].append(refused(1254302, 403, "Permission denied"))
        stage.put(stage.people[0], count=1)
        assert not await stage.flush()
        assert "edit access to the base" in stage.entry.problem
        assert await stage.flush()


async def test_what_bitable_refuses_each_time_is_told_once_for_each_call_that_meets_it(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        assert await stage.flush()
        stage.sandbox.bases.find(stage.sandbox.tables.app_token).delete_tables([stage.table_id])
        stage.put(stage.people[0], count=1)
        with logged() as lines:
            assert [await stage.flush() for _ in range(5)] == [False] * 5
        told = [line for line in lines if f"(BITABLE_TABLE_ID={stage.table_id}) is not mirrored now: " in line]
        assert [line.split(": ")[1] for line in told] == [CREATE, FIELDS]
        assert all("1254041" in line and "[log id " in line for line in told)
        assert stage.entry.problem in told[1]


async def test_a_local_disk_that_refuses_is_a_problem_of_the_table_and_no_crash(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.put(stage.people[0], count=1)
        await stage.entry.adopt()
        begin = stage.store.begin_batch

        def full(*_: Any) -> None:
            raise StorageError("SQLite: database or disk is full")

        stage.store.begin_batch = full  # type: ignore[method-assign,assignment]
        assert not await stage.flush()
        assert "disk is full" in stage.entry.problem
        stage.store.begin_batch = begin  # type: ignore[method-assign]
        assert await stage.flush()
        assert stage.counts() == {(stage.people[0], NOW): 1}
