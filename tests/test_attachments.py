"""Files in messages that plugins ask for: once for all, over failures and restarts, as the budget can bear."""

from __future__ import annotations

import asyncio
import zlib
from pathlib import Path
from typing import Any

import pytest
from attachment_stage import FINISH, MB, PART, PREPARE, RESOURCE, UPLOAD, AttachmentStage, staged
from sandbox_client import until
from unruly import raw, refused

from core.attachments.fetching import STREAMS
from core.feishu import media
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
