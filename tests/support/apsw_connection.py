"""As much of ``sqlite3.Connection`` as the storage uses, on APSW, whose files may be Python objects."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

CHECKPOINT_PAGES = 30
"""Instead of SQLite's 1000, so that a short run has many checkpoints."""


class ApswConnection:
    """A connection through the file system called ``vfs``.

    Such files have no shared memory, so it keeps the database to itself; what it writes and syncs is the same.
    """

    def __init__(self, path: Path, vfs: str) -> None:
        with _as_sqlite3():
            self._connection = apsw.Connection(str(path), vfs=vfs)
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @property
    def total_changes(self) -> int:
        return self._connection.total_changes()

    def execute(self, statement: str, values: Any = ()) -> ApswCursor:
        with _as_sqlite3():
            return ApswCursor(self._connection.execute(statement, values), self._connection.changes())

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> ApswCursor:
        with _as_sqlite3():
            return ApswCursor(self._connection.executemany(statement, rows), self._connection.changes())

    def executescript(self, script: str) -> None:
        self.execute(script)

    def close(self) -> None:
        self._connection.close()


class ApswCursor:
    """The rows of one statement."""

    def __init__(self, cursor: apsw.Cursor, rowcount: int) -> None:
        self._cursor = cursor
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)

    def fetchall(self) -> list[Any]:
        with _as_sqlite3():
            return self._cursor.fetchall()

    def fetchone(self) -> Any:
        with _as_sqlite3():
            return self._cursor.fetchone()


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        told = sqlite3.OperationalError(str(error))
        told.sqlite_errorcode = error.extendedresult
        raise told from error
