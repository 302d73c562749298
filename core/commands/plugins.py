"""``core plugins``: which plugins there are, which are enabled, and what they declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from .enable import disable, enable
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


plugins.add_command(enable)
plugins.add_command(disable)


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
    from ..loading.packages import BUNDLED, available
    from ..loading.plugins import load_all
    from ..settings import load_plugins_file

    file = start.settings().plugins_file
    sections = load_plugins_file(file)
    there = available()
    loaded = load_all(sections, start.env, file, there)
    fit = {plugin.name: plugin.manifest for plugin in loaded.plugins}
    unfit = {one.name: one.problems for one in loaded.unfit}
    missing = sections.keys() - there.keys()
    width = max(map(len, [*there, *missing]), default=0)
    for name, origin in there.items():
        enabled = name in sections and sections[name].enabled
        state = click.style("enabled", fg="green") if enabled else click.style("off    ", dim=True)
        hides = [rival.source for rival in origin.rivals] if origin.source == BUNDLED else []
        hidden = f" (hides that of {', '.join(hides)})" if hides else ""
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {state}  {origin.source}{hidden}")
        if not enabled:
            click.echo(f"    enable it to see what it declares: python -m core plugins enable {name}")
            continue
        for line in _declared(fit[name]) if name in fit else ():
            click.echo(f"    {line}")
        for problem in unfit.get(name, ()):
            click.echo(f"    {click.style(problem.what, fg='red')}\n      → {problem.fix}")
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
    if manifest.apis:
        yield f"other APIs: {', '.join(manifest.apis)}"
    if manifest.schedules:
        yield f"schedules: {', '.join(schedule.name for schedule in manifest.schedules)}"
    if manifest.publishes:
        yield f"publishes: {', '.join(manifest.publishes)}"
    if manifest.commands:
        yield f"commands: python -m core {manifest.name} --help"
