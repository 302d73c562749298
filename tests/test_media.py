"""Files between the platform and this disk: streamed, repeated, refused, in parts, never whole in memory."""

from __future__ import annotations

import errno
import os
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from api_client import DAY, NOVEMBER, client_of
from attachment_stage import FINISH, MB, PART, PREPARE, RESOURCE, UPLOAD
from unruly import UnrulySandbox, answer_lost, raw, refused

from core.errors import ApiError, QuotaExhausted, StorageError, TooLarge, Unreachable
from core.feishu import media, streams
from core.feishu.media import File, Parts
from core.feishu.transport import Api
from sandbox.config import SandboxConfig
from sandbox.endpoint import Answer, Call
from sandbox.scenario.act import Resource
from sandbox.world import Refusal

KEY = "file_v3_000001_media"


@asynccontextmanager
async def platform(*, quota: int = 10_000) -> AsyncIterator[tuple[UnrulySandbox, Api, list[float]]]:
    config = SandboxConfig(scenario="quiet", rate_limits=False)
    async with UnrulySandbox(config) as sandbox, client_of(sandbox, quota=quota) as (api, sleep):
        yield sandbox, api, sleep.slept


def said(sandbox: UnrulySandbox, size: int = 1000, name: str = "报告.pdf", key: str = KEY) -> tuple[str, bytes]:
    """A message with a file: its ID, and the bytes."""
    world = sandbox.world
    resource = world.resources[key] = Resource(key, name, "file", size, seed=1)
    chat = next(iter(world.chats.values()))
    return world.say(chat, next(iter(chat.members)), "file", f'{{"file_key":"{key}"}}').message_id, resource.read()


def a_file(path: Path, size: int, *, image: bool = False) -> File:
    path.write_bytes(random.Random(1).randbytes(size))
    return File(path, "报告.pdf", size, checksum(path), image)


def checksum(path: Path) -> int:
    return zlib.adler32(path.read_bytes())


async def upload(sandbox: UnrulySandbox, api: Api, file: File, parts: Parts | None = None) -> tuple[str, list[Parts]]:
    """The token, and what was to be kept."""
    kept: list[Parts] = []
    base = sandbox.tables.app_token
    token = await media.upload(api, base, file, parts=parts, keep=kept.append, now=lambda: NOVEMBER)
    return token, kept


def there(sandbox: UnrulySandbox, token: str) -> Any:
    found = sandbox.media.find(token, sandbox.tables.app_token)
    assert found is not None
    return found


async def test_a_download_is_saved_with_its_size_checksum_type_and_name(tmp_path: Path) -> None:
    to = tmp_path / "x"
    async with platform() as (sandbox, api, _):
        message, sent = said(sandbox, 300_000)
        found = await media.download(api, message, KEY, "file", to, most=MB)
    assert to.read_bytes() == sent
    assert to.stat().st_mode & 0o777 == 0o600
    assert found == streams.Download(300_000, zlib.adler32(sent), "application/pdf", "报告.pdf")


async def test_a_download_in_json_is_no_refusal(tmp_path: Path) -> None:
    to = tmp_path / "x"
    async with platform() as (sandbox, api, _):
        message, _sent = said(sandbox, name="code.json")
        given = {"Content_Type": "application/json", "Content_Disposition": 'attachment; filename="code.json"'}
        sandbox.troubles[RESOURCE].append(raw(b'{"code":234003,"msg":"a file that looks like this"}', **given))
        found = await media.download(api, message, KEY, "file", to, most=MB)
    assert to.read_bytes().startswith(b'{"code":234003')
    assert (found.media_type, found.name) == ("application/json", "code.json")


@pytest.mark.parametrize("status", [200, 400])
async def test_a_refused_download_is_raised_with_its_code_and_saves_nothing(tmp_path: Path, status: int) -> None:
    async with platform() as (sandbox, api, slept):
        message, _ = said(sandbox)
        sandbox.troubles[RESOURCE].append(refused(234003, status))
        with pytest.raises(ApiError) as error:
            await media.download(api, message, KEY, "file", tmp_path / "x", most=MB)
    assert (error.value.code, error.value.name, slept) == (234003, RESOURCE, [])
    assert os.listdir(tmp_path) == []


