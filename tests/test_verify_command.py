"""``python -m core tables verify`` as operators use it: what it costs, what differs, exit codes, repair, the lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core.cli import main
from core.disk.instance import sole_instance
from core.storage import open_engine
from plugins.activity.tables import ACTIVITY
from sandbox.bitable.kinds import Terms
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

NOW = "2026-11"


class Desk:
    """A data directory, a quiet sandbox, and the command line."""

    def __init__(self, directory: Path, sandbox: Sandbox) -> None:
        self.directory = directory
        self.sandbox = sandbox
        (directory / "plugins.toml").write_text("[plugins.activity]\nenabled = true\n")
        self.settings = {
            **sandbox.environment(),
            "DATA_DIR": str(directory),
            "PLUGINS_FILE": str(directory / "plugins.toml"),
        }
        with open_engine(directory) as engine:
            store = engine.store()
            store.prepare("activity", [ACTIVITY])
            store.close()
        found = sandbox.tables
        self.table = sandbox.bases.find(found.app_token).table(found.activity)

    async def verify(self, *options: str, **settings: str) -> Result:
        command = ["tables", "verify", *options]
        return await asyncio.to_thread(CliRunner().invoke, main, command, env=self.settings | settings)

    def insert(self, *rows: dict[str, Any]) -> list[str]:
        return self.table.create(list(rows), Terms(self.sandbox.world.people.get))

    @property
    def counts(self) -> list[float]:
        field = self.table.by_name["发言次数"]
        return [self.table.cell(record, field) for record in self.table.records.values()]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        yield Desk(tmp_path, sandbox)


async def test_it_says_what_it_costs_what_differs_and_mends_it(desk: Desk) -> None:
    row = {"用户ID": "ou_1", "统计周期": NOW, "发言次数": 3}
    first, second = desk.insert(row, {**row, "发言次数": 4})
    desk.insert({"用户名称": "合计"})
    found = await desk.verify()
    assert found.exit_code == 1, found.output
    assert "About 2 API calls; " in found.output
    assert "activity.activity: 0 rows here, 2 records there, 1 of people left alone: 2 differences" in found.output
    assert f"missing here: ou_1 {NOW} 3" in found.output.replace("  ", " ")
    assert f"double: ou_1 {NOW}: {first} stays, not {second}" in found.output
    assert "tables verify --repair" in found.output
    mended = await desk.verify("activity", "--repair")
    assert mended.exit_code == 0, mended.output
    assert "mended" in mended.output
    assert desk.counts == [3.0, None]
    again = await desk.verify("activity.activity")
    assert again.exit_code == 0, again.output
    assert "1 rows here, 1 records there, 1 of people left alone: no difference" in again.output


async def test_while_the_program_runs_it_says_so(desk: Desk) -> None:
    with sole_instance(desk.directory):
        refused = await desk.verify()
    assert refused.exit_code == 3
    assert "another larkflock uses" in refused.output


async def test_an_unknown_table_is_refused_with_those_there_are(desk: Desk) -> None:
    refused = await desk.verify("nothing")
    assert refused.exit_code == 2
    assert "use one of: activity.activity" in refused.output


async def test_a_table_that_is_gone_is_named_and_the_others_are_compared(desk: Desk) -> None:
    plugins = desk.directory / "plugins.toml"
    plugins.write_text("[plugins.activity]\nenabled = true\n[plugins.pin]\nenabled = true\n")
    gone = desk.sandbox.tables.activity
    desk.sandbox.bases.find(desk.sandbox.tables.app_token).delete_tables([gone])
    found = await desk.verify("--repair")
    assert found.exit_code == 1, found.output
    assert f"activity.activity (BITABLE_TABLE_ID={gone}) cannot be compared: bitable" in found.output
    assert "1254041" in found.output
    assert "pin.pin: 0 rows here, 0 records there: no difference" in found.output


async def test_without_a_base_there_is_nothing_to_compare(desk: Desk) -> None:
    refused = await desk.verify(BITABLE_APP_TOKEN="", BITABLE_TABLE_ID="")
    assert refused.exit_code == 2
    assert "no table is mirrored" in refused.output


async def test_it_does_not_begin_what_the_month_cannot_pay(desk: Desk) -> None:
    refused = await desk.verify(API_MONTHLY_QUOTA="1")
    assert refused.exit_code == 1
    assert "about 2 API calls are needed and 1 of this month's are left" in refused.output
