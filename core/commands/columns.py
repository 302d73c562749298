"""``core tables check``: has every Bitable table the columns its plugin declares?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import ApiError, ConfigurationError, Problem
from .online import Mirrored, mirrored_tables, online, settings_of
from .start import Start

if TYPE_CHECKING:
    from ..feishu.bitable import RemoteTable
    from ..settings import Settings


@click.command()
@click.argument("table", required=False)
@click.option("--add", is_flag=True, help="Add the columns that are missing.")
@click.pass_obj
def check(start: Start, *, table: str | None, add: bool) -> None:
    """Compare columns in Bitable with what is declared: TABLE (`activity`, or `plugin.table`), or every mirrored table.

    --add adds what is missing, optional columns too. Nothing that is there is ever changed or deleted: what to do about
    a column of the wrong type is said, and further columns are yours. It works while the program runs, which fills new
    columns in every row as soon as it looks at the table again: after a failure, or at its next start. Exit code 2 when
    a table cannot be mirrored as it is.
    """
    import asyncio

    settings = settings_of(start)
    problems = asyncio.run(_checked(settings, mirrored_tables(start, settings, table), add=add))
    if problems:
        raise ConfigurationError(problems)


async def _checked(settings: Settings, chosen: list[Mirrored], *, add: bool) -> list[Problem]:
    from ..feishu.bitable import RemoteTable

    problems: list[Problem] = []
    async with online(settings) as (api, _):
        for one in chosen:
            remote = RemoteTable(api, settings.bitable_app_token, one.table_id)
            try:
                problems += await _compared(one, remote, add=add)
            except ApiError as error:
                fix = f"correct BITABLE_APP_TOKEN or {one.table.setting}, or give the app edit access to the base"
                problems.append(Problem(one.full, str(error), fix))
    return problems


async def _compared(one: Mirrored, remote: RemoteTable, *, add: bool) -> list[Problem]:
    from ..feishu import cells
    from ..mirroring import blueprint

    found = blueprint.compare(one.table, await remote.fields())
    missing, absent = found.missing, found.absent
    if add and absent:
        for column in absent:
            await remote.add_field(blueprint.field(column))
        click.echo(f"{one.full}: added {', '.join(column.title for column in absent)}")
        missing = absent = ()
    elif found.optional:
        click.echo(f"{one.full}: not there, and not needed: {', '.join(column.title for column in found.optional)}")
    for title, options in found.options.items():
        click.echo(f"{one.full}: {title} gets the options {', '.join(options)} when they are first written")
    problems = [
        Problem(one.full, f"column {column.title} is missing", f"add it as {blueprint.wanted(column)}, or use --add")
        for column in missing
    ]
    problems += [
        Problem(
            one.full,
            f"column {column.title} is {cells.type_name(kind)}",
            f"change it to {blueprint.wanted(column)}; or rename it, and --add makes a new one beside it",
        )
        for column, kind in found.wrong
    ]
    if not problems:
        click.secho(f"{one.full}: every column is right.", fg="green")
    return problems
