"""The two programs as an operator starts them: ``python -m sandbox`` and ``python -m core run``, real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientSession

ROOT = Path(__file__).parents[2]
SECONDS = 40.0
"""How long anything may take on a busy machine."""
PLUGINS = "[plugins.activity]\nenabled = true\n"


class SandboxProgram:
    """A sandbox process; its answers to the questions tests ask."""

    def __init__(self, environment: dict[str, str], session: ClientSession) -> None:
        self.environment = environment
        self._session = session

    async def get(self, path: str) -> Any:
        """The answer below ``/sandbox``."""
        async with self._session.get(f"{self.environment['FEISHU_BASE_URL']}/sandbox/{path}") as answer:
            return orjson.loads(await answer.read())

    async def post(self, path: str, body: Any = None) -> Any:
        """The same for what changes something."""
        url = f"{self.environment['FEISHU_BASE_URL']}/sandbox/{path}"
        async with self._session.post(url, data=orjson.dumps(body)) as answer:
            assert answer.status == 200, await answer.text()
            return orjson.loads(await answer.read())

    async def stats(self) -> dict[str, Any]:
        """Connections, pushes, the scenario and API calls."""
        return dict(await self.get("stats"))

    async def rows(self) -> list[dict[str, Any]]:
        """The activity table."""
        base, table = self.environment["BITABLE_APP_TOKEN"], self.environment["BITABLE_TABLE_ID"]
        return list((await self.get(f"tables/{base}/{table}"))["items"])

    async def until(self, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Returns when ``true`` of the stats holds."""
        deadline = time.monotonic() + SECONDS
        while not true(stats := await self.stats()):
            assert time.monotonic() < deadline, f"waited too long: {stats}"
            await asyncio.sleep(0.01)
        return stats


@asynccontextmanager
async def sandbox_program(*options: str) -> AsyncIterator[SandboxProgram]:
    """``python -m sandbox`` with ``options``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "sandbox", "--json", "--stdin-eof", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        environment = orjson.loads(await asyncio.wait_for(process.stdout.readline(), SECONDS))
        async with ClientSession() as session:
            yield SandboxProgram(environment, session)
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), SECONDS)


class CoreProgram:
    """A ``core run`` process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def signal(self, number: signal.Signals) -> None:
        """Send a signal that does not end it."""
        self._process.send_signal(number)

    async def kill(self) -> None:
        """``kill -9``."""
        self._process.kill()
        await self._process.communicate()

    async def end(self, number: signal.Signals) -> tuple[int, str]:
        """The exit code, and everything it said on standard error."""
        self._process.send_signal(number)
        _, said = await asyncio.wait_for(self._process.communicate(), SECONDS)
        assert self._process.returncode is not None
        return self._process.returncode, said.decode()


def core_environment(sandbox: SandboxProgram, **more: str) -> dict[str, str]:
    """What a ``core`` process finds in its environment."""
    settings = {"RETRY_DELAY": "0.05", "API_MONTHLY_QUOTA": "1000000", "CHAT_ID": ""}
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **sandbox.environment, **settings, **more}


@asynccontextmanager
async def core_program(
    directory: Path, sandbox: SandboxProgram, *, plugins: str = PLUGINS, **more: str
) -> AsyncIterator[CoreProgram]:
    """``python -m core run --plain`` in ``directory``, where its data, logs and plugins.toml are."""
    (directory / "plugins.toml").write_text(plugins)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-W", "error", "-m", "core", "run", "--plain"),
        cwd=directory,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=core_environment(sandbox, **more),
    )
    try:
        yield CoreProgram(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
