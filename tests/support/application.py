"""The whole program in this process against a sandbox in this process: started, watched, and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from sandbox_client import until

from core import Config, Manifest, Table
from core.app import Application, Left, milliseconds
from core.loading.plugins import Hook, Plugin, load
from core.settings import PluginSettings, load_settings
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

ACTIVITY = {"activity": PluginSettings(enabled=True)}


class Clock:
    """Real time, and what the test adds to it; ms UTC."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return milliseconds() + self.ahead


class Running:
    """An application that was started."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.ended = asyncio.create_task(application.run())

    async def stop(self) -> Left:
        """End it as Ctrl+C does."""
        self.application.stop()
        return await self.ended

    def state(self) -> str:
        return self.application.status().state

    async def ready(self) -> None:
        """Returns when it is connected and every plugin is at work."""

        def working() -> bool:
            status = self.application.status()
            return status.state == "healthy" and all(one.phase == "running" for one in status.plugins)

        await until(working)

    async def handled(self) -> None:
        """Returns when every event is handled; rows may still wait for Bitable."""
        application = self.application
        await until(lambda: all(one.idle_at >= application.journal.head for one in application.consumers))


def environment(sandbox: Sandbox, directory: Path, **more: str) -> dict[str, str]:
    fast = {"RETRY_DELAY": "0.02", "API_MONTHLY_QUOTA": "1000000", "CHAT_ID": ""}
    return {**sandbox.environment(), **fast, "DATA_DIR": str(directory), **more}


@asynccontextmanager
async def running(
    sandbox: Sandbox,
    directory: Path,
    plugins: Sequence[Plugin] | None = None,
    clock: Callable[[], int] = milliseconds,
    **more: str,
) -> AsyncIterator[Running]:
    """The application, with the activity plugin unless told otherwise."""
    env = environment(sandbox, directory, **more)
    chosen = load(ACTIVITY, env, Path("plugins.toml")) if plugins is None else plugins
    run = Running(Application(load_settings(env, needs_credentials=True), chosen, clock=clock))
    await asyncio.sleep(0)  # Its first step makes the tables that its status speaks of.
    try:
        yield run
    finally:
        run.application.stop()
        await asyncio.wait([run.ended])


def witnessed(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Every event that the world announces from now on."""
    events: list[dict[str, Any]] = []
    push = sandbox.gateway.delivery.push

    def listen(event: bytes) -> None:
        events.append(orjson.loads(event))
        push(event)

    sandbox.world._listener = listen
    return events


def quiet(**given: Any) -> Sandbox:
    return Sandbox(SandboxConfig(scenario="quiet", rate_limits=False, **given))


def say(sandbox: Sandbox, text: str = "你好世界", sender: int = 0) -> str:
    chat = next(iter(sandbox.world.chats.values()))
    content = orjson.dumps({"text": text}).decode()
    return sandbox.world.say(chat, list(chat.members)[sender], "text", content).message_id


def rows(sandbox: Sandbox) -> list[dict[str, Any]]:
    return list(sandbox._records(sandbox.tables.app_token, sandbox.tables.activity)["items"])


def plugin(name: str, *, table_ids: dict[Table, str] | None = None, **given: Any) -> Plugin:
    """A plugin written in a test; functions are hooks, everything else is of the manifest."""
    hooks = {
        hook: Hook(given.pop(hook), arguments)
        for hook, arguments in (("on_message", ("message", "ctx")), ("on_event", ("event", "ctx")))
        if hook in given
    }
    return Plugin(Manifest(name, "a test", **given), Config(), hooks, table_ids or {})
