"""The SQL of upkeep: what is too old, what is damaged, and what is still needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import orjson

from ...errors import Damaged
from ..values import Needed, Record
from .handle import SqliteHandle

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS damaged (seq INTEGER PRIMARY KEY, noticed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
DAMAGED: Final = "stored bytes are damaged (CRC)"

MARK: Final = "INSERT INTO mark VALUES (?,?) ON CONFLICT(name) DO UPDATE SET value = max(value, excluded.value)"
_RECORDS: Final = "SELECT seq, lane, key, type, received, crc, problem, body FROM event"


class SqliteJournalRetention(SqliteHandle):
    """The part of ``SqliteJournal`` that upkeep uses."""

    def probe(self, now: int) -> None:
        with self.write() as database:
            database.execute("INSERT OR REPLACE INTO mark VALUES ('probe', ?)", (now,))

    def trimmed(self) -> int:
        rows = self.read("SELECT value FROM mark WHERE name = 'trimmed'")
        return int(rows[0][0]) if rows else 0

    def forgotten(self, after: int) -> int:
        trimmed = self.trimmed()
        ((kept,),) = self.read("SELECT count(*) FROM event WHERE seq > ? AND seq <= ?", (after, trimmed))
        return max(0, trimmed - after) - int(kept)

    def forgot_until(self) -> int:
        rows = self.read("SELECT value FROM mark WHERE name = 'forgot until'")
        return int(rows[0][0]) if rows else 0

    def expired(self, after: int, before: int, limit: int) -> tuple[list[int], int]:
        rows = self.read(
            "SELECT seq, received < ? FROM event WHERE seq > ? AND seq NOT IN (SELECT seq FROM damaged)"
            " ORDER BY seq LIMIT ?",
            (before, after, limit),
        )
        return [seq for seq, old in rows if old], rows[-1][0] if rows else 0

    def trim(self, seqs: Sequence[int]) -> None:
        marks = ",".join("?" * len(seqs))
        with self.write() as database:
            latest = database.execute(f"SELECT max(received) FROM event WHERE seq IN ({marks})", seqs).fetchone()[0]
            database.execute(f"DELETE FROM event WHERE seq IN ({marks})", seqs)
            database.execute(MARK, ("forgot until", latest or 0))
            database.execute(MARK, ("trimmed", max(seqs)))

    def scrub(self, after: int, limit: int) -> tuple[list[int], int]:
        seqs = self.positions(after, limit)
        damaged = [seq for seq, record in self.records(seqs) if record is None or not record.intact]
        return damaged, seqs[-1] if seqs else 0

    def quarantine(self, seqs: Sequence[int], now: int) -> None:
        with self.write() as database:
            database.executemany("INSERT OR IGNORE INTO damaged VALUES (?,?)", ((seq, now) for seq in seqs))

    def positions(self, after: int, limit: int) -> list[int]:
        """The next positions that are not in quarantine. Read from the table itself: an index may say otherwise."""
        rows = self.read(
            "SELECT seq FROM event NOT INDEXED WHERE seq > ? AND seq NOT IN (SELECT seq FROM damaged)"
            " ORDER BY seq LIMIT ?",
            (after, limit),
        )
        return [seq for (seq,) in rows]

    def records(self, seqs: Sequence[int]) -> Iterator[tuple[int, Record | None]]:
        """Events by their ascending positions; None for one that cannot be read at all."""
        if not seqs:
            return
        try:
            rows = self.read(f"{_RECORDS} WHERE seq BETWEEN ? AND ? ORDER BY seq", (seqs[0], seqs[-1]))
        except Damaged:
            for seq in seqs:
                yield seq, self._legible(seq)
        else:
            asked = set(seqs)
            yield from ((row[0], Record(*row[1:])) for row in rows if row[0] in asked)

    def record(self, seq: int) -> Record | None:
        """One event, or None when it is not kept. Raises ``Damaged`` when it cannot be read at all."""
        rows = self.read(f"{_RECORDS} WHERE seq = ?", (seq,))
        return Record(*rows[0][1:]) if rows else None

    def _legible(self, seq: int) -> Record | None:
        try:
            return self.record(seq)
        except Damaged:
            return None


class SqliteStoreRetention(SqliteHandle):
    """The part of ``SqliteStore`` that upkeep uses."""

    def needed(self, plugins: Sequence[str]) -> Needed:
        # One statement, one moment: an event goes from beyond a cursor to `retry`, and from there to `dead`.
        rows = self.read(
            "SELECT 1, min(cursor) FROM consumer WHERE plugin IN (SELECT value FROM json_each(?))"
            " UNION ALL SELECT 0, seq FROM retry UNION ALL SELECT 0, seq FROM dead",
            (orjson.dumps(list(plugins)).decode(),),
        )
        beyond = next(value for is_cursor, value in rows if is_cursor)
        return Needed(beyond, frozenset(seq for is_cursor, seq in rows if not is_cursor))
