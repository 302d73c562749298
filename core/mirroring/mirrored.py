"""One table of a plugin and its counterpart in Bitable: what is there is taken over, what changed is written.

It reads rows from the store and notes there which record is whose; it never changes what a row says, and it does not
decide when to write.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
from loguru import logger

from ..errors import ApiError
from ..feishu import bitable, cells, scopes
from ..feishu.bitable import RemoteTable
from ..people import People
from ..status import TableStatus
from ..storage.protocol import StoreHandle
from ..storage.values import Batch, PendingRow
from ..table import NAMING, VIRTUAL, Attachments, Column, PersonCell, PersonName, PersonNames, Row, Table, joined_names
from .blueprint import check_fields, field
from .made import MadeTable

PER_BATCH: Final = 500

BAD_VALUE: Final = frozenset({1254015, 1254130, *range(1254060, 1254075)})
"""The platform refuses a value of some row of the batch (FEISHU.md §5.7)."""
BAD_PERSON: Final = 1254066
BAD_FILE: Final = 1254069


class Found(NamedTuple):
    """A record as it is in Bitable."""

    record: str
    cells: Mapping[str, Any]
    """By title, of the columns that are mirrored; empty ones are absent."""
    row: Row | None
    """What it tells; None where its key is not whole, so that it is none of ours."""


class MirroredTable:
    """One table of one plugin and its counterpart in Bitable."""

    def __init__(
        self, plugin: str, table: Table, table_id: str, remote: RemoteTable, store: StoreHandle, people: People
    ) -> None:
        self.plugin = plugin
        self.table = table
        self.table_id = table_id
        self.last_flush: int | None = None
        self.next_flush = 0
        self.tried_at = 0
        self.problem = ""
        self.failures = 0
        """Attempts in a row that failed."""
        self.adopted = False
        """Nothing is written before what is there was taken over."""
        self.written = 0
        self._remote = remote
        self._store = store
        self._people = people
        self._columns: tuple[Column, ...] = ()
        self._kinds: dict[str, int] = {}
        """Field types in Bitable, by title."""
        self._per_batch = PER_BATCH
        self._refused: dict[int, int] = {}
        self._names: dict[str, str] = {}
        self._invisible: set[str] = set()
        self._doubted = False
        """Whether this flush has looked at the columns because of a refusal."""
        self._foreign: set[tuple[int, str]] = set()
        """(row, file) where the base did not take the row's files."""

    async def adopt(self) -> None:
        """Take over what the Bitable table holds already, once per table ID: nothing is counted from zero again."""
        note = f"table of {self.plugin}.{self.table.name}"
        before = self._store.note(note)
        if before == self.table_id:
            self.adopted = True
            return
        if before is not None:
            logger.warning("{} moved from Bitable table {} to {}", self._name, before, self.table_id)
            self._store.forget_records(self.plugin, self.table, None)
        taken = await self._read_all()
        self._store.set_note(note, self.table_id)
        self.adopted = True
        if taken:
            what = "what they count must not be read again with --since"
            logger.info("{}: took over {} rows that were in Bitable already; {}", self._name, taken, what)

    async def flush(self) -> None:
        """Write every row that Bitable does not show as it is. Raises ``ApiFailure`` or ``TableMismatch``."""
        self._doubted = False
        await self._check()
        batch = self._store.batch(self.plugin, self.table)
        if batch is not None:
            await self._repeat(batch)
        while True:
            rows, more = self._due()
            while rows and await self._learn_names(rows):
                rows, more = self._due()  # A row that shows a name which is known now has another version.
            if rows:
                await self._write(rows)
            if not rows or not more:
                break

    def _due(self) -> tuple[list[PendingRow], bool]:
        """The rows to write next, and whether there may be more."""
        limit = self._per_batch + len(self._refused)
        pending = self._store.pending(self.plugin, self.table, limit)
        return [row for row in pending if self._refused.get(row.rowid) != row.version], len(pending) == limit

    def look_again(self) -> None:
        """After a failure: perhaps somebody changed the columns."""
        self._columns = ()

    @property
    def waiting(self) -> bool:
        """Whether there is anything to flush."""
        limit = 1 + len(self._refused)
        pending = self._store.pending(self.plugin, self.table, limit)
        return any(self._refused.get(row.rowid) != row.version for row in pending)

    @property
    def _name(self) -> str:
        return f"{self.plugin}.{self.table.name}"

    async def _check(self) -> None:
        if not self._columns:
            fields = await self._remote.fields()
            if await self._add_columns({field.name for field in fields}):
                fields = await self._remote.fields()
            self._note_columns({field.name for field in fields})
            self._columns = check_fields(self.table, self.table_id, fields)
            self._kinds = {field.name: field.type for field in fields}

    async def _add_columns(self, there: set[str]) -> bool:
        """Add what a new version of the plugin declares, to a table this program made; whether there was anything.

        A column that it had once and that is missing now was deleted by a person, and is not made again.
        """
        made = MadeTable.noted(self._store, self._name)
        if made is None or made.table_id != self.table_id:
            return False
        fresh = [one for one in self.table.mirrored if one.title not in there and one.title not in made.columns]
        for column in fresh:
            await self._remote.add_field(field(column))
            logger.info("{}: column {} was added to the Bitable table", self._name, column.title)
        if fresh:
            made.with_columns(one.title for one in fresh).note(self._store, self._name)
        return bool(fresh)

    def _note_columns(self, there: set[str]) -> None:
        """A column that was not there before is empty in every record: all rows are written again."""
        note = f"columns of {self._name}"
        titles = [column.title for column in self.table.mirrored if column.title in there]
        before = self._store.note(note)
        if before is not None and not set(titles) <= set(orjson.loads(before)):
            logger.info("{}: Bitable has new columns, every row is written again", self._name)
            self._store.touch(self.plugin, self.table)
        self._store.set_note(note, orjson.dumps(titles).decode())

    async def _read_all(self) -> int:
        taken = 0
        async for page in self.pages():
            rows = [(found.record, found.row) for found in page if found.row is not None]
            taken += self._store.adopt(self.plugin, self.table, rows)
        return taken

    async def pages(self) -> AsyncIterator[list[Found]]:
        """Every record of the table, page by page. Raises ``ApiFailure`` or ``TableMismatch``."""
        await self._check()
        told = {source: column for column in self._columns if (source := self._source(column))}
        async for page in self._remote.records([column.title for column in self._columns]):
            yield [Found(record, there, self._told(told, there)) for record, there in page]

    def _told(self, told: Mapping[str, Column], there: Mapping[str, Any]) -> Row | None:
        row: Row = dict(self.table.blank)
        row.update({name: cells.read(column, there.get(column.title)) for name, column in told.items()})
        # A number that is not there reads as 0, which is a key like any other.
        whole = all(name in told and there.get(told[name].title) is not None for name in self.table.key)
        return row if whole and all(row[name] not in ("", None) for name in self.table.key) else None

    def differing(self, row: PendingRow, there: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """(here, there) of the cells that are not as ``row`` wants them, by title; after ``pages``.

        A person's cell that is empty there is none: people outside the app's contact range cannot be written.
        """
        self._names = self._people.names(
            [one for c in self._columns if isinstance(c, NAMING) for one in c.people(row.row)]
        )
        wanted = self._fields(row)
        differing = {}
        for column in self._columns:
            cell = wanted.get(column.title)
            if cell is None and not self._clears(column, row.row):
                continue
            here, found = cells.plain(column, cell), cells.plain(column, there.get(column.title))
            if here != found and not (isinstance(column, PersonCell) and not found):
                differing[column.title] = here, found
        return differing

    def _source(self, column: Column) -> str:
        """The stored column that cells of ``column`` tell, if any: a person's only where nothing else names them."""
        if isinstance(column, PersonCell):
            return "" if self.table.by_name[column.of] in self._columns else column.of
        return "" if isinstance(column, NAMING) else column.name

    async def _learn_names(self, rows: Sequence[PendingRow]) -> bool:
        """Have the names that the rows show; whether that brought any."""
        naming = [column for column in self._columns if isinstance(column, NAMING)]
        people = list(dict.fromkeys(one for row in rows for column in naming for one in column.people(row.row)))
        before = self._people.names(people)
        await self._people.learn(people)
        self._names = self._people.names(people)
        return self._names != before

    async def _write(self, rows: Sequence[PendingRow]) -> None:
        new = [row for row in rows if row.record is None and not row.deleted]
        changed = [row for row in rows if row.record is not None and not row.deleted]
        gone = [row for row in rows if row.deleted]
        for i in range(0, len(gone), bitable.MOST_DELETED):  # First, as it makes room in a full table.
            await self._delete(gone[i : i + bitable.MOST_DELETED])
        if changed:
            await self._update(changed)
        if new:
            body = orjson.dumps({"records": [{"fields": self._fields(row)} for row in new]})
            batch = Batch(str(uuid.uuid4()), body, tuple((row.rowid, row.version) for row in new))
            self._store.begin_batch(self.plugin, self.table, batch)
            await self._create(batch, new)

    async def _create(self, batch: Batch, rows: Sequence[PendingRow]) -> None:
        try:
            await self._send(batch)
        except ApiError as error:
            refused = error.code in BAD_VALUE or error.code == bitable.TOO_MANY_RECORDS
            if error.code in bitable.TOKEN_REUSED or (refused and error.repeated):
                await self._reconcile(batch)  # Of an attempt before this one the answer may have been lost.
                return
            known_undone = not error.repeated and (error.code in bitable.REFUSALS or error.code in scopes.NOT_GRANTED)
            if not refused and not known_undone:
                raise  # Likewise: the next flush looks, which costs a call for every 500 rows of the table.
            self._store.end_batch(self.plugin, self.table, batch, None)
            if not refused or not await self._split(error, rows, self._write):
                raise

    async def _repeat(self, batch: Batch) -> None:
        """Create a batch whose answer was lost, unless it is there: how long a token is known is not promised.

        It was made of what was known then, so its rows are written once more.
        """
        await self._remote.caught_up()
        await self._read_all()
        mine = {rowid for rowid, _ in batch.rows}
        pending = self._store.pending(self.plugin, self.table, sys.maxsize)
        if any(row.rowid in mine and row.record for row in pending):
            self._store.end_batch(self.plugin, self.table, batch, None)
            return
        try:
            await self._send(batch._replace(rows=tuple((rowid, 0) for rowid, _ in batch.rows)))
        except ApiError as error:
            if error.code in bitable.REPEATABLE:
                raise
            await self._reconcile(batch)

    async def _send(self, batch: Batch) -> None:
        records = await self._remote.create(batch.token, batch.body)
        if len(records) != len(batch.rows):
            await self._reconcile(batch)
            return
        self._store.end_batch(self.plugin, self.table, batch, records)
        self._accept(rowid for rowid, _ in batch.rows)
        self.written += len(records)

    async def _reconcile(self, batch: Batch) -> None:
        await self._remote.caught_up()
        await self._read_all()
        self._store.end_batch(self.plugin, self.table, batch, None)

    async def _update(self, rows: Sequence[PendingRow]) -> None:
        try:
            await self._remote.update([(str(row.record), self._fields(row, clear=True)) for row in rows])
        except ApiError as error:
            if error.code in bitable.RECORD_MISSING:
                await self._remote.caught_up()
                absent = await self._remote.absent([str(row.record) for row in rows])
                if absent:
                    logger.info("{}: {} records were deleted in Bitable and are made again", self._name, len(absent))
                    self._store.forget_records(self.plugin, self.table, absent)
                    return
            if error.code != bitable.DATA_NOT_CHANGED:
                if not await self._split(error, rows, self._update):
                    raise
                return
        self._store.settle(self.plugin, self.table, updated=[(row.rowid, row.version) for row in rows])
        self._accept(row.rowid for row in rows)
        self.written += len(rows)

    async def _delete(self, rows: Sequence[PendingRow]) -> None:
        there = [str(row.record) for row in rows if row.record is not None]
        if there:
            await self.remove(there)
        self._store.settle(self.plugin, self.table, deleted=[row.rowid for row in rows])
        self._accept(row.rowid for row in rows)  # A new row may get the number.
        self._foreign -= {file for file in self._foreign if file[0] in {row.rowid for row in rows}}
        self.written += len(there)

    async def remove(self, records: Sequence[str]) -> None:
        """Delete at most ``MOST_DELETED`` records; those that are gone already do no harm."""
        try:
            await self._remote.delete(records)
        except ApiError as error:
            if error.code not in bitable.RECORD_MISSING:
                raise
            await self._remote.caught_up()
            absent = set(await self._remote.absent(records))
            still = [record for record in records if record not in absent]
            if still:
                await self._remote.delete(still)

    async def _split(
        self, error: ApiError, rows: Sequence[PendingRow], write: Callable[[Sequence[PendingRow]], Any]
    ) -> bool:
        """After a refusal of the whole batch: halve it until the row that is to blame stands alone; False = raise."""
        if error.code == bitable.TOO_MANY_RECORDS:
            self._per_batch = max(1, min(self._per_batch, len(rows) // 2))
        elif error.code not in BAD_VALUE:
            return False
        elif error.code not in (BAD_PERSON, BAD_FILE) and not self._doubted:
            self._doubted, self._columns = True, ()
            await self._check()  # Raises when somebody changed a column, before every row is tried by itself.
        if error.code == BAD_PERSON and self._hide(row for row in rows if self._nameless(row)):
            await write(rows)
        elif len(rows) > 1:
            middle = len(rows) // 2
            await write(rows[:middle])
            await write(rows[middle:])
        elif rows and (
            (error.code == BAD_PERSON and self._hide(rows)) or (error.code == BAD_FILE and self._leave_out(rows[0]))
        ):
            await write(rows)
        elif rows:
            logger.error("{}: row {} cannot be written to Bitable: {}", self._name, self._key(rows[0]), error)
            self._refused[rows[0].rowid] = rows[0].version
        return bool(rows)

    def _accept(self, rowids: Iterable[int]) -> None:
        for rowid in rowids:
            self._refused.pop(rowid, None)

    def _hide(self, rows: Iterable[PendingRow]) -> bool:
        """Leave out the person cells of people the app may not see; whether there were any to leave out."""
        sources = [column.of for column in self._columns if isinstance(column, PersonCell)]
        people = {row.row[source] for row in rows for source in sources} - self._invisible - {""}
        if people:
            logger.warning(
                "{}: {} people are outside the app's contact range; their cell stays empty", self._name, len(people)
            )
        self._invisible |= people
        return bool(people)

    def _leave_out(self, row: PendingRow) -> bool:
        """Leave out the files of a row that the base refuses, as after a move; whether there were any to leave out."""
        columns = [column.name for column in self._columns if isinstance(column, Attachments)]
        tokens = {file.get("file_token", "") for name in columns for file in row.row[name]} - {""}
        files = {(row.rowid, token) for token in tokens} - self._foreign
        if files:
            logger.warning("{}: row {} has files that this base does not hold", self._name, self._key(row))
        self._foreign |= files
        return bool(files)

    def _nameless(self, row: PendingRow) -> bool:
        """Whether the contact API does not show this person either: the first to suspect when a person is refused."""
        if self._people.problem:
            return False
        named = {column.of for column in self._columns if isinstance(column, NAMING)}
        sources = [column.of for column in self._columns if isinstance(column, PersonCell) and column.of in named]
        return any(row.row[source] not in self._names for source in sources)

    def _key(self, row: PendingRow) -> str:
        return "/".join(str(row.row[name]) for name in self.table.key)

    def _fields(self, row: PendingRow, *, clear: bool = False) -> dict[str, Any]:
        """The cells of a row; empty ones only where they have to be cleared."""
        fields: dict[str, Any] = {}
        for column in self._columns:
            cell = cells.written(column, self._value(column, row), self._kinds[column.title])
            if cell is not None or (clear and self._clears(column, row.row)):
                fields[column.title] = cell
        return fields

    def _value(self, column: Column, row: PendingRow) -> Any:
        """What the cell is made of."""
        match column:
            case PersonName() | PersonNames():
                return joined_names(column, row.row, self._names)
            case PersonCell(of=source):
                return "" if row.row[source] in self._invisible else row.row[source]
            case Attachments(name=name):
                return [file for file in row.row[name] if (row.rowid, file.get("file_token")) not in self._foreign]
            case _:
                return row.row[column.name]

    @staticmethod
    def _clears(column: Column, row: Row) -> bool:
        """Whether an empty cell means that there is nothing, and not that it is not known here."""
        return not isinstance(column, VIRTUAL) or (isinstance(column, PersonNames) and row[column.of] == [])

    def status(self, store: StoreHandle) -> TableStatus:
        """How it is, counted with the caller's own handle."""
        waiting, rows = store.count_pending(self.plugin, self.table)
        refused = f"{len(self._refused)} rows cannot be written, see the log" if self._refused else ""
        return TableStatus(
            self.plugin,
            self.table.name,
            self.table_id,
            rows,
            waiting,
            self.last_flush,
            self.next_flush if waiting else None,
            self.problem or refused,
        )
