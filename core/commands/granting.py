"""What ``core check`` says about scopes, events and callbacks, and asking the administrator for what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..errors import ApiError, ConfigurationError, Problem

if TYPE_CHECKING:
    from ..feishu.transport import Api
    from ..loading.needs import Need
    from ..loading.plugins import Plugin
    from ..settings import Settings


def needs_of(settings: Settings, plugins: Sequence[Plugin]) -> list[Need]:
    """What each plugin needs of the app, and the program."""
    from ..loading.needs import needs

    return needs(plugins, any_group=not settings.chat_id)


def show(settings: Settings, plugins: Sequence[Plugin]) -> None:
    """What has to be set in the developer console, all of it."""
    from ..feishu.scopes import document
    from ..loading.needs import united

    wanted = united(needs_of(settings, plugins))
    click.echo("The app needs in the developer console:")
    for what, names in (("scopes", wanted.scopes), ("events", wanted.events), ("callbacks", wanted.callbacks)):
        click.echo(f"  {what.ljust(9)}  {', '.join(names) or 'none'}")
    click.echo("Paste this under 权限管理 → 批量导入/导出权限 to ask for all the scopes at once:")
    click.echo(f"  {document(wanted.scopes)}")


async def compared(api: Api, settings: Settings, plugins: Sequence[Plugin]) -> list[Problem]:
    """A problem for each plugin, and for the program, whose scopes are not granted.

    Raises ``ApiFailure``, and ``ConfigurationError`` when the app is not installed.
    """
    from ..feishu import application, scopes

    try:
        granted = await application.granted(api)
    except ApiError as error:
        raise _refused(error, ()) from error
    problems: list[Problem] = []
    for need in needs_of(settings, plugins):
        if missing := need.missing(granted):
            where = need.who if need.of_program else f"plugin {need.who}"
            link = scopes.link(settings.feishu_base_url, settings.app_id, missing)
            problems.append(
                Problem(where, f"not granted: {', '.join(missing)}", f"grant at {link} and publish a version")
            )
    return problems


def apply(settings: Settings, plugins: Sequence[Plugin]) -> None:
    """Ask the administrator for what is missing.

    Raises ``ApiFailure``, and ``ConfigurationError`` when the platform will not ask.
    """
    import asyncio

    from ..feishu import application
    from .online import online

    async def ask() -> None:
        async with online(settings) as (api, _):
            problems = await compared(api, settings, plugins)
            if not problems:
                click.echo("Every scope is granted, there is nothing to ask for.")
                return
            for problem in problems:
                click.echo(f"{problem.where}: {problem.what}")
            try:
                await application.ask_for_grants(api)
            except ApiError as error:
                if error.code == application.ASKED_ALREADY:
                    click.echo("The administrator was asked before and has not answered yet.")
                    return
                show(settings, plugins)
                raise _refused(error, problems) from error
            click.echo("The administrator is asked to grant them. They count once a version with them is published.")

    asyncio.run(ask())


def _refused(error: ApiError, problems: Sequence[Problem]) -> ApiError | ConfigurationError:
    """``error`` with what to do about it, after the other problems; itself where nothing is known about it."""
    from ..feishu.application import REFUSALS

    if error.code not in REFUSALS:
        return error
    return ConfigurationError([*problems, Problem("scopes", str(error), REFUSALS[error.code])])
