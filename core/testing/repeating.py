"""Whether two programs that were told the same came to the same, one of them by doing everything again."""

from __future__ import annotations

from collections.abc import Sequence

from ..table import Row, Table
from .failures import NotRepeatable
from .program import Program


def compare(once: Program, again: Program) -> None:
    """Raises ``NotRepeatable`` with the first rows that differ."""
    for plugin in once.plugins:
        for table in plugin.tables:
            rows, others = list(once.store.scan(plugin.name, table)), list(again.store.scan(plugin.name, table))
            if rows != others:
                raise NotRepeatable(_difference(plugin.name, table, rows, others))


def _difference(plugin: str, table: Table, once: Sequence[Row], again: Sequence[Row]) -> str:
    only_once = [row for row in once if row not in again]
    only_again = [row for row in again if row not in once]
    return (
        f"table {table.name!r} of plugin {plugin} is not the same when every event is handled again after a crash:\n"
        f"    handled once:  {only_once[:3]}\n    handled again: {only_again[:3]}\n"
        "Keep what has to last in a table or ctx.state; a crash undoes those, and nothing else."
    )
