"""How a mirrored table differs from its rows here, and the way back; it never decides whether that is wanted.

What is here counts. A record whose key is not here is taken over, as at the first start: somebody may have counted
it before. Where several records have the key of one row, the one that the row knows stays, else the first; the others
are deleted. Records without a whole key, and columns that are not mirrored, belong to people and stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Any, NamedTuple

from ..errors import LarkflockError
from ..feishu.bitable import MOST_DELETED, MOST_READ
from ..storage.protocol import StoreHandle
from ..storage.values import Key, PendingRow
from ..table import Row, Table
from .mirrored import Found, MirroredTable


class Unfinished(LarkflockError):
    """Not everything could be mended; the message says why."""


class Changed(NamedTuple):
    """A record whose cells are not those of its row."""

    key: Key
    record: str
    cells: dict[str, tuple[Any, Any]]
    """(here, there) by column title."""


@dataclass
class Comparison:
    """What differs. Rows that wait to be written anyway count as ``waiting``, not as different."""

    rows: int = 0
    records: int = 0
    """Those with a whole key."""
    waiting: int = 0
    missing_there: list[tuple[Key, str]] = field(default_factory=list)
    """Rows whose record is gone: (key, record)."""
    missing_here: list[Found] = field(default_factory=list)
    unknown: list[Found] = field(default_factory=list)
    """Records of rows that do not know them."""
    double: list[tuple[Key, str, list[str]]] = field(default_factory=list)
    """(key, the record that stays, those that go)."""
    changed: list[Changed] = field(default_factory=list)
    foreign: int = 0
    """Records without a whole key, left alone."""

    @property
    def total(self) -> int:
        """Differences."""
        single = len(self.missing_there) + len(self.missing_here) + len(self.unknown) + len(self.changed)
        return single + sum(len(gone) for _, _, gone in self.double)

    @property
    def by_column(self) -> dict[str, int]:
        """Cells that differ, by column title."""
        counts: dict[str, int] = {}
        for one in self.changed:
            for title in one.cells:
                counts[title] = counts.get(title, 0) + 1
        return counts


def calls_to_compare(rows: int) -> int:
    """API calls that reading a table of about so many records costs."""
    return 1 + max(1, ceil(rows / MOST_READ))


async def compare(entry: MirroredTable, store: StoreHandle) -> Comparison:
    """Read all of the Bitable table and compare. Raises ``ApiFailure`` or ``TableMismatch``."""
    table, plugin = entry.table, entry.plugin
    found: dict[Key, list[Found]] = {}
    outcome = Comparison()
    async for page in entry.pages():
        for one in page:
            if one.row is None:
                outcome.foreign += 1
            else:
                found.setdefault(_key(table, one.row), []).append(one)
                outcome.records += 1
    pending = {row.rowid: row for row in store.pending(plugin, table, 2**62)}
    leaving = {_key(table, row.row) for row in pending.values() if row.deleted}
    rows = {_key(table, row.row): row for row in store.mirrored(plugin, table)}
    outcome.rows, outcome.waiting = len(rows), len(pending)
    for key, row in rows.items():
        _compare_row(entry, key, row, found.pop(key, []), outcome, waiting=row.rowid in pending)
    for key, records in found.items():
        if key in leaving:
            continue
        outcome.missing_here.append(records[0])
        if records[1:]:
            outcome.double.append((key, records[0].record, [one.record for one in records[1:]]))
    return outcome


async def repair(entry: MirroredTable, store: StoreHandle, outcome: Comparison) -> None:
    """Mend what ``outcome`` found, and write what waits. Raises ``ApiFailure``, ``TableMismatch``, ``Unfinished``."""
    table, plugin = entry.table, entry.plugin
    gone = [record for _, _, records in outcome.double for record in records]
    for i in range(0, len(gone), MOST_DELETED):
        await entry.remove(gone[i : i + MOST_DELETED])
    store.forget_records(plugin, table, [record for _, record in outcome.missing_there])
    adopted = [*outcome.missing_here, *outcome.unknown]
    store.adopt(plugin, table, [(one.record, one.row) for one in adopted if one.row is not None])
    differing = [change.record for change in outcome.changed] + [one.record for one in outcome.unknown]
    store.touch(plugin, table, differing)
    await entry.flush()
    if (waiting := store.count_pending(plugin, table)[0]) > 0:
        raise Unfinished(f"{plugin}.{table.name}: Bitable refuses {waiting} rows; the lines above say why")


def _compare_row(
    entry: MirroredTable, key: Key, row: PendingRow, records: list[Found], outcome: Comparison, *, waiting: bool
) -> None:
    stays = next((one for one in records if one.record == row.record), records[0] if records else None)
    if stays is None:
        if row.record is not None:
            outcome.missing_there.append((key, row.record))
        return
    if records[1:]:
        outcome.double.append((key, stays.record, [one.record for one in records if one is not stays]))
    if row.record is not None and row.record != stays.record:
        outcome.missing_there.append((key, row.record))
    if row.record != stays.record:
        outcome.unknown.append(stays)
    elif not waiting and (cells := entry.differing(row, stays.cells)):
        outcome.changed.append(Changed(key, stays.record, cells))


def _key(table: Table, row: Row) -> Key:
    return tuple(row[name] for name in table.key)
