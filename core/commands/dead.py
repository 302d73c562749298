"""``core dead``: the events that could not be handled, shown, tried again, or given up."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .points import Point, moment
from .start import Start

if TYPE_CHECKING:
    from ..storage.protocol import StoreHandle
    from ..storage.values import Dead

JOURNAL = "core"
"""The name under which events stand that nobody can read."""

F = TypeVar("F", bound=Callable[..., Any])


def _chosen(command: F) -> F:
    """The options that choose dead letters."""
    for option in (
        click.option("--until", "until", type=moment, metavar="TIME", help="Parked before then."),
        click.option("--since", type=moment, metavar="TIME", help="Parked then or later: 2026-11-01, 7d, 12h."),
        click.option("--reason", default="", metavar="TEXT", help="Only those whose error contains TEXT."),
        click.option("--plugin", metavar="NAME", help=f"Only those of this plugin ({JOURNAL}: nobody can read them)."),
        click.argument("numbers", nargs=-1, type=click.IntRange(1), metavar="[NUMBER]..."),
    ):
        command = option(command)
    return command


@click.group()
def dead() -> None:
    """Events that could not be handled: show them, try them again, give them up.

    \b
    A plugin's event becomes a dead letter when it failed 8 times; the plugin goes on with the others.
    Once the cause is mended, have them handled after all:
      python -m core dead list
      python -m core dead redrive --plugin archive --reason KeyError
    All of this also works while the program runs. NUMBER is the event's place in the journal.
    """


@dead.command("list")
@_chosen
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def list_(start: Start, /, *, as_json: bool, **chosen: Any) -> None:
    """List dead letters, the oldest first, and the events nobody can read."""
    letters = _found(start, chosen, unreadable=True)
    if as_json:
        import orjson

        for letter in letters:
            click.echo(orjson.dumps(_facts(letter)).decode())
        return
    if not letters:
        click.echo("No dead letters.")
        return
    zone = start.settings().zone
    width = max(len(letter.plugin) for letter in letters)
    digits = max(len(str(letter.seq)) for letter in letters)
    for letter in letters:
        moment = datetime.fromtimestamp(letter.parked / 1000, zone).strftime("%Y-%m-%d %H:%M")
        error = _line(letter.error)
        click.echo(f"{str(letter.seq).rjust(digits)}  {moment}  {letter.plugin.ljust(width)}  {error}")
    click.echo(f"{_counted(len(letters))}; `dead show NUMBER` tells more, `dead redrive` tries again.", err=True)


@dead.command()
@_chosen
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def show(start: Start, /, *, as_json: bool, **chosen: Any) -> None:
    """Show dead letters whole: the error with its traceback, and the event."""
    import orjson

    if not any(chosen.values()):
        raise click.UsageError("say which: a NUMBER, --plugin, --reason, --since or --until")
    letters = _found(start, chosen, unreadable=True)
    with start.engine() as engine:
        journal = engine.journal()
        bodies = [(letter, journal.fetch(letter.seq)) for letter in letters]
        journal.close()
    for letter, stored in bodies:
        try:
            event = orjson.loads(stored.body) if stored else None
        except orjson.JSONDecodeError:
            event = None
        if as_json:
            text = stored.body.decode(errors="backslashreplace") if stored and event is None else None
            click.echo(orjson.dumps(_facts(letter) | {"event": event, "text": text}).decode())
            continue
        click.secho(f"{letter.plugin}, event {letter.seq}, attempts {letter.attempts}", bold=True)
        click.echo(_safe(letter.error))
        if stored is None:
            click.echo("The journal keeps the event no longer.")
        elif event is None:
            click.echo(_safe(stored.body.decode(errors="backslashreplace")))
        else:
            click.echo(_safe(orjson.dumps(event, option=orjson.OPT_INDENT_2).decode()))
        click.echo()
    if not letters and not as_json:
        click.echo("No dead letters.")


@dead.command()
@_chosen
@click.option("--all", "everything", is_flag=True, help="Every dead letter of every plugin.")
@click.pass_obj
def redrive(start: Start, /, *, everything: bool, **chosen: Any) -> None:
    """Have dead letters handled once more, from the first attempt on.

    The program does it, at once when it runs, otherwise at its next start. Events nobody can read stay as they are.
    """
    letters = _meant(start, chosen, everything=everything)
    count = _moved(start, lambda store, now: store.redrive(letters, now))
    click.echo(f"{_counted(count)} to be tried again." if count else "No dead letters.")


@dead.command()
@_chosen
@click.option("--all", "everything", is_flag=True, help="Every dead letter of every plugin.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def discard(start: Start, /, *, everything: bool, yes: bool, **chosen: Any) -> None:
    """Give dead letters up for good: the plugin never sees them again, in a replay neither.

    The events stay in the journal, for the other plugins.
    """
    letters = _meant(start, chosen, everything=everything)
    if letters and not yes:
        click.confirm(f"Give up {_counted(len(letters))} for good?", abort=True)
    count = _moved(start, lambda store, now: store.discard(letters, now))
    click.echo(f"{_counted(count)} given up." if count else "No dead letters.")


def _found(start: Start, chosen: dict[str, Any], *, unreadable: bool) -> list[Dead]:
    zone, now = start.settings().zone, time.time_ns() // 1_000_000
    since, until = (_moment(chosen[name], zone, now) for name in ("since", "until"))
    numbers, plugin, reason = chosen["numbers"], chosen["plugin"], chosen["reason"]
    with start.engine() as engine:
        store = engine.store()
        letters = store.dead(plugin, reason=reason, since=since, before=until, seqs=numbers)
        store.close()
        if unreadable and plugin in (None, JOURNAL):
            journal = engine.journal()
            letters += [
                letter
                for letter in reversed(journal.unreadable())
                if reason.lower() in letter.error.lower()
                and (not numbers or letter.seq in numbers)
                and (since is None or letter.parked >= since)
                and (until is None or letter.parked < until)
            ]
            journal.close()
    if numbers and not letters:
        said = ", ".join(map(str, numbers))
        raise click.ClickException(f"no dead letter is event {said}; `core dead list` shows those there are")
    return letters


def _meant(start: Start, chosen: dict[str, Any], *, everything: bool) -> list[Dead]:
    if not everything and not any(chosen.values()):
        raise click.UsageError("say which: a NUMBER, --plugin, --reason, --since, --until, or --all")
    return _found(start, chosen, unreadable=False)


def _moved(start: Start, act: Callable[[StoreHandle, int], int]) -> int:
    with start.engine() as engine:
        store = engine.store()
        count = act(store, time.time_ns() // 1_000_000)
        store.close()
    return count


def _moment(point: Point | None, zone: Any, now: int) -> int | None:
    return None if point is None else point.moment(zone, now)


def _facts(letter: Dead) -> dict[str, Any]:
    names = ("plugin", "number", "attempts", "parked", "error")
    return dict(zip(names, letter, strict=True))


def _counted(count: int) -> str:
    return f"{count} dead letter{'s' if count != 1 else ''}"


def _line(error: str) -> str:
    """The first line, as far as it fits; nothing in it can move the terminal's cursor."""
    text = "".join(one if one.isprintable() else " " for one in error.partition("\n")[0])
    return text if len(text) <= 100 else f"{text[:99]}…"


def _safe(text: str) -> str:
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)
