"""The SQL of the journal in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..protocol import Appended, Dead, Record, Stored
from .handle import SqliteHandle, insert_rows

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice, also after the newest rows were trimmed
  lane INTEGER NOT NULL,
  key BLOB NOT NULL UNIQUE,
  type TEXT NOT NULL,
  received INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  problem TEXT,
  body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS unreadable ON event(problem) WHERE problem IS NOT NULL;
"""

_INSERT: Final = (
    "INSERT INTO event(lane, key, type, received, crc, problem, body) VALUES {rows} ON CONFLICT(key) DO NOTHING"
)


class SqliteJournal(SqliteHandle):
    """One thread's handle on ``journal.db``."""

    def append(self, records: Sequence[Record]) -> Appended:
        with self.write() as database:
            before = database.total_changes
            insert_rows(database, _INSERT, records)
            fresh = database.total_changes - before
            (head,) = database.execute("SELECT max(seq) FROM event").fetchone()
        return Appended(fresh, len(records) - fresh, head or 0)

    def read_after(self, after: int, types: Sequence[str], limit: int) -> tuple[list[Stored], int]:
        head = self.head()
        rows = self.read(
            "SELECT seq, type, received, crc, body FROM event WHERE seq > ? AND seq <= ? AND problem IS NULL"
            f" AND type IN ({','.join('?' * len(types))}) ORDER BY seq LIMIT ?",
            (after, head, *types, limit),
        )
        reached = rows[-1][0] if len(rows) == limit else max(head, after)
        return [Stored(*row) for row in rows], reached

    def fetch(self, seq: int) -> Stored | None:
        rows = self.read("SELECT seq, type, received, crc, body FROM event WHERE seq = ?", (seq,))
        return Stored(*rows[0]) if rows else None

    def head(self) -> int:
        ((head,),) = self.read("SELECT max(seq) FROM event")
        return head or 0

    def rejected(self) -> dict[str, int]:
        rows = self.read(
            "SELECT problem, count(*) FROM event WHERE problem IS NOT NULL GROUP BY problem ORDER BY 2 DESC LIMIT 100"
        )
        return dict(rows)

    def unreadable(self) -> list[Dead]:
        rows = self.read(
            "SELECT seq, received, problem FROM event WHERE problem IS NOT NULL ORDER BY seq DESC LIMIT 1000"
        )
        return [Dead("core", seq, 0, received, problem) for seq, received, problem in rows]
