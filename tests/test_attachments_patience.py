"""Attachments that cannot be had yet: what may pass is tried again, what costs too much waits, nothing is lost."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attachment_stage import MB, RESOURCE, UPLOAD, staged
from sandbox_client import until
from unruly import answer_lost, raw, refused

from core.attachments.fetching import MOST_ATTEMPTS, STREAMS, Attachments
from core.feishu import media, streams
from core.storage.values import Attachment
from sandbox.endpoint import Answer, Call


async def test_a_line_cut_in_the_middle_is_tried_again_after_a_while(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        key = stage.resource(MB)
        stage.refuse(key, after=MB // 2, times=7)
        stage.ask(stage.say(key), key)
        await until(lambda: bool(stage.status.problem) and not stage.service.busy)
        assert stage.outcomes == []
        stage.pass_time(61)
        outcome = await stage.outcome()
        assert stage.uploaded(outcome["file_token"]).path.read_bytes() == stage.sent(key)
        assert (stage.calls(RESOURCE), stage.status.problem) == ([8], "")


@pytest.mark.parametrize("trouble", [answer_lost, raw(b"", 502), refused(1061045, 400), refused(1062008, 400)])
async def test_an_upload_that_fails_is_made_good(tmp_path: Path, trouble: Any) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[UPLOAD].extend([trouble] * 7)
        key = stage.want(MB)
        outcome = await stage.outcome_in_time()
        assert stage.uploaded(outcome["file_token"]).path.read_bytes() == stage.sent(key)


async def test_tries_and_pauses_are_remembered_over_a_restart(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        key = stage.resource()
        stage.refuse(key, 234999, times=2)
        stage.ask(stage.say(key), key)
        await until(lambda: not stage.service.busy)
        await stage.restart()
        await until(lambda: stage.service._store.attachment_count().waiting == 1)
        assert stage.calls(RESOURCE) == [1]
        stage.pass_time(61)
        await until(lambda: stage.calls(RESOURCE) == [2] and not stage.service.busy)
        stage.pass_time(61)
        assert not stage.service.busy
        stage.pass_time(61)
        assert (await stage.outcome())["problem"] == ""


async def test_a_resource_that_never_comes_is_given_up_at_last(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        key = stage.resource()
        stage.refuse(key, 234999)
        stage.ask(stage.say(key), key)
        outcome = await stage.outcome_in_time()
        assert outcome["problem"].startswith("多次尝试后仍无法获取：im.v1.messageResource.get: 234999")
        assert stage.calls(RESOURCE) == [MOST_ATTEMPTS]
        assert stage.status.problem == ""


async def test_a_missing_scope_stops_everything_until_it_is_granted(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        scopes = set(stage.sandbox.world.app.scopes)
        stage.sandbox.world.app.scopes.clear()
        for _ in range(8):
            stage.want()
        await until(lambda: "grant the scope" in stage.status.problem and not stage.service._running)
        calls = stage.calls(RESOURCE)
        assert calls <= [STREAMS]
        stage.service.wake()
        assert not stage.service.busy
        stage.sandbox.world.app.scopes.update(scopes)
        await stage.outcome_in_time(8)
        assert {each["problem"] for each in stage.outcomes} == {""}
        assert stage.status.problem == ""


async def test_a_full_disk_makes_attachments_wait_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with staged(tmp_path) as stage:
        with monkeypatch.context() as patch:
            patch.setattr(streams, "_written", full)
            stage.want()
            await until(lambda: "No space left" in stage.status.problem)
            assert stage.on_the_way() == []
        assert (await stage.outcome_in_time())["problem"] == ""


async def test_an_answer_nobody_foresaw_does_not_end_the_fetching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry = Attachments._carry
    seen: list[str] = []

    async def surprised(self: Attachments, attachment: Attachment) -> None:
        seen.append(attachment.file_key)
        if len(seen) == 1:
            raise KeyError("what is this")
        await carry(self, attachment)

    monkeypatch.setattr(Attachments, "_carry", surprised)
    async with staged(tmp_path) as stage:
        first = stage.want()
        await until(lambda: seen == [first] and not stage.service._running)
        second = stage.want()
        assert (await stage.outcome())["file_key"] == second
        assert (await stage.outcome_in_time(2))["file_key"] == first


# The budget.


async def test_attachments_wait_for_the_budget_and_none_is_lost(tmp_path: Path) -> None:
    async with staged(tmp_path, quota=400) as stage:
        keys = {stage.want() for _ in range(12)}
        await until(lambda: stage.status.for_budget and not stage.service._running)
        done = len(stage.outcomes)
        assert 3 <= done <= 5
        assert stage.status.waiting == 12 - done
        assert not stage.service.busy
        await stage.outcome_in_time(12)
        assert {each["file_key"] for each in stage.outcomes if not each["problem"]} == keys
        assert stage.calls(RESOURCE, UPLOAD) == [12, 12]
        assert not stage.status.for_budget


async def test_a_month_without_calls_is_waited_for(tmp_path: Path) -> None:
    async with staged(tmp_path, quota=20) as stage:
        for _ in range(19):
            stage.ledger.spend("others")
        key = stage.want()
        await until(lambda: stage.status.for_budget)
        assert stage.calls(RESOURCE) == [0]
        assert (await stage.outcome_in_time(hours=24))["file_key"] == key
        assert stage.ledger.month == "2026-12"


async def test_the_platforms_own_quota_is_waited_for(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[RESOURCE].append(refused(99991403))
        stage.want()
        await until(lambda: stage.status.for_budget and not stage.service._running)
        assert (stage.outcomes, stage.service.busy) == ([], False)
        assert (await stage.outcome_in_time())["problem"] == ""


async def test_attachments_spend_no_more_than_their_share_of_a_month(tmp_path: Path) -> None:
    async with staged(tmp_path, quota=200, ATTACHMENTS="local") as stage:
        for _ in range(100):
            stage.want(10)
        await stage.out_of_budget()
        while stage.ledger.seconds_left > 12 * 3600:
            stage.pass_time(12 * 3600)
            await stage.out_of_budget()
        used = sum(stage.ledger.by_name.get(name, 0) for name in media.OPERATIONS)
        assert 40 <= used <= 60
        assert (len(stage.outcomes), stage.status.waiting) == (used, 100 - used)


async def test_at_most_a_few_transfers_run_at_once_and_uploads_one_by_one(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        under_way: dict[str, int] = {RESOURCE: 0, UPLOAD: 0}
        most = dict(under_way)

        all_streams = asyncio.Event()

        def counted(name: str) -> Callable[[Call, Answer], Any]:
            async def count(call: Call, answer: Answer) -> Any:
                under_way[name] += 1
                most[name] = max(most[name], under_way[name])
                if most[RESOURCE] >= STREAMS:
                    all_streams.set()
                await asyncio.wait_for(all_streams.wait(), 20)
                await asyncio.sleep(0.005)  # Long enough for one too many to begin.
                try:
                    return await answer(call)
                finally:
                    under_way[name] -= 1

            return count

        for name in under_way:
            stage.sandbox.troubles[name].extend([counted(name)] * 40)
        for _ in range(8):
            stage.want()
        await stage.outcome(8)
        assert most == {RESOURCE: STREAMS, UPLOAD: 1}


async def test_an_unsound_request_ends_as_a_problem(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for key in ("../../../auth/v3/x", "a/b?c#d", "💥", "x" * 300):
            stage.ask("om_unknown", key)
        await stage.outcome_in_time(4)
        assert all(each["problem"] and not each["file_token"] for each in stage.outcomes)
        assert stage.on_the_way() == []
