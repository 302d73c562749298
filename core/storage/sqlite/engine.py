"""SQLite as the engine: ``journal.db`` and ``store.db`` in the data directory, WAL, ``synchronous=FULL``.

Two files, so that appends and plugin commits never wait for each other's write lock.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from ...errors import StorageError
from ..protocol import JournalHandle, StoreHandle
from . import journal, store


class SqliteEngine:
    """The two databases below ``directory``; files 0600 in a 0700 directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._appending = threading.Lock()
        self._writing = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name, schema in (("journal.db", journal.SCHEMA), ("store.db", store.SCHEMA)):
                os.close(os.open(directory / name, os.O_RDWR | os.O_CREAT, 0o600))
                database = self._connect(name)
                database.executescript(schema)
                database.close()
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"{directory}: {error}. Is the directory writable and the disk not full?") from error

    def journal(self) -> JournalHandle:
        """A handle on the journal for the calling thread."""
        return journal.SqliteJournal(self._opened("journal.db"), self._appending)

    def store(self, *, durable: bool = True) -> StoreHandle:
        """A handle on the store for the calling thread; writers of one process take turns in arrival order."""
        database = self._opened("store.db")
        if not durable:
            database.execute("PRAGMA synchronous=NORMAL")
        return store.SqliteStore(database, self._writing)

    def close(self) -> None:
        """Nothing is held open by the engine itself; handles are closed by their threads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self, name: str) -> sqlite3.Connection:
        try:
            return self._connect(name)
        except sqlite3.Error as error:
            raise StorageError(f"{self._directory / name}: {error}") from error

    def _connect(self, name: str) -> sqlite3.Connection:
        database = sqlite3.connect(self._directory / name, isolation_level=None, timeout=10)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA cache_size=-4096")
        database.execute("PRAGMA temp_store=MEMORY")
        return database
