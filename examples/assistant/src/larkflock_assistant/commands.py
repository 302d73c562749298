"""``python -m core assistant …``: reading the conversations; only the local store is read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import click

from core import Row, Table

from .tables import CONVERSATIONS, TURNS


class Stored(Protocol):
    """What commands of plugins are given: the stored tables."""

    timezone: ZoneInfo

    def rows(self, table: Table) -> Iterator[Row]: ...
    def find(self, table: Table, **equals: Any) -> list[Row]: ...
    def get(self, table: Table, *key: Any) -> Row | None: ...
    def names(self) -> dict[str, str]: ...


@click.group()
def assistant() -> None:
    """Conversations with the assistant."""


@assistant.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@click.pass_obj
def conversations(stored: Stored, limit: int) -> None:
    """List conversations, the latest first."""
    rows = sorted(stored.rows(CONVERSATIONS), key=lambda row: row["last"] or 0, reverse=True)
    names = stored.names()
    for row in rows[:limit]:
        who = names.get(row["starter"]) or row["starter"]
        facts = f"{who} · {int(row['turns'])} turns · {int(row['tokens'])} tokens  {row['title']}"
        click.echo(f"{_when(row['last'], stored)}  {row['conversation_id']}  {_plain(facts)}")
    if len(rows) > limit:
        click.echo(f"{len(rows) - limit} more: --limit {len(rows)}")
    if not rows:
        click.echo("There is no conversation yet.")


@assistant.command()
@click.argument("conversation_id")
@click.pass_obj
def show(stored: Stored, conversation_id: str) -> None:
    """Read one conversation; `conversations` lists their IDs."""
    if stored.get(CONVERSATIONS, conversation_id) is None:
        raise click.ClickException(
            f"there is no conversation {conversation_id!r}; see: python -m core assistant conversations"
        )
    names = stored.names()
    for row in sorted(stored.find(TURNS, conversation_id=conversation_id), key=lambda one: one["asked"]):
        who = _plain(names.get(row["asker"]) or row["asker"])
        click.secho(f"{_when(row['asked'], stored)}  {who}", bold=True)
        click.echo("(taken back)" if row["state"] == "gone" else _printable(row["question"]))
        click.secho("assistant", bold=True)
        click.echo(f"{_printable(row['answer']) or '(' + row['state'] + ')'}\n")


def _plain(text: str) -> str:
    """On one line."""
    return " ".join(_printable(text).split())


def _printable(text: str) -> str:
    """Nothing in it can move the terminal's cursor but the end of a line."""
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)


def _when(time: int | None, stored: Stored) -> str:
    return "-" if time is None else f"{datetime.fromtimestamp(time / 1000, stored.timezone):%Y-%m-%d %H:%M}"
