"""``run --sandbox``: the offline platform as a child process, and the settings that point at it."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import orjson

from .errors import LarkflockError

UNLIMITED: Final = "1000000"
START_TIMEOUT: Final = 60.0


class SandboxFailed(LarkflockError):
    """The sandbox did not start, or ended too early; its own words are on standard error."""


class SandboxProcess:
    """The running sandbox; it ends with this program, also when this program is killed."""

    def __init__(self, process: asyncio.subprocess.Process, environment: dict[str, str]) -> None:
        self._process = process
        self.environment = environment
        """The settings that the sandbox wants its client to have."""

    @classmethod
    async def start(cls, options: Sequence[str]) -> Self:
        """Start ``python -m sandbox`` with ``options`` and wait until it is ready. Raises ``SandboxFailed``."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "sandbox", "--json", "--stdin-eof", *options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl+C is for us: the sandbox has to live until the last flush.
        )
        try:
            async with asyncio.timeout(START_TIMEOUT):
                line = await process.stdout.readline() if process.stdout else b""
            return cls(process, orjson.loads(line))
        except (TimeoutError, orjson.JSONDecodeError) as error:
            if process.returncode is None:
                process.kill()
            await process.wait()
            raise SandboxFailed("the sandbox did not start; see the lines above") from error

    @property
    def gone(self) -> int | None:
        """The exit code with which it has ended; None while it runs."""
        return self._process.returncode

    async def ended(self) -> None:
        """Returns when it ends by itself."""
        await self._process.wait()

    async def stats(self) -> dict[str, Any]:
        """How far its scenario is and what it pushed; empty while it does not answer."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
                session.get(f"{self.environment['FEISHU_BASE_URL']}/sandbox/stats") as response,
            ):
                return dict(orjson.loads(await response.read()))
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
            return {}

    @staticmethod
    def over(stats: dict[str, Any]) -> bool:
        """Whether everything was played, and acknowledged or given up."""
        if not stats:
            return False
        under_way = ("waiting", "in_flight", "scheduled")
        return bool(stats["scenario"]["done"]) and not any(stats["pushes"][name] for name in under_way)

    async def stop(self) -> None:
        """End it; at most 5 s."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def empty(directory: Path, *, keep: str) -> None:
    """Start from nothing: every trial's people and messages are the same, so old rows would look like duplicates."""
    for entry in directory.iterdir():
        if entry.name != keep:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
