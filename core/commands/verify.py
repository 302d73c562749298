"""``core tables verify``: is Bitable what is stored here? And the way back."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import click

from ..errors import ConfigurationError, LarkflockError, Problem
from .start import Start, directory_of

if TYPE_CHECKING:
    from ..feishu.ledger import Ledger
    from ..feishu.transport import Api
    from ..plugins import Plugin
    from ..settings import Settings
    from ..storage.protocol import StoreHandle
    from ..table import Table
    from ..verify import Comparison

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
    The program must not run meanwhile: it writes the same records. Exit code 1 when something differs still.
    """
    import asyncio

    from ..instance import sole_instance
    from ..settings import load_settings

    settings = load_settings(start.env, needs_credentials=True)
    if start.sandbox:
        settings = settings.model_copy(update={"data_dir": directory_of(settings.data_dir)})
    chosen = _chosen(start, settings, table)
    with sole_instance(settings.data_dir):
        differences = asyncio.run(_verified(start, settings, chosen, mend=repair))
    if differences and not repair:
        click.echo("`tables verify --repair` mends it.")
        sys.exit(1)


async def _verified(start: Start, settings: Settings, chosen: list[tuple[Plugin, Table, str]], *, mend: bool) -> int:
    from ..app import milliseconds
    from ..feishu.ledger import Ledger
    from ..feishu.transport import Api

    total = 0
    with start.engine() as engine, closing(engine.store()) as store:
        ledger = Ledger(store, settings.api_monthly_quota, settings.zone, milliseconds)
        secret = settings.app_secret.get_secret_value()
        _say_cost(store, chosen, ledger)
        async with Api(settings.feishu_base_url, settings.app_id, secret, ledger) as api:
            for plugin, table, table_id in chosen:
                total += await _compared(settings, api, store, plugin, table, table_id, mend=mend)
    return total


def _say_cost(store: StoreHandle, chosen: Iterable[tuple[Plugin, Table, str]], ledger: Ledger) -> None:
    """Raises ``LarkflockError`` when the month's calls do not suffice."""
    from ..verify import calls_to_compare

    cost = 0
    for plugin, table, _ in chosen:
        store.prepare(plugin.name, plugin.tables)
        cost += calls_to_compare(store.count_pending(plugin.name, table)[1])
    if cost > ledger.left:
        raise LarkflockError(
            f"about {cost} API calls are needed and {ledger.left} of this month's are left (API_MONTHLY_QUOTA)"
        )
    click.echo(f"About {cost} API calls; {ledger.left} of this month's are left.")


async def _compared(
    settings: Settings, api: Api, store: StoreHandle, plugin: Plugin, table: Table, table_id: str, *, mend: bool
) -> int:
    from ..app import milliseconds
    from ..feishu.bitable import RemoteTable
    from ..mirrored import MirroredTable
    from ..people import People
    from ..verify import compare, repair

    uses = [(plugin.name, table, column) for column in table.people]
    people = People(api, store, uses, clock=milliseconds)
    remote = RemoteTable(api, settings.bitable_app_token, table_id)
    entry = MirroredTable(plugin.name, table, table_id, remote, store, people)
    outcome = await compare(entry, store)
    _tell(f"{plugin.name}.{table.name}", outcome)
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


def _chosen(start: Start, settings: Settings, name: str | None) -> list[tuple[Plugin, Table, str]]:
    """Raises ``ConfigurationError`` when nothing of that name is mirrored."""
    from ..plugins import load
    from ..settings import load_plugins_file

    plugins = load(load_plugins_file(settings.plugins_file), start.env, settings.plugins_file)
    mirrored = [
        (plugin, table, table_id)
        for plugin in plugins
        for table, table_id in plugin.table_ids.items()
        if table_id and settings.bitable_app_token
    ]
    chosen = [one for one in mirrored if name in (None, one[1].name, f"{one[0].name}.{one[1].name}")]
    if not chosen:
        names = ", ".join(f"{plugin.name}.{table.name}" for plugin, table, _ in mirrored)
        fix = f"use one of: {names}" if names else "set BITABLE_APP_TOKEN and the tables' IDs in .env"
        what = f"no mirrored table is called {name!r}" if name else "no table is mirrored"
        raise ConfigurationError([Problem("tables verify", what, fix)])
    return chosen