async def test_a_download_that_is_cut_begins_again(tmp_path: Path) -> None:
    to = tmp_path / "x"
    async with platform() as (sandbox, api, slept):
        message, sent = said(sandbox, 3 * MB)
        sandbox.world.refusals[KEY] = Refusal(0, after=2 * MB, times=2)
        await media.download(api, message, KEY, "file", to, most=4 * MB)
        assert to.read_bytes() == sent
        assert api.ledger.by_name[RESOURCE] == len(sandbox.seen[RESOURCE]) == 3
        assert len(slept) == 2


async def test_a_download_that_is_always_cut_is_unreachable_and_leaves_nothing(tmp_path: Path) -> None:
    async with platform() as (sandbox, api, _):
        message, _sent = said(sandbox, 300_000)
        sandbox.world.refusals[KEY] = Refusal(0, after=200_000)
        with pytest.raises(Unreachable, match="messageResource"):
            await media.download(api, message, KEY, "file", tmp_path / "x", most=MB)
    assert os.listdir(tmp_path) == []


async def test_errors_of_the_server_rate_limits_and_old_tokens_are_met_as_for_every_call(tmp_path: Path) -> None:
    limit = raw(b'{"code":99991400,"msg":"slow down"}', 429, x_ogw_ratelimit_reset="7")
    async with platform() as (sandbox, api, slept):
        message, sent = said(sandbox)
        await media.download(api, message, KEY, "file", tmp_path / "x", most=MB)
        sandbox.tokens.revoke()
        sandbox.troubles[RESOURCE].extend([limit, raw(b"Bad Gateway", 502)])
        await media.download(api, message, KEY, "file", tmp_path / "x", most=MB)
        assert slept[:2] == [0.0, 7.0]
        assert len(slept) == 3
        assert (tmp_path / "x").read_bytes() == sent


async def test_a_download_beyond_the_quota_is_not_sent(tmp_path: Path) -> None:
    async with platform(quota=1) as (sandbox, api, _):
        message, _sent = said(sandbox)
        with pytest.raises(QuotaExhausted):
            await media.download(api, message, KEY, "file", tmp_path / "x", most=MB)
        assert sandbox.seen[RESOURCE] == []


@pytest.mark.parametrize("announced", [True, False])
async def test_a_download_above_the_limit_is_given_up(tmp_path: Path, announced: bool) -> None:
    async def in_pieces(call: Call, _: Answer) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Disposition": "attachment"})
        await response.prepare(call.request)
        for _ in range(100):
            await response.write(b"x" * 65_536)
        return response

    async with platform() as (sandbox, api, slept):
        message, _sent = said(sandbox, 3 * MB)
        if not announced:
            sandbox.troubles[RESOURCE].append(in_pieces)
        with pytest.raises(TooLarge):
            await media.download(api, message, KEY, "file", tmp_path / "x", most=2 * MB)
    assert slept == []
    assert os.listdir(tmp_path) == []


async def test_a_full_disk_is_a_storage_error_and_gives_its_space_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(streams, "_written", full)
    async with platform() as (sandbox, api, _):
        message, _sent = said(sandbox)
        with pytest.raises(StorageError, match="No space left"):
            await media.download(api, message, KEY, "file", tmp_path / "x", most=MB)
        assert len(sandbox.seen[RESOURCE]) == 1
    assert os.listdir(tmp_path) == []


async def test_a_hostile_key_stays_a_part_of_the_path(tmp_path: Path) -> None:
    async with platform() as (sandbox, api, _):
        message, _sent = said(sandbox)
        for key in ("../../../auth/v3/x", "a?type=image#b", "%2e%2e", "…"):
            with pytest.raises(ApiError):
                await media.download(api, message, key, "file", tmp_path / "x", most=MB)
        assert [call.path["file_key"] for call in sandbox.seen[RESOURCE]][:2] == [
            "../../../auth/v3/x",
            "a?type=image#b",
        ]


@pytest.mark.parametrize("image", [True, False])
async def test_a_small_file_is_uploaded_in_one_call_for_its_base(tmp_path: Path, image: bool) -> None:
    async with platform() as (sandbox, api, _):
        file = a_file(tmp_path / "x", 300_001, image=image)
        token, kept = await upload(sandbox, api, file)
        found = there(sandbox, token)
        assert checksum(found.path) == file.checksum
        assert (found.name, found.parent_type) == ("报告.pdf", "bitable_image" if image else "bitable_file")
        assert (len(sandbox.seen[UPLOAD]), len(sandbox.seen[PREPARE]), kept) == (1, 0, [])


