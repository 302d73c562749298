"""An operator's desk: a directory with ``.env`` and ``plugins.toml``, a quiet sandbox, and the commands for tables."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dotenv import dotenv_values
from unruly import UnrulySandbox

from core.cli import main
from sandbox.bitable.bases import Base
from sandbox.bitable.kinds import Terms
from sandbox.bitable.table import Table
from sandbox.config import SandboxConfig

CREATE_BASE = "bitable.v1.app.create"
CREATE_TABLE = "bitable.v1.appTable.create"
ADD_FIELD = "bitable.v1.appTableField.create"
ROOT = Path(__file__).parents[2]
ENV = """\
# The app.
APP_SECRET='{secret}'   # keep it
APP_ID={app_id}
FEISHU_BASE_URL={url}

# The base.
BITABLE_APP_TOKEN=
BITABLE_TABLE_ID=   # activity
# ARCHIVE_TABLE_ID=
LOG_LEVEL=INFO
"""
PLUGINS = """\
# What runs.
[plugins.activity]
enabled = true  # always

[plugins.archive]
enabled = true
"""


class Desk:
    """Commands are given in ``directory``; what they need comes from the files there."""

    def __init__(self, directory: Path, sandbox: UnrulySandbox) -> None:
        self.directory = directory
        self.sandbox = sandbox
        app = sandbox.world.app
        self.env.write_text(ENV.format(secret=app.secret, app_id=app.app_id, url=sandbox.url), "utf-8")
        self.plugins.write_text(PLUGINS, "utf-8")

    @property
    def env(self) -> Path:
        """The operator's ``.env``."""
        return self.directory / ".env"

    @property
    def plugins(self) -> Path:
        """The operator's ``plugins.toml``."""
        return self.directory / "plugins.toml"

    @property
    def values(self) -> dict[str, str]:
        """What ``.env`` says."""
        return {name: value for name, value in dotenv_values(self.env).items() if value}

    async def give(self, *command: str) -> Result:
        """Give a command and wait for its end."""
        return await asyncio.to_thread(CliRunner().invoke, main, list(command))

    async def start(self, *command: str) -> asyncio.subprocess.Process:
        """Give a command to a process of its own, so that it can be killed."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "core", *command),
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    @property
    def bases(self) -> list[Base]:
        """The bases besides the one that every sandbox has."""
        known = self.sandbox.bases._bases
        return [base for token, base in known.items() if token != self.sandbox.tables.app_token]

    @property
    def base(self) -> Base:
        """The base in ``.env``."""
        return self.sandbox.bases.find(self.values["BITABLE_APP_TOKEN"])

    def table(self, name: str) -> Table:
        """A table of that base."""
        [found] = [table for table in self.base.tables.values() if table.name == name]
        return found

    def insert(self, table: Table, *rows: dict[str, Any]) -> list[str]:
        """Records as a person adds them."""
        return table.create(list(rows), Terms(self.sandbox.world.people.get))


@asynccontextmanager
async def desk_at(directory: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """A desk at ``directory``, which is the current one meanwhile."""
    patch.chdir(directory)
    for name in ("APP_ID", "APP_SECRET", "FEISHU_BASE_URL", "BITABLE_APP_TOKEN", "BITABLE_TABLE_ID"):
        patch.delenv(name, raising=False)
    async with UnrulySandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        yield Desk(directory, sandbox)
