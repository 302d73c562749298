"""The whole program with the archive plugin against the bundled scenario: both tables in Bitable equal the account."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import archive_account
import pytest
from application import witnessed

from core.app import Application, milliseconds
from core.loading.plugins import load
from core.settings import PluginSettings, load_settings
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

ARCHIVE = {"archive": PluginSettings(enabled=True, config={"summary_quiet_minutes": 0})}
SECONDS = 90.0
Fields = dict[str, Any]


async def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        await asyncio.sleep(0.02)


def table(sandbox: Sandbox, table_id: str, key: str) -> dict[str, Fields]:
    """The cells of a table by its key; fails when a key is there twice."""
    records = sandbox._records(sandbox.tables.app_token, table_id)["items"]
    rows = {text(record["fields"][key]): record["fields"] for record in records}
    assert len(rows) == len(records)
    return rows


def text(cell: Any) -> str:
    return cell if isinstance(cell, str) else "".join(part["text"] for part in cell or ())


def person(cell: Any) -> str:
    return cell[0]["id"] if cell else ""


@pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.
async def test_both_tables_equal_an_independent_account(tmp_path: Path) -> None:
    sandbox = Sandbox(SandboxConfig(rate_limits=False))
    events = witnessed(sandbox)
    async with sandbox:
        fast = {"RETRY_DELAY": "0.02", "API_MONTHLY_QUOTA": "1000000", "CHAT_ID": "", "ATTACHMENTS": "off"}
        env = {**sandbox.environment(), **fast, "DATA_DIR": str(tmp_path)}
        application = Application(load_settings(env, needs_credentials=True), load(ARCHIVE, env, Path("plugins.toml")))
        running = asyncio.create_task(application.run())

        def written() -> bool:
            assert not running.done(), running.exception()
            topics = table(sandbox, sandbox.tables.summary, "话题ID").values()
            return (
                application.idle and application.journal.head >= len(events) and all(one.get("摘要") for one in topics)
            )

        try:
            await sandbox.played()
            await until(written, "everything to be written")
        finally:
            application.stop()
            await asyncio.wait([running])
        names = {one.open_id: one.name for one in sandbox.world.people.everybody()}

        expected = archive_account.archive(events)
        assert len(expected) > 2500
        shown = table(sandbox, sandbox.tables.archive, "消息ID")
        assert shown.keys() == expected.keys()
        for message_id, row in expected.items():
            cells = shown[message_id]
            assert text(cells.get("话题ID")) == row["话题ID"]
            assert text(cells.get("父消息ID")) == row["父消息ID"]
            assert person(cells.get("发送者")) == row["发送者"]
            assert text(cells.get("发送者姓名")) == names[row["发送者"]]
            assert cells["消息类型"] == row["消息类型"]
            assert cells["发送时间"] == row["发送时间"]
            assert text(cells.get("统计月份")) == row["统计月份"]
            assert cells["消息链接"]["link"] == row["消息链接"]
            assert text(cells.get("@的人")) == row["@的人"]
            if row["消息内容"] is not None:
                assert text(cells.get("消息内容")) == row["消息内容"]
            else:
                assert text(cells.get("消息内容")) or row["消息类型"] == "post"  # One of them is empty.

        told = archive_account.topics(events, milliseconds())
        assert len(told) > 100
        topics = table(sandbox, sandbox.tables.summary, "话题ID")
        assert topics.keys() == told.keys()
        for topic_id, row in told.items():
            cells = topics[topic_id]
            if row["话题标题"] is not None:
                assert text(cells["话题标题"]) == row["话题标题"]
            assert person(cells.get("发起人")) == row["发起人"]
            assert text(cells.get("发起人姓名")) == names.get(row["发起人"], "")
            assert cells.get("创建时间") == row["创建时间"]
            assert cells["最后回复时间"] == row["最后回复时间"]
            assert (cells["回复数"], cells["参与人数"]) == (row["回复数"], row["参与人数"])
            assert text(cells["参与者"]) == ", ".join(names[one] for one in row["参与者"])
            assert cells["话题状态"] == row["话题状态"]
            assert text(cells["统计月份"]) == row["统计月份"]
            assert cells["话题链接"]["link"] == row["话题链接"]
        forwards = [text(shown[one]["消息内容"]) for one, row in expected.items() if row["消息类型"] == "merge_forward"]
        assert forwards
        assert all(len(forward.splitlines()) > 1 for forward in forwards)
        calls = sandbox.calls.document()
        assert calls["total"] < 120
