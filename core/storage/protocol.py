"""What the kernel asks of a database engine, and the promises every engine keeps.

A handle belongs to the thread that opened it. Every method is one transaction: done and durable when it returns, or
not done at all and ``StorageError`` is raised. ``tests/test_storage_contract.py`` runs against every engine.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from ..table import Row, Table

Key = tuple[Any, ...]
"""The values of a table's key columns, in their order."""

Between = tuple[str, Any, Any]
"""(column, from, before): rows whose column is set and lies in that half-open interval; None leaves an end open."""


class Record(NamedTuple):
    """One event on its way into the journal."""

    lane: int
    key: bytes
    """16 bytes that are the same for the same event."""
    type: str
    received: int
    crc: int
    problem: str | None
    """Why no plugin can read it; such an event is kept but handed to nobody."""
    body: bytes

    @property
    def intact(self) -> bool:
        """Whether it is as it was when it arrived."""
        lane, key, type_, received, crc, problem, body = self
        return crc == checksum(lane, key, type_, received, problem, body)


def checksum(lane: int, key: bytes, type_: str, received: int, problem: str | None, body: bytes) -> int:
    """The CRC-32 of all that an event consists of; -1 for what can be none, such as text for bytes."""
    try:
        head = f"{lane} {received} {type_} {problem!r}".encode()
        return zlib.crc32(body, zlib.crc32(key, zlib.crc32(head)))
    except (TypeError, UnicodeEncodeError):
        return -1


class Appended(NamedTuple):
    """The outcome of an append: all of it is durable, duplicates were already."""

    fresh: int
    duplicates: int
    head: int


class Stored(NamedTuple):
    """One event read back from the journal."""

    seq: int
    type: str
    received: int
    crc: int
    body: bytes
    lane: int = 0
    key: bytes = b""

    @property
    def intact(self) -> bool:
        """Whether it is as it was when it arrived."""
        return self.crc == checksum(self.lane, self.key, self.type, self.received, None, self.body)


class Due(NamedTuple):
    """An event that failed before and is to be tried again now."""

    seq: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that was not handled: tried again at ``due`` (ms), or parked as a dead letter when that is None."""

    seq: int
    attempts: int
    error: str
    due: int | None


@dataclass(frozen=True, slots=True)
class Publication:
    """An event made by a plugin; ``event_id`` makes it single."""

    type: str
    event_id: str
    event: Mapping[str, Any]


class Timer(NamedTuple):
    """One schedule of a plugin: ``on_schedule`` is called at ``due`` (ms); None takes it away."""

    name: str
    due: int | None
    attempts: int = 0
    """Calls in a row that failed."""


class Outgoing(NamedTuple):
    """A message to send; ``key`` makes it single among those of its plugin."""

    key: str
    chat_id: str
    reply_to: str
    msg_type: str
    content: bytes
    """JSON."""


class Unsent(NamedTuple):
    """A message in the outbox that was not sent yet."""

    id: int
    plugin: str
    message: Outgoing
    attempts: int


class OutboxCount(NamedTuple):
    """What the outbox holds of one plugin."""

    plugin: str
    waiting: int
    failed: int
    problem: str
    """Why the last one failed, or empty."""


class AttachmentRequest(NamedTuple):
    """A resource of a message that a plugin wants to have."""

    message_id: str
    file_key: str
    kind: str
    """``image`` or ``file``."""
    name: str
    """What its sender called it, or empty."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A resource and how far it has come; one for all who asked for it."""

    file_key: str
    kind: str
    name: str
    attempts: int = 0
    due: int = 0
    """When to try next, ms."""
    done: bool = False
    """It is where it was wanted when it was fetched: uploaded, on this disk, or both."""
    size: int = 0
    checksum: int = 0
    """Adler-32."""
    media_type: str = ""
    base: str = ""
    """The base that ``file_token`` belongs to."""
    file_token: str = ""
    path: str = ""
    """Of the local copy, below the data directory."""
    parts: Mapping[str, Any] | None = None
    """An upload in parts that is under way."""


