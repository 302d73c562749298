"""Database files as a whole: whether they are sound, copies of them, and what can still be read of a damaged one."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from ...errors import StorageError
from ..values import Record
from .engine import PATIENCE, connect, sync
from .faults import storage_error
from .handle import insert_rows
from .journal import SqliteJournal
from .retention import MARK
from .store import SqliteStore

MOST_FINDINGS: Final = 20
AT_ONCE: Final = 500
MOST_HOPELESS: Final = 20_000
"""Positions in a row that cannot be read before the rest is given up: far more than one damaged page leads to."""

_INSERT: Final = (
    "INSERT INTO event(seq, lane, key, type, received, crc, problem, body) VALUES {rows} ON CONFLICT DO NOTHING"
)


def findings(path: Path, *, thorough: bool) -> list[str]:
    """What is wrong with the pages of a database, at most 20 findings; ``thorough`` compares the indexes as well.

    It only reads, also while the program runs.
    """
    check = "integrity_check" if thorough else "quick_check"
    try:
        with closing(_reading(path)) as database:
            rows = database.execute(f"PRAGMA {check}({MOST_FINDINGS})").fetchall()
    except sqlite3.Error as error:
        return [str(error)]
    told = [line.strip() for (text,) in rows for line in str(text).splitlines()]
    return [line for line in told if line and line != "ok" and not line.startswith("***")]


def open_journal(path: Path) -> SqliteJournal:
    """A journal's file for reading, wherever it lies. Raises ``StorageError``."""
    try:
        return SqliteJournal(_reading(path), threading.Lock())
    except sqlite3.Error as error:
        raise storage_error(error, str(path)) from error


def open_store(path: Path) -> SqliteStore:
    """A store's file for reading, wherever it lies. Raises ``StorageError``."""
    try:
        return SqliteStore(_reading(path), threading.Lock())
    except sqlite3.Error as error:
        raise storage_error(error, str(path)) from error


def copy(path: Path, to: Path, *, in_use: bool) -> None:
    """A consistent, compact copy, on disk when it returns. Raises ``StorageError``.

    A database that is not ``in_use``, one of a backup, stays as it is to the byte, and may lie where nobody can write.
    """
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(connect(path) if in_use else _reading(path)) as database:
            if in_use:  # A file of an older version may have another; the copy takes it over.
                database.execute("PRAGMA auto_vacuum=INCREMENTAL")
            database.execute("VACUUM INTO ?", (str(to),))
    except sqlite3.Error as error:
        raise storage_error(error, str(path if in_use else to)) from error
    sync(to)


def last_given(path: Path) -> int | None:
    """The last position this journal ever gave; None when that cannot be read."""
    try:
        with closing(_reading(path)) as database:
            (last,) = database.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'event'").fetchone()
    except sqlite3.Error:
        return None
    return int(last or 0)


def salvage(path: Path, after: int, until: int) -> Iterator[tuple[int, Record]]:
    """Every sound event at ``after`` < position ≤ ``until`` of a journal that may be damaged."""
    try:
        journal = open_journal(path)
    except StorageError:
        return
    hopeless = 0
    with closing(journal):
        for seq in range(after + 1, until + 1):
            try:
                record = journal.record(seq)
            except StorageError:
                hopeless += 1
                if hopeless == MOST_HOPELESS:
                    return
                continue
            hopeless = 0
            if record is not None and record.intact:
                yield seq, record


def insert(path: Path, events: Iterator[tuple[int, Record]]) -> int:
    """Put events at their positions in the journal's file, unless position or key is taken; how many were put there."""
    count = 0
    with closing(SqliteJournal(connect(path), threading.Lock())) as journal:
        while chunk := [(seq, *record) for seq, record in islice(events, AT_ONCE)]:
            with journal.write() as database:
                before = database.total_changes
                insert_rows(database, _INSERT, chunk)
                count += database.total_changes - before
    return count


def skip_to(path: Path, position: int, moment: int) -> None:
    """Give no position up to ``position`` in this journal again; what arrived there until ``moment`` (ms) is lost."""
    with closing(SqliteJournal(connect(path), threading.Lock())) as journal, journal.write() as database:
        database.execute(MARK, ("trimmed", position))
        database.execute(MARK, ("forgot until", moment))
        database.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'event'", (position,))
        database.execute(
            "INSERT INTO sqlite_sequence(name, seq) SELECT 'event', ?"
            " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'event')",
            (position,),
        )


def _reading(path: Path) -> sqlite3.Connection:
    """Without even moving the write-ahead log into the database, as the last connection would when it closes."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=PATIENCE)
