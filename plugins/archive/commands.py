"""``python -m core archive …``: finding and exporting what is kept; only reads the local store."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from core import Row

from .stored import Format, Stored, as_json, chat_of, local, names_of
from .tables import ARCHIVE, TOPICS
from .topics import ACTIVE, COLD, SILENT, cited

if TYPE_CHECKING:
    from rich.text import Text

SHOWN: Final = 200
"""Code points of a message that a line shows."""
DAYS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]


class _Until(click.DateTime):
    """A time, or the end of a day."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        moment: datetime = super().convert(value, param, ctx)
        a_day_alone = isinstance(value, str) and ":" not in value
        return moment + timedelta(days=1) if a_day_alone and moment.date() < date.max else moment


@click.group()
def archive() -> None:
    """Messages and topics that were kept."""


@archive.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--person", default="", metavar="NAME", help="Who said it, by name or open_id.")
@click.option("--since", type=click.DateTime(DAYS), help="Sent at this time or later.")
@click.option("--until", type=_Until(DAYS), help="Sent before this time; a day alone counts to its end.")
@click.option("--group", default="", metavar="NAME", help="Where it was said, by name or chat_id.")
@click.option("--type", "kind", default="", metavar="TYPE", help="The message type: text, post, file …")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Messages at the most.")
@click.option("--json", "as_lines", is_flag=True, help="As JSON, a message a line.")
@click.pass_obj
def search(
    stored: Stored,
    words: tuple[str, ...],
    person: str,
    since: datetime | None,
    until: datetime | None,
    group: str,
    kind: str,
    limit: int,
    as_lines: bool,
) -> None:
    """Find messages with all WORDS, the best first.

    A Chinese word is found anywhere in a sentence; any other is a whole word, or the beginning of one with * at its
    end. "Words in quotes" stand side by side.
    """
    names = names_of(stored)
    equals: dict[str, Any] = {"message_type": kind} if kind else {}
    if person:
        equals["sender_id"] = _known(person, names, "person")
    if group:
        equals["chat_id"] = _known(group, names, "group")
    between = None
    if since or until:
        between = ("created", _ms(since, stored), _ms(until, stored))
    rows = stored.search(ARCHIVE, " ".join(words), equals=equals, between=between, limit=limit)
    if as_lines:
        _print_json([as_json(row, names, stored.timezone) for row in rows])
        return
    if not rows:
        raise click.ClickException("nothing was found")
    from rich.console import Console

    console = Console(highlight=False)
    for row in rows:
        console.print(_line(row, names, stored, linked=console.is_terminal), soft_wrap=True)