class AttachmentCount(NamedTuple):
    """What was asked for and what became of it."""

    waiting: int
    failed: int
    """Requests that could not be fulfilled, since ever."""
    done: int
    size: int
    """Bytes of those that are done."""


@dataclass(slots=True)
class Commit:
    """Everything one batch of one plugin changes; it is stored whole or not at all."""

    plugin: str
    expected: int
    """Where the cursor was when the batch was read; ``Fenced`` is raised if it is elsewhere now."""
    cursor: int
    now: int
    handled: int = 0
    rows: Mapping[Table, Mapping[Key, Row | None]] = field(default_factory=dict)
    """Whole rows by key; None deletes."""
    published: Sequence[Publication] = ()
    settled: Sequence[int] = ()
    """Events that had failed before and are done now."""
    failures: Sequence[Failure] = ()
    outgoing: Sequence[Outgoing] = ()
    timers: Sequence[Timer] = ()
    attachments: Sequence[AttachmentRequest] = ()
    suspended: str = ""
    """Why the plugin is suspended with this commit; empty = it goes on."""


class Dead(NamedTuple):
    """A dead letter: an event that one plugin (or, with plugin ``core``, nobody) could handle."""

    plugin: str
    seq: int
    attempts: int
    parked: int
    error: str


class Consumer(NamedTuple):
    """How far one plugin is."""

    plugin: str
    cursor: int
    handled: int
    retrying: int
    dead: int


class Standing(NamedTuple):
    """How one plugin stands, beside its cursor."""

    began: int
    """Where its cursor was at its first start; 0 where that was not noted yet."""
    suspended: int | None
    """Since when it is suspended (ms), or None."""
    reason: str
    """Why it is suspended, or empty."""


class Difference(NamedTuple):
    """How one table of a shadow differs from the table it stands for."""

    table: Table
    added: int
    changed: int
    removed: int
    first: list[tuple[Row | None, Row | None]]
    """(before, after) of the first rows that differ, in key order; None where there is no such row."""

    @property
    def total(self) -> int:
        """Rows that differ."""
        return self.added + self.changed + self.removed


class PendingRow(NamedTuple):
    """A row whose Bitable record is behind."""

    rowid: int
    version: int
    record: str | None
    deleted: bool
    row: Row


class Batch(NamedTuple):
    """Records that are being created remotely; kept until the answer is known, so that it is never sent twice anew."""

    token: str
    body: bytes
    rows: tuple[tuple[int, int], ...]
    """(rowid, version) in the order of the request."""


class Needed(NamedTuple):
    """What the journal must not forget."""

    beyond: int | None
    """Everything after this position; None when nobody reads."""
    events: frozenset[int]
    """Events that are tried again or are dead letters."""


class Size(NamedTuple):
    """How much room a database takes, bytes."""

    total: int
    unused: int
    """Of it, room that what was deleted has left."""


