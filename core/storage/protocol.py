"""What the kernel asks of a database engine, and the promises every engine keeps.

A handle belongs to the thread that opened it. Every method is one transaction: done and durable when it returns, or
not done at all and ``StorageError`` is raised. ``tests/test_storage_contract.py`` runs against every engine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, Self

from ..table import Row, Table
from .values import (
    Appended,
    Attachment,
    AttachmentCount,
    Batch,
    Between,
    Commit,
    Consumer,
    Dead,
    Difference,
    Due,
    Failure,
    Key,
    Needed,
    OutboxCount,
    PendingRow,
    Publication,
    Record,
    Size,
    Standing,
    Stored,
    Timer,
    Unsent,
)


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

        From then on commits of this handle raise ``Replaced`` once the plugin's tables were replaced by ``swap_in``, or
        ``adopt`` has made rows in them.
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

    def forget_discarded(self, seqs: Sequence[int]) -> None:
        """These events are no longer in the journal: nobody needs to know that they were discarded."""

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
