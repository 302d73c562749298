"""A disk under SQLite that can be full, or refuse to be written, and recover."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

FULL = (sqlite3.SQLITE_FULL, "database or disk is full")
READ_ONLY = (sqlite3.SQLITE_READONLY, "attempt to write a readonly database")
BROKEN = (sqlite3.SQLITE_IOERR, "disk I/O error")


class FaultyDisk:
    """While ``fault`` is set no transaction that wrote something can be committed, as with a real disk of that kind."""

    def __init__(self) -> None:
        self.fault: tuple[int, str] | None = None
        self.refused = 0

    def connect(self, path: Path) -> sqlite3.Connection:
        """A connection for ``SqliteEngine``."""
        connection = sqlite3.connect(path, isolation_level=None, timeout=10, factory=_Connection)
        connection.disk = self
        return connection


class _Connection(sqlite3.Connection):
    disk: FaultyDisk

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement == "COMMIT" and self.disk.fault is not None:
            self.disk.refused += 1
            code, text = self.disk.fault
            error = sqlite3.OperationalError(text)
            error.sqlite_errorcode = code
            raise error
        return super().execute(statement, *values)
