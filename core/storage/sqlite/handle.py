"""One thread's connection to a SQLite database: reads, and write transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain
from typing import Any, Final

from ..values import Size
from .faults import storage_error

CHUNKS: Final = (64, 8, 1)


def insert_rows(database: sqlite3.Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Execute ``statement``, which has ``{rows}`` where its VALUES go, for all ``rows``, many of them a step.

    At every step SQLite gives up the interpreter's lock; a step a row would let each busy thread in between.
    """
    done = 0
    for size in CHUNKS:
        while len(rows) - done >= size:
            some = rows[done : done + size]
            database.execute(_with_rows(statement, size, len(some[0])), list(chain.from_iterable(some)))
            done += size


@cache
def _with_rows(statement: str, count: int, width: int) -> str:
    row = f"({','.join('?' * width)})"
    return statement.replace("{rows}", ",".join([row] * count))


def in_few_lengths(values: Sequence[Any]) -> list[Any]:
    """``values``, one at least, with the last one repeated until there are 1, 4, 16 … of them, to look for all at once.

    A query for every number there may be would have to be prepared, and is kept in memory then.
    """
    length = 1
    while length < len(values):
        length *= 4
    return [*values, *[values[-1]] * (length - len(values))]


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
            raise storage_error(error) from error

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed and on disk at the end, rolled back on any error."""
        with self._writing:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                raise storage_error(error) from error
            finally:
                if self._database.in_transaction:
                    with suppress(sqlite3.Error):  # The error that led here is the one to tell.
                        self._database.execute("ROLLBACK")

    def size(self) -> Size:
        """How large the file is, without what has not been moved into it yet."""
        ((page,),), ((pages,),), ((free,),) = map(
            self.read, ("PRAGMA page_size", "PRAGMA page_count", "PRAGMA freelist_count")
        )
        return Size(page * pages, page * free)

    def release(self, pages: int) -> None:
        """Give at most so many unused pages back to the file system; a file of an older version keeps them."""
        with self.write() as database:
            for _ in range(pages):  # Each is a step of the statement, and Python takes the first step alone.
                database.execute("PRAGMA incremental_vacuum(1)")

    def close(self) -> None:
        """Give the connection back."""
        self._database.close()
