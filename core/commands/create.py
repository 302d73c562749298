"""``core tables create``: the base and every table of the enabled plugins, made in Bitable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..errors import ConfigurationError, Problem
from .online import enabled, online, settings_of
from .start import Start

if TYPE_CHECKING:
    from ..feishu.bases import RemoteBase
    from ..mirroring.provisioning import Step, Wanted
    from ..settings import Settings

ENV: Final = Path(".env")
NAME: Final = "larkflock 群聊数据"
KINDS: Final = {"ou_": ("openid", "full_access"), "oc_": ("openchat", "view")}


@click.command()
@click.option("--base", "name", metavar="NAME", help=f"What a new base is called.  [default: {NAME}]")
@click.option("--folder", metavar="TOKEN", help="The folder a new base goes to; the app must have access to it.")
@click.option(
    "--plugin", "plugins", multiple=True, metavar="PLUGIN", help="Only the tables of this one; may be repeated."
)
@click.option("--adopt", is_flag=True, help="Use tables of the right name that are there already, with their rows.")
@click.option(
    "--share", multiple=True, metavar="WHO", help="ou_… or an e-mail: may manage the base; oc_…: may read it."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be made.")
@click.pass_obj
def create(
    start: Start,
    *,
    name: str | None,
    folder: str | None,
    plugins: tuple[str, ...],
    adopt: bool,
    share: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Make the Bitable base, and in it a table for each the enabled plugins keep there.

    Without BITABLE_APP_TOKEN a base is made, which belongs to the app: --share opens it for people. The IDs are written
    into `.env`, or into plugins.toml where the plugin has its `tables.…` there; what has a value is never changed.

    Tables that have an ID are left as they are, so that it can be run again: after an interruption, or when another
    plugin was enabled. It costs two or three API calls for each table that is made.
    """
    import asyncio

    settings = settings_of(start)
    if settings.bitable_app_token and (name or folder):
        raise click.UsageError("--base and --folder are for a new base, and BITABLE_APP_TOKEN names one already")
    members = [_member(one) for one in share]
    chosen, others = _wanted(start, settings, plugins)
    asyncio.run(_create(settings, chosen, others, (name or NAME, folder or ""), members, adopt=adopt, dry_run=dry_run))


async def _create(
    settings: Settings,
    chosen: Sequence[Wanted],
    others: Sequence[Wanted],
    new: tuple[str, str],
    members: Sequence[tuple[str, str, str]],
    *,
    adopt: bool,
    dry_run: bool,
) -> None:
    from ..disk.env_file import fill_in
    from ..mirroring.provisioning import Provisioning

    def keep_base(token: str) -> None:
        if not settings.bitable_app_token:
            fill_in(ENV, {"BITABLE_APP_TOKEN": token})

    def keep_table(one: Wanted, table_id: str) -> None:
        if one.in_plugins_file:
            _fill_in_plugins_file(settings.plugins_file, one, table_id)
        else:
            fill_in(ENV, {one.table.setting: table_id})

    async with online(settings) as (api, store):
        work = Provisioning(api, store, keep_base=keep_base, keep_table=keep_table, say=click.echo)
        base = await work.found_base(settings.bitable_app_token)
        steps = await work.plan(base, chosen, others, adopt=adopt)
        if dry_run:
            _foretell(base, new[0], steps)
            return
        if base is None:
            base = await work.make_base(*new, settings.timezone)
            click.echo(f"Base {new[0]} was made.")
        await work.carry_out(base, steps)
        for member in members:
            await base.share(*member)
            click.echo(f"{member[1]} {'may manage' if member[2] == 'full_access' else 'may read'} the base.")
    click.echo(f"The base: {_address(settings, base)}")
    if any(step.what != "keep" and not step.wanted.in_plugins_file for step in steps):
        click.echo("A program that is running takes them in use at its next start.")


def _foretell(base: RemoteBase | None, name: str, steps: Sequence[Step]) -> None:
    if base is None:
        click.echo(f"Base {name} would be made.")
    told = {"keep": "is there", "use": "would be used", "make": "would be made"}
    for step in steps:
        click.echo(f"{step.wanted.full}: {step.name} {told[step.what]}")


def _address(settings: Settings, base: RemoteBase) -> str:
    """Where a browser finds the base: the platform leads on to the address of the organisation."""
    return base.address or f"{settings.feishu_base_url.replace('://open.', '://www.')}/base/{base.token}"


def _member(who: str) -> tuple[str, str, str]:
    """(kind, member, what they may do). Raises ``UsageError``."""
    if "@" in who:
        return "email", who, "full_access"
    if who[:3] not in KINDS:
        raise click.UsageError(f"--share takes an e-mail address, a person's ou_… or a group's oc_…, not {who!r}")
    kind, may = KINDS[who[:3]]
    return kind, who, may


def _wanted(start: Start, settings: Settings, names: Sequence[str]) -> tuple[list[Wanted], list[Wanted]]:
    """The tables to see to, and the others. Raises ``ConfigurationError``."""
    from ..mirroring.provisioning import Wanted
    from ..settings import load_plugins_file

    sections = load_plugins_file(settings.plugins_file)
    plugins = enabled(start, settings)
    unknown = [name for name in names if name not in {plugin.name for plugin in plugins}]
    if unknown:
        known = ", ".join(plugin.name for plugin in plugins) or "none"
        problem = Problem(str(settings.plugins_file), f"no plugin {unknown[0]!r} is enabled", f"enabled are: {known}")
        raise ConfigurationError([problem])
    wanted = [
        Wanted(plugin.name, table, table_id, in_plugins_file=bool(sections[plugin.name].tables))
        for plugin in plugins
        for table, table_id in plugin.table_ids.items()
    ]
    if not settings.bitable_app_token and (orphan := next((one for one in wanted if one.table_id), None)):
        what = f"{orphan.table.setting} is set, but not the base of that table"
        fix = "set BITABLE_APP_TOKEN to …/base/<this part>?table=…, or empty the table's ID to have a new one made"
        raise ConfigurationError([Problem(orphan.full, what, fix)])
    chosen = [one for one in wanted if not names or one.plugin in names]
    if not chosen:
        fix = "enable a plugin that keeps tables in Bitable"
        raise ConfigurationError([Problem(str(settings.plugins_file), "there is no table to make", fix)])
    return chosen, [one for one in wanted if one not in chosen]


def _fill_in_plugins_file(file: Path, one: Wanted, table_id: str) -> None:
    """Write a table's ID into its plugin's section. Raises ``ConfigurationError``."""
    from ..disk.rewriting import rewrite
    from ..running.sections import placed

    try:
        rewrite(file, placed(file.read_bytes().decode("utf-8-sig"), one.plugin, one.table.name, table_id))
    except (OSError, UnicodeDecodeError) as error:
        fix = f'write tables.{one.table.name} = "{table_id}" into [plugins.{one.plugin}]'
        raise ConfigurationError([Problem(str(file), f"cannot be written: {error}", fix)]) from error
