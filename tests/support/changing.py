"""A program whose plugins come and go while it runs, against a sandbox; its plugins are written by the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from sandbox_client import until

from core import Config, Context, Manifest, Message, Number, Table, Text
from core.app import Application, milliseconds
from core.errors import ConfigurationError
from core.loading.fitness import Hook
from core.loading.plugins import Loaded, Plugin, Unfit
from core.running.reload import PluginsFile, Reload
from core.settings import load_settings
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

COUNTS = Table(
    "counts",
    (Text("user", "用户ID"), Text("period", "统计周期"), Number("count", "发言次数")),
    key=("user", "period"),
    setting="BITABLE_TABLE_ID",
)


class Weight(Config):
    """What a message counts."""

    weight: int = 1


@cache
def counter(name: str, *, weight: int = 1, table_id: str = "", held: threading.Event | None = None) -> Plugin:
    """A plugin that counts messages of each person; it blocks its thread at ``hang`` until ``held`` is set.

    The same arguments give the same plugin, as the same section of a file does.
    """

    async def on_message(message: Message, ctx: Context[Weight]) -> None:
        if held is not None and "hang" in str(message.content):
            held.wait(30)
        if message.sender is not None:
            ctx.table(COUNTS).add(message.sender.open_id, "2026-11", count=ctx.config.weight)

    hooks = {"on_message": Hook(on_message, ("message", "ctx"))}
    manifest = Manifest(name, "Counts.", tables=(COUNTS,), config=Weight)
    return Plugin(manifest, Weight(weight=weight), hooks, {COUNTS: table_id})


class Program:
    """The running program, and the file that says what it should run."""

    def __init__(self, application: Application, sandbox: Sandbox, file: Path) -> None:
        self.application = application
        self.sandbox = sandbox
        self._file = file
        self._edits = 0
        self.loaded: Loaded | ConfigurationError = Loaded(())

    def load(self) -> Loaded:
        """What the file says."""
        if isinstance(self.loaded, ConfigurationError):
            raise self.loaded
        return self.loaded

    def edit(self, *plugins: Plugin, unfit: tuple[Unfit, ...] = (), error: ConfigurationError | None = None) -> None:
        """Somebody changes the file."""
        self.loaded = error or Loaded(plugins, unfit)
        self._edits += 1
        self._file.write_text(f"# {self._edits}\n", "utf-8")

    async def change(self, *plugins: Plugin, **given: Any) -> None:
        """Somebody changes the file, and the program runs by it."""
        self.edit(*plugins, **given)
        wanted = list(plugins)
        roster = self.application.roster
        await until(lambda: list(roster.plugins) == wanted and roster.settled and self.phases() == {"running"})

    def phases(self) -> set[str]:
        """Of the plugins that run."""
        return {consumer.status(None, 0).phase for consumer in self.application.consumers} or {"running"}

    def problem(self, name: str) -> str:
        """What the status says about a plugin."""
        return next((one.problem for one in self.application.status().plugins if one.name == name), "")

    async def say(self, text: str = "你好", count: int = 1) -> None:
        """The first member writes; returns when that is in the journal."""
        chat = next(iter(self.sandbox.world.chats.values()))
        before = self.application.journal.head
        for _ in range(count):
            self.sandbox.world.say(chat, next(iter(chat.members)), "text", orjson.dumps({"text": text}).decode())
        await until(lambda: self.application.journal.head >= before + count)

    async def idle(self) -> None:
        """Returns when nothing is left to do."""
        await until(lambda: self.application.idle)

    def counted(self, name: str) -> int:
        """How much the plugin counted for everybody."""
        with closing(self.application._engine.store()) as store:
            return sum(int(row["count"]) for row in store.scan(name, COUNTS))

    def shown(self, table_id: str) -> int:
        """The same in Bitable."""
        found = self.sandbox._records(self.sandbox.tables.app_token, table_id)["items"]
        return sum(int(item["fields"].get("发言次数") or 0) for item in found)

    def other_table(self) -> str:
        """The ID of another table in the base, with the same columns."""
        there = self.sandbox.bases.find(self.sandbox.tables.app_token).table(self.sandbox.tables.activity)
        specs = [{"field_name": field.name, "type": field.type} for field in there.fields]
        return str(there.base.create_table("另一张", specs).table_id)


@asynccontextmanager
async def changing(
    directory: Path, *plugins: Plugin, clock: Callable[[], int] = milliseconds, **more: str
) -> AsyncIterator[Program]:
    """A quiet group, and a program that looks at its file every few milliseconds; it never connects twice."""
    file = directory / "plugins.toml"
    file.write_text("# 0\n", "utf-8")
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        fast = {"RETRY_DELAY": "0.02", "API_MONTHLY_QUOTA": "1000000", "CHAT_ID": ""}
        env = {**sandbox.environment(), **fast, "DATA_DIR": str(directory / "data"), **more}
        reload = Reload(PluginsFile(file), lambda: program.load(), every=0.01)
        settings = load_settings(env, needs_credentials=True)
        application = Application(settings, plugins, reload=reload, clock=clock, tick=0.02)
        program = Program(application, sandbox, file)
        ended = asyncio.create_task(application.run())
        try:
            await until(
                lambda: application.connection.status().phase == "connected" and program.phases() == {"running"}
            )
            yield program
            assert sandbox.gateway.accepted == 1
        finally:
            application.stop()
            await asyncio.wait([ended])
        ended.result()