class JournalHandle(Protocol):
    """The append-only log of everything received."""

    def append(self, records: Sequence[Record]) -> Appended:
        """Store ``records``; an event whose key is there already is dropped as a duplicate."""

    def read_after(self, after: int, types: Sequence[str], limit: int) -> tuple[list[Stored], int]:
        """At most ``limit`` readable events of ``types`` beyond ``after``, and the position they reach up to."""

    def fetch(self, seq: int) -> Stored | None:
        """One event, or None when it is no longer kept."""

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of ``keys`` whose event is there."""

    def stretch(self, after: int, until: int, limit: int) -> list[Stored]:
        """At most ``limit`` events beyond ``after``, up to ``until``, also those nobody can read."""

    def before(self, moment: int) -> int:
        """The last position received before ``moment`` (ms); where the clock was put back, one of those."""

    def head(self) -> int:
        """The last position, 0 when empty."""

    def rejected(self) -> dict[str, int]:
        """How many events nobody can read, by reason."""

    def unreadable(self) -> list[Dead]:
        """The events nobody can read, newest first, at most 1000."""

    def probe(self, now: int) -> None:
        """Write something small, to learn whether appending works. Raises ``StorageError``."""

    def trimmed(self) -> int:
        """The last position that was trimmed, 0 when none was; some before it may still be kept."""

    def forgotten(self, after: int) -> int:
        """How many events beyond ``after`` were trimmed."""

    def forgot_until(self) -> int:
        """When the latest of the trimmed events arrived, ms UTC, 0 when none was: older duplicates are not noticed."""

    def expired(self, after: int, before: int, limit: int) -> tuple[list[int], int]:
        """Which of the ``limit`` events beyond ``after`` arrived before ``before`` (ms), and the last one looked at.

        That is 0 when there are no more. Those in quarantine are passed over.
        """

    def trim(self, seqs: Sequence[int]) -> None:
        """Forget these events for ever."""

    def scrub(self, after: int, limit: int) -> tuple[list[int], int]:
        """Which of the ``limit`` events beyond ``after`` are damaged, and the last one looked at (0: no more)."""

    def quarantine(self, seqs: Sequence[int], now: int) -> None:
        """These events are damaged: nobody reads them any more, ``rejected`` counts them."""

    def size(self) -> Size: ...

    def release(self, pages: int) -> None:
        """Give at most so many unused pages back to the file system."""

    def close(self) -> None: ...


class StoreHandle(Protocol):
    """Plugins' tables, cursors, dead letters, what is waiting to be mirrored, and the kernel's own notes."""

    def prepare(self, plugin: str, tables: Sequence[Table]) -> None:
        """Make or extend the local tables of ``plugin``. Raises ``StorageError`` when a key changed."""

    def cursor(self, plugin: str, start: int) -> int:
        """Where ``plugin`` goes on; ``start`` when it never ran.

        From then on commits of this handle raise ``Replaced`` once the plugin's tables were replaced by ``swap_in``.
        """

    def due(self, plugin: str, now: int, limit: int) -> list[Due]:
        """Failed events whose time has come."""

    def next_due(self, plugin: str) -> int | None:
        """When the next failed event is to be tried or the next timer is due (ms), or None."""

    def timers(self, plugin: str) -> list[Timer]:
        """The timers that are armed, earliest first."""

    def get(self, plugin: str, table: Table, key: Key) -> Row | None: ...

    def get_many(self, plugin: str, table: Table, keys: Sequence[Key]) -> dict[Key, Row]:
        """Those of ``keys`` that exist; for tables whose key is one column."""

    def find(self, plugin: str, table: Table, where: Mapping[str, Any]) -> list[Row]:
        """Rows whose columns equal ``where``, in key order."""

    def scan(self, plugin: str, table: Table) -> Iterator[Row]:
        """Every row in key order; one read transaction."""

    def select(
        self,
        plugin: str,
        table: Table,
        *,
        equals: Mapping[str, Any],
        between: Between | None,
        limit: int | None,
        after: Row | None,
    ) -> Iterator[Row]:
        """Rows in the order of ``between``'s column and of the key, those behind the row ``after``; one transaction."""

    def search(
        self,
        plugin: str,
        table: Table,
        query: str,
        *,
        equals: Mapping[str, Any],
        between: Between | None,
        limit: int,
    ) -> list[Row]:
        """Rows in which every word of ``query`` occurs: the best by BM25 first, of equals the newest.

        Any ``query`` is allowed; one without a letter or digit finds nothing. The newest is the greatest by the first
        ``Timestamp`` column. Raises ``Undeclared`` when the table declares no ``search``.
        """

    def top(self, plugin: str, table: Table, count: int) -> list[Row]:
        """The first ``count`` rows by the table's ``ranked_by``."""

    def commit(self, commit: Commit) -> None:
        """Store a batch: rows, publications, failures and the cursor, all or nothing."""

    def consumers(self) -> list[Consumer]: ...

    def dead(
        self,
        plugin: str | None = None,
        *,
        reason: str = "",
        since: int | None = None,
        before: int | None = None,
        seqs: Sequence[int] = (),
    ) -> list[Dead]:
        """Dead letters, the oldest first: of ``plugin``, with ``reason`` in their error (case ignored), parked in
        ``since`` ≤ time < ``before`` (ms), with one of ``seqs``; what is not given does not count."""

    def redrive(self, letters: Sequence[Dead], now: int) -> int:
        """Have dead letters tried again at once, from the first attempt on; how many there still were."""

    def discard(self, letters: Sequence[Dead], now: int) -> int:
        """Give dead letters up for good; how many there still were."""

    def unsettled(self, plugin: str) -> set[int]:
        """Events that failed and are neither done nor discarded."""

    def discarded(self, plugin: str) -> set[int]:
        """Events that were given up for good."""

    def standing(self, plugin: str) -> Standing | None:
        """How a plugin stands; None when it never ran."""

    def resume(self, plugin: str) -> bool:
        """Let a suspended plugin go on; False when it was not suspended."""

    def fill(self, plugin: str, tables: Sequence[Table], shadow: str, carried: Sequence[Table]) -> None:
        """Let the empty ``shadow`` begin with what no event of the journal tells.

        Those are the rows of ``carried``, and of the other ``tables`` the rows that were adopted from Bitable.
        """

    def differences(
        self, plugin: str, tables: Sequence[Table], shadow: str, *, cursor: int | None, first: int
    ) -> list[Difference]:
        """How ``tables`` of ``shadow`` differ from these, with the ``first`` rows of each.

        Of a mirrored table what people see counts, of rows that stay no carried column.
        Raises ``Fenced`` when the plugin is not at ``cursor``, if that is given.
        """

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
        """Make ``tables`` what they are in ``shadow``; rows that stay as they are keep their record and version.

        Of ``carried`` only what changed in the shadow is taken over. Timers stay, those that only the shadow has are
        armed. ``held`` are the events up to ``cursor`` that the shadow does not contain, ``failures`` those of them
        that are parked now. Raises ``Fenced`` when the plugin is not at ``cursor``, or one of the others was settled.
        """

    def publications(self, limit: int) -> list[tuple[int, Publication]]:
        """Published events that are not in the journal yet, oldest first."""

    def relayed(self, ids: Sequence[int]) -> None:
        """These publications are in the journal now."""

    def unsent(self, now: int, limit: int) -> list[Unsent]:
        """Messages whose time to be sent has come, oldest first; of one chat only the oldest waiting one."""

    def sent(self, message: int, message_id: str, now: int) -> None:
        """The message is in its chat."""

    def unsendable(self, message: int, error: str, attempts: int, due: int | None, now: int) -> None:
        """The message could not be sent: again at ``due``, never when that is None."""

    def outbox(self) -> list[OutboxCount]: ...

    def forget_sent(self, before: int) -> None:
        """Forget messages that were sent before ``before`` (ms)."""

    def attachments(self, now: int, limit: int, *, done: bool | None = None) -> list[Attachment]:
        """Resources somebody waits for whose time has come, the longest due first; only those (not) ``done``."""

    def attachment_messages(self, file_key: str) -> list[str]:
        """The messages whose copy of a resource somebody waits for."""

    def partial_attachments(self) -> list[str]:
        """The file keys of the resources whose upload in parts is under way."""

    def save_attachment(self, attachment: Attachment) -> None:
        """How far a resource has come that somebody asked for before."""

    def postpone_attachment(self, file_key: str, attempts: int, due: int, *, keep_parts: bool) -> None:
        """Try it again at ``due`` (ms), going on with its upload in parts or not."""

    def settle_attachment(
        self, attachment: Attachment, outcome: Mapping[str, Any], *, message_id: str | None = None
    ) -> None:
        """Save it and publish ``outcome`` to each plugin that waits for it (as of ``message_id`` only, if given)."""

    def attachment_count(self) -> AttachmentCount: ...

    def pending(self, plugin: str, table: Table, limit: int) -> list[PendingRow]:
        """Rows that Bitable does not show as they are."""

    def count_pending(self, plugin: str, table: Table) -> tuple[int, int]:
        """(rows waiting, rows in all); of a private table none waits."""

    def batch(self, plugin: str, table: Table) -> Batch | None:
        """The creation under way, if any."""

    def begin_batch(self, plugin: str, table: Table, batch: Batch) -> None: ...

    def end_batch(self, plugin: str, table: Table, batch: Batch, records: Sequence[str] | None) -> None:
        """The batch's rows exist as ``records``; with None the batch is given up and its rows wait again."""

    def settle(
        self, plugin: str, table: Table, updated: Sequence[tuple[int, int]] = (), deleted: Sequence[int] = ()
    ) -> None:
        """Rows (rowid, version) are in Bitable as they were at that version; the records of ``deleted`` are gone."""

    def forget_records(self, plugin: str, table: Table, records: Sequence[str] | None) -> None:
        """These records (None = all) are gone in Bitable; their rows are to be created again."""

    def mirrored(self, plugin: str, table: Table) -> list[PendingRow]:
        """Every row, also those that wait for nothing; without those that wait to be deleted."""

    def touch(self, plugin: str, table: Table, records: Sequence[str] | None = None) -> None:
        """The rows with these records (None = all that have one) wait to be written again."""

    def adopt(self, plugin: str, table: Table, rows: Sequence[tuple[str, Row]]) -> int:
        """Take over (record id, row) found in Bitable: unknown keys become rows, known ones learn their record."""

    def note(self, name: str) -> str | None:
        """A small fact the kernel keeps, by name."""

    def set_note(self, name: str, value: str) -> None: ...

    def people(self, open_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
        """(name, looked up at, ms) of those known."""

    def people_before(self, moment: int, limit: int) -> list[str]:
        """open_ids (no apps' IDs) that were looked up before ``moment`` (ms), the longest ago first."""

    def strangers(self, plugin: str, table: Table, column: str) -> list[str]:
        """open_ids in ``column`` of whom nothing was ever looked up, at most 50."""

    def all_people(self) -> dict[str, str]:
        """Every name known, by open_id."""

    def save_people(self, names: Mapping[str, str], now: int, uses: Sequence[tuple[str, Table, str]]) -> None:
        """Keep names; where one changed, rows of ``uses`` (plugin, table, column) that show it wait to be mirrored."""

    def count_call(self, day: str, name: str) -> None:
        """One more call of ``name`` on ``day`` (``YYYY-MM-DD``)."""

    def calls(self, month: str) -> dict[str, int]:
        """Calls of ``month`` (``YYYY-MM``) by API name."""

    def calls_since(self, day: str) -> dict[str, int]:
        """Calls by day, from ``day`` on."""

    def needed(self, plugins: Sequence[str]) -> Needed:
        """What of the journal ``plugins`` have not handled yet, and what waits for another attempt, whosever it is."""

    def size(self) -> Size: ...

    def release(self, pages: int) -> None:
        """Give at most so many unused pages back to the file system."""

    def close(self) -> None: ...


class Engine(Protocol):
    """A database engine. Handles are for the calling thread only."""

    def journal(self) -> JournalHandle: ...

    def store(self, *, durable: bool = True) -> StoreHandle:
        """With ``durable`` False what is written survives the program, but perhaps not the machine's power."""

    def shadow(self, name: str) -> AbstractContextManager[Engine]:
        """An empty engine beside this one, gone when it is left; one of a ``name`` at a time."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
