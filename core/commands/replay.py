"""``core replay``: a plugin's tables built anew from the journal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .points import Point, point
from .start import Start

if TYPE_CHECKING:
    from ..loading.plugins import Plugin
    from ..replaying.replay import Replay
    from ..settings import Settings
    from ..storage.values import Difference
    from ..table import Row, Table

SHOWN = 10
"""Rows shown of each table."""


@click.command()
@click.argument("plugin")
@click.option(
    "--from",
    "begin",
    type=point,
    metavar="NUMBER|TIME",
    help="Leave out what came before: 2026-11-01, 7d, an event's number.",
)
@click.option("--to", "end", type=point, metavar="NUMBER|TIME", help="Stop before this; only to look, with --dry-run.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--accept-losses",
    is_flag=True,
    help="Replace the tables although some events are left out or fail now (these become dead letters).",
)
@click.pass_obj
def replay(
    start: Start, *, plugin: str, begin: Point | None, end: Point | None, dry_run: bool, accept_losses: bool
) -> None:
    """Build the tables of PLUGIN anew from the journal, and put them in the place of those in use.

    \b
    Use it when a plugin's rules were wrong and are mended. The new tables are made beside the old ones, which stay in
    use until the end; Ctrl+C leaves them as they are. Works while the program runs and while it does not. Nothing is
    sent, fetched or called; afterwards only rows that differ are written to Bitable.
      python -m core replay activity --dry-run      what would change?
      python -m core replay activity                change it
    What a plugin learned elsewhere (from the platform, from a model) is kept; docs/operations.md says what.
    """
    import asyncio

    from ..app import milliseconds
    from ..disk.instance import sole_instance
    from ..replaying.replay import Refused, Replay, losses, nothing_to_rebuild

    if end is not None and not dry_run:
        raise click.UsageError("--to is for --dry-run: tables that end early would leave out what came after")
    settings, found = _plugin(start, plugin)
    if reason := nothing_to_rebuild(found):
        raise Refused(reason)
    now = milliseconds()
    with start.engine() as engine, sole_instance(settings.data_dir / "replay" / plugin):
        store, journal = engine.store(), engine.journal()
        standing, trimmed = store.standing(plugin), journal.trimmed()
        first = (
            standing.began if standing and begin is None else begin.before(journal, settings.zone, now) if begin else 0
        )
        last = None if end is None else min(journal.head(), end.before(journal, settings.zone, now))
        if begin is not None and last is not None and last <= first:
            raise click.UsageError("--to is not after --from: there is nothing in between")
        lost = losses(plugin, standing, first, trimmed) if standing else []
        store.close()
        journal.close()
        for loss in lost:
            click.secho(f"Note: {loss}.", fg="yellow", err=True)
        if lost and not (dry_run or accept_losses):
            raise Refused("nothing was changed; look with --dry-run, and add --accept-losses to do it all the same")
        with engine.shadow(plugin) as shadow, _quiet(found), _progress(plugin) as show:
            making: Callable[[], Replay] = lambda: Replay(  # noqa: E731
                found,
                engine,
                shadow,
                start=first,
                end=last,
                timezone=settings.zone,
                chats=settings.chat_id,
                clock=milliseconds,
                progress=show,
            )
            differences, handled = asyncio.run(_replayed(making, dry_run=dry_run, park=accept_losses))
    _tell(found, differences, dry_run=dry_run, handled=handled)


async def _replayed(making: Callable[[], Replay], *, dry_run: bool, park: bool) -> tuple[list[Difference], int]:
    replay = making()
    try:
        await replay.build()
        if dry_run:
            for failure in replay.failures[:SHOWN]:
                click.secho(f"Note: event {failure.seq} fails now: {failure.error}", fg="yellow", err=True)
            return replay.differences(SHOWN), replay.handled
        return await replay.swap(park=park), replay.handled
    finally:
        await replay.close()


def _plugin(start: Start, name: str) -> tuple[Settings, Plugin]:
    from ..loading.plugins import load
    from ..settings import load_plugins_file

    settings = start.settings()
    sections = load_plugins_file(settings.plugins_file)
    if name not in sections or not sections[name].enabled:
        enabled = ", ".join(one for one, section in sections.items() if section.enabled) or "none"
        raise click.UsageError(f"plugin {name!r} is not enabled; enabled are: {enabled}")
    (plugin,) = load({name: sections[name]}, start.env, settings.plugins_file)
    return settings, plugin


def _tell(plugin: Plugin, differences: list[Difference], *, dry_run: bool, handled: int) -> None:
    verb = "would be" if dry_run else "were"
    click.echo(f"{handled} events handled again.")
    for table, added, changed, removed, first in differences:
        name = f"{plugin.name}.{table.name}"
        if not added + changed + removed:
            click.echo(f"{name}: no difference")
            continue
        click.secho(f"{name}: {added} rows {verb} added, {changed} changed, {removed} removed", bold=True)
        for before, after in first:
            click.echo(f"  {_told(table, before, after)}")
        left = added + changed + removed - len(first)
        if first and left:
            click.echo(f"  … and {left} more")
    if not dry_run:
        click.echo("The new tables are in use.")


def _told(table: Table, before: Row | None, after: Row | None) -> str:
    """One row that differs, in a line."""
    row: Row = after or before or {}
    name = " ".join(_value(row[column]) for column in table.key)
    if before is None or after is None:
        return f"{'+' if before is None else '-'} {name}"
    changes = [
        f"{column} {_value(before[column])} → {_value(after[column])}"
        for column in table.shown
        if before[column] != after[column]
    ]
    return f"~ {name}: {', '.join(changes)}"


def _value(value: Any) -> str:
    text = "".join(one if one.isprintable() else " " for one in str(value))
    return text if len(text) <= 40 else f"{text[:39]}…"


@contextmanager
def _quiet(plugin: Plugin) -> Iterator[None]:
    """What the plugin logs was logged when the events were handled."""
    from loguru import logger

    from ..loading.packages import available

    module = available()[plugin.name].module
    logger.disable(module)
    try:
        yield
    finally:
        logger.enable(module)


@contextmanager
def _progress(plugin: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, target: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(f"Replaying {plugin}", total=None)
        yield lambda done, target: bars.update(bar, completed=done, total=target)
