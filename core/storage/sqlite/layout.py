"""How a declared table is laid out in SQLite: names, columns, statements and the conversion of rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from ...errors import TableChanged, Undeclared
from ...table import STRUCTURED, Attachments, Json, Number, Row, Table, Text, Timestamp
from ..values import Between, Key
from .search import SearchIndex

TRACKED: Final = """
  _id INTEGER PRIMARY KEY,
  _version INTEGER NOT NULL DEFAULT 1,   -- goes up with every change
  _mirrored INTEGER NOT NULL DEFAULT 0,  -- the version Bitable shows
  _record TEXT,                          -- the Bitable record, once it exists
  _deleted INTEGER NOT NULL DEFAULT 0    -- deleted here, not yet there
"""
NUMBERED: Final = "_id INTEGER PRIMARY KEY"

TEXT: Final = "TEXT NOT NULL DEFAULT ''"
WHOLE: Final = "INTEGER NOT NULL DEFAULT 0"
REAL: Final = "REAL NOT NULL DEFAULT 0"
MOMENT: Final = "INTEGER"
FILES: Final = "TEXT NOT NULL DEFAULT '[]'"
JSON: Final = "TEXT"
KINDS: Final = {TEXT: "text", WHOLE: "a number", REAL: "a number", MOMENT: "a time", FILES: "attachments", JSON: "JSON"}
NUMERIC: Final = {WHOLE, REAL}
"""A number may get other decimals: a column takes both."""
ADVICE: Final = "; the author has to give the new table a name of its own, the old one stays with its rows"


class Layout:
    """The statements of one table of one plugin."""

    def __init__(self, plugin: str, table: Table) -> None:
        self.table = table
        self.tracked = bool(table.setting)
        self.name = f'"{plugin}.{table.name}"'
        self._index = f"{plugin}.{table.name}"
        self._plugin = plugin
        self.columns = [column.name for column in table.stored]
        self._json = [i for i, column in enumerate(table.stored) if isinstance(column, STRUCTURED)]
        self.index = SearchIndex(self._index, table.search) if table.search else None
        self.selected = columns = ", ".join(map(quoted, self.columns))
        self.keys = keys = ", ".join(map(quoted, table.key))
        where = " AND ".join(f"{quoted(name)} = ?" for name in table.key)
        alive = " AND _deleted = 0" if self.tracked else ""
        others = [name for name in self.columns if name not in table.key]
        changes = [f"{quoted(name)} = excluded.{quoted(name)}" for name in others]
        if self.tracked:
            changes += ["_version = _version + 1", "_deleted = 0"]
        self.get = f"SELECT {columns} FROM {self.name} WHERE {where}{alive}"
        self.scan = f"SELECT {columns} FROM {self.name} WHERE 1{alive} ORDER BY {keys}"
        order = ", ".join(f"{quoted(name)} DESC" for name in table.ranked_by) or keys
        self.top = f"SELECT {columns} FROM {self.name} WHERE 1{alive} ORDER BY {order} LIMIT ?"
        self.upsert = f"INSERT INTO {self.name} ({columns}) VALUES {{rows}} ON CONFLICT({keys}) DO " + (
            f"UPDATE SET {', '.join(changes)}" if changes else "NOTHING"
        )
        self.delete = (
            f"UPDATE {self.name} SET _deleted = 1, _version = _version + 1 WHERE {where}"
            if self.tracked
            else f"DELETE FROM {self.name} WHERE {where}"
        )

    def find(self, columns: Iterable[str]) -> str:
        """The query for rows whose ``columns`` equal parameters."""
        where = " AND ".join(f"{quoted(name)} IS ?" for name in columns)
        alive = " AND _deleted = 0" if self.tracked else ""
        return f"SELECT {self.selected} FROM {self.name} WHERE {where}{alive} ORDER BY {self.keys}"

    def among(self, count: int) -> str:
        """The query for the rows whose key, one column, is among ``count`` parameters."""
        alive = " AND _deleted = 0" if self.tracked else ""
        marks = ",".join("?" * count)
        return f"SELECT {self.selected} FROM {self.name} WHERE {quoted(self.table.key[0])} IN ({marks}){alive}"

    def select(
        self, equals: Mapping[str, Any], between: Between | None, limit: int | None, after: Row | None
    ) -> tuple[str, list[Any]]:
        """The query for rows in the order of ``between``'s column and of the key, and its parameters."""
        conditions, values = self._conditions(equals, between)
        order = [*([between[0]] if between else []), *self.table.key]
        ordered = ", ".join(f"t.{quoted(name)}" for name in order)
        if after is not None:
            conditions.append(f"({ordered}) > ({','.join('?' * len(order))})")
            values += [after[name] for name in order]
        where = " AND ".join(conditions)
        limited = -1 if limit is None else limit
        return f"SELECT {self.selected} FROM {self.name} t WHERE {where} ORDER BY {ordered} LIMIT ?", [*values, limited]

    def search(
        self, words: str, equals: Mapping[str, Any], between: Between | None, limit: int
    ) -> tuple[str, list[Any]]:
        """The query for rows that match an FTS5 expression, best first, and its parameters."""
        if self.index is None:
            raise Undeclared(f"table {self._index} is searched; it needs search=(…) in its declaration")
        conditions, values = self._conditions(equals, between)
        columns = ", ".join(f"t.{quoted(name)}" for name in self.columns)
        times = [f"t.{quoted(column.name)} DESC" for column in self.table.stored if isinstance(column, Timestamp)]
        order = ", ".join(["s.rank", *times[:1], "t._id DESC"])
        query = (
            f"SELECT {columns} FROM {self.index.name} s JOIN {self.name} t ON t._id = s.rowid"
            f" WHERE s.{self.index.name} MATCH ? AND {' AND '.join(conditions)} ORDER BY {order} LIMIT ?"
        )
        return query, [words, *values, limit]

    def _conditions(self, equals: Mapping[str, Any], between: Between | None) -> tuple[list[str], list[Any]]:
        conditions = ["t._deleted = 0" if self.tracked else "1", *(f"t.{quoted(name)} IS ?" for name in equals)]
        values = list(equals.values())
        if between is not None:
            column, start, end = between
            conditions.append(f"t.{quoted(column)} IS NOT NULL")
            for sign, bound in ((">=", start), ("<", end)):
                if bound is not None:
                    conditions.append(f"t.{quoted(column)} {sign} ?")
                    values.append(bound)
        return conditions, values

    def naming(self, column: str) -> tuple[str, str]:
        """(table, expression) in which SQL finds the open_ids of ``column``, one or a list of them, row by row."""
        if isinstance(self.table.by_name[column], Json):
            return f"{self.name} t, json_each(t.{quoted(column)}) p", "p.value"
        return f"{self.name} t", f"t.{quoted(column)}"

    def values(self, row: Row) -> tuple[Any, ...]:
        """A row as SQL parameters."""
        values = [row[name] for name in self.columns]
        for i in self._json:
            values[i] = None if values[i] is None else orjson.dumps(values[i]).decode()
        return tuple(values)

    def row(self, values: Sequence[Any]) -> Row:
        """A row from its SQL values."""
        row = dict(zip(self.columns, values, strict=True))
        for i in self._json:
            if values[i] is not None:
                row[self.columns[i]] = orjson.loads(values[i])
        return row

    def key(self, row: Row) -> Key:
        """The key of a row."""
        return tuple(row[name] for name in self.table.key)

    def prepare(self, database: sqlite3.Connection) -> None:
        """Make the table, or add the columns it does not have yet; one that is declared no more stays, with its values.

        Raises ``TableChanged`` when the key changed, a column holds another kind of value now, or the table was private
        and is mirrored now or the other way round.
        """
        declared = {column.name: _declaration(column) for column in self.table.stored}
        present = database.execute(f"PRAGMA table_info({self.name})").fetchall()
        if not present:
            database.execute(self._creation(f"{quoted(name)} {kind}" for name, kind in declared.items()))
        else:
            self._same_key(database)
            names = {row[1] for row in present}
            if self.tracked != ("_version" in names):
                raise TableChanged(
                    f"table {self._index}: a private table cannot become a mirrored one, nor back{ADVICE}"
                )
            self._same_kinds(declared, present)
            for name, declaration in declared.items():
                if name not in names:
                    database.execute(f"ALTER TABLE {self.name} ADD COLUMN {quoted(name)} {declaration}")
            if self.index is not None and "_id" not in names:
                self._number_rows(database)
        if self.tracked:
            database.execute(
                f'CREATE INDEX IF NOT EXISTS "{self._index}.pending" ON {self.name}(_mirrored)'
                " WHERE _mirrored < _version"
            )
            database.execute(  # What is being created may have a record already, of which we learn later.
                f"DELETE FROM {self.name} WHERE _deleted = 1 AND _record IS NULL AND _mirrored = 0"
                " AND NOT EXISTS (SELECT 1 FROM batch WHERE plugin = ? AND tbl = ?)",
                (self._plugin, self.table.name),
            )
        for index in self.table.indexes:
            columns = ", ".join(map(quoted, index))
            database.execute(f'CREATE INDEX IF NOT EXISTS "{self._index}.{"_".join(index)}" ON {self.name}({columns})')
        if self.index is not None:
            self.index.prepare(database)

    def _creation(self, columns: Iterable[str]) -> str:
        """The statement that makes the table; a private one has no row numbers unless an index needs them."""
        if self.tracked or self.index is not None:
            numbered = TRACKED if self.tracked else NUMBERED
            return f"CREATE TABLE {self.name} ({', '.join(columns)}, {numbered}, UNIQUE ({self.keys}))"
        return f"CREATE TABLE {self.name} ({', '.join(columns)}, PRIMARY KEY ({self.keys})) WITHOUT ROWID"

    def _number_rows(self, database: sqlite3.Connection) -> None:
        """Make a private table anew, with row numbers."""
        before = quoted(f"{self._index}.before")
        present = database.execute(f"PRAGMA table_info({self.name})").fetchall()
        columns = {quoted(row[1]): _declared(row) for row in present}
        names = ", ".join(columns)
        database.execute(f"ALTER TABLE {self.name} RENAME TO {before}")
        database.execute(self._creation(f"{name} {declaration}" for name, declaration in columns.items()))
        database.execute(f"INSERT INTO {self.name} ({names}) SELECT {names} FROM {before}")
        database.execute(f"DROP TABLE {before}")

    def _same_key(self, database: sqlite3.Connection) -> None:
        for _, index, unique, origin, *_rest in database.execute(f"PRAGMA index_list({self.name})").fetchall():
            if unique and origin in ("u", "pk"):
                key = tuple(row[2] for row in database.execute(f'PRAGMA index_info("{index}")').fetchall())
                if key != self.table.key:
                    was, now = ", ".join(key), ", ".join(self.table.key)
                    raise TableChanged(f"table {self._index}: its key was {was} and cannot become {now}{ADVICE}")

    def _same_kinds(self, declared: Mapping[str, str], present: Sequence[Sequence[Any]]) -> None:
        for row in present:
            was, now = _declared(row), declared.get(row[1], "")
            if now and was != now and not {was, now} <= NUMERIC:
                raise TableChanged(
                    f"table {self._index}: column {row[1]} is stored as {_words(was)} and cannot become {_words(now)}; "
                    "the author has to give the new column a name of its own, the old one stays with its values"
                )


def quoted(name: str) -> str:
    """A column's name in SQL, where it may be a word of the language."""
    return f'"{name}"'


def _declaration(column: object) -> str:
    match column:
        case Text():
            return TEXT
        case Number(places=0):
            return WHOLE
        case Number():
            return REAL
        case Timestamp():
            return MOMENT
        case Attachments():
            return FILES
        case _:
            return JSON


def _declared(info: Sequence[Any]) -> str:
    """How a column that exists was declared, from its ``table_info``; a key alone makes a column NOT NULL as well."""
    _, _, kind, needed, default, _ = info
    return f"{kind} NOT NULL DEFAULT {default}" if needed and default else str(kind)


def _words(declaration: str) -> str:
    return KINDS.get(declaration, declaration)


class Layouts:
    """The layout of every table asked for, made once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Table], Layout] = {}

    def __call__(self, plugin: str, table: Table) -> Layout:
        layout = self._known.get((plugin, table))
        if layout is None:
            layout = self._known[plugin, table] = Layout(plugin, table)
        return layout
