"""Write-behind to Bitable: when each table is written, at a pace the month's calls can bear.

One writer for all tables of the base, one call after another. A row that changed a hundred times between two flushes
is written once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from loguru import logger

from ..errors import ApiError, ApiFailure, StorageError
from ..feishu.ledger import Ledger
from ..pace import Pace
from .blueprint import TableMismatch
from .mirrored import MirroredTable

RETRY_AFTER: Final = 2_000
"""ms after which a table that could not be written is tried again: most of what is refused works a moment later."""
RETRY_GROWTH: Final = 4
"""The next wait is so many times as long: every try costs calls, and a table that stays broken few of them."""
LONGEST_RETRY: Final = 3_600_000
TICK: Final = 1.0
"""Seconds between two looks at whether a table is due."""


class Mirror:
    """Every mirrored table of the enabled plugins, flushed in turn as the budget allows."""

    def __init__(
        self,
        tables: Sequence[MirroredTable],
        pace: Pace,
        ledger: Ledger,
        *,
        clock: Callable[[], int],
        tick: float = TICK,
    ) -> None:
        self.tables = tuple(tables)
        self._pace = pace
        self._clock = clock
        self._tick = tick
        self._ledger = ledger
        self._busy = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._written_before = 0
        """Rows of tables that were released."""

    @property
    def written(self) -> int:
        """Rows written to Bitable since the start."""
        return self._written_before + sum(entry.written for entry in self.tables)

    async def run(self) -> None:
        """Flush what waits, table after table, until ``stop``."""
        while not self._stopping.is_set():
            for entry in self.tables:
                if self._due(entry) and self._wanted(entry):
                    await self.flush(entry)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._tick)

    def stop(self) -> None:
        """End ``run`` after the flush under way."""
        self._stopping.set()

    def add(self, entry: MirroredTable) -> None:
        """From now on this table is written too."""
        self.tables = (*self.tables, entry)

    async def release(self, entry: MirroredTable) -> None:
        """Write what waits for this table, if that is possible now, and never write to it again."""
        try:
            if self._wanted(entry):
                await self.flush(entry)
        finally:
            self.drop(entry)

    def drop(self, entry: MirroredTable) -> None:
        """Never write to this table again."""
        self.tables = tuple(one for one in self.tables if one is not entry)
        self._written_before += entry.written

    async def take_over(self, entry: MirroredTable, on_problem: Callable[[str], None]) -> None:
        """Take over what the table holds, however long that takes; ``on_problem`` hears why it has to wait."""
        while not await self._tried(entry, entry.adopt):
            on_problem(entry.problem)
            while not self._due(entry):  # noqa: ASYNC110 — the clock is handed in, it has no event
                await asyncio.sleep(self._tick)

    async def flush(self, entry: MirroredTable) -> bool:
        """Flush one table now; a failure is kept in its status and tried again later."""
        before = self._ledger.used
        if not await self._tried(entry, entry.flush):
            return False
        ledger = self._ledger
        calls = max(2.0, float(ledger.used - before))
        entry.last_flush = self._clock()
        entry.next_flush = entry.last_flush + int(1000 * self._pace.wait(ledger.left, ledger.seconds_left, calls))
        return True

    def _wanted(self, entry: MirroredTable) -> bool:
        """Whether there is anything to write; where the disk cannot be read, the flush says so."""
        try:
            return entry.adopted and entry.waiting
        except StorageError:
            return True

    def _due(self, entry: MirroredTable) -> bool:
        """Whether its time has come; a clock that was put back must not make it wait for the old time."""
        return not entry.tried_at <= self._clock() < entry.next_flush

    async def _tried(self, entry: MirroredTable, work: Callable[[], Awaitable[None]]) -> bool:
        """Whether ``work`` succeeded; if not, why and when it may be tried again is noted."""
        async with self._busy:
            if entry not in self.tables:  # It was released while this waited; its place may have been taken.
                return False
            ledger = self._ledger
            self._pace.earn(self._clock() / 1000, ledger.left, ledger.seconds_left)
            before = ledger.used
            try:
                await work()
            except (ApiFailure, TableMismatch, StorageError) as error:
                problem = error.lasting if isinstance(error, ApiError) else str(error)
                if entry.problem != problem:
                    place = f"{entry.plugin}.{entry.table.name} ({entry.table.setting}={entry.table_id})"
                    logger.error("{} is not mirrored now: {}", place, error)
                return self._failed(entry, problem)
            except Exception as error:  # An answer of a shape nobody foresaw must not end the program.
                logger.opt(exception=error).error("{}.{} is not mirrored now.", entry.plugin, entry.table.name)
                return self._failed(entry, f"unexpected {type(error).__name__}: {error}")
            finally:
                entry.tried_at = self._clock()
                self._pace.spend(max(0, ledger.used - before))
            entry.problem, entry.failures = "", 0
            return True

    def _failed(self, entry: MirroredTable, problem: str) -> bool:
        entry.problem = problem
        entry.next_flush = self._clock() + min(LONGEST_RETRY, RETRY_AFTER * RETRY_GROWTH ** min(entry.failures, 6))
        entry.failures += 1
        entry.look_again()
        return False

    async def flush_all(self) -> None:
        """Flush every table now, whatever the pace; for the end of the program."""
        for entry in self.tables:
            if self._wanted(entry):
                await self.flush(entry)
