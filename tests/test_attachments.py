"""Files in messages that plugins ask for: once for all, over failures and restarts, as the budget can bear."""

from __future__ import annotations

import asyncio
import errno
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attachment_stage import FINISH, MB, PART, PREPARE, RESOURCE, UPLOAD, AttachmentStage, staged
from sandbox_client import until
from unruly import answer_lost, raw, refused

from core.attachments import MOST_ATTEMPTS, STREAMS, Attachments
from core.feishu import media, streams
from core.storage.protocol import Attachment
from sandbox.endpoint import Answer, Call


def a_copy(stage: AttachmentStage, outcome: dict[str, Any]) -> Path:
    return stage.directory / outcome["path"]


def hold(stage: AttachmentStage, name: str, after: int = 0) -> asyncio.Event:
    """The operation, after it was done so often, does not answer until the event is set."""
    released = asyncio.Event()

    async def wait(call: Call, answer: Answer) -> Any:
        await released.wait()
        return await answer(call)

    async def go(call: Call, answer: Answer) -> Any:
        return await answer(call)

    stage.sandbox.troubles[name].extend([*[go] * after, *[wait] * 50])
    return released


async def test_a_file_is_uploaded_and_the_plugin_is_told(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        key = stage.resource(300_000)
        message = stage.say(key)
        stage.ask(message, key)
        outcome = await stage.outcome()
        found = stage.uploaded(outcome["file_token"])
        assert found.path.read_bytes() == stage.sent(key)
        assert found.parent_type == "bitable_file"
        assert outcome == {
            "plugin": "probe",
            "message_id": message,
            "file_key": key,
            "name": "报告.pdf",
            "size": 300_000,
            "media_type": "application/pdf",
            "file_token": found.token,
            "path": "",
            "problem": "",
        }
        ((_, publication),) = stage.store.publications(10)
        assert (publication.type, publication.event_id) == ("attachment.done", f"probe:{message}:{key}")
        assert stage.calls(RESOURCE, UPLOAD, PREPARE) == [1, 1, 0]
        assert stage.on_the_way() == []
        assert (stage.status.waiting, stage.status.done, stage.status.bytes) == (0, 1, 300_000)


async def test_an_image_without_a_name_gets_one_with_its_extension(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        key = stage.want(5000, "image", name="")
        outcome = await stage.outcome()
        assert (outcome["file_key"], outcome["problem"]) == (key, "")
        assert stage.uploaded(outcome["file_token"]).parent_type == "bitable_image"
        stage.sandbox.troubles[RESOURCE].append(raw(b"GIF89a", Content_Type="image/gif"))
        stage.want(5000, "image", name="")
        assert (await stage.outcome(2))["name"] == "image.gif"


async def test_twenty_five_megabytes_are_uploaded_in_parts(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        key = stage.want(25 * MB, name="录像.mp4")
        outcome = await stage.outcome()
        found = stage.uploaded(outcome["file_token"])
        assert zlib.adler32(found.path.read_bytes()) == zlib.adler32(stage.sent(key))
        assert stage.calls(RESOURCE, UPLOAD, PREPARE, PART, FINISH) == [1, 0, 1, 7, 1]


@pytest.mark.parametrize("end", ["graceful", "killed"])
async def test_an_upload_in_parts_goes_on_after_a_restart(tmp_path: Path, end: str) -> None:
    async with staged(tmp_path) as stage:
        released = hold(stage, PART, after=3)
        key = stage.want(25 * MB)
        await until(lambda: stage.calls(PART) == [4])
        stage.sandbox.troubles.clear()
        await (stage.kill() if end == "killed" else brisk(stage))
        released.set()
        assert len(stage.on_the_way()) == 1
        await stage.open()
        outcome = await stage.outcome()
        found = stage.uploaded(outcome["file_token"])
        assert zlib.adler32(found.path.read_bytes()) == zlib.adler32(stage.sent(key))
        assert stage.calls(RESOURCE, PREPARE, PART, FINISH) == [1, 1, 8, 1]
        await until(lambda: not stage.on_the_way())


async def brisk(stage: AttachmentStage) -> None:
    """End without the grace for transfers that hang."""
    for task in stage.service._running.values():
        task.cancel()
    await stage.close()


async def test_parts_go_on_although_the_partial_file_was_lost(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        released = hold(stage, PART, after=3)
        stage.want(25 * MB)
        await until(lambda: stage.calls(PART) == [4])
        stage.sandbox.troubles.clear()
        await stage.kill()
        released.set()
        (partial,) = stage.on_the_way()
        partial.write_bytes(b"damaged")
        await stage.open()
        assert (await stage.outcome())["problem"] == ""
        assert stage.calls(RESOURCE, PREPARE, PART) == [2, 1, 8]


async def test_what_was_asked_for_before_a_kill_is_fetched_after_it(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        released = hold(stage, RESOURCE)
        keys = {stage.want() for _ in range(10)}
        await until(lambda: stage.calls(RESOURCE) == [STREAMS])
        stage.sandbox.troubles.clear()
        await stage.kill()
        released.set()
        await stage.open()
        await stage.outcome(10)
        assert {each["file_key"] for each in stage.outcomes if not each["problem"]} == keys
        assert stage.on_the_way() == []


async def test_the_same_file_is_fetched_once_for_all_plugins_and_messages(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        released = hold(stage, RESOURCE)
        key = stage.resource()
        first, second = stage.say(key), stage.say(key)
        for plugin, message in (("archive", first), ("pin", first), ("archive", second), ("archive", first)):
            stage.ask(message, key, plugin=plugin)
        released.set()
        await stage.outcome(3)
        stage.ask(second, key, plugin="pin")
        await stage.outcome(4)
        told = {(each["plugin"], each["message_id"]): each["file_token"] for each in stage.outcomes}
        assert set(told) == {(plugin, message) for plugin in ("archive", "pin") for message in (first, second)}
        assert len(set(told.values())) == 1
        assert stage.calls(RESOURCE, UPLOAD) == [1, 1]


async def test_a_plugin_that_asks_again_is_told_again(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        key = stage.resource()
        message = stage.say(key)
        for count in (1, 2, 3):
            stage.ask(message, key)
            await stage.outcome(count)
        ids = [publication.event_id for _, publication in stage.store.publications(10)]
        assert ids == [f"probe:{message}:{key}{mark}" for mark in ("", ":2", ":3")]
        assert stage.calls(RESOURCE, UPLOAD) == [1, 1]


# What cannot be had.


async def test_what_the_platform_refuses_for_good_is_said_in_words(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        for count, (code, words) in enumerate(media.UNOBTAINABLE.items(), 1):
            key = stage.resource()
            stage.refuse(key, code)
            stage.ask(stage.say(key), key)
            outcome = await stage.outcome(count)
            assert (outcome["problem"], outcome["file_token"], outcome["path"]) == (words, "", ""), code
            assert stage.calls(RESOURCE, UPLOAD) == [count, 0]
            assert (stage.status.waiting, stage.status.failed, stage.status.problem) == (0, count, "")


async def test_what_cannot_be_uploaded_is_kept_here_at_least_with_both(tmp_path: Path) -> None:
    async with staged(tmp_path, ATTACHMENTS="both") as stage:
        for count, (code, words) in enumerate(media.UNWELCOME.items(), 1):
            stage.sandbox.troubles[UPLOAD].append(refused(code))
            key = stage.want()
            outcome = await stage.outcome(count)
            assert (outcome["problem"], outcome["file_token"]) == (words, ""), code
            assert a_copy(stage, outcome).read_bytes() == stage.sent(key)


async def test_what_people_and_the_platform_do_makes_the_real_refusals(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        recalled, sticker, huge = stage.resource(), stage.resource(), stage.resource(101 * MB)
        message = stage.say(recalled)
        stage.sandbox.world.messages[message].recalled = True
        stage.ask(message, recalled)
        stage.ask(stage.say(sticker, message_type="sticker"), sticker)
        stage.ask(stage.say(huge), huge)
        await stage.outcome(3)
        problems = {each["file_key"]: each["problem"] for each in stage.outcomes}
        codes = {recalled: 234003, sticker: 234043, huge: 234037}
        assert problems == {key: media.UNOBTAINABLE[code] for key, code in codes.items()}


async def test_a_file_that_one_message_withholds_comes_from_another(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        released = hold(stage, RESOURCE)
        key = stage.resource()
        messages = sorted([stage.say(key), stage.say(key), stage.say(key)])
        stage.sandbox.world.messages[messages[0]].recalled = True
        for message in messages:
            stage.ask(message, key)
        stage.sandbox.troubles.clear()
        released.set()
        await stage.outcome(3)
        problems = {each["message_id"]: each["problem"] for each in stage.outcomes}
        assert problems == {messages[0]: media.UNOBTAINABLE[234003], messages[1]: "", messages[2]: ""}


async def test_what_failed_can_be_asked_for_again(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        key = stage.resource()
        stage.refuse(key, 234004, times=1)
        message = stage.say(key)
        stage.ask(message, key)
        assert (await stage.outcome())["problem"]
        stage.ask(message, key)
        assert (await stage.outcome(2))["problem"] == ""


async def test_a_file_above_the_limit_is_not_fetched(tmp_path: Path) -> None:
    async with staged(tmp_path, ATTACHMENT_MAX_MB="2") as stage:
        stage.want(2 * MB + 1)
        assert (await stage.outcome())["problem"] == "文件超过 2 MB (ATTACHMENT_MAX_MB)，未下载"
        stage.want(2 * MB)
        assert (await stage.outcome(2))["problem"] == ""


async def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.want(0)
        assert (await stage.outcome())["problem"] == "文件是空的"
        assert stage.calls(UPLOAD) == [0]


@pytest.mark.parametrize(
    ("types", "kind", "name", "calls", "fetched"),
    [
        ("image", "image", "", 1, True),
        ("pdf,docx", "image", "", 0, False),
        ("png", "image", "", 1, True),
        ("jpeg", "image", "", 1, False),
        ("image, .PDF", "file", "a.pdf", 1, True),
        ("image", "file", "photo.JPG", 1, True),
        ("pdf", "file", "a.exe", 0, False),
        ("video", "file", "a.mp4", 1, True),
        ("video", "file", "a", 1, False),
        ("pdf", "file", "", 1, True),
    ],
)
async def test_only_the_types_wanted_are_fetched(
    tmp_path: Path, types: str, kind: str, name: str, calls: int, fetched: bool
) -> None:
    async with staged(tmp_path, ATTACHMENT_TYPES=types) as stage:
        key = stage.resource(500, kind, "封面.png" if kind == "image" else name or "报告.pdf")
        stage.ask(stage.say(key, kind), key, kind, name)
        outcome = await stage.outcome()
        assert (not outcome["problem"], stage.calls(RESOURCE)) == (fetched, [calls])
        assert fetched or "ATTACHMENT_TYPES" in outcome["problem"]
        await until(lambda: not stage.on_the_way())


async def test_off_answers_everything_without_a_call(tmp_path: Path) -> None:
    async with staged(tmp_path, ATTACHMENTS="off") as stage:
        for _ in range(30):
            stage.want()
        outcome = await stage.outcome(30)
        assert outcome["problem"] == "附件下载已关闭 (ATTACHMENTS=off)"
        assert stage.sandbox.calls.total == 0


# Where it goes.


async def test_without_a_base_upload_means_a_local_copy(tmp_path: Path) -> None:
    async with staged(tmp_path, BITABLE_APP_TOKEN="") as stage:
        key = stage.want()
        outcome = await stage.outcome()
        copy = a_copy(stage, outcome)
        assert copy.read_bytes() == stage.sent(key)
        assert copy.parent.name == "2026-11"
        assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert (outcome["file_token"], stage.calls(UPLOAD), stage.status.mode) == ("", [0], "local")


async def test_both_keeps_a_copy_beside_the_upload(tmp_path: Path) -> None:
    async with staged(tmp_path, ATTACHMENTS="both") as stage:
        key = stage.want()
        outcome = await stage.outcome()
        assert a_copy(stage, outcome).read_bytes() == stage.uploaded(outcome["file_token"]).path.read_bytes()
        assert stage.calls(RESOURCE, UPLOAD) == [1, 1]
        a_copy(stage, outcome).unlink()
        stage.ask(outcome["message_id"], key)
        assert a_copy(stage, await stage.outcome(2)).is_file()
        assert stage.calls(RESOURCE, UPLOAD) == [2, 2]


async def test_files_of_the_same_name_have_copies_of_their_own(tmp_path: Path) -> None:
    async with staged(tmp_path, ATTACHMENTS="local") as stage:
        keys = [stage.want(name="../../etc/passwd") for _ in range(3)]
        await stage.outcome(3)
        copies = {each["file_key"]: a_copy(stage, each) for each in stage.outcomes}
        folder = tmp_path / "attachments" / "2026-11"
        assert [copies[key].read_bytes() for key in keys] == [stage.sent(key) for key in keys]
        assert {copy.resolve().parent for copy in copies.values()} == {folder.resolve()}


async def test_another_base_gets_its_own_upload(tmp_path: Path) -> None:
    async with staged(tmp_path, ATTACHMENTS="local") as stage:
        key = stage.want()
        first = await stage.outcome()
        await stage.restart(ATTACHMENTS="upload")
        stage.ask(first["message_id"], key)
        assert stage.uploaded((await stage.outcome(2))["file_token"])
        assert stage.calls(RESOURCE, UPLOAD) == [2, 1]


# What may pass.


async def test_a_line_cut_in_the_middle_is_tried_again_after_a_while(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        key = stage.resource(MB)
        stage.refuse(key, after=MB // 2, times=7)
        stage.ask(stage.say(key), key)
        await until(lambda: bool(stage.status.problem))
        assert stage.outcomes == []
        assert not stage.service.busy
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

        def counted(name: str) -> Callable[[Call, Answer], Any]:
            async def count(call: Call, answer: Answer) -> Any:
                under_way[name] += 1
                most[name] = max(most[name], under_way[name])
                await asyncio.sleep(0.005)
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
