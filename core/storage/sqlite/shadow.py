"""The SQL of a replay: a second store beside the first, how its tables differ, and how they take the place of these.

The shadow is a database of its own, attached for as long as it is compared: what is built there never holds the lock
that running plugins commit under, and what is given up is a directory to delete.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from ...errors import Fenced, StorageError
from ...table import Row, Table
from ..values import Difference, Failure
from .dead import keep_failure
from .faults import storage_error
from .layout import Layout, quoted
from .mirror import SqliteMirrorSide
from .standing import replaced


def place(directory: Path, name: str) -> Path:
    """Where the shadow called ``name`` is, below the data directory."""
    return directory / "replay" / name / "shadow"


@contextmanager
def emptied(directory: Path) -> Iterator[Path]:
    """An empty directory that is deleted at the end. Raises ``StorageError``."""
    try:
        try:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise StorageError(f"{directory}: {error}. Is the disk full, and may this user write there?") from error
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class _Swap:
    """The statements for one table, ``m`` here and ``s`` in the shadow."""

    def __init__(self, layout: Layout) -> None:
        table, tracked = layout.table, layout.tracked
        carried = {column.name for column in table.stored if column.carried}
        self.here, self.there = f"main.{layout.name}", f"shadow.{layout.name}"
        self.before = f"shadow.{layout.name[:-1]}.before{layout.name[-1]}"
        self.columns, self.keys = layout.selected, layout.keys
        self.compared = ", ".join(quoted(name) for name in table.shown if name not in carried)
        self.same_key = " AND ".join(f"m.{quoted(key)} = s.{quoted(key)}" for key in table.key)
        self.m_alive, self.s_alive = ("m._deleted = 0", "s._deleted = 0") if tracked else ("1", "1")
        values = [name for name in layout.columns if name not in table.key and name not in carried]
        self.differs = _any_differs([name for name in values if name in table.shown])
        changes = [f"{quoted(name)} = s.{quoted(name)}" for name in values]
        if tracked:  # What people do not see need not be written to Bitable.
            changes.append(f"_version = m._version + ({self.differs})")
        self._changeable = bool(values)
        self._change = (
            f"UPDATE {self.here} AS m SET {', '.join(changes)} FROM {self.there} AS s"
            f" WHERE {self.same_key} AND {self.m_alive} AND {self.s_alive} AND ({_any_differs(values)})"
        )
        absent = f"NOT EXISTS (SELECT 1 FROM {{}} WHERE {self.same_key} AND {{}})"
        self.only_there = f"{self.s_alive} AND {absent.format(f'{self.here} m', self.m_alive)}"
        self.only_here = f"{self.m_alive} AND {absent.format(f'{self.there} s', self.s_alive)}"
        self._remove = (
            f"UPDATE {self.here} AS m SET _deleted = 1, _version = _version + 1"
            if tracked
            else f"DELETE FROM {self.here} AS m"
        )
        self._upsert = layout.upsert.replace("VALUES {rows}", "{rows}")

    def count(self, database: sqlite3.Connection) -> tuple[int, int, int]:
        """(added, changed, removed)."""
        both = f"{self.here} m JOIN {self.there} s ON {self.same_key} WHERE {self.m_alive} AND {self.s_alive}"
        counts = [
            database.execute(f"SELECT count(*) FROM {where}").fetchone()[0]
            for where in (
                f"{self.there} s WHERE {self.only_there}",
                f"{both} AND ({self.differs})",
                f"{self.here} m WHERE {self.only_here}",
            )
        ]
        return counts[0], counts[1], counts[2]

    def first(self, database: sqlite3.Connection, limit: int) -> list[Any]:
        """The keys of the first rows that differ."""
        here = f"SELECT {self.compared} FROM {self.here} AS m WHERE {self.m_alive}"
        there = f"SELECT {self.compared} FROM {self.there} AS s WHERE {self.s_alive}"
        return database.execute(
            f"SELECT {self.keys} FROM ({here} EXCEPT {there}) UNION SELECT {self.keys} FROM ({there} EXCEPT {here})"
            f" ORDER BY {self.keys} LIMIT ?",
            (limit,),
        ).fetchall()

    def replace(self, database: sqlite3.Connection) -> None:
        """Make the table what it is in the shadow; rows that are the same are not touched."""
        added = f"SELECT {self.columns} FROM {self.there} AS s WHERE {self.only_there}"
        database.execute(f"{self._remove} WHERE {self.only_here}")
        if self._changeable:
            database.execute(self._change)
        database.execute(self._upsert.format(rows=added))

    def carry(self, database: sqlite3.Connection) -> None:
        """Take over what the shadow changed of the rows it began with."""
        now, before = f"SELECT {self.columns} FROM {self.there} AS s WHERE {self.s_alive}", self.before
        gone = f"SELECT {self.keys} FROM {before} EXCEPT SELECT {self.keys} FROM ({now})"
        database.execute(self._upsert.format(rows=f"SELECT * FROM ({now} EXCEPT SELECT * FROM {before}) WHERE 1"))
        database.execute(f"{self._remove} WHERE ({self.keys}) IN ({gone})")


def _any_differs(columns: Sequence[str]) -> str:
    return " OR ".join(f"m.{quoted(name)} IS NOT s.{quoted(name)}" for name in columns) or "0"


class SqliteShadowSide(SqliteMirrorSide):
    """The part of ``SqliteStore`` that a replay uses."""

    def __init__(self, database: sqlite3.Connection, writing: threading.Lock) -> None:
        super().__init__(database, writing)
        self.generations: dict[str, int] = {}
        """Which tables this handle's plugins read: those that were there when they asked for their cursor."""

    def fill(self, plugin: str, tables: Sequence[Table], shadow: str, carried: Sequence[Table]) -> None:
        with self._attached(shadow), self.write() as database:
            for table in tables:
                swap, layout = _Swap(self.layout(plugin, table)), self.layout(plugin, table)
                if table in carried:
                    alive = f"SELECT {swap.columns} FROM {swap.here} AS m WHERE {swap.m_alive}"
                    database.execute(f"INSERT INTO {swap.there} ({swap.columns}) {alive}")
                    database.execute(f"CREATE TABLE {swap.before} AS {alive}")
                    continue
                rows = database.execute(
                    "SELECT row FROM main.adopted WHERE plugin = ? AND tbl = ?", (plugin, table.name)
                ).fetchall()
                marks = ",".join("?" * len(layout.columns))
                database.executemany(
                    f"INSERT INTO {swap.there} ({swap.columns}) VALUES ({marks})",
                    (layout.values(table.blank | orjson.loads(row)) for (row,) in rows),
                )

    def differences(
        self, plugin: str, tables: Sequence[Table], shadow: str, *, cursor: int | None, first: int
    ) -> list[Difference]:
        found = []
        with self._attached(shadow), self._reading() as database:
            if cursor is not None:
                _at(database, plugin, cursor)
            for table in tables:
                layout = self.layout(plugin, table)
                swap = _Swap(layout)
                rows = []
                for key in swap.first(database, first):
                    before = _row(database, layout, swap.here, swap.m_alive, "m", key)
                    after = _row(database, layout, swap.there, swap.s_alive, "s", key)
                    if before is not None and after is not None:
                        after |= {column.name: before[column.name] for column in table.stored if column.carried}
                    rows.append((before, after))
                found.append(Difference(table, *swap.count(database), rows))
        return found

    def swap_in(
        self,
        plugin: str,
        tables: Sequence[Table],
        shadow: str,
        *,
        carried: Sequence[Table],
        cursor: int,
        now: int,
        held: Collection[int],
        failures: Sequence[Failure],
    ) -> None:
        with self._attached(shadow), self.write() as database:
            _at(database, plugin, cursor)
            parked = {failure.seq for failure in failures}
            query = "SELECT seq FROM retry WHERE plugin = ?1 UNION SELECT seq FROM dead WHERE plugin = ?1"
            query += " UNION SELECT seq FROM discarded WHERE plugin = ?1"
            if set(held) - parked - {row[0] for row in database.execute(query, (plugin,))}:
                raise Fenced(f"{plugin} has handled an event meanwhile that had failed before")
            for table in tables:
                layout = self.layout(plugin, table)
                swap = _Swap(layout)
                if table in carried:
                    swap.carry(database)
                else:
                    swap.replace(database)
                if layout.index is not None:
                    layout.index.catch_up(database)
            database.execute(
                "INSERT OR IGNORE INTO main.timer"
                " SELECT plugin, name, due, attempts FROM shadow.timer WHERE plugin = ?",
                (plugin,),
            )
            for failure in failures:
                keep_failure(database, plugin, now, failure)
            replaced(database, plugin)

    @contextmanager
    def _attached(self, shadow: str) -> Iterator[None]:
        ((_, _, file),) = [row for row in self.read("PRAGMA database_list") if row[1] == "main"]
        self.read("ATTACH DATABASE ? AS shadow", (str(place(Path(file).parent, shadow) / "store.db"),))
        try:
            yield
        finally:
            with suppress(StorageError):
                self.read("DETACH DATABASE shadow")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One read transaction."""
        try:
            self._database.execute("BEGIN")
            yield self._database
        except sqlite3.Error as error:
            raise storage_error(error) from error
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")


def _at(database: sqlite3.Connection, plugin: str, cursor: int) -> None:
    found = database.execute("SELECT cursor FROM main.consumer WHERE plugin = ?", (plugin,)).fetchone()
    if found != (cursor,):
        raise Fenced(f"{plugin} is no longer at {cursor}")


def _row(
    database: sqlite3.Connection, layout: Layout, table: str, alive: str, alias: str, key: Sequence[Any]
) -> Row | None:
    where = " AND ".join(f"{quoted(name)} = ?" for name in layout.table.key)
    found = database.execute(
        f"SELECT {layout.selected} FROM {table} AS {alias} WHERE {where} AND {alive}", key
    ).fetchone()
    return None if found is None else layout.row(found)
