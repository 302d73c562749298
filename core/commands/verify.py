"""``core tables verify``: is Bitable what is stored here? And the way back."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from ..errors import ApiError, LarkflockError
from .online import Mirrored, mirrored_tables, online, settings_of
from .start import Start

if TYPE_CHECKING:
    from ..feishu.ledger import Ledger
    from ..feishu.transport import Api
    from ..mirroring.verify import Comparison
    from ..settings import Settings
    from ..storage.protocol import StoreHandle

SHOWN: Final = 10
"""Differences of one kind that are shown."""


@click.command()
@click.argument("table", required=False)
@click.option("--repair", is_flag=True, help="Mend what differs.")
@click.pass_obj
def verify(start: Start, *, table: str | None, repair: bool) -> None:
    """Compare the rows stored here with Bitable: TABLE (`activity`, or `plugin.table`), or every mirrored table.

    \b
    It reads the whole Bitable table, 500 records a call, says before what that costs, and prints:
      missing there   a row whose record is gone               --repair creates it
      missing here    a record whose key no row has            --repair takes it over as a row; it stays
      not known here  a row that does not know its record      --repair remembers it
      double          several records of one key               --repair deletes all but one: the one the row knows,
                                                                else the first
      changed         cells that are not as stored             --repair writes them
    Columns that are not mirrored and records without a whole key are a person's, they are left alone.
    A table that is gone, or lacks a column, is named, and the others are compared.
    The program must not run meanwhile: it writes the same records. Exit code 1 when something differs still.
    """
    import asyncio

    from ..disk.instance import sole_instance

    settings = settings_of(start)
    chosen = mirrored_tables(start, settings, table)
    with sole_instance(settings.data_dir):
        start.engine().close()  # It says so when nothing is stored yet.
        differences, unread = asyncio.run(_verified(settings, chosen, mend=repair))
    if differences and not repair:
        click.echo("`tables verify --repair` mends what differs.")
    if unread or (differences and not repair):
        sys.exit(1)


async def _verified(settings: Settings, chosen: list[Mirrored], *, mend: bool) -> tuple[int, int]:
    """(differences, tables that could not be compared)."""
    from ..mirroring.blueprint import TableMismatch

    total = unread = 0
    async with online(settings) as (api, store):
        _say_cost(store, chosen, api.ledger)
        for one in chosen:
            try:
                total += await _compared(settings, api, store, one, mend=mend)
            except (ApiError, TableMismatch) as error:  # About this table; what stops all calls is another error.
                unread += 1
                place = f"{one.full} ({one.table.setting}={one.table_id})"
                click.secho(f"{place} cannot be compared: {error}", fg="red", err=True)
    return total, unread


def _say_cost(store: StoreHandle, chosen: Iterable[Mirrored], ledger: Ledger) -> None:
    """Raises ``LarkflockError`` when the month's calls do not suffice."""
    from ..mirroring.verify import calls_to_compare

    cost = 0
    for one in chosen:
        store.prepare(one.plugin.name, one.plugin.tables)
        cost += calls_to_compare(store.count_pending(one.plugin.name, one.table)[1])
    if cost > ledger.left:
        raise LarkflockError(
            f"about {cost} API calls are needed and {ledger.left} of this month's are left (API_MONTHLY_QUOTA)"
        )
    click.echo(f"About {cost} API calls; {ledger.left} of this month's are left.")


async def _compared(settings: Settings, api: Api, store: StoreHandle, one: Mirrored, *, mend: bool) -> int:
    from ..app import milliseconds
    from ..feishu.bitable import RemoteTable
    from ..mirroring.mirrored import MirroredTable
    from ..mirroring.verify import compare, repair
    from ..people import People

    plugin, table, table_id = one
    uses = [(plugin.name, table, column) for column in table.people]
    people = People(api, store, lambda: uses, clock=milliseconds)
    remote = RemoteTable(api, settings.bitable_app_token, table_id)
    entry = MirroredTable(plugin.name, table, table_id, remote, store, people)
    outcome = await compare(entry, store)
    _tell(one.full, outcome)
    if mend and (outcome.total or outcome.waiting):
        await repair(entry, store, outcome)
        click.echo("  mended")
    return outcome.total


def _tell(name: str, outcome: Comparison) -> None:
    waiting = f", {outcome.waiting} wait to be written" if outcome.waiting else ""
    foreign = f", {outcome.foreign} of people left alone" if outcome.foreign else ""
    click.secho(
        f"{name}: {outcome.rows} rows here, {outcome.records} records there{foreign}{waiting}: "
        + (f"{outcome.total} differences" if outcome.total else "no difference"),
        bold=bool(outcome.total),
    )
    _list("missing there", (_value(key) for key, _ in outcome.missing_there))
    _list("missing here", (f"{_cells(one.cells)} ({one.record})" for one in outcome.missing_here))
    _list("not known here", (f"{_cells(one.cells)} ({one.record})" for one in outcome.unknown))
    _list("double", (f"{_value(key)}: {stays} stays, not {', '.join(gone)}" for key, stays, gone in outcome.double))
    _list(
        "changed",
        (
            f"{_value(one.key)}: "
            + ", ".join(
                f"{title} {_value(there)} there, {_value(here)} here" for title, (here, there) in one.cells.items()
            )
            for one in outcome.changed
        ),
    )
    if len(outcome.changed) > 1:
        click.echo(f"  by column: {', '.join(f'{title} {count}' for title, count in outcome.by_column.items())}")


def _list(kind: str, lines: Iterator[str]) -> None:
    found = list(lines)
    for line in found[:SHOWN]:
        click.echo(f"  {kind}: {line}")
    if found[SHOWN:]:
        click.echo(f"  {kind}: … and {len(found) - SHOWN} more")


def _cells(cells: Any) -> str:
    """The first cells of a record, as far as they fit."""
    return _value(" ".join(_text(cell) for cell in cells.values()))


def _text(cell: Any) -> str:
    if isinstance(cell, list):
        return "".join(_text(part) for part in cell)
    return str(cell.get("text") or cell.get("name") or "") if isinstance(cell, dict) else str(cell)


def _value(value: Any) -> str:
    """As far as it fits; nothing in it can move the terminal's cursor."""
    text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    text = "".join(one if one.isprintable() else " " for one in text)
    return text if len(text) <= 60 else f"{text[:59]}…"
