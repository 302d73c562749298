"""What one plugin may read of another: committed rows of a table, by name; it never writes, and imports no plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from .errors import Problem, Undeclared
from .manifest import Manifest
from .storage.protocol import StoreHandle
from .storage.values import Between
from .table import Row, Table

Tables = Callable[[str], Table | None]
"""The declaration of ``<plugin>.<table>``; None while no plugin of that name is enabled, or it has no such table."""

ANY: Final[Mapping[str, Any]] = MappingProxyType({})


class ReadOnly:
    """A table of another plugin, as its last commit left it."""

    def __init__(self, plugin: str, table: Table, store: StoreHandle) -> None:
        self._plugin = plugin
        self._table = table
        self._store = store

    def get(self, *key: Any) -> Row | None:
        """The row with this key, or None."""
        if len(key) != len(self._table.key):
            raise TypeError(f"the key of table {self._plugin}.{self._table.name} is {self._table.key}, got {key!r}")
        return self._store.get(self._plugin, self._table, key)

    def find(self, **equals: Any) -> list[Row]:
        """Rows whose columns equal the values given, in key order; the columns must be an index of the table."""
        if tuple(equals) not in self._table.indexes:
            raise Undeclared(
                f"find({', '.join(equals)}) on table {self._plugin}.{self._table.name}: its indexes are "
                f"{self._table.indexes!r}; select(equals=…) reads the table from end to end"
            )
        return self._store.find(self._plugin, self._table, equals)

    def top(self, count: int) -> list[Row]:
        """The first ``count`` rows by the table's ``ranked_by``."""
        if not self._table.ranked_by:
            raise Undeclared(f"top on table {self._plugin}.{self._table.name}: it has no ranked_by=(…)")
        return self._store.top(self._plugin, self._table, count)

    def select(
        self,
        *,
        equals: Mapping[str, Any] = ANY,
        between: Between | None = None,
        limit: int | None = None,
        after: Row | None = None,
    ) -> Iterator[Row]:
        """Rows whose columns equal ``equals``, in key order or that of ``between``'s column, read as asked for.

        ``between=("sent", start, end)`` takes rows with ``start <= sent < end``, where None leaves an end open;
        ``after`` is a row of an earlier answer: only those behind it.
        """
        self._know(equals, between)
        return self._store.select(self._plugin, self._table, equals=equals, between=between, limit=limit, after=after)

    def search(
        self, words: str, *, equals: Mapping[str, Any] = ANY, between: Between | None = None, limit: int = 20
    ) -> list[Row]:
        """Rows of a table with ``search`` in which all ``words`` occur, best first; filters as in ``select``."""
        self._know(equals, between)
        return self._store.search(self._plugin, self._table, words, equals=equals, between=between, limit=limit)

    def scan(self) -> Iterator[Row]:
        """Every row in key order."""
        return self._store.scan(self._plugin, self._table)

    def _know(self, equals: Mapping[str, Any], between: Between | None) -> None:
        columns = [column.name for column in self._table.stored]
        for name in (*equals, *(between[:1] if between else ())):
            if name not in columns:
                raise Undeclared(
                    f"table {self._plugin}.{self._table.name} has no column {name}; it has: {', '.join(columns)}"
                )


def unread(manifests: Iterable[Manifest]) -> list[Problem]:
    """What enabled plugins want to read of enabled plugins and will never find."""
    enabled = {manifest.name: manifest for manifest in manifests}
    problems = []
    for manifest in enabled.values():
        for name in manifest.reads:
            plugin, _, table = name.partition(".")
            there = [one.name for one in enabled[plugin].tables] if plugin in enabled else [table]
            if table not in there:
                what = f"reads={name!r}: {plugin} has no table {table!r}"
                fix = f"it has: {', '.join(there) or 'none'}; the author has to name one of them in the manifest"
                problems.append(Problem(f"plugin {manifest.name}", what, fix))
    return problems