@archive.command()
@click.option("--status", type=click.Choice([ACTIVE, SILENT, COLD]), help="Only topics that are so alive.")
@click.option("--group", default="", metavar="NAME", help="Where they are, by name or chat_id.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0), help="Topics to show; 0 = all.")
@click.option("--json", "as_lines", is_flag=True, help="As JSON, a topic a line.")
@click.pass_obj
def topics(stored: Stored, status: str | None, group: str, limit: int, as_lines: bool) -> None:
    """Show topics with their summaries, the one replied to last first."""
    names = names_of(stored)
    rows = [row for row in stored.rows(TOPICS) if status in (None, row["status"])]
    if group:
        chat_id = _known(group, names, "group")
        rows = [row for row in rows if chat_of(row) == chat_id]
    rows.sort(key=lambda row: (-(row["last_reply"] or 0), row["topic_id"]))
    shown = rows[:limit] if limit else rows
    if as_lines:
        _print_json([_topic(row, names, stored) for row in shown])
        return
    from rich.console import Console

    console = Console(highlight=False)
    for row in shown:
        console.print(_heading(row, names, stored, linked=console.is_terminal), soft_wrap=True)
        for line, _, _ in cited(row["summary"]):
            console.print(f"    {_plain(line)}", style="dim", soft_wrap=True, markup=False)
    if len(shown) < len(rows):
        click.echo(f"{len(shown)} of {len(rows)} topics; --limit 0 shows all.")


@archive.command()
@click.option("--to", "directory", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to.")
@click.option(
    "--format", "form", required=True, type=click.Choice(["jsonl", "csv", "html"]), help="What kind of files."
)
@click.option("--all", "everything", is_flag=True, help="Write every month anew.")
@click.option("--since", type=click.DateTime(DAYS), help="Leave out messages sent before.")
@click.pass_obj
def export(stored: Stored, directory: Path, form: Format, everything: bool, since: datetime | None) -> None:
    """Write the archive to files, one a month; HTML pages open without any server, from index.html.

    Only months in which something is new or changed since the last export to the same directory are written anew; an
    edit or a recall therefore also changes what was exported before.
    """
    from . import exports

    with click.progressbar(length=1, label=f"Writing {form}", file=sys.stderr) as bar:

        def progress(done: int, of: int) -> None:
            bar.length = max(of, 1)
            bar.update(done - bar.pos)

        try:
            done = exports.export(
                stored, directory, form, everything=everything, since=_ms(since, stored), progress=progress
            )
        except OSError as error:
            raise click.FileError(str(error.filename or directory), error.strerror) from error
    click.echo(f"{done.messages} new or changed messages: {done.written} of {done.of} files written to {directory}")


def _known(asked: str, names: Mapping[str, str], what: Literal["person", "group"]) -> str:
    """The ID of somebody or of a group; what is an ID already need not be known."""
    ids = {one for one in names if one.startswith("oc_") == (what == "group")}
    if asked in ids or asked.startswith(("ou_", "cli_", "oc_")):
        return asked
    bearers = sorted(one for one in ids if names[one] == asked)
    if len(bearers) == 1:
        return bearers[0]
    if bearers:
        raise click.ClickException(f"{len(bearers)} are called {asked}: {', '.join(bearers)}; name one by its ID")
    similar = get_close_matches(asked, {names[one] for one in ids}, cutoff=0.4)
    hint = f"did you mean {', '.join(similar)}?" if similar else "give a name as the archive shows it, or an ID"
    raise click.ClickException(f"no {what} called {asked} is known; {hint}")


def _line(row: Row, names: Mapping[str, str], stored: Stored, *, linked: bool) -> Text:
    """One message; where the terminal cannot carry a link in the time, it stands at the end."""
    from rich.text import Text

    sent = local(row["created"], stored.timezone)
    line = Text()
    line.append(f"{sent:%Y-%m-%d %H:%M}" if sent else "?", style=f"dim link {row['link']}" if linked else "dim")
    group = names.get(chat_of(row))
    line.append(f"  {_plain(names.get(row['sender_id']) or row['sender_id'])}", style="bold")
    if group:
        line.append(f" [{_plain(group)}]", style="dim")
    line.append(f"  {_cut(_plain(row['content']))}")
    return line if linked else line.append(f"  {row['link']}")


def _heading(row: Row, names: Mapping[str, str], stored: Stored, *, linked: bool) -> Text:
    from rich.text import Text

    last = local(row["last_reply"], stored.timezone)
    line = Text(f"{last:%Y-%m-%d %H:%M}  " if last else "?  ", style="dim")
    line.append(_cut(_plain(row["title"])), style=f"bold not dim link {row['link']}" if linked else "bold not dim")
    starter = names.get(row["starter_id"], "")
    facts = f"{row['status']} · {row['replies']:.0f} 条回复 · {row['people']:.0f} 人"
    line.append(f"  {facts}{f' · {_plain(starter)}' if starter else ''}", style="not dim")
    return line if linked else line.append(f"  {row['link']}", style="not dim")


def _topic(row: Row, names: Mapping[str, str], stored: Stored) -> dict[str, Any]:
    created, last = local(row["created"], stored.timezone), local(row["last_reply"], stored.timezone)
    return {
        "topic_id": row["topic_id"],
        "chat_id": chat_of(row),
        "title": row["title"],
        "starter_id": row["starter_id"],
        "starter": names.get(row["starter_id"], ""),
        "created": created.isoformat() if created else None,
        "last_reply": last.isoformat() if last else None,
        "replies": row["replies"],
        "people": row["people"],
        "participants": [names.get(one) or one for one in row["participants"] or ()],
        "status": row["status"],
        "summary": row["summary"],
        "keywords": row["keywords"],
        "link": row["link"],
    }


def _ms(moment: datetime | None, stored: Stored) -> int | None:
    """What an option says, where the group lives."""
    return None if moment is None else round(moment.replace(tzinfo=stored.timezone).timestamp() * 1000)


def _plain(text: str) -> str:
    """On one line; nothing in it can move the terminal's cursor."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _print_json(documents: Sequence[dict[str, Any]]) -> None:
    import orjson

    for document in documents:
        click.echo(orjson.dumps(document).decode())
