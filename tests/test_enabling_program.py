"""Plugins enabled, configured and disabled while the real program runs: by command, by hand, and by mistake."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from plugin_package import install
from programs import ROOT, SECONDS, SandboxProgram, core_environment, core_program, sandbox_program

from core.storage import open_engine
from sandbox import quiet

WORDS = """\
from core import Context, Manifest, Message, Number, Table, Text, hookimpl

COUNTS = Table("counts", (Text("chat"), Number("count")), key=("chat",))
manifest = Manifest(name="words", summary="Counts messages.", tables=(COUNTS,))


@hookimpl
async def on_message(message: Message, ctx: Context) -> None:
    ctx.table(COUNTS).add(message.chat_id, count=1)
"""


class Operator:
    """Somebody at the machine where the program runs."""

    def __init__(self, directory: Path, sandbox: SandboxProgram, environment: dict[str, str]) -> None:
        self.directory = directory
        self.file = directory / "plugins.toml"
        self._sandbox = sandbox
        self._environment = environment
        self._said = 0

    async def types(self, *words: str) -> tuple[int, str]:
        """``python -m core …``; its exit code and everything it prints."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-W", "error", "-m", "core", *words),
            cwd=self.directory,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await asyncio.wait_for(process.communicate(), SECONDS)
        return process.returncode or 0, printed.decode()

    async def says(self, count: int = 1) -> None:
        """Writes in the group."""
        cast = quiet.load(seed=1)
        for _ in range(count):
            self._said += 1
            who = {"chat": cast.chats[0].chat_id, "sender": cast.people[0].open_id, "message": f"om_{self._said:032x}"}
            await self._sandbox.post("acts", {"kind": "say", **who, "type": "text", "content": {"text": "你好"}})

    def handled(self, plugin: str) -> int:
        """How many events the plugin has handled."""
        with open_engine(self.directory / "data") as engine:
            store = engine.store()
            found = {consumer.plugin: consumer.handled for consumer in store.consumers()}
            store.close()
        return found.get(plugin, 0)

    async def score(self) -> float:
        """The score of who wrote, in Bitable."""
        rows = await self._sandbox.rows()
        return float(rows[0]["fields"].get("活跃度分数", 0)) if rows else 0.0


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Returns when the condition holds."""
    deadline = time.monotonic() + SECONDS
    while not await true():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.05)


async def status(port: int) -> dict[str, Any]:
    """What the health plugin answers; empty while there is none."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/status") as answer:
            return dict(orjson.loads(await answer.read()))
    except aiohttp.ClientError:
        return {}


async def test_plugins_come_change_and_go_under_one_connection(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site = tmp_path / "site"
    site.mkdir()
    more = {"HEALTH_CHECK_PORT": str(port), "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])}
    async with sandbox_program("--scenario", "quiet") as sandbox, core_program(tmp_path, sandbox, **more) as core:
        operator = Operator(tmp_path, sandbox, core_environment(sandbox, **more))
        await sandbox.until(lambda stats: stats["connections"] == 1)
        await operator.says(2)
        await sandbox.until(lambda stats: stats["pushes"]["acked"] == 2)

        install(site, "words", WORDS)  # A package that was not there when the program was started.
        code, printed = await operator.types("plugins", "enable", "words", "--from-start")
        assert (code, printed.splitlines()) == (
            0,
            [
                "words is enabled in plugins.toml.",
                "It begins with the oldest event that is kept.",
                "The running program takes that up within seconds.",
            ],
        )
        await until(lambda: settled(operator.handled("words") == 2))

        assert (await operator.types("plugins", "enable", "health"))[0] == 0
        await until(lambda: running(port, "activity", "words", "health"))

        right = operator.file.read_text("utf-8")
        operator.file.write_text(f"{right}\n[plugins.pin", "utf-8")
        await until(lambda: degraded(port, "is not TOML"))
        await operator.says()
        await until(lambda: settled(operator.handled("words") == 3))

        before = await operator.score()
        operator.file.write_text(f"{right}\n[plugins.activity.config]\nmessage = 100.0\n", "utf-8")
        await until(lambda: scored(operator, before + 200))
        assert (await status(port))["not_in_force"] == ""

        code, printed = await operator.types("plugins", "disable", "health")
        assert code == 0
        await until(lambda: gone(port))

        core.signal(signal.SIGHUP)
        await until(lambda: logged(tmp_path, "was read again: nothing is different"))
        stats = await sandbox.stats()
        assert (stats["connections"], stats["accepted"]) == (1, 1)
        code, said = await core.end(signal.SIGTERM)
        assert code == 0, said
        assert said.splitlines()[-1] == "Nothing is left to do."
        assert "Traceback" not in said
        assert said.count("is not TOML") == 1
        for change in ("words starts", "health starts", "activity starts anew", "health stops"):
            assert said.count(f"was read again: {change}.") == 1


async def settled(done: bool) -> bool:
    return done


async def running(port: int, *names: str) -> bool:
    told = {one["name"]: one["phase"] for one in (await status(port)).get("plugins", ())}
    return told == dict.fromkeys(names, "running")


async def degraded(port: int, why: str) -> bool:
    told = await status(port)
    return told.get("state") == "degraded" and why in told["not_in_force"]


async def scored(operator: Operator, least: float) -> bool:
    return await operator.score() > least


async def logged(directory: Path, words: str) -> bool:
    return any(words in file.read_text("utf-8") for file in (directory / "logs").glob("*.log"))


async def gone(port: int) -> bool:
    return not await status(port)
