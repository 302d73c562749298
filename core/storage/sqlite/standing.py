"""The SQL of how each plugin stands beside its cursor: where it began, whether it is suspended, whose rows it holds."""

from __future__ import annotations

import sqlite3
from typing import Final

from ...errors import Replaced
from ..values import Standing
from .handle import SqliteHandle

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS standing (
  plugin TEXT PRIMARY KEY,
  began INTEGER NOT NULL,                -- where its cursor was at its first start
  generation INTEGER NOT NULL DEFAULT 0, -- goes up when its tables, or rows of them, are replaced
  suspended INTEGER,                     -- since when, ms
  reason TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
"""


def begin(database: sqlite3.Connection, plugin: str, start: int) -> int:
    """Note where a plugin begins unless that is known; its generation."""
    database.execute(  # One that ran before this was noted may have begun anywhere.
        "INSERT OR IGNORE INTO standing(plugin, began) SELECT ?,"
        " CASE WHEN EXISTS (SELECT 1 FROM consumer WHERE plugin = ?) THEN 0 ELSE ? END",
        (plugin, plugin, start),
    )
    return generation_of(database, plugin)


def generation_of(database: sqlite3.Connection, plugin: str) -> int:
    """How often a plugin's tables were replaced."""
    (generation,) = database.execute(
        "SELECT coalesce(max(generation), 0) FROM standing WHERE plugin = ?", (plugin,)
    ).fetchone()
    return int(generation)


def suspend(database: sqlite3.Connection, plugin: str, reason: str, now: int) -> None:
    """Part of a commit: the plugin is suspended."""
    database.execute("UPDATE standing SET suspended = ?, reason = ? WHERE plugin = ?", (now, reason, plugin))


def same_generation(database: sqlite3.Connection, plugin: str, known: int) -> None:
    """Part of a commit: raises ``Replaced`` when the plugin's tables are others than those it read."""
    if generation_of(database, plugin) != known:
        raise Replaced(f"the tables of {plugin} were replaced, or rows of Bitable were taken over into them")


def replaced(database: sqlite3.Connection, plugin: str) -> None:
    """Part of a write: rows of the plugin are now others than those it read."""
    database.execute("UPDATE standing SET generation = generation + 1 WHERE plugin = ?", (plugin,))


class SqliteStandingSide(SqliteHandle):
    """The part of ``SqliteStore`` that knows how plugins stand."""

    def standing(self, plugin: str) -> Standing | None:
        rows = self.read("SELECT began, suspended, reason FROM standing WHERE plugin = ?", (plugin,))
        return Standing(*rows[0]) if rows else None

    def resume(self, plugin: str) -> bool:
        if not self.read("SELECT 1 FROM standing WHERE plugin = ? AND suspended IS NOT NULL", (plugin,)):
            return False
        with self.write() as database:
            database.execute("UPDATE standing SET suspended = NULL, reason = '' WHERE plugin = ?", (plugin,))
        return True
