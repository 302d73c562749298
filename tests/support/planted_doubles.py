"""Storage that lets things happen twice, each bug where somebody could make it; a harness has to find them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from core.storage.protocol import JournalHandle, StoreHandle
from core.storage.sqlite import SqliteEngine
from core.storage.sqlite.journal import SqliteJournal
from core.storage.sqlite.store import SqliteStore
from core.storage.values import Appended, Batch, Record, Unsent
from core.table import Table


class EveryEventNew(SqliteJournal):
    """Takes every delivery for an event of its own."""

    def append(self, records: Sequence[Record]) -> Appended:
        return super().append([record._replace(key=os.urandom(16)) for record in records])


class DeduplicationRemoved(SqliteEngine):
    """Planted: de-duplication removed."""

    def journal(self) -> JournalHandle:
        return EveryEventNew(self._opened("journal.db"), self._appending)


class NoBatch(SqliteStore):
    """Does not keep which records are being created."""

    def begin_batch(self, plugin: str, table: Table, batch: Batch) -> None: ...


class CreationForgotten(SqliteEngine):
    """Planted: a row whose answer was lost is sent to Bitable twice."""

    def store(self, *, durable: bool = True) -> StoreHandle:
        return NoBatch(self._opened("store.db"), self._writing)


class EveryAttemptNew(SqliteStore):
    """Gives a message another key at every attempt, as if its uuid were drawn by chance."""

    def unsent(self, now: int, limit: int) -> list[Unsent]:
        return [
            one._replace(message=one.message._replace(key=os.urandom(8).hex())) for one in super().unsent(now, limit)
        ]


class MessageUnsettled(SqliteEngine):
    """Planted: a message of the outbox is sent twice."""

    def store(self, *, durable: bool = True) -> StoreHandle:
        return EveryAttemptNew(self._opened("store.db"), self._writing)
