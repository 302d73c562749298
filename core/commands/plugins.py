"""``core plugins``: which plugins there are, which are enabled, and what they declare."""

from __future__ import annotations

import click

from ..errors import ConfigurationError
from .start import Start


@click.command()
@click.pass_obj
def plugins(start: Start) -> None:
    """Which plugins there are, which are enabled, and what they declare.

    Plugins that are not enabled are named but not imported, so what they declare is not known here.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as Grid

    from ..plugins import available, load_one
    from ..settings import load_plugins_file

    sections = load_plugins_file(start.settings().plugins_file)
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for title in ("plugin", "state", "from", "declares"):
        grid.add_column(title, overflow="fold")
    there = available()
    for name, origin in there.items():
        enabled = name in sections and sections[name].enabled
        declares = "enable it in plugins.toml to see"
        if enabled:
            try:
                manifest = load_one(origin)
            except ConfigurationError as error:
                declares = f"[red]{escape(error.problems[0].what)}[/]"
            else:
                parts = [escape(manifest.summary)]
                for table in manifest.tables:
                    place = f"mirrored to {table.setting}" if table.setting else "private"
                    parts.append(f"table {table.name}: {place}")
                if manifest.permissions:
                    parts.append(f"scopes: {', '.join(manifest.permissions)}")
                if manifest.commands:
                    parts.append(f"commands: python -m core {name} --help")
                declares = "\n".join(parts)
        grid.add_row(name, "[green]enabled[/]" if enabled else "[dim]off[/]", origin.source, declares)
    for name in sections.keys() - there.keys():
        grid.add_row(name, "[red]missing[/]", "—", "named in plugins.toml, but not installed")
    Console().print(grid)
