"""Full-text search in SQLite: an FTS5 index of a table, kept in the transaction that stores the row.

FTS5 takes a run of Chinese for one word. So CJK letters are set apart when a row is indexed, and each word searched for
becomes a phrase: any part of a Chinese sentence is found.

Triggers note the rows whose entry is out of date, and a write transaction ends with ``catch_up``. What a version of the
program that knew of no index has stored is noted as well, and indexed when the table is prepared.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

from .handle import insert_rows

FORM: Final = 1
"""Goes up when the way of indexing changes; every index is then built anew."""
AT_ONCE: Final = 1000
"""Rows indexed in one step."""
MOST_WORDS: Final = 32
LONGEST_QUERY: Final = 1000

_CJK: Final = "\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003fffd"
_WORDS: Final = re.compile(r'["“”]([^"“”]*)["“”]|([^\s"“”]+)')
_UNUSABLE: Final = re.compile("[\0\ud800-\udfff]")


class SearchIndex:
    """The index of some text columns of one table that has ``_id``."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self.name = f'"{table}.search"'
        self._table = f'"{table}"'
        self._unindexed = f'"{table}.unindexed"'
        self._note = f"search of {table}"
        self._form = f"{FORM} {' '.join(columns)}"
        self._columns = columns
        mine = ", ".join(f"_{number}" for number in range(len(columns)))  # No column of a plugin begins like that.
        texts = ", ".join(f't."{name}"' for name in columns)
        self._read = (
            f"SELECT t._id, {texts} FROM {self._unindexed} u JOIN {self._table} t ON t._id = u.id"
            f" ORDER BY u.id LIMIT {AT_ONCE}"
        )
        self._insert = f"INSERT INTO {self.name} (rowid, {mine}) VALUES {{rows}}"
        self._create = (
            f"CREATE VIRTUAL TABLE {self.name} USING fts5({mine}, tokenize = 'unicode61 remove_diacritics 2')"
        )

    def prepare(self, database: sqlite3.Connection) -> None:
        """Make the index, build it anew when it was made otherwise, and bring it up to date."""
        known = database.execute("SELECT value FROM note WHERE name = ?", (self._note,)).fetchone()
        if known != (self._form,):
            self._build(database)
            database.execute("INSERT OR REPLACE INTO note VALUES (?,?)", (self._note, self._form))
        self.catch_up(database)

    def _build(self, database: sqlite3.Connection) -> None:
        database.execute(f"DROP TABLE IF EXISTS {self.name}")
        database.execute(self._create)
        # Twice as many segments before they are merged: searching is quick enough, and commits are what is frequent.
        database.execute(f"INSERT INTO {self.name}({self.name}, rank) VALUES ('automerge', 8)")
        database.execute(f"DROP TABLE IF EXISTS {self._unindexed}")
        database.execute(f"CREATE TABLE {self._unindexed} (id INTEGER PRIMARY KEY)")
        database.execute(f"INSERT INTO {self._unindexed} SELECT _id FROM {self._table}")
        forget = f"DELETE FROM {self.name} WHERE rowid = old._id"
        enter = f"INSERT OR IGNORE INTO {self._unindexed} VALUES (new._id)"
        texts = ", ".join(f'"{name}"' for name in self._columns)
        changed = " OR ".join(f'old."{name}" IS NOT new."{name}"' for name in self._columns)
        for name, when, then in (
            ("added", "INSERT", enter),
            ("changed", f"UPDATE OF {texts}", f"{forget}; {enter}"),
            ("removed", "DELETE", f"{forget}; DELETE FROM {self._unindexed} WHERE id = old._id"),
        ):
            trigger = f'{self.name[:-1]}.{name}"'
            condition = f"WHEN {changed} " if name == "changed" else ""
            database.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            database.execute(f"CREATE TRIGGER {trigger} AFTER {when} ON {self._table} {condition}BEGIN {then}; END")

    def catch_up(self, database: sqlite3.Connection) -> None:
        """Index the rows that were added or changed since the last time."""
        while rows := database.execute(self._read).fetchall():
            insert_rows(database, self._insert, [(row[0], *map(set_apart, row[1:])) for row in rows])
            database.execute(f"DELETE FROM {self._unindexed} WHERE id <= ?", (rows[-1][0],))


@cache
def _runs() -> re.Pattern[str]:
    """Letters that stand side by side in a word; compiled when first needed, as so large a set takes its time."""
    return re.compile(f"[{_CJK}]+")


def set_apart(text: str) -> str:
    """``text`` as it is indexed: compatible forms made one (Ａ as A), every CJK letter a word of its own."""
    if text.isascii():
        return text
    return _runs().sub(lambda run: f" {' '.join(run[0])} ", unicodedata.normalize("NFKC", text))


def expression(query: str) -> str:
    """The FTS5 expression for what a person typed; empty when there is nothing to search for.

    All words have to occur, each as a phrase of its letters; ``rel*`` is the beginning of a word, and words in quotes
    stand side by side. More than ``MOST_WORDS`` are not looked at.
    """
    phrases = []
    for quoted, word in _WORDS.findall(unicodedata.normalize("NFKC", _UNUSABLE.sub(" ", query[:LONGEST_QUERY]))):
        if any(letter.isalnum() for letter in quoted or word):
            beginning = "*" if word.endswith("*") else ""
            phrases.append(f'"{set_apart(quoted or word)}"{beginning}')
    return " AND ".join(phrases[:MOST_WORDS])
