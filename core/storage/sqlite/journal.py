"""The SQL of the journal in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...errors import Damaged
from ..values import Appended, Dead, Record, Stored
from .handle import in_few_lengths, insert_rows
from .retention import DAMAGED, SqliteJournalRetention
from .retention import SCHEMA as RETENTION

SCHEMA: Final = f"""
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
{RETENTION}"""

_INSERT: Final = (
    "INSERT INTO event(lane, key, type, received, crc, problem, body) VALUES {rows} ON CONFLICT(key) DO NOTHING"
)
_STORED: Final = "SELECT seq, type, received, crc, body, lane, key FROM event"
_HEAD: Final = (
    "SELECT max(coalesce((SELECT max(seq) FROM event), 0),"
    " coalesce((SELECT value FROM mark WHERE name = 'trimmed'), 0))"
)
_SOUND: Final = "seq NOT IN (SELECT seq FROM damaged)"


class SqliteJournal(SqliteJournalRetention):
    """One thread's handle on ``journal.db``."""

    def append(self, records: Sequence[Record]) -> Appended:
        with self.write() as database:
            before = database.total_changes
            insert_rows(database, _INSERT, records)
            fresh = database.total_changes - before
            (head,) = database.execute(_HEAD).fetchone()
        return Appended(fresh, len(records) - fresh, head)

    def read_after(self, after: int, types: Sequence[str], limit: int) -> tuple[list[Stored], int]:
        head = self.head()
        try:
            rows: list[Any] = self.read(
                f"{_STORED} WHERE seq > ? AND seq <= ? AND problem IS NULL"
                f" AND type IN ({','.join('?' * len(types))}) AND {_SOUND} ORDER BY seq LIMIT ?",
                (after, head, *types, limit),
            )
        except Damaged:
            return self._readable(after, types, limit)
        reached = rows[-1][0] if len(rows) == limit else max(head, after)
        return [Stored(*row) for row in rows], reached

    def fetch(self, seq: int) -> Stored | None:
        try:
            rows = self.read(f"{_STORED} WHERE seq = ?", (seq,))
        except Damaged:
            return _unreadable(seq)
        return Stored(*rows[0]) if rows else None

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        found: set[bytes] = set()
        for i in range(0, len(keys), 256):
            some = in_few_lengths(keys[i : i + 256])
            marks = ",".join("?" * len(some))
            found.update(row[0] for row in self.read(f"SELECT key FROM event WHERE key IN ({marks})", some))
        return found

    def _readable(self, after: int, types: Sequence[str], limit: int) -> tuple[list[Stored], int]:
        """What can be read where an event cannot be read at all; that one is there without type and body."""
        seqs = self.positions(after, limit)
        found = []
        for seq, event in self.records(seqs):
            if event is None:
                found.append(_unreadable(seq))
            elif event.problem is None and event.type in types:
                found.append(Stored(seq, event.type, event.received, event.crc, event.body, event.lane, event.key))
        return found, seqs[-1] if seqs else after

    def stretch(self, after: int, until: int, limit: int) -> list[Stored]:
        query = f"{_STORED} WHERE seq > ? AND seq <= ? AND {_SOUND} ORDER BY seq LIMIT ?"
        return [Stored(*row) for row in self.read(query, (after, until, limit))]

    def before(self, moment: int) -> int:
        low, high = 0, self.head()
        while low < high:
            middle = (low + high + 1) // 2
            nearest = self.read("SELECT seq, received FROM event WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (middle,))
            if not nearest or nearest[0][1] < moment:
                low = middle
            else:
                high = nearest[0][0] - 1
        return low

    def head(self) -> int:
        ((head,),) = self.read(_HEAD)
        return int(head)

    def rejected(self) -> dict[str, int]:
        rows = self.read(
            f"SELECT problem, count(*) FROM event INDEXED BY unreadable WHERE problem IS NOT NULL AND {_SOUND}"
            " GROUP BY problem ORDER BY 2 DESC LIMIT 100"
        )
        ((damaged,),) = self.read("SELECT count(*) FROM damaged")
        return dict(rows) | ({DAMAGED: damaged} if damaged else {})

    def unreadable(self) -> list[Dead]:
        rows = self.read(
            f"SELECT seq, received, problem FROM event INDEXED BY unreadable WHERE problem IS NOT NULL AND {_SOUND}"
            " UNION ALL SELECT seq, noticed, ? FROM damaged ORDER BY seq DESC LIMIT 1000",
            (DAMAGED,),
        )
        return [Dead("core", seq, 0, received, problem) for seq, received, problem in rows]


def _unreadable(seq: int) -> Stored:
    return Stored(seq, "", 0, -1, b"")
