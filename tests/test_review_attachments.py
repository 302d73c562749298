"""What a review found in the fetching of attachments, named after what went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attachment_stage import MB, PART, PREPARE, staged
from sandbox_client import until

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
