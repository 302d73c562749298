"""A plugin's new version in the whole program: its rows are carried over, or it alone is kept back and says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from sandbox_client import until

from core import Config, Context, Manifest, Message, Number, Table, Text
from core.app import Application
from core.loading.plugins import Hook, Plugin
from core.settings import load_settings
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

FIRST = Table("counts", (Text("who", "谁"), Number("messages", "条数")), key=("who",))
SECOND = Table("counts", (*FIRST.columns, Number("characters", "字数"), Text("last", "最后一条")), key=("who",))
THIRD = Table("counts", (Text("who", "谁"), Text("messages", "条数")), key=("who",))
OTHER_KEY = Table("counts", (*FIRST.columns, Text("chat", "群")), key=("who", "chat"))


def version(table: Table, name: str = "counter") -> Plugin:
    """The plugin that keeps ``table``."""

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        row = ctx.table(table)
        row.add(message.sender.open_id, messages=1)
        if table is SECOND:
            row.set(message.sender.open_id, characters=3, last=message.id)

    manifest = Manifest(name, "Counts.", tables=(table,), permissions=("im:message.group_msg",))
    return Plugin(manifest, Config(), {"on_message": Hook(on_message, ("message", "ctx"))}, {})


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as found:
        yield found


@asynccontextmanager
async def running(sandbox: Sandbox, directory: Path, *plugins: Plugin) -> AsyncIterator[Application]:
    env = {**sandbox.environment(), "CHAT_ID": "", "DATA_DIR": str(directory), "API_MONTHLY_QUOTA": "1000000"}
    application = Application(load_settings(env, needs_credentials=True), plugins, tick=0.05)
    ended = asyncio.create_task(application.run())
    try:
        yield application
    finally:
        application.stop()
        await ended


async def say(sandbox: Sandbox, application: Application, text: str) -> str:
    """Somebody speaks, and whoever is at work has heard it."""
    await until(lambda: application.status().connection.phase == "connected")
    chat = next(iter(sandbox.world.chats.values()))
    sender, before = next(iter(chat.members)), application.journal.head
    sandbox.world.say(chat, sender, "text", orjson.dumps({"text": text}).decode())
    await until(lambda: application.journal.head > before)
    await until(lambda: all(one.idle_at >= application.journal.head for one in application.consumers))
    return sender


async def test_new_columns_come_beside_the_rows_that_are_there(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running(sandbox, tmp_path, version(FIRST)) as application:
        who = await say(sandbox, application, "one")
    async with running(sandbox, tmp_path, version(SECOND)) as application:
        await say(sandbox, application, "two")
        found = application._store.get("counter", SECOND, (who,))
    assert found is not None
    assert (found["messages"], found["characters"]) == (2, 3)
    assert found["last"].startswith("om_")


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (THIRD, "column messages is stored as a number and cannot become text"),
        (OTHER_KEY, "its key was who and cannot become who, chat"),
    ],
    ids=["kind", "key"],
)
async def test_a_table_that_cannot_change_keeps_its_plugin_back_and_nobody_else(
    sandbox: Sandbox, tmp_path: Path, table: Table, why: str
) -> None:
    async with running(sandbox, tmp_path, version(FIRST)) as application:
        who = await say(sandbox, application, "one")
    async with running(sandbox, tmp_path, version(table), version(FIRST, "other")) as application:
        await say(sandbox, application, "two")
        [kept_back] = [one for one in application.status().plugins if one.name == "counter"]
        assert why in kept_back.problem
        assert application.status().state == "degraded"
        other = application._store.get("other", FIRST, (who,))
    assert other == {"who": who, "messages": 1}
    async with running(sandbox, tmp_path, version(FIRST)) as application:
        await until(lambda: all(one.idle_at >= application.journal.head for one in application.consumers))
        found = application._store.get("counter", FIRST, (who,))
    assert found == {"who": who, "messages": 2}  # What was said meanwhile has waited.
