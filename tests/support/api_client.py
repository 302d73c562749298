"""The API transport with everything around it in the test's hand: clock, sleep and the month's calls."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

from core.feishu.ledger import Ledger
from core.feishu.transport import Api
from sandbox.server import Sandbox

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOVEMBER = 1_793_500_000_000
"""2026-11-01 10:26:40 in Shanghai, ms UTC."""
DAY = 86_400_000


class Clock:
    """ms UTC, as the test sets them."""

    def __init__(self, now: int = NOVEMBER) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Calls:
    """The month's calls, in memory."""

    def __init__(self) -> None:
        self.by_day: dict[str, Counter[str]] = defaultdict(Counter)

    def count_call(self, day: str, name: str) -> None:
        self.by_day[day][name] += 1

    def calls(self, month: str) -> dict[str, int]:
        return dict(sum((calls for day, calls in self.by_day.items() if day.startswith(month)), Counter()))

    def calls_since(self, day: str) -> dict[str, int]:
        return {one: calls.total() for one, calls in self.by_day.items() if one >= day}


class Sleep:
    """Remembers how long it was to sleep and returns at once."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def client(
    url: str, app_id: str, secret: str, *, quota: int = 10_000, clock: Clock | None = None, calls: Calls | None = None
) -> AsyncIterator[tuple[Api, Sleep]]:
    """An ``Api`` with these credentials."""
    sleep = Sleep()
    ledger = Ledger(calls or Calls(), quota, SHANGHAI, clock or Clock())
    async with Api(url, app_id, secret, ledger, sleep=sleep) as api:
        yield api, sleep


@asynccontextmanager
async def client_of(sandbox: Sandbox, *, quota: int = 10_000) -> AsyncIterator[tuple[Api, Sleep]]:
    """An ``Api`` that is the sandbox's app."""
    app = sandbox.world.app
    async with client(sandbox.url, app.app_id, app.secret, quota=quota) as made:
        yield made
