"""The unit of work: what a batch of events wants written, collected in memory; it never writes itself.

Reads see the writes collected so far. A mark before each event lets the writes of a failed one vanish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from .storage.protocol import StoreHandle
from .storage.values import AttachmentRequest, Key, Outgoing, Publication, Timer
from .table import Row, Table

_ABSENT: Any = object()

NOTHING: Final = b"{}"
"""The answer that shows nothing and leaves the card as it is."""

MOST_KEPT: Final = 500
"""Rows of one table that are kept in memory from batch to batch."""


class Answer(NamedTuple):
    """What one plugin has to say to one use of a card."""

    event_id: str
    body: bytes
    """JSON as the platform takes it (FEISHU.md §2.10); empty = the plugin is done with it and says nothing."""


class Unit:
    """The collected writes of one plugin since its last commit."""

    def __init__(self, plugin: str, store: StoreHandle) -> None:
        self._plugin = plugin
        self._store = store
        self._seen: dict[Table, dict[Key, Row | None]] = {}
        self._undo: list[tuple[Table, Key, Row | None]] = []
        self.rows: dict[Table, dict[Key, Row | None]] = {}
        self.published: list[Publication] = []
        self.outgoing: list[Outgoing] = []
        self.attachments: list[AttachmentRequest] = []
        self.timers: list[Timer] = []
        """Of the same name the last one counts."""
        self.answers: list[Answer] = []
        """Kept nowhere: they are brought to who waits for them when the rest is stored."""

    def get(self, table: Table, key: Key) -> Row | None:
        """The row as it will be; do not change it in place."""
        changed = self.rows.get(table)
        if changed is not None and key in changed:
            return changed[key]
        seen = self._seen.get(table)
        if seen is None:
            seen = self._seen[table] = {}
        elif key in seen:
            return seen[key]
        row = seen[key] = self._store.get(self._plugin, table, key)
        return row

    def prefetch(self, table: Table, ids: Iterable[str]) -> None:
        """Read the rows with these keys at once, for ``get`` to find."""
        seen = self._seen.setdefault(table, {})
        wanted = [(one,) for one in ids if (one,) not in seen]
        seen.update(dict.fromkeys(wanted))
        seen.update(self._store.get_many(self._plugin, table, wanted))

    def committed(self) -> Unit:
        """The unit that follows once this one is stored; it remembers rows, as nobody else writes them."""
        following = Unit(self._plugin, self._store)
        for table, rows in self._seen.items():
            rows.update(self.rows.get(table, {}))
            if len(rows) <= MOST_KEPT:
                following._seen[table] = rows
        return following

    def find(self, table: Table, where: Mapping[str, Any]) -> list[Row]:
        """Rows whose columns equal ``where``, in key order."""
        key_of = table.key
        changed = self.rows.get(table, {})
        found = {tuple(row[name] for name in key_of): row for row in self._store.find(self._plugin, table, where)}
        for key, row in changed.items():
            if row is not None and all(row[name] == value for name, value in where.items()):
                found[key] = row
            else:
                found.pop(key, None)
        return [found[key] for key in sorted(found)]

    def put(self, table: Table, key: Key, row: Row | None) -> None:
        """Replace the whole row; None deletes it."""
        rows = self.rows.setdefault(table, {})
        self._undo.append((table, key, rows.get(key, _ABSENT)))
        rows[key] = row

    def mark(self) -> tuple[int, ...]:
        """Where we are, for ``back_to``."""
        return len(self._undo), *map(len, self._lists)

    def back_to(self, mark: tuple[int, ...]) -> None:
        """Forget everything collected since ``mark``."""
        undo, *lengths = mark
        while len(self._undo) > undo:
            table, key, row = self._undo.pop()
            if row is _ABSENT:
                del self.rows[table][key]
            else:
                self.rows[table][key] = row
        for collected, length in zip(self._lists, lengths, strict=True):
            del collected[length:]

    @property
    def _lists(self) -> tuple[list[Any], ...]:
        return self.published, self.outgoing, self.attachments, self.timers, self.answers
