"""The whole program on a disk that refuses: nothing is acknowledged, it is told what to do, it goes on by itself."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import activity_table
import orjson
import pytest
from application import witnessed
from faulty_disk import FULL, READ_ONLY, FaultyDisk
from sandbox_client import until

from core.app import Application
from core.disk.upkeep import CHECKED, RUNNING
from core.errors import Damaged
from core.loading.plugins import load
from core.settings import PluginSettings, load_settings
from core.storage.sqlite import SqliteEngine
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

ACTIVITY = {"activity": PluginSettings(enabled=True)}


@asynccontextmanager
async def running(sandbox: Sandbox, directory: Path, disk: FaultyDisk) -> AsyncIterator[Application]:
    fast = {"RETRY_DELAY": "0.02", "API_MONTHLY_QUOTA": "1000000", "CHAT_ID": ""}
    env = {**sandbox.environment(), **fast, "DATA_DIR": str(directory)}
    settings = load_settings(env, needs_credentials=True)
    engine = SqliteEngine(directory, disk.connect)
    application = Application(settings, load(ACTIVITY, env, Path("plugins.toml")), engine=engine)
    ended = asyncio.create_task(application.run())
    await asyncio.sleep(0)
    try:
        await until(lambda: ended.done() or application.status().state == "healthy")
        yield application
        assert not ended.done(), "the program ended by itself"
    finally:
        application.stop()
        await asyncio.wait([ended])
        ended.result()


def say(sandbox: Sandbox) -> None:
    chat = next(iter(sandbox.world.chats.values()))
    content = orjson.dumps({"text": "你好世界"}).decode()
    sandbox.world.say(chat, next(iter(chat.members)), "text", content)


@pytest.mark.parametrize(("fault", "advice"), [(FULL, "free space"), (READ_ONLY, "writable")])
async def test_nothing_is_acknowledged_until_the_disk_takes_it(
    tmp_path: Path, fault: tuple[int, str], advice: str
) -> None:
    disk = FaultyDisk()
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False, retry_factor=0.02)) as sandbox:
        events = witnessed(sandbox)
        async with running(sandbox, tmp_path, disk) as application:
            say(sandbox)
            await sandbox.gateway.delivery.emptied()
            acked = sandbox.gateway.delivery.document()["acked"]
            disk.fault = fault
            since = time.monotonic()
            for _ in range(5):
                say(sandbox)
            await until(lambda: application.status().state == "unhealthy")
            print(f"disk {fault[1]!r}: unhealthy after {time.monotonic() - since:.2f} s", end=", ")
            assert any(advice in reason for reason in application.status().reasons)
            assert sandbox.gateway.delivery.document()["acked"] == acked
            await asyncio.sleep(1.5)  # Every part of the program meets the disk meanwhile; none may end.
            disk.fault, since = None, time.monotonic()
            await until(lambda: not application.status().journal.problem)
            print(f"stored again after {time.monotonic() - since:.2f} s", end=", ")
            await sandbox.gateway.delivery.emptied()
            await until(lambda: all(one.idle_at >= application.journal.head for one in application.consumers))
            await until(lambda: application.status().state != "unhealthy")
            print(f"unhealthy no more after {time.monotonic() - since:.2f} s")
            assert sandbox.gateway.delivery.document()["acked"] == len(events) == 6
        rows = list(sandbox._records(sandbox.tables.app_token, sandbox.tables.activity)["items"])
        assert activity_table.shown(rows) == activity_table.expected(events)


async def test_the_program_does_not_start_on_damaged_data(tmp_path: Path) -> None:
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        async with running(sandbox, tmp_path, FaultyDisk()) as application:
            for _ in range(20):
                say(sandbox)
            await sandbox.gateway.delivery.emptied()
        store = SqliteEngine(tmp_path).store()
        assert not store.note(RUNNING)  # A clean end.
        assert store.note(CHECKED)
        store.set_note(RUNNING, "1")  # As after a power cut.
        store.close()
        _hurt(tmp_path / "journal.db")
        with pytest.raises(Damaged, match=r"journal\.db: the file is damaged: .*core restore DIR"):
            async with running(sandbox, tmp_path, FaultyDisk()) as application:
                assert application.status().state != "healthy"


def _hurt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-4096:-2048] = os.urandom(2048)
    path.write_bytes(content)
