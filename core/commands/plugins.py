"""``core plugins``: which plugins there are, which are enabled, and what they declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError
from .start import Start

if TYPE_CHECKING:
    from ..manifest import Manifest


@click.group(invoke_without_command=True)
@click.pass_context
def plugins(ctx: click.Context) -> None:
    """Which plugins there are, which are enabled, and what they declare.

    Plugins that are not enabled are named but not imported, so what they declare is not known here.
    """
    if ctx.invoked_subcommand is None:
        _show(ctx.obj)


@plugins.command()
@click.argument("name")
@click.pass_obj
def resume(start: Start, *, name: str) -> None:
    """Let a suspended plugin go on, also while the program runs.

    A plugin is suspended when many of its events fail one after the other (SUSPEND_AFTER). Its events wait meanwhile;
    none is lost. A restart of the program lets every plugin go on as well.
    """
    with start.engine() as engine:
        store = engine.store()
        standing, resumed = store.standing(name), store.resume(name)
        store.close()
    if standing is None:
        raise click.UsageError(f"plugin {name!r} has not run yet")
    click.echo(f"{name} goes on: what waits is tried again." if resumed else f"{name} is not suspended.")


def _show(start: Start) -> None:
    from ..plugins import available, load_one
    from ..settings import load_plugins_file

    sections = load_plugins_file(start.settings().plugins_file)
    there = available()
    missing = sections.keys() - there.keys()
    width = max(map(len, [*there, *missing]), default=0)
    for name, origin in there.items():
        enabled = name in sections and sections[name].enabled
        state = click.style("enabled", fg="green") if enabled else click.style("off    ", dim=True)
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {state}  {origin.source}")
        if not enabled:
            click.echo("    enable it in plugins.toml to see what it declares")
            continue
        try:
            lines = list(_declared(load_one(origin)))
        except ConfigurationError as error:
            lines = [click.style(error.problems[0].what, fg="red")]
        for line in lines:
            click.echo(f"    {line}")
    for name in sorted(missing):
        state = click.style("missing", fg="red")
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {state}  named in plugins.toml, but not installed")


def _declared(manifest: Manifest) -> Iterator[str]:
    yield manifest.summary
    for table in manifest.tables:
        place = f"mirrored to the Bitable table in {table.setting}" if table.setting else "private"
        yield f"table {table.name}: {place}"
    if manifest.permissions:
        yield f"scopes: {', '.join(manifest.permissions)}"
    if manifest.schedules:
        yield f"schedules: {', '.join(schedule.name for schedule in manifest.schedules)}"
    if manifest.publishes:
        yield f"publishes: {', '.join(manifest.publishes)}"
    if manifest.commands:
        yield f"commands: python -m core {manifest.name} --help"
