"""What commands that call the platform start from: the API, and the store that counts its calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, NamedTuple

import click

from ..errors import ConfigurationError, Problem
from .start import Start

if TYPE_CHECKING:
    from ..feishu.transport import Api
    from ..loading.plugins import Plugin
    from ..settings import Settings
    from ..storage.protocol import StoreHandle
    from ..table import Table


class Mirrored(NamedTuple):
    """A table that is kept in Bitable."""

    plugin: Plugin
    table: Table
    table_id: str

    @property
    def full(self) -> str:
        """``<plugin>.<table>``."""
        return f"{self.plugin.name}.{self.table.name}"


@asynccontextmanager
async def online(settings: Settings) -> AsyncIterator[tuple[Api, StoreHandle]]:
    """The API, logged in when first called, and the store of ``DATA_DIR``."""
    from ..app import milliseconds
    from ..feishu.ledger import Ledger
    from ..feishu.transport import Api
    from ..storage import open_engine

    with open_engine(settings.data_dir) as engine, closing(engine.store()) as store:
        ledger = Ledger(store, settings.api_monthly_quota, settings.zone, milliseconds)
        secret = settings.app_secret.get_secret_value()
        async with Api(settings.feishu_base_url, settings.app_id, secret, ledger) as api:
            yield api, store


def settings_of(start: Start) -> Settings:
    """The settings with credentials. Raises ``ConfigurationError``; ``UsageError`` with ``--sandbox``."""
    from ..settings import load_settings

    if start.sandbox:  # The credentials are those of the real platform.
        raise click.UsageError("the platform of a trial ends with it, and its rows are not for yours; omit --sandbox")
    return load_settings(start.env, needs_credentials=True)


def mirrored_tables(start: Start, settings: Settings, name: str | None) -> list[Mirrored]:
    """The table called ``name``, or every one. Raises ``ConfigurationError`` when none of that name is mirrored."""
    mirrored = [
        Mirrored(plugin, table, table_id)
        for plugin in enabled(start, settings)
        for table, table_id in plugin.table_ids.items()
        if table_id and settings.bitable_app_token
    ]
    chosen = [one for one in mirrored if name in (None, one.table.name, one.full)]
    if not chosen:
        names = ", ".join(one.full for one in mirrored)
        fix = f"use one of: {names}" if names else "make them with `python -m core tables create`"
        what = f"no mirrored table is called {name!r}" if name else "no table is mirrored"
        raise ConfigurationError([Problem("tables", what, fix)])
    return chosen


def enabled(start: Start, settings: Settings) -> Sequence[Plugin]:
    """The enabled plugins. Raises ``ConfigurationError``."""
    from ..loading.plugins import load
    from ..settings import load_plugins_file

    return load(load_plugins_file(settings.plugins_file), start.env, settings.plugins_file)
