"""``core check``: is everything set up right? Every problem at once, each with what to do."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..errors import ApiError, ApiFailure, ConfigurationError, LarkflockError, Problem
from . import granting
from .start import Start

if TYPE_CHECKING:
    from ..loading.plugins import Loaded, Plugin
    from ..settings import Settings


WRONG_BASE: Final = (1254003, 1254040)


@click.command()
@click.option("--online", is_flag=True, help="Also log in and compare scopes and Bitable tables (a few API calls).")
@click.option("--apply", is_flag=True, help="Instead ask the administrator for the scopes that are not granted.")
@click.option("--data", is_flag=True, help="Look at what is stored instead: every page, every event's checksum.")
@click.pass_obj
def check(start: Start, *, online: bool, apply: bool, data: bool) -> None:
    """Is everything set up right? Lists every problem at once.

    It ends with what the app needs in the developer console: scopes, events, callbacks.
    With --data nothing is set up: it reads all that is stored, also while the program runs, and says what is damaged.
    """
    if data:
        _check_data(start)
        return
    from ..reads import unread

    try:
        settings, loaded = checked(start.env, needs_credentials=True)
    except ConfigurationError:
        with contextlib.suppress(ConfigurationError):  # For want of credentials only: what to grant is known.
            settings, loaded = checked(start.env, needs_credentials=False)
            granting.show(settings, loaded.plugins)
        raise
    plugins = loaded.plugins
    for plugin in plugins:
        for remark in plugin.remarks:
            click.secho(str(remark), fg="yellow", err=True)
    if problems := [*loaded.problems, *unread(plugin.manifest for plugin in plugins)]:
        raise ConfigurationError(problems)
    if apply:
        granting.apply(settings, plugins)
        return
    if online:
        import asyncio

        problems = asyncio.run(_tried(settings, plugins))
        if problems:
            granting.show(settings, plugins)
            raise ConfigurationError(problems)
    click.secho("The configuration is right.", fg="green")
    click.echo(f"Enabled plugins: {', '.join(plugin.name for plugin in plugins) or 'none'}")
    for plugin in plugins:
        for table, table_id in plugin.table_ids.items():
            place = f"Bitable table {table_id}" if table_id and settings.bitable_app_token else "stored locally only"
            hint = "" if table_id else f" ({table.setting} is not set)"
            click.echo(f"  {plugin.name}.{table.name}: {place}{hint}")
    if online:
        click.echo("Logged in; every scope is granted, and every Bitable table named above has its columns.")
    else:
        click.echo("Credentials, grants and tables were not tried: `python -m core check --online` does that.")
    granting.show(settings, plugins)


def _check_data(start: Start) -> None:
    from ..disk.integrity import inspect

    directory = start.settings().data_dir
    problems = inspect(directory)
    if problems:
        click.secho(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}:", fg="red", bold=True, err=True)
        for problem in problems:
            click.echo(f"  {problem}", err=True)
        sys.exit(1)
    click.secho(f"All that is stored in {directory} is sound.", fg="green")


def checked(env: Mapping[str, str], *, needs_credentials: bool) -> tuple[Settings, Loaded]:
    """The settings and the enabled plugins, the broken ones set aside.

    Raises ``ConfigurationError`` with every problem when settings are wrong, or no plugin is fit that is enabled.
    """
    from ..loading.plugins import load_all
    from ..settings import load_settings, read_plugins_file

    problems: list[Problem] = []
    settings: Settings | None = None
    try:
        settings = load_settings(env, needs_credentials=needs_credentials)
    except ConfigurationError as error:
        problems += error.problems
    file = settings.plugins_file if settings else Path(env.get("PLUGINS_FILE") or "plugins.toml")
    sections, found = read_plugins_file(file)
    problems += found
    loaded = load_all(sections, env, file)
    mirroring = any(any(plugin.table_ids.values()) for plugin in loaded.plugins)
    if settings is not None and not settings.bitable_app_token and mirroring:
        fix = "copy it from the base's address, …/base/<this part>?table=…"
        problems.append(Problem("setting BITABLE_APP_TOKEN (.env)", "a table ID is set, but not its base", fix))
    if problems or settings is None or (loaded.unfit and not loaded.plugins):
        raise ConfigurationError([*problems, *loaded.problems])
    return settings, loaded


async def _tried(settings: Settings, plugins: Sequence[Plugin]) -> list[Problem]:
    """The problems that only the platform can tell."""
    from ..app import milliseconds
    from ..feishu.bitable import RemoteTable
    from ..feishu.ledger import Ledger
    from ..feishu.scopes import NOT_GRANTED
    from ..feishu.transport import Api
    from ..mirroring.blueprint import TableMismatch, check_fields
    from ..storage import open_engine

    problems: list[Problem] = []
    with open_engine(settings.data_dir) as engine:
        store = engine.store()
        ledger = Ledger(store, settings.api_monthly_quota, settings.zone, milliseconds)
        secret = settings.app_secret.get_secret_value()
        async with Api(settings.feishu_base_url, settings.app_id, secret, ledger) as api:
            try:
                await api.log_in()
                problems += await granting.compared(api, settings, plugins)
                told = bool(problems)
                for plugin in plugins:
                    for table, table_id in plugin.table_ids.items():
                        if table_id:
                            try:
                                remote = RemoteTable(api, settings.bitable_app_token, table_id)
                                check_fields(table, table_id, await remote.fields())
                            except (ApiFailure, TableMismatch) as error:
                                if told and isinstance(error, ApiError) and error.code in NOT_GRANTED:
                                    continue
                                fix = _remedy(error, table.setting)
                                problems.append(Problem(f"plugin {plugin.name}", str(error), fix))
            except ApiFailure as error:
                fix = "check APP_ID, APP_SECRET, FEISHU_BASE_URL and the network"
                problems.append(Problem(settings.feishu_base_url, str(error), fix))
        store.close()
    return problems


def _remedy(error: LarkflockError, setting: str) -> str:
    if not isinstance(error, ApiFailure):
        return "change the table in Bitable as it says; its rows follow by themselves"
    wrong_base = isinstance(error, ApiError) and error.code in WRONG_BASE
    return f"correct {'BITABLE_APP_TOKEN' if wrong_base else setting}, and give the app edit access to the base"
