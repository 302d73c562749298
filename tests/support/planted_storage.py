"""Storage with a bug in it, each where somebody could make it; a harness that does not find them proves nothing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import replace

from core.storage.protocol import JournalHandle, StoreHandle
from core.storage.sqlite import SqliteEngine
from core.storage.sqlite.journal import SqliteJournal
from core.storage.sqlite.store import SqliteStore
from core.storage.values import Appended, Commit, Record


class EarlyJournal(SqliteJournal):
    """Says that events are stored, and stores them together with the next ones."""

    def __init__(self, database: sqlite3.Connection, writing: threading.Lock) -> None:
        super().__init__(database, writing)
        self._later: list[Record] = []

    def append(self, records: Sequence[Record]) -> Appended:
        stored = super().append(self._later)
        self._later = list(records)
        return Appended(len(records), 0, stored.head)

    def close(self) -> None:
        super().append(self._later)
        super().close()


class EarlyAcknowledgement(SqliteEngine):
    """Planted: acknowledge before commit."""

    def journal(self) -> JournalHandle:
        return EarlyJournal(self._opened("journal.db"), self._appending)


class SynchronousNormal(SqliteEngine):
    """Planted: ``synchronous=NORMAL`` where we acknowledge."""

    def _connect(self, name: str) -> sqlite3.Connection:
        database = super()._connect(name)
        database.execute("PRAGMA synchronous=NORMAL")
        return database


class CursorApart(SqliteStore):
    """Moves the cursor, then stores what it stands for."""

    def commit(self, commit: Commit) -> None:
        super().commit(Commit(commit.plugin, commit.expected, commit.cursor, commit.now))
        super().commit(replace(commit, expected=commit.cursor))


class CursorOutside(SqliteEngine):
    """Planted: the cursor outside the transaction."""

    def store(self, *, durable: bool = True) -> StoreHandle:
        return CursorApart(self._opened("store.db"), self._writing)
