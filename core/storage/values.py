"""What goes into a storage engine and comes out of it, as plain values; no value knows an engine."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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


class Failure(NamedTuple):
    """An event that was not handled: tried again at ``due`` (ms), or parked as a dead letter when that is None."""

    seq: int
    attempts: int
    error: str
    due: int | None


class Publication(NamedTuple):
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
