"""SQLite as the engine: ``journal.db`` and ``store.db`` in the data directory, WAL, ``synchronous=FULL``.

Two files, so that appends and plugin commits never wait for each other's write lock.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ...errors import StorageError
from ..protocol import Engine, JournalHandle, StoreHandle
from . import journal, store
from .faults import storage_error
from .shadow import emptied, place

PATIENCE: Final = 10.0
"""Seconds a statement waits for another process's write."""
LARGEST_LOG: Final = 16 * 2**20
"""Bytes of the write-ahead log that are kept once all of it is in the database."""


def connect(path: Path) -> sqlite3.Connection:
    """A plain connection to a database file."""
    return sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)


def _create(path: Path) -> None:
    """Make an empty file with a name that outlives a power cut, unless there is one."""
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on disk. Raises ``OSError``."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class SqliteEngine:
    """The two databases below ``directory``; files 0600 in a 0700 directory.

    ``connect`` opens a database file; a test may hand in a disk that misbehaves.
    """

    def __init__(self, directory: Path, connect: Callable[[Path], sqlite3.Connection] = connect) -> None:
        self._directory = directory
        self._plain = connect
        self._appending = threading.Lock()
        self._writing = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name, schema in (("journal.db", journal.SCHEMA), ("store.db", store.SCHEMA)):
                _create(directory / name)
                database = self._connect(name)
                database.executescript(schema)
                database.close()
        except OSError as error:
            raise StorageError(f"{directory}: {error}. Is the directory writable and the disk not full?") from error
        except sqlite3.Error as error:
            raise storage_error(error, str(directory / name)) from error

    def journal(self) -> JournalHandle:
        """A handle on the journal for the calling thread."""
        return journal.SqliteJournal(self._opened("journal.db"), self._appending)

    def store(self, *, durable: bool = True) -> StoreHandle:
        """A handle on the store for the calling thread; writers of one process take turns in arrival order."""
        database = self._opened("store.db")
        if not durable:
            database.execute("PRAGMA synchronous=NORMAL")
        return store.SqliteStore(database, self._writing)

    @contextmanager
    def shadow(self, name: str) -> Iterator[Engine]:
        """An empty engine beside this one, gone when it is left; one of a ``name`` at a time."""
        with emptied(place(self._directory, name)) as directory:
            yield SqliteEngine(directory, self._plain)

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
            raise storage_error(error, str(self._directory / name)) from error

    def _connect(self, name: str) -> sqlite3.Connection:
        database = self._plain(self._directory / name)
        database.execute("PRAGMA auto_vacuum=INCREMENTAL")  # Only a file without tables takes it.
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(f"PRAGMA journal_size_limit={LARGEST_LOG}")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA cache_size=-4096")
        database.execute("PRAGMA temp_store=MEMORY")
        return database
