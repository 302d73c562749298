"""Reading what is stored, without a connection: for commands, also while the program runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import orjson

from .errors import ConfigurationError, Problem
from .loading.plugins import Plugin
from .settings import Settings
from .storage import open_engine
from .storage.protocol import Engine, StoreHandle
from .storage.values import Between
from .table import Attachments, Json, PersonCell, PersonName, PersonNames, Row, Table, Timestamp, joined_names

ANY: Final[Mapping[str, Any]] = MappingProxyType({})


class Offline:
    """One plugin's stored tables and its configuration. Use it as a context manager.

    Several of one data directory can share an engine; ``opening`` gives it when it is needed.
    """

    def __init__(self, settings: Settings, plugin: Plugin, opening: Callable[[Path], Engine] = open_engine) -> None:
        self.plugin = plugin
        self.config = plugin.config
        self.timezone = settings.zone
        self.data_dir = settings.data_dir
        self._opening = opening
        self._opened: StoreHandle | None = None

    @property
    def _store(self) -> StoreHandle:
        """Opened when first used, so that showing help needs no data. Raises ``ConfigurationError``."""
        if self._opened is None:
            if not (self.data_dir / "store.db").exists():
                fix = "run the program first, set DATA_DIR, or read the sandbox's data: python -m core --sandbox …"
                raise ConfigurationError([Problem(str(self.data_dir), "nothing is stored there yet", fix)])
            self._opened = self._opening(self.data_dir).store()
            self._opened.prepare(self.plugin.name, self.plugin.tables)
        return self._opened

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row in key order."""
        return self._store.scan(self.plugin.name, table)

    def get(self, table: Table, *key: Any) -> Row | None:
        """The row with this key, or None."""
        return self._store.get(self.plugin.name, table, key)

    def find(self, table: Table, **equals: Any) -> list[Row]:
        """Rows whose columns equal the values given, in key order."""
        return self._store.find(self.plugin.name, table, equals)

    def select(
        self,
        table: Table,
        *,
        equals: Mapping[str, Any] = ANY,
        between: Between | None = None,
        limit: int | None = None,
        after: Row | None = None,
    ) -> Iterator[Row]:
        """Rows whose columns equal ``equals``, in key order, read one by one as they are asked for.

        ``between=("sent", start, end)`` takes rows with ``start <= sent < end``, where None leaves an end open, in the
        order of that column. ``after`` is a row of an earlier answer to the same question: only those behind it.
        """
        return self._store.select(self.plugin.name, table, equals=equals, between=between, limit=limit, after=after)

    def search(
        self,
        table: Table,
        words: str,
        *,
        equals: Mapping[str, Any] = ANY,
        between: Between | None = None,
        limit: int = 20,
    ) -> list[Row]:
        """Rows of a table with ``search`` in which all ``words`` occur, best first; filters as in ``select``.

        A Chinese word is found anywhere, any other as a whole word, or by its beginning when ``*`` ends it; words in
        quotes stand side by side. Whatever is typed is allowed; without a letter or digit nothing is found.
        """
        return self._store.search(self.plugin.name, table, words, equals=equals, between=between, limit=limit)

    def top(self, table: Table, count: int) -> list[Row]:
        """The first ``count`` rows by the table's ``ranked_by``."""
        return self._store.top(self.plugin.name, table, count)

    def count(self, table: Table) -> tuple[int, int]:
        """(rows waiting for Bitable, rows in all)."""
        return self._store.count_pending(self.plugin.name, table)

    def names(self) -> dict[str, str]:
        """Every name known, by open_id."""
        return self._store.all_people()

    def shown(self, table: Table, row: Row, names: dict[str, str]) -> dict[str, Any]:
        """A row as people read it: by column title, with names, times in the operator's time zone."""
        shown: dict[str, Any] = {}
        for column in table.columns:
            match column:
                case PersonName() | PersonNames():
                    value: Any = joined_names(column, row, names)
                case PersonCell():
                    value = names.get(row[column.of], "")
                case Attachments():
                    files = [file.get("name") or file.get("file_token") for file in row[column.name]]
                    value = ", ".join(str(file) for file in files if file)
                case Timestamp() if row[column.name] is not None:
                    moment = datetime.fromtimestamp(row[column.name] / 1000, self.timezone)
                    value = moment.isoformat(sep=" ", timespec="seconds")
                case Json() if row[column.name] is not None:
                    value = orjson.dumps(row[column.name]).decode()
                case _:
                    value = row[column.name]
            shown[column.title or column.name] = value
        return shown

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None
