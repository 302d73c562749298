"""One thread's connection to a SQLite database: reads, and write transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ...errors import StorageError


class SqliteHandle:
    """One thread's connection; it turns the database's errors into ``StorageError``."""

    def __init__(self, database: sqlite3.Connection, writing: threading.Lock) -> None:
        self._database = database
        self._writing = writing

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query."""
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"SQLite: {error}") from error

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed and on disk at the end, rolled back on any error."""
        with self._writing:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                raise StorageError(f"SQLite: {error}") from error
            finally:
                if self._database.in_transaction:
                    with suppress(sqlite3.Error):  # The error that led here is the one to tell.
                        self._database.execute("ROLLBACK")

    def close(self) -> None:
        """Give the connection back."""
        self._database.close()
