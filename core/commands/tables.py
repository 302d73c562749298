"""``core tables``: what is stored locally, shown and exported."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from ..disk.replacing import replacing
from ..errors import ConfigurationError, Problem
from ..table import Column, Number, PersonCell, PersonName, PersonNames, Table
from .columns import check
from .create import create
from .start import Start
from .verify import verify

if TYPE_CHECKING:
    from ..offline import Offline


FORMULA: Final = (*"=+-@", *"＝＋－＠", "\t", "\r", "\n")


@click.group(invoke_without_command=True)
@click.pass_context
def tables(ctx: click.Context) -> None:
    """What is stored locally: without a subcommand, every table and its number of rows."""
    if ctx.invoked_subcommand is None:
        for offline in _all(ctx.obj):
            with offline:
                for table in offline.plugin.manifest.tables:
                    waiting, rows = offline.count(table)
                    mirrored = f", {waiting} waiting for Bitable" if offline.plugin.table_ids.get(table) else ""
                    place = "" if table.setting else ", private"
                    click.echo(f"{offline.plugin.name}.{table.name}: {rows} rows{mirrored}{place}")


tables.add_command(create)
tables.add_command(check)
tables.add_command(verify)


@tables.command()
@click.argument("table")
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="Rows to show; 0 = all.")
@click.pass_obj
def show(start: Start, *, table: str, limit: int) -> None:
    """Show the rows of TABLE (`activity`, or `plugin.table`), the highest ranked first."""
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text as Cell

    offline, found = _one(start, table)
    with offline:
        names = offline.names()
        _, total = offline.count(found)
        rows = [offline.shown(found, row, names) for row in offline.top(found, min(limit or total, total))]
    grid = Grid(title=f"{offline.plugin.name}.{found.name}", title_justify="left")
    columns = _telling(found)
    for column in columns:
        numeric = isinstance(column, Number)
        grid.add_column(column.title or column.name, justify="right" if numeric else "left", no_wrap=numeric)
    for row in rows:
        grid.add_row(*(Cell(_cell(column, row[column.title or column.name])) for column in columns))
    console = Console()
    (console if console.is_terminal else Console(width=240)).print(grid)
    if len(rows) < total:
        click.echo(f"{len(rows)} of {total} rows; --limit 0 shows all, `tables export {table}` writes them as CSV.")


@tables.command()
@click.argument("table")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default="-")
@click.pass_obj
def export(start: Start, *, table: str, file: Path) -> None:
    """Write all rows of TABLE as CSV to FILE, or to standard output.

    The file is UTF-8 with a byte-order mark, so that spreadsheet programs show Chinese rightly. It is replaced only
    when all rows were written.
    """
    offline, found = _one(start, table)
    with offline:
        if str(file) == "-":
            _write(sys.stdout, offline, found)
            return
        try:
            with replacing(file) as partial, partial.open("w", encoding="utf-8-sig", newline="") as stream:
                count = _write(stream, offline, found)
        except OSError as error:
            raise click.FileError(str(file), error.strerror) from error
    click.echo(f"{count} rows written to {file}")


def _telling(table: Table) -> list[Column]:
    """The columns worth their width: a person's name stands for their ID and their person cell."""
    named = {column.of for column in table.columns if isinstance(column, PersonName | PersonNames)}
    return [c for c in table.columns if c.name not in named and not (isinstance(c, PersonCell) and c.of in named)]


def _cell(column: Column, value: Any) -> str:
    """What fits in a column; nothing in it can move the terminal's cursor."""
    text = "" if value is None else str(value)
    if isinstance(column, Number) and column.places:
        text = f"{value:.{column.places}f}"
    text = "".join(one if one.isprintable() else " " for one in text)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _write(stream: TextIO, offline: Offline, table: Table) -> int:
    names = offline.names()
    writer = csv.writer(stream)
    writer.writerow([column.title or column.name for column in table.columns])
    count = 0
    for row in offline.rows(table):
        writer.writerow([_plain(value) for value in offline.shown(table, row, names).values()])
        count += 1
    return count


def _plain(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula is made harmless."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _all(start: Start) -> Iterator[Offline]:
    from ..loading.plugins import load_all
    from ..offline import Offline
    from ..settings import load_plugins_file
    from ..storage import open_engine

    settings = start.settings()
    opening = cache(open_engine)
    loaded = load_all(load_plugins_file(settings.plugins_file), start.env, settings.plugins_file)
    for unfit in loaded.unfit:
        click.secho(f"{unfit.name} is left out: it is broken, see `python -m core check`", fg="yellow", err=True)
    for plugin in loaded.plugins:
        yield Offline(settings, plugin, opening)


def _one(start: Start, name: str) -> tuple[Offline, Table]:
    found = {
        f"{offline.plugin.name}.{table.name}": (offline, table)
        for offline in _all(start)
        for table in offline.plugin.manifest.tables
    }
    matches = [full for full in found if name in (full, full.split(".")[1])]
    if len(matches) != 1:
        what = f"there is no table {name!r}" if not matches else f"{name!r} is the name of several tables"
        raise ConfigurationError([Problem("tables", what, f"use one of: {', '.join(found) or 'none is declared'}")])
    return found[matches[0]]
