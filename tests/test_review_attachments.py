"""What a review found in the fetching of attachments, named after what went wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from attachment_stage import MB, PART, PREPARE, RESOURCE, UPLOAD, staged
from sandbox_client import until
from unruly import refused

from core.attachments.fetching import MOST_ATTEMPTS
from core.attachments.files import AttachmentFiles
from core.errors import ApiError


async def test_a_busy_platform_had_an_upload_in_parts_begin_from_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        upload, asked = stage.service._api.upload, [0]

        async def busy(operation: Any, *given: Any) -> dict[str, Any]:
            if operation.name == PART:
                asked[0] += 1
                if asked[0] == 4:
                    raise ApiError(PART, 99991400, "request trigger frequency limit", passing=True)
            return await upload(operation, *given)

        stage.service._api.upload = busy  # type: ignore[method-assign]
        stage.want(24 * MB)
        await until(lambda: asked[0] == 4 and not stage.service.busy)
        stage.pass_time(61)
        assert (await stage.outcome())["problem"] == ""
        assert stage.calls(PREPARE) == [1]


async def test_a_download_whose_upload_failed_stayed_on_disk(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.sandbox.troubles[UPLOAD].extend([refused(1061002, 400)] * 200)
        key = stage.want(1 * MB)
        await until(lambda: stage.calls(UPLOAD) == [1] and not stage.service._running)
        assert stage.on_the_way() == []
        assert (await stage.outcome_in_time(hours=24))["file_key"] == key
        assert stage.calls(UPLOAD) == [MOST_ATTEMPTS]
        assert stage.on_the_way() == []


async def test_for_want_of_a_permission_an_attachment_was_given_up(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        key, other = stage.resource(), stage.resource()
        stage.refuse(key, 230027)
        stage.ask(stage.say(key), key)
        stage.ask(stage.say(other), other)
        assert (await stage.outcome())["file_key"] == other, "the others do not wait for it"
        for attempts in range(1, MOST_ATTEMPTS + 3):
            await until(lambda a=attempts: stage.calls(RESOURCE) == [a + 1] and not stage.service._running)
            stage.pass_time(86_400)
        assert len(stage.outcomes) == 1
        del stage.sandbox.world.refusals[key]
        assert (await stage.outcome_in_time(2))["problem"] == ""


def test_a_copy_was_told_before_its_place_was_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = AttachmentFiles(tmp_path)
    files.tidy([])
    files.partial("img_1").write_bytes(b"an image")
    synced: list[int] = []
    sync = os.fsync

    def fsync(number: int) -> None:
        synced.append(os.fstat(number).st_ino)
        sync(number)

    monkeypatch.setattr(os, "fsync", fsync)
    kept = tmp_path / files.keep("img_1", "计划.png", "2026-11")
    assert kept.read_bytes() == b"an image"
    assert synced == [kept.parent.stat().st_ino, kept.parent.parent.stat().st_ino]