async def test_a_large_file_is_uploaded_in_parts(tmp_path: Path) -> None:
    async with platform() as (sandbox, api, _):
        file = a_file(tmp_path / "x", 25 * MB + 3)
        token, kept = await upload(sandbox, api, file)
        assert checksum(there(sandbox, token).path) == file.checksum
        assert [parts.done for parts in kept] == list(range(8))
        assert kept[0].until == NOVEMBER + DAY
        calls = {name: len(sandbox.seen[name]) for name in (UPLOAD, PREPARE, PART, FINISH)}
        assert calls == {UPLOAD: 0, PREPARE: 1, PART: 7, FINISH: 1}


async def test_an_upload_in_parts_goes_on_where_it_was(tmp_path: Path) -> None:
    async with platform() as (sandbox, api, _):
        file = a_file(tmp_path / "x", 25 * MB)
        sandbox.troubles[FINISH].append(refused(1061043))
        kept: list[Parts] = []
        base = sandbox.tables.app_token
        with pytest.raises(ApiError, match="1061043"):
            await media.upload(api, base, file, parts=None, keep=kept.append, now=lambda: NOVEMBER)
        token, further = await upload(sandbox, api, file, kept[4])
        assert [parts.done for parts in further] == [5, 6, 7]
        assert len(sandbox.seen[PREPARE]) == 1
        assert checksum(there(sandbox, token).path) == file.checksum


@pytest.mark.parametrize("old", ["forgotten by the platform", "older than a day"])
async def test_an_upload_that_cannot_go_on_begins_anew(tmp_path: Path, old: str) -> None:
    parts = Parts("7000000000000000000", 4 * MB, 6, 3, NOVEMBER + (DAY if old.startswith("forgotten") else 0))
    async with platform() as (sandbox, api, _):
        file = a_file(tmp_path / "x", 21 * MB)
        token, kept = await upload(sandbox, api, file, replace(parts, blocks=6))
        assert there(sandbox, token).size == file.size
        assert kept[0].done == 0
        assert len(sandbox.seen[PART]) == (7 if old.startswith("forgotten") else 6)


async def test_an_upload_that_is_told_to_retry_does(tmp_path: Path) -> None:
    async with platform() as (sandbox, api, _):
        sandbox.troubles[UPLOAD].extend([refused(1061045, 400), answer_lost, raw(b"", 504)])
        token, _kept = await upload(sandbox, api, a_file(tmp_path / "x", 9 * MB))
        assert there(sandbox, token).size == 9 * MB
        assert len(sandbox.seen[UPLOAD]) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"block_size": 0},
        {"block_size": 1 << 40},
        {"block_size": 1024, "block_num": 21 * 1024},
        {"block_num": 2},
        {"upload_id": None},
    ],
)
async def test_an_upload_that_is_not_explained_is_unreachable(tmp_path: Path, change: dict[str, Any]) -> None:
    async def wrong(_call: Call, _answer: Answer) -> dict[str, Any]:
        return {"upload_id": "7", "block_size": 4 * MB, "block_num": 6, **change}

    async with platform() as (sandbox, api, _):
        sandbox.troubles[PREPARE].append(wrong)
        with pytest.raises(Unreachable, match="does not say how"):
            await upload(sandbox, api, a_file(tmp_path / "x", 21 * MB))
        assert sandbox.seen[PART] == []


async def test_a_file_that_became_shorter_is_not_uploaded(tmp_path: Path) -> None:
    async with platform() as (sandbox, api, _):
        file = a_file(tmp_path / "x", 2 * MB)
        file.path.write_bytes(b"short")
        with pytest.raises(Unreachable):
            await upload(sandbox, api, file)


async def test_sixty_megabytes_go_through_without_being_in_memory(tmp_path: Path) -> None:
    size = 60 * MB
    async with platform() as (sandbox, api, _):
        key = "file_v3_000002_media"
        world = sandbox.world
        world.resources[key] = Resource(key, "录像.mp4", "file", size, seed=1)
        chat = next(iter(world.chats.values()))
        message = world.say(chat, next(iter(chat.members)), "file", f'{{"file_key":"{key}"}}').message_id
        tracemalloc.start()
        try:
            found = await media.download(api, message, key, "file", tmp_path / "x", most=100 * MB)
            file = File(tmp_path / "x", "录像.mp4", found.size, found.checksum, image=False)
            token, _kept = await upload(sandbox, api, file)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert there(sandbox, token).size == size
    assert peak < 20 * MB  # Of which the sandbox, in the same process, has two blocks of 4 MB.
