"""The SQL of what the mirror needs: which rows Bitable does not show yet, and which record is whose."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from typing import Final

import orjson

from ...table import Row, Table
from ..values import Batch, PendingRow
from .handle import SqliteHandle
from .layout import Layout, Layouts
from .standing import replaced

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS adopted (  -- rows as they were found in Bitable, which a replay begins with
  plugin TEXT NOT NULL, tbl TEXT NOT NULL, key TEXT NOT NULL, row TEXT NOT NULL, PRIMARY KEY (plugin, tbl, key)
) WITHOUT ROWID;
"""


_AMONG: Final = "_record IN (SELECT value FROM json_each(?))"
"""One pass over the table for all of them; there is no index."""


class SqliteMirrorSide(SqliteHandle):
    """The part of ``SqliteStore`` that the mirror uses."""

    def __init__(self, database: sqlite3.Connection, writing: threading.Lock) -> None:
        super().__init__(database, writing)
        self.layout = Layouts()

    def pending(self, plugin: str, table: Table, limit: int) -> list[PendingRow]:
        layout = self.layout(plugin, table)
        rows = self.read(
            f"SELECT _id, _version, _record, _deleted, {layout.selected} FROM {layout.name}"
            " WHERE _mirrored < _version LIMIT ?",
            (limit,),
        )
        return [PendingRow(row[0], row[1], row[2], bool(row[3]), layout.row(row[4:])) for row in rows]

    def mirrored(self, plugin: str, table: Table) -> list[PendingRow]:
        layout = self.layout(plugin, table)
        rows = self.read(f"SELECT _id, _version, _record, {layout.selected} FROM {layout.name} WHERE _deleted = 0")
        return [PendingRow(row[0], row[1], row[2], False, layout.row(row[3:])) for row in rows]

    def count_pending(self, plugin: str, table: Table) -> tuple[int, int]:
        layout = self.layout(plugin, table)
        # Without a condition only the smallest index is read, with one every row. What is deleted here waits, too.
        ((there,),) = self.read(f"SELECT count(*) FROM {layout.name}")
        if not layout.tracked:
            return 0, there
        ((waiting, deleted),) = self.read(
            f"SELECT count(*), coalesce(sum(_deleted), 0) FROM {layout.name} WHERE _mirrored < _version"
        )
        return waiting, there - deleted

    def batch(self, plugin: str, table: Table) -> Batch | None:
        rows = self.read("SELECT token, body, targets FROM batch WHERE plugin = ? AND tbl = ?", (plugin, table.name))
        if not rows:
            return None
        token, body, targets = rows[0]
        return Batch(token, body, tuple((rowid, version) for rowid, version in orjson.loads(targets)))

    def begin_batch(self, plugin: str, table: Table, batch: Batch) -> None:
        with self.write() as database:
            database.execute(
                "INSERT INTO batch VALUES (?,?,?,?,?)",
                (plugin, table.name, batch.token, batch.body, orjson.dumps(batch.rows).decode()),
            )

    def end_batch(self, plugin: str, table: Table, batch: Batch, records: Sequence[str] | None) -> None:
        name = self.layout(plugin, table).name
        with self.write() as database:
            if records is not None:
                database.executemany(
                    f"UPDATE {name} SET _record = ?, _mirrored = max(_mirrored, ?) WHERE _id = ?",
                    ((record, version, rowid) for record, (rowid, version) in zip(records, batch.rows, strict=True)),
                )
            database.execute("DELETE FROM batch WHERE plugin = ? AND tbl = ?", (plugin, table.name))

    def settle(
        self, plugin: str, table: Table, updated: Sequence[tuple[int, int]] = (), deleted: Sequence[int] = ()
    ) -> None:
        name = self.layout(plugin, table).name
        with self.write() as database:
            database.executemany(
                f"UPDATE {name} SET _mirrored = max(_mirrored, ?) WHERE _id = ?",
                ((version, rowid) for rowid, version in updated),
            )
            gone = [(rowid,) for rowid in deleted]
            database.executemany(f"DELETE FROM {name} WHERE _id = ? AND _deleted = 1", gone)
            # What is left of them was made anew meanwhile: its old record is gone, it waits for a new one.
            database.executemany(f"UPDATE {name} SET _record = NULL, _mirrored = 0 WHERE _id = ?", gone)

    def forget_records(self, plugin: str, table: Table, records: Sequence[str] | None) -> None:
        reset = f"UPDATE {self.layout(plugin, table).name} SET _record = NULL, _mirrored = 0"
        with self.write() as database:
            if records is None:
                database.execute(reset)
                database.execute("DELETE FROM batch WHERE plugin = ? AND tbl = ?", (plugin, table.name))
            else:
                database.execute(f"{reset} WHERE {_AMONG}", (orjson.dumps(records).decode(),))

    def touch(self, plugin: str, table: Table, records: Sequence[str] | None = None) -> None:
        touched = f"UPDATE {self.layout(plugin, table).name} SET _mirrored = 0"
        with self.write() as database:
            if records is None:
                database.execute(f"{touched} WHERE _record IS NOT NULL")
            else:
                database.execute(f"{touched} WHERE {_AMONG}", (orjson.dumps(records).decode(),))

    def adopt(self, plugin: str, table: Table, rows: Sequence[tuple[str, Row]]) -> int:
        layout = self.layout(plugin, table)
        insert = (
            f"INSERT INTO {layout.name} ({layout.selected}, _record, _mirrored)"
            f" VALUES ({','.join('?' * len(layout.columns))}, ?, 1)"
            f" ON CONFLICT({layout.keys}) DO UPDATE SET _record = excluded._record WHERE _record IS NULL"
        )
        with self.write() as database:
            (last,) = database.execute(f"SELECT coalesce(max(_id), 0) FROM {layout.name}").fetchone()
            taken = database.executemany(insert, ((*layout.values(row), record) for record, row in rows)).rowcount
            if _note_adopted(database, plugin, layout, [row for _, row in rows], last):
                replaced(database, plugin)  # It may remember that they were not there.
            if layout.index is not None:
                layout.index.catch_up(database)
            return max(0, taken)


def _note_adopted(
    database: sqlite3.Connection, plugin: str, layout: Layout, rows: Sequence[Row], newer_than: int
) -> bool:
    """Remember those of ``rows`` that were made just now: no event of the journal tells them. Whether there are any."""
    made = set(database.execute(f"SELECT {layout.keys} FROM {layout.name} WHERE _id > ?", (newer_than,)).fetchall())
    database.executemany(
        "INSERT OR IGNORE INTO adopted VALUES (?,?,?,?)",
        (
            (plugin, layout.table.name, orjson.dumps(layout.key(row)).decode(), orjson.dumps(row).decode())
            for row in rows
            if layout.key(row) in made
        ),
    )
    return bool(made)
