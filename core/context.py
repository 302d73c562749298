"""What a hook gets to work with: its configuration, its tables, its state, the clock; nothing undeclared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar
from zoneinfo import ZoneInfo

import orjson

from .errors import Undeclared, Unreachable
from .manifest import Config, Manifest
from .storage.protocol import Publication, StoreHandle
from .table import Column, Json, Row, Table, Text
from .unit import Unit

if TYPE_CHECKING:
    from loguru import Logger

    from .status import Status

C = TypeVar("C", bound=Config)

Call = Callable[[Any], Awaitable[dict[str, Any]]]
"""Executes a request object of the official SDK and answers with its ``data``."""

STATE = Table("state", (Text("name"), Json("value")), key=("name",))
"""Every plugin has one: small facts by name, see ``Context.state``."""


async def no_api(request: Any) -> dict[str, Any]:
    """What calls the platform where there is none."""
    raise Unreachable(f"{type(request).__name__}: this program has no connection to the platform")


class TableView:
    """One declared table during an event: reads are immediate, writes are collected."""

    def __init__(self, plugin: str, table: Table, unit: Unit, store: StoreHandle) -> None:
        self.unit = unit
        self._plugin = plugin
        self._table = table
        self._store = store

    def get(self, *key: Any) -> Row | None:
        """The row with this key, or None. It is a view: change it, and what is in it, with ``set`` or ``add`` only."""
        return self.unit.get(self._table, self._checked(key))

    def find(self, **equals: Any) -> list[Row]:
        """Rows whose columns equal the values given, in key order; the columns must be an index of the table."""
        if tuple(equals) not in self._table.indexes:
            raise Undeclared(
                f"{self._plugin}: find({', '.join(equals)}) on table {self._table.name!r} needs "
                f"indexes=({tuple(equals)!r},) in its declaration"
            )
        return self.unit.find(self._table, equals)

    def scan(self) -> Iterator[Row]:
        """Every stored row in key order, without what the current batch collected; meant for ``startup``."""
        return self._store.scan(self._plugin, self._table)

    def set(self, *key: Any, **values: Any) -> Row:
        """Set columns of the row with this key, made where it is missing; the row as it will be."""
        row = self._copy(key)
        columns = self._table.changeable
        for name, value in values.items():
            column = columns.get(name) or self._unknown(name)
            if not column.holds(value):
                self._refuse(column, value)
            row[name] = value
        self.unit.put(self._table, key, row)
        return row

    def add(self, *key: Any, **amounts: float) -> Row:
        """Add to number columns of the row with this key, made where it is missing; the row as it will be."""
        row = self._copy(key)
        columns = self._table.changeable
        for name, amount in amounts.items():
            column = columns.get(name) or self._unknown(name)
            value = row[name] + amount
            if not column.holds(value):
                self._refuse(column, value)
            row[name] = value
        self.unit.put(self._table, key, row)
        return row

    def delete(self, *key: Any) -> None:
        """Delete the row with this key, if there is one."""
        for name, value in zip(self._table.key, self._checked(key), strict=True):
            column = self._table.by_name[name]
            if not column.holds(value):
                self._refuse(column, value)
        self.unit.put(self._table, key, None)

    def _checked(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(key) != len(self._table.key):
            raise TypeError(f"the key of table {self._table.name!r} is {self._table.key}, got {key!r}")
        return key

    def _copy(self, key: tuple[Any, ...]) -> Row:
        before = self.unit.get(self._table, self._checked(key))
        if before is not None:
            return before.copy()
        row = self._table.blank.copy()
        for name, value in zip(self._table.key, key, strict=True):
            column = self._table.by_name[name]
            if not column.holds(value):
                self._refuse(column, value)
            row[name] = value
        return row

    def _unknown(self, name: str) -> NoReturn:
        raise Undeclared(
            f"{self._plugin}: table {self._table.name!r} has no column {name} that can be changed; "
            "declare it in columns=(…), and do not change the key"
        )

    def _refuse(self, column: Column, value: Any) -> NoReturn:
        """What the database would refuse is refused here, where only this event suffers from it."""
        kind, given = type(column).__name__, type(value).__name__
        raise TypeError(f"table {self._table.name!r}: {kind} column {column.name} cannot hold this {given}")


class State:
    """Small facts a plugin keeps by name; values are whatever JSON can hold."""

    def __init__(self, rows: TableView) -> None:
        self._rows = rows

    def get(self, name: str, default: Any = None) -> Any:
        """The value of ``name``, or ``default``; the caller's own copy."""
        row = self._rows.get(name)
        return default if row is None else deepcopy(row["value"])

    def set(self, name: str, value: Any) -> None:
        """Keep ``value`` under ``name`` as it is now. Raises ``TypeError`` for what JSON cannot hold."""
        self._rows.set(name, value=orjson.loads(orjson.dumps(value)))


class Context(Generic[C]):
    """Handed to every hook. One per plugin; it belongs to the plugin's thread."""

    def __init__(
        self,
        manifest: Manifest,
        config: C,
        store: StoreHandle,
        *,
        timezone: ZoneInfo,
        clock: Callable[[], int],
        status: Callable[[], Status],
        log: Logger,
        call: Call = no_api,
    ) -> None:
        self.plugin = manifest.name
        self.config = config
        self.timezone = timezone
        """The operator's time zone (``TIMEZONE``)."""
        self.log = log
        """A loguru logger that carries the plugin's name."""
        self._manifest = manifest
        self._store = store
        self._clock = clock
        self._status = status
        self._call = call
        self.unit = Unit(self.plugin, store)
        self._views = {STATE: TableView(self.plugin, STATE, self.unit, store)}
        self.state = State(self._views[STATE])

    def begin(self, unit: Unit | None = None) -> None:
        """Start an empty unit of work, or ``unit``; the bus calls it before each batch."""
        self.unit = unit or Unit(self.plugin, self._store)
        for view in self._views.values():
            view.unit = self.unit

    def now(self) -> int:
        """The time, ms UTC."""
        return self._clock()

    def table(self, table: Table) -> TableView:
        """A declared table. Raises ``Undeclared`` for any other."""
        view = self._views.get(table)
        if view is None or table is STATE:
            if table not in self._manifest.tables:
                raise Undeclared(f"{self.plugin}: table {table.name!r} is not in the manifest; add it to tables=(…)")
            view = self._views[table] = TableView(self.plugin, table, self.unit, self._store)
        return view

    def publish(self, event_type: str, event_id: str, event: Mapping[str, Any]) -> None:
        """Make an event that every plugin asking for its type gets exactly once; ``event_id`` makes it single.

        Raises ``TypeError`` for what JSON cannot hold.
        """
        if event_type not in self._manifest.publishes:
            raise Undeclared(f"{self.plugin}: type {event_type!r} is not in the manifest; add it to publishes=(…)")
        if not event_id or not Text("event_id").holds(event_id):
            raise ValueError(f"{self.plugin}: an event of type {event_type!r} needs an event_id")
        self.unit.published.append(Publication(event_type, event_id, orjson.loads(orjson.dumps(event))))

    async def call(self, request: Any) -> dict[str, Any]:
        """Call the platform with a request object of the official SDK (``lark_oapi.api.…``); the answer's ``data``.

        The call is pooled, paced, retried and counted against the month's quota. Raises ``ApiError`` when the platform
        refuses, ``Unreachable``, ``QuotaExhausted``.
        """
        return await self._call(request)

    def status(self) -> Status:
        """What the program knows about itself right now."""
        return self._status()
