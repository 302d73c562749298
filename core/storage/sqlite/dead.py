"""The SQL of events that failed: those tried again, those parked as dead letters, those given up for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from ..values import Dead, Due, Failure
from .handle import SqliteHandle

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS retry (
  plugin TEXT NOT NULL, seq INTEGER NOT NULL, attempts INTEGER NOT NULL, due INTEGER NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (plugin, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead (
  plugin TEXT NOT NULL, seq INTEGER NOT NULL, attempts INTEGER NOT NULL, parked INTEGER NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (plugin, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS discarded (
  plugin TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (plugin, seq)
) WITHOUT ROWID;
"""

LONGEST_DELAY: Final = 86_400_000
"""ms; what is due later than that was noted by a clock that was wrong."""


def settle(database: sqlite3.Connection, plugin: str, seqs: Sequence[int]) -> None:
    """Part of a commit: these events had failed before and are done now."""
    database.executemany("DELETE FROM retry WHERE plugin = ? AND seq = ?", ((plugin, seq) for seq in seqs))


def keep_failure(database: sqlite3.Connection, plugin: str, now: int, failure: Failure) -> None:
    """Part of a commit: an event is to be tried again, or parked."""
    kept, other = ("dead", "retry") if failure.due is None else ("retry", "dead")
    database.execute(f"DELETE FROM {other} WHERE plugin = ? AND seq = ?", (plugin, failure.seq))
    at = now if failure.due is None else failure.due
    database.execute(
        f"INSERT OR REPLACE INTO {kept} VALUES (?,?,?,?,?)", (plugin, failure.seq, failure.attempts, at, failure.error)
    )


class SqliteDeadSide(SqliteHandle):
    """The part of ``SqliteStore`` that knows which events failed."""

    def due(self, plugin: str, now: int, limit: int) -> list[Due]:
        rows = self.read(
            "SELECT seq, attempts FROM retry WHERE plugin = ? AND (due <= ? OR due > ?) ORDER BY seq LIMIT ?",
            (plugin, now, now + LONGEST_DELAY, limit),
        )
        return [Due(*row) for row in rows]

    def dead(
        self,
        plugin: str | None = None,
        *,
        reason: str = "",
        since: int | None = None,
        before: int | None = None,
        seqs: Sequence[int] = (),
    ) -> list[Dead]:
        conditions: list[str] = ["1"]
        values: list[Any] = []
        for condition, value in (
            ("plugin = ?", plugin),
            ("instr(lower(error), lower(?))", reason or None),
            ("parked >= ?", since),
            ("parked < ?", before),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        rows = self.read(
            f"SELECT plugin, seq, attempts, parked, error FROM dead WHERE {' AND '.join(conditions)}"
            " ORDER BY parked, seq",
            values,
        )
        return [Dead(*row) for row in rows if not seqs or row[1] in seqs]

    def redrive(self, letters: Sequence[Dead], now: int) -> int:
        with self.write() as database:
            there = [letter for letter in letters if _taken(database, letter)]
            database.executemany(
                "INSERT OR REPLACE INTO retry VALUES (?,?,0,?,?)", ((d.plugin, d.seq, now, d.error) for d in there)
            )
        return len(there)

    def discard(self, letters: Sequence[Dead], now: int) -> int:
        with self.write() as database:
            there = [letter for letter in letters if _taken(database, letter)]
            database.executemany(
                "INSERT OR REPLACE INTO discarded VALUES (?,?,?)", ((d.plugin, d.seq, now) for d in there)
            )
        return len(there)

    def unsettled(self, plugin: str) -> set[int]:
        query = "SELECT seq FROM retry WHERE plugin = ? UNION SELECT seq FROM dead WHERE plugin = ?"
        return {row[0] for row in self.read(query, (plugin, plugin))}

    def forget_discarded(self, seqs: Sequence[int]) -> None:
        rows = self.read(f"SELECT DISTINCT seq FROM discarded WHERE seq IN ({','.join('?' * len(seqs))})", seqs)
        if rows:
            with self.write() as database:
                database.executemany("DELETE FROM discarded WHERE seq = ?", rows)

    def discarded(self, plugin: str) -> set[int]:
        return {row[0] for row in self.read("SELECT seq FROM discarded WHERE plugin = ?", (plugin,))}


def _taken(database: sqlite3.Connection, letter: Dead) -> bool:
    """Take a letter out; it may be gone: the program and other commands run beside this one."""
    gone = database.execute("DELETE FROM dead WHERE plugin = ? AND seq = ?", (letter.plugin, letter.seq))
    return gone.rowcount == 1
