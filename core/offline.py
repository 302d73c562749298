"""Reading what is stored, without a connection: for commands, also while the program runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import orjson

from .errors import ConfigurationError, Problem
from .plugins import Plugin
from .settings import Settings
from .storage import open_engine
from .storage.protocol import StoreHandle
from .table import Json, PersonCell, PersonName, Row, Table, Timestamp


class Offline:
    """One plugin's stored tables and its configuration. Use it as a context manager."""

    def __init__(self, settings: Settings, plugin: Plugin) -> None:
        self.plugin = plugin
        self.config = plugin.config
        self.timezone = settings.zone
        self._directory = settings.data_dir
        self._opened: StoreHandle | None = None

    @property
    def _store(self) -> StoreHandle:
        """Opened when first used, so that showing help needs no data. Raises ``ConfigurationError``."""
        if self._opened is None:
            if not (self._directory / "store.db").exists():
                fix = "run the program first, set DATA_DIR, or read the sandbox's data: python -m core --sandbox …"
                raise ConfigurationError([Problem(str(self._directory), "nothing is stored there yet", fix)])
            self._opened = open_engine(self._directory).store()
            self._opened.prepare(self.plugin.name, self.plugin.tables)
        return self._opened

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row in key order."""
        return self._store.scan(self.plugin.name, table)

    def find(self, table: Table, **equals: Any) -> list[Row]:
        """Rows whose columns equal the values given, in key order."""
        return self._store.find(self.plugin.name, table, equals)

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
            title = column.title or column.name
            if isinstance(column, PersonName | PersonCell):
                shown[title] = names.get(row[column.of], "")
            elif isinstance(column, Timestamp) and row[column.name] is not None:
                moment = datetime.fromtimestamp(row[column.name] / 1000, self.timezone)
                shown[title] = moment.isoformat(sep=" ", timespec="seconds")
            elif isinstance(column, Json) and row[column.name] is not None:
                shown[title] = orjson.dumps(row[column.name]).decode()
            else:
                shown[title] = row[column.name]
        return shown

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None
