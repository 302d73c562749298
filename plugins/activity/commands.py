"""``python -m core activity …``: what a score is made of, read from the local store; nothing is changed or sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import click

from core import Row, Table

from .explanation import Contribution, contributions
from .score import Weights, score
from .tables import ACTIVITY, COUNTERS, CREDITS, LIKES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


class Stored(Protocol):
    """What the command line hands in."""

    @property
    def config(self) -> Weights: ...

    @property
    def timezone(self) -> ZoneInfo: ...

    def rows(self, table: Table) -> Iterator[Row]: ...

    def names(self) -> dict[str, str]: ...


@click.group()
def activity() -> None:
    """Activity scores."""


@activity.command()
@click.argument("user")
@click.option("--period", default="", metavar="YYYY-MM", help="One month only; otherwise every month, newest first.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=0), help="Entries a month; 0 = all.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, every entry with its link.")
@click.pass_obj
def explain(stored: Stored, user: str, period: str, limit: int, as_json: bool) -> None:
    """Show what the score of USER (an open_id or a name) is made of.

    Each counter is shown as amount × weight = points, followed by the messages, likes and pins that were counted.
    """
    if period and not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", period):
        raise click.BadParameter(f"{period!r} is not a month like 2026-11", param_hint="--period")
    names = stored.names()
    table = list(stored.rows(ACTIVITY))
    open_id = _open_id(user, names, {row["user_id"] for row in table})
    months = [row for row in reversed(table) if row["user_id"] == open_id and period in ("", row["period"])]
    if not months:
        raise click.ClickException(f"nothing is counted for {user}{f' in {period}' if period else ''}")
    entries = contributions(open_id, stored.rows(CREDITS), stored.rows(LIKES), period)
    explained = [_Month(row, [one for one in entries if one.period == row["period"]], limit) for row in months]
    if as_json:
        import orjson

        document = {
            "user": open_id,
            "name": names.get(open_id, ""),
            "months": [month.as_json(stored, names) for month in explained],
        }
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        return
    from rich.console import Console

    console = Console(highlight=False)
    for month in explained:
        month.show(console, stored, names)


class _Month:
    """One row of the activity table and the entries behind it."""

    def __init__(self, row: Row, entries: Sequence[Contribution], limit: int) -> None:
        self.row = row
        self.entries = entries
        self.shown = entries[:limit] if limit else entries

    def beyond(self) -> dict[str, int]:
        """Counts that no entry stands for: they were in the table when it was taken over."""
        rest = {name: self.row[name] for name in COUNTERS}
        for entry in self.entries:
            for name, amount in entry.amounts.items():
                rest[name] -= amount
        return {name: amount for name, amount in rest.items() if amount}

    def as_json(self, stored: Stored, names: Mapping[str, str]) -> dict[str, Any]:
        weights = stored.config.model_dump()
        return {
            "period": self.row["period"],
            "score": self.row["score"],
            "counters": [
                {
                    "name": name,
                    "title": _title(name),
                    "amount": self.row[name],
                    "weight": weights[name],
                    "points": _points(self.row, name, stored.config),
                }
                for name in COUNTERS
            ],
            "entries": [
                {
                    "time": _time(one, stored.timezone).isoformat(),
                    "message_id": one.message_id,
                    "kind": one.kind,
                    "amounts": one.amounts,
                    "emoji": one.emoji,
                    "by": one.by,
                    "by_name": names.get(one.by, ""),
                    "link": one.link,
                }
                for one in self.shown
            ],
            "entries_left_out": len(self.entries) - len(self.shown),
            "without_entries": self.beyond(),
        }

    def show(self, console: Console, stored: Stored, names: Mapping[str, str]) -> None:
        from rich.table import Table as Grid
        from rich.text import Text

        row, weights = self.row, stored.config
        who = names.get(row["user_id"], "")
        title = Text(f"{who or row['user_id']} · {row['period']} · {_title('score')} {row['score']:.2f}", style="bold")
        console.print(title.append(f"  {row['user_id']}" if who else "", style="dim not bold"), soft_wrap=True)
        grid = Grid.grid(padding=(0, 1))
        for justify in ("left", "right", "left", "right", "left", "right"):
            grid.add_column(justify=justify)
        for name in COUNTERS:
            points = f"{_points(row, name, weights):.2f}"
            grid.add_row(f"  {_title(name)}", str(row[name]), "×", f"{getattr(weights, name):g}", "=", points)
        console.print(grid)
        if score(row, weights) != row["score"]:
            console.print("  The score is from other weights; the next start recomputes it.", style="yellow")
        for entry in self.shown:
            console.print(_line(entry, stored.timezone, names, linked=console.is_terminal), soft_wrap=True)
        if len(self.entries) > len(self.shown):
            console.print(f"  … {len(self.entries) - len(self.shown)} more; --limit 0 lists all", style="dim")
        beyond = self.beyond()
        if beyond:
            console.print(f"  Without entries, taken over with the table: {_amounts(beyond)}", style="dim")
        console.print()


def _open_id(user: str, names: Mapping[str, str], counted: set[str]) -> str:
    if user in counted or user in names:
        return user
    bearers = sorted(open_id for open_id, name in names.items() if name == user)
    if len(bearers) == 1:
        return bearers[0]
    if bearers:
        raise click.ClickException(
            f"{len(bearers)} people are called {user}: {', '.join(bearers)}; name one by open_id"
        )
    similar = get_close_matches(user, {*names.values()} - {""}, cutoff=0.4)
    hint = (
        f"did you mean {', '.join(similar)}?" if similar else "give an open_id (ou_…) or a name as the table shows it"
    )
    raise click.ClickException(f"nobody called {user} is known; {hint}")


def _line(entry: Contribution, timezone: ZoneInfo, names: Mapping[str, str], *, linked: bool) -> Text:
    """One entry; where the terminal cannot carry a link in the message ID, the link stands at the end."""
    from rich.text import Text

    line = Text(f"  {_time(entry, timezone):%Y-%m-%d %H:%M}  ", style="dim")
    line.append(entry.message_id, style=f"not dim link {entry.link}" if linked else "not dim")
    line.append(f"  {_amounts(entry.amounts)}", style="not dim")
    if entry.by:
        line.append(f" {'→' if entry.kind == 'liking' else '←'} {names.get(entry.by) or entry.by}", style="not dim")
    if entry.emoji:
        line.append(f" [{entry.emoji}]")
    return line if linked else line.append(f"  {entry.link}")


def _amounts(amounts: Mapping[str, int]) -> str:
    return ", ".join(f"{_title(name)} {amount:+}" for name, amount in amounts.items())


def _points(row: Row, name: str, weights: Weights) -> float:
    return score({**dict.fromkeys(COUNTERS, 0), name: row[name]}, weights)


def _time(entry: Contribution, timezone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(entry.created / 1000, timezone)


def _title(name: str) -> str:
    return ACTIVITY.by_name[name].title
