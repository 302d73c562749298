"""The platform as plugins reach it from their own threads; the work is done on the main loop, where the session is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from .feishu.ledger import Ledger
from .feishu.sdk import execute
from .feishu.transport import Api
from .groups import Groups
from .people import People
from .platform import Budget

T = TypeVar("T")


class Access:
    """The connected platform; make it on the main loop, call it from any."""

    def __init__(self, api: Api, ledger: Ledger, people: People, groups: Groups) -> None:
        self._api = api
        self._ledger = ledger
        self._people = people
        self._groups = groups
        self._loop = asyncio.get_running_loop()

    async def call(self, request: Any) -> dict[str, Any]:
        """Execute a request object of the official SDK; its answer's ``data``."""
        return await self._there(execute(self._api, request))

    async def groups(self) -> tuple[str, ...]:
        """The watched groups."""
        return await self._there(self._groups.watched())

    async def names(self, open_ids: Sequence[str]) -> dict[str, str]:
        """The names that can be known, by open_id."""
        return await self._there(self._named(open_ids))

    def budget(self) -> Budget:
        """The month's API calls now."""
        return self._ledger.budget()

    async def _named(self, open_ids: Sequence[str]) -> dict[str, str]:
        await self._people.learn(open_ids)
        return self._people.names(open_ids)

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
