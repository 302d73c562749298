"""The SQL of the store in SQLite: commits, cursors, rows, people and the call ledger.

What concerns the mirror stands in ``mirror``, failed events in ``dead``, replays in ``shadow``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from ...errors import Fenced
from ...table import Row, Table
from ..values import Between, Commit, Consumer, Key, Publication, Timer
from .attachments import SCHEMA as ATTACHMENTS
from .attachments import SqliteAttachmentSide, ask_for
from .dead import SCHEMA as DEAD
from .dead import SqliteDeadSide, keep_failure, settle
from .faults import storage_error
from .handle import in_few_lengths, insert_rows
from .layout import Layout
from .mirror import SCHEMA as ADOPTED
from .outbox import SqliteOutboxSide, put_in_outbox
from .retention import SqliteStoreRetention
from .search import expression
from .shadow import SqliteShadowSide
from .standing import SCHEMA as STANDING
from .standing import SqliteStandingSide, begin, same_generation, suspend

SCHEMA: Final = f"""{ATTACHMENTS}{DEAD}{STANDING}{ADOPTED}
CREATE TABLE IF NOT EXISTS consumer (
  plugin TEXT PRIMARY KEY, cursor INTEGER NOT NULL, handled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS published (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin TEXT NOT NULL, type TEXT NOT NULL, event_id TEXT NOT NULL, event BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS timer (
  plugin TEXT NOT NULL, name TEXT NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL,
  PRIMARY KEY (plugin, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin TEXT NOT NULL, key TEXT NOT NULL,
  chat_id TEXT NOT NULL, reply_to TEXT NOT NULL, msg_type TEXT NOT NULL, content BLOB NOT NULL,
  due INTEGER,               -- when to try next, ms; none once it is sent or given up
  attempts INTEGER NOT NULL DEFAULT 0,
  done INTEGER,              -- when it was sent or given up
  message_id TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '',
  UNIQUE (plugin, key)
);
CREATE INDEX IF NOT EXISTS unsent ON outbox(due) WHERE due IS NOT NULL;
CREATE TABLE IF NOT EXISTS person (
  open_id TEXT PRIMARY KEY, name TEXT NOT NULL, fetched INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS api_call (
  day TEXT NOT NULL, name TEXT NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY (day, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch (
  plugin TEXT NOT NULL, tbl TEXT NOT NULL, token TEXT NOT NULL, body BLOB NOT NULL, targets TEXT NOT NULL,
  PRIMARY KEY (plugin, tbl)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


MOST_PARAMETERS: Final = 256


class SqliteStore(
    SqliteShadowSide, SqliteDeadSide, SqliteStandingSide, SqliteOutboxSide, SqliteAttachmentSide, SqliteStoreRetention
):
    """One thread's handle on ``store.db``."""

    def prepare(self, plugin: str, tables: Sequence[Table]) -> None:
        with self.write() as database:
            for table in tables:
                self.layout(plugin, table).prepare(database)

    def cursor(self, plugin: str, start: int) -> int:
        with self.write() as database:
            self.generations[plugin] = begin(database, plugin, start)
            database.execute("INSERT OR IGNORE INTO consumer(plugin, cursor) VALUES (?,?)", (plugin, start))
            (cursor,) = database.execute("SELECT cursor FROM consumer WHERE plugin = ?", (plugin,)).fetchone()
        return int(cursor)

    def next_due(self, plugin: str) -> int | None:
        ((due,),) = self.read(
            "SELECT min(due) FROM"
            " (SELECT due FROM retry WHERE plugin = ? UNION ALL SELECT due FROM timer WHERE plugin = ?)",
            (plugin, plugin),
        )
        return None if due is None else int(due)

    def timers(self, plugin: str) -> list[Timer]:
        rows = self.read("SELECT name, due, attempts FROM timer WHERE plugin = ? ORDER BY due, name", (plugin,))
        return [Timer(*row) for row in rows]

    def get(self, plugin: str, table: Table, key: Key) -> Row | None:
        layout = self.layout(plugin, table)
        rows = self.read(layout.get, key)
        return layout.row(rows[0]) if rows else None

    def get_many(self, plugin: str, table: Table, keys: Sequence[Key]) -> dict[Key, Row]:
        layout = self.layout(plugin, table)
        found: dict[Key, Row] = {}
        for i in range(0, len(keys), MOST_PARAMETERS):
            values = in_few_lengths([key[0] for key in keys[i : i + MOST_PARAMETERS]])
            for row in map(layout.row, self.read(layout.among(len(values)), values)):
                found[layout.key(row)] = row
        return found

    def find(self, plugin: str, table: Table, where: Mapping[str, Any]) -> list[Row]:
        layout = self.layout(plugin, table)
        return [layout.row(values) for values in self.read(layout.find(where), tuple(where.values()))]

    def scan(self, plugin: str, table: Table) -> Iterator[Row]:
        layout = self.layout(plugin, table)
        return self._rows(layout, layout.scan)

    def _rows(self, layout: Layout, query: str, values: Sequence[Any] = ()) -> Iterator[Row]:
        try:
            for found in self._database.execute(query, values):
                yield layout.row(found)
        except sqlite3.Error as error:
            raise storage_error(error) from error

    def select(
        self,
        plugin: str,
        table: Table,
        *,
        equals: Mapping[str, Any],
        between: Between | None,
        limit: int | None,
        after: Row | None,
    ) -> Iterator[Row]:
        layout = self.layout(plugin, table)
        return self._rows(layout, *layout.select(equals, between, limit, after))

    def search(
        self,
        plugin: str,
        table: Table,
        query: str,
        *,
        equals: Mapping[str, Any],
        between: Between | None,
        limit: int,
    ) -> list[Row]:
        layout = self.layout(plugin, table)
        words = expression(query)
        statement, values = layout.search(words, equals, between, limit)
        return list(self._rows(layout, statement, values)) if words else []

    def top(self, plugin: str, table: Table, count: int) -> list[Row]:
        layout = self.layout(plugin, table)
        return [layout.row(values) for values in self.read(layout.top, (count,))]

    def commit(self, commit: Commit) -> None:
        with self.write() as database:
            moved = database.execute(
                "UPDATE consumer SET cursor = ?, handled = handled + ? WHERE plugin = ? AND cursor = ?",
                (commit.cursor, commit.handled, commit.plugin, commit.expected),
            )
            if moved.rowcount != 1:
                raise Fenced(f"the cursor of {commit.plugin} is no longer at {commit.expected}")
            if commit.plugin in self.generations:
                same_generation(database, commit.plugin, self.generations[commit.plugin])
            for table, rows in commit.rows.items():
                layout = self.layout(commit.plugin, table)
                insert_rows(database, layout.upsert, [layout.values(row) for row in rows.values() if row is not None])
                database.executemany(layout.delete, (key for key, row in rows.items() if row is None))
                if layout.index is not None:
                    layout.index.catch_up(database)
            database.executemany(
                "INSERT INTO published(plugin, type, event_id, event) VALUES (?,?,?,?)",
                ((commit.plugin, p.type, p.event_id, orjson.dumps(p.event)) for p in commit.published),
            )
            settle(database, commit.plugin, commit.settled)
            for failure in commit.failures:
                keep_failure(database, commit.plugin, commit.now, failure)
            if commit.suspended:
                suspend(database, commit.plugin, commit.suspended, commit.now)
            for timer in commit.timers:
                database.execute("DELETE FROM timer WHERE plugin = ? AND name = ?", (commit.plugin, timer.name))
                if timer.due is not None:
                    database.execute("INSERT INTO timer VALUES (?,?,?,?)", (commit.plugin, *timer))
            put_in_outbox(database, commit.plugin, commit.outgoing, commit.now)
            ask_for(database, commit.plugin, commit.attachments, commit.now)

    def consumers(self) -> list[Consumer]:
        rows = self.read(
            "SELECT plugin, cursor, handled, (SELECT count(*) FROM retry r WHERE r.plugin = c.plugin),"
            " (SELECT count(*) FROM dead d WHERE d.plugin = c.plugin) FROM consumer c ORDER BY plugin"
        )
        return [Consumer(*row) for row in rows]

    def publications(self, limit: int) -> list[tuple[int, Publication]]:
        rows = self.read("SELECT id, type, event_id, event FROM published ORDER BY id LIMIT ?", (limit,))
        return [(row[0], Publication(row[1], row[2], orjson.loads(row[3]))) for row in rows]

    def relayed(self, ids: Sequence[int]) -> None:
        with self.write() as database:
            database.executemany("DELETE FROM published WHERE id = ?", ((entry,) for entry in ids))

    def note(self, name: str) -> str | None:
        rows = self.read("SELECT value FROM note WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def set_note(self, name: str, value: str) -> None:
        with self.write() as database:
            database.execute("INSERT OR REPLACE INTO note VALUES (?,?)", (name, value))

    def people(self, open_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
        known: dict[str, tuple[str, int]] = {}
        for i in range(0, len(open_ids), MOST_PARAMETERS):
            some = in_few_lengths(open_ids[i : i + MOST_PARAMETERS])
            marks = ",".join("?" * len(some))
            for row in self.read(f"SELECT open_id, name, fetched FROM person WHERE open_id IN ({marks})", some):
                known[row[0]] = (row[1], row[2])
        return known

    def people_before(self, moment: int, limit: int) -> list[str]:
        query = "SELECT open_id FROM person WHERE fetched < ? AND open_id GLOB 'ou_*' ORDER BY fetched LIMIT ?"
        return [row[0] for row in self.read(query, (moment, limit))]

    def strangers(self, plugin: str, table: Table, column: str) -> list[str]:
        rows, person = self.layout(plugin, table).naming(column)
        found = self.read(
            f"SELECT DISTINCT {person} FROM {rows} WHERE {person} != '' AND typeof({person}) = 'text'"
            f" AND {person} NOT IN (SELECT open_id FROM person) LIMIT 50"
        )
        return [row[0] for row in found]

    def all_people(self) -> dict[str, str]:
        return dict(self.read("SELECT open_id, name FROM person WHERE name != ''"))

    def save_people(self, names: Mapping[str, str], now: int, uses: Sequence[tuple[str, Table, str]]) -> None:
        before = self.people(list(names))
        changed = [who for who, name in names.items() if before.get(who, ("", 0))[0] != name]
        with self.write() as database:
            database.executemany(
                "INSERT OR REPLACE INTO person VALUES (?,?,?)", ((w, n, now) for w, n in names.items())
            )
            for plugin, table, column in uses if changed else ():
                layout = self.layout(plugin, table)
                rows, person = layout.naming(column)
                database.execute(
                    f"UPDATE {layout.name} SET _version = _version + 1 WHERE _id IN"
                    f" (SELECT t._id FROM {rows} WHERE {person} IN (SELECT value FROM json_each(?)))",
                    (orjson.dumps(changed).decode(),),
                )

    def count_call(self, day: str, name: str) -> None:
        with self.write() as database:
            database.execute(
                "INSERT INTO api_call VALUES (?,?,1) ON CONFLICT(day, name) DO UPDATE SET calls = calls + 1",
                (day, name),
            )

    def calls(self, month: str) -> dict[str, int]:
        query = "SELECT name, sum(calls) FROM api_call WHERE day BETWEEN ? AND ? GROUP BY name ORDER BY 2 DESC, name"
        return dict(self.read(query, (f"{month}-00", f"{month}-99")))

    def calls_since(self, day: str) -> dict[str, int]:
        return dict(self.read("SELECT day, sum(calls) FROM api_call WHERE day >= ? GROUP BY day", (day,)))
