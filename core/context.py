"""What a hook gets to work with: its configuration, its tables, its state, the clock; nothing undeclared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar, get_args
from zoneinfo import ZoneInfo

import orjson

from .errors import Undeclared
from .events import ATTACHMENT_DONE, envelope
from .loading.permissions import Permissions
from .manifest import Config, Manifest
from .platform import Budget, Platform, Unconnected
from .reads import ReadOnly, Tables
from .storage.protocol import StoreHandle
from .storage.values import AttachmentRequest, Outgoing, Publication, Timer
from .table import STRUCTURED, Column, Json, Row, Table, Text, Timestamp
from .unit import NOTHING, Answer, Unit

if TYPE_CHECKING:
    from loguru import Logger

    from .status import Status

C = TypeVar("C", bound=Config)

Tone = Literal["info", "success", "warning", "error"]
"""How a toast looks (FEISHU.md §2.10)."""

STATE = Table("state", (Text("name"), Json("value")), key=("name",))
"""Every plugin has one: small facts by name, see ``Context.state``."""


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
            # As it will be read after a restart; and what the caller does to it from now on does not change the row.
            row[name] = orjson.loads(orjson.dumps(value)) if isinstance(column, STRUCTURED) else value
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
        self._key_columns(self._checked(key))
        self.unit.put(self._table, key, None)

    def _checked(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(key) != len(self._table.key):
            raise TypeError(f"the key of table {self._table.name!r} is {self._table.key}, got {key!r}")
        return key

    def _copy(self, key: tuple[Any, ...]) -> Row:
        before = self.unit.get(self._table, self._checked(key))
        if before is not None:
            return before.copy()
        return {**self._table.blank, **self._key_columns(key)}

    def _key_columns(self, key: tuple[Any, ...]) -> Row:
        for name, value in zip(self._table.key, key, strict=True):
            column = self._table.by_name[name]
            if value is None or not column.holds(value):
                self._refuse(column, value)
        return dict(zip(self._table.key, key, strict=True))

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
        self._rows.set(name, value=value)


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
        chats: Sequence[str] = (),
        platform: Platform | None = None,
        tables: Tables = lambda name: None,
    ) -> None:
        self.plugin = manifest.name
        self.config = config
        self.timezone = timezone
        """The operator's time zone (``TIMEZONE``)."""
        self.log = log
        """A loguru logger that carries the plugin's name."""
        self.chats = tuple(chats)
        """The groups in ``CHAT_ID``; empty = every group the bot is in."""
        self._manifest = manifest
        self._permissions = Permissions(manifest)
        self._store = store
        self._clock = clock
        self._status = status
        self._platform = platform or Unconnected()
        self._tables = tables
        self.answering = ""
        """The use of a card that ``on_card`` is called for, by its event_id; the bus sets it."""
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

    def read(self, name: str) -> ReadOnly | None:
        """A table of another plugin, ``<plugin>.<table>`` of the manifest's ``reads``; None while that is not enabled.

        Its rows are as that plugin's last commit left them.
        """
        if name not in self._manifest.reads:
            raise Undeclared(f"{self.plugin}: reading {name!r} is not in the manifest; add it to reads=(…)")
        table = self._tables(name)
        return None if table is None else ReadOnly(name.partition(".")[0], table, self._store)

    def publish(self, event_type: str, event_id: str, event: Mapping[str, Any]) -> None:
        """Make an event that every plugin asking for its type gets exactly once; ``event_id`` makes it single.

        Raises ``TypeError`` for what is no JSON object.
        """
        if event_type not in self._manifest.publishes:
            raise Undeclared(f"{self.plugin}: type {event_type!r} is not in the manifest; add it to publishes=(…)")
        if not event_id or not Text("event_id").holds(event_id):
            raise ValueError(f"{self.plugin}: an event of type {event_type!r} needs an event_id")
        if not isinstance(event, Mapping):
            raise TypeError(f"{self.plugin}: an event of type {event_type!r} is an object, not {type(event).__name__}")
        made = orjson.loads(envelope(event_type, event_id, dict(event)))  # As it is relayed: so deep, and no deeper.
        self.unit.published.append(Publication(event_type, event_id, made["event"]))

    async def call(self, request: Any) -> dict[str, Any]:
        """Call the platform with a request object of the official SDK (``lark_oapi.api.…``); the answer's ``data``.

        The call is pooled, paced, retried and counted against the month's quota. Raises ``Undeclared`` when neither a
        scope that opens the API is declared nor the API itself, ``ApiError`` when the platform refuses,
        ``Unreachable``, ``QuotaExhausted``.
        """
        self._permissions.require_api(request)
        return await self._platform.call(request)

    async def groups(self) -> tuple[str, ...]:
        """The watched groups: ``CHAT_ID``, or every group the bot is in (asked for four times a day).

        Raises ``ApiFailure`` when the platform does not say.
        """
        self._permissions.require("ctx.groups")
        return await self._platform.groups()

    async def names(self, open_ids: Sequence[str]) -> dict[str, str]:
        """The names that can be known, by open_id; kept for 24 h, looked up 50 a call."""
        self._permissions.require("ctx.names")
        return await self._platform.names(open_ids)

    def budget(self) -> Budget:
        """The month's API calls now; cheap."""
        return self._platform.budget()

    def send(self, chat_id: str, msg_type: str, content: Mapping[str, Any], *, key: str, reply_to: str = "") -> None:
        """Send a message once what the hook wrote is stored; ``key`` makes it single among this plugin's messages.

        With ``reply_to`` it answers that message. It is tried again until the platform takes or refuses it. Raises
        ``TypeError`` for what JSON cannot hold, and where plain text is wanted and something else is given.
        """
        self._permissions.require("ctx.send")
        if not key or not chat_id:
            raise ValueError(f"{self.plugin}: a message needs a key and a chat_id")
        if not all(Text("message").holds(part) for part in (key, chat_id, reply_to, msg_type)):
            raise TypeError(f"{self.plugin}: the key, chat_id, reply_to and msg_type of a message are plain text")
        self.unit.outgoing.append(Outgoing(key, chat_id, reply_to, msg_type, orjson.dumps(content)))

    def answer(self, toast: str = "", *, kind: Tone = "info", card: Mapping[str, Any] | None = None) -> None:
        """In ``on_card``, once: what the person who used the card is shown, a toast, a new card, or both.

        It is shown once what the hook wrote is stored, if that is within 2.5 s; otherwise nothing is. Of several
        plugins the first that answers is heard. Raises ``TypeError`` for a card that JSON cannot hold, ``RuntimeError``
        outside of ``on_card`` and for a second answer.
        """
        if not self.answering:
            raise RuntimeError(f"{self.plugin}: ctx.answer is for on_card, while it runs; use ctx.send elsewhere")
        if any(one.event_id == self.answering for one in self.unit.answers):
            raise RuntimeError(f"{self.plugin}: this use of a card is answered already; answer once, with all there is")
        if kind not in get_args(Tone):
            raise ValueError(f"{self.plugin}: the kind of a toast is {', '.join(get_args(Tone))}, not {kind!r}")
        if not isinstance(toast, str) or not isinstance(card, Mapping | None):
            raise TypeError(f"{self.plugin}: an answer is a text for the toast, and an object for the card")
        shown: dict[str, Any] = {"toast": {"type": kind, "content": toast}} if toast else {}
        if card is not None:
            shown["card"] = card if card.get("type") == "template" else {"type": "raw", "data": card}
        self.unit.answers.append(Answer(self.answering, orjson.dumps(shown) if shown else NOTHING))

    def attach(self, message_id: str, file_key: str, kind: str, name: str = "") -> None:
        """Have a resource of a message fetched once what the hook wrote is stored; ``kind`` ``image`` or ``file``.

        The outcome is the event ``attachment.done``, for this plugin only. Each ``file_key`` is fetched once for all.
        """
        self._permissions.require("ctx.attach")
        if ATTACHMENT_DONE not in self._manifest.events:
            raise Undeclared(f"{self.plugin}: attach needs events=({ATTACHMENT_DONE!r},) in the manifest, and on_event")
        asked = AttachmentRequest(message_id, file_key, kind, name)
        if not message_id or not file_key or kind not in ("image", "file"):
            raise ValueError(f"{self.plugin}: {asked} needs a message, a file key, and the kind image or file")
        if not all(Text("attachment").holds(part) for part in asked):
            raise TypeError(f"{self.plugin}: an attachment is asked for with plain text")
        self.unit.attachments.append(asked)

    def schedule(self, name: str, *, at: int) -> None:
        """Have ``on_schedule`` called at ``at`` (ms UTC), also after a restart; it replaces the time set before.

        Raises ``TypeError`` for what is no whole number of ms.
        """
        self._declared(name)
        if at is None or not Timestamp("at").holds(at):
            raise TypeError(f"{self.plugin}: schedule {name!r} is set for a time in whole ms, not for {at!r:.40}")
        self.unit.timers.append(Timer(name, at))

    def armed(self, name: str) -> int | None:
        """When ``on_schedule`` will be called for this schedule (ms UTC), or None."""
        self._declared(name)
        armed = {timer.name: timer.due for timer in (*self._store.timers(self.plugin), *self.unit.timers)}
        return armed.get(name)

    def _declared(self, schedule: str) -> None:
        if all(schedule != one.name for one in self._manifest.schedules):
            raise Undeclared(
                f"{self.plugin}: schedule {schedule!r} is not in the manifest; "
                f"add Schedule({schedule!r}) to schedules=(…)"
            )

    def status(self) -> Status:
        """What the program knows about itself right now."""
        return self._status()
