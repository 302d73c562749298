"""The whole program in one process, against a sandbox: from the gateway to the rows in Bitable, and to a clean end."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import activity_table
import pytest
from application import ACTIVITY, Clock, environment, quiet, rows, running, say, witnessed
from rich.console import Console
from sandbox_client import until

from core.app import Application, Left
from core.disk.instance import sole_instance
from core.errors import ConfigurationError, InstanceLocked, StorageError, Unreachable
from core.loading.plugins import load
from core.settings import load_settings
from core.view import LiveView
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox


async def test_a_lively_group_ends_up_in_bitable_as_an_independent_count_says(tmp_path: Path) -> None:
    sandbox = Sandbox(SandboxConfig(rate_limits=False))
    events = witnessed(sandbox)
    async with sandbox, running(sandbox, tmp_path) as run:
        await sandbox.played()
        await run.handled()
        assert run.state() == "healthy"
        assert str(await run.stop()) == "Nothing is left to do."
        assert len(events) > 4000
        expected = activity_table.expected(events)
        assert len(expected) > 50
        assert activity_table.shown(rows(sandbox)) == expected
        assert sandbox.gateway.delivery.document()["acked"] == len(events)
        people = {person.open_id: person.name for person in sandbox.world.people.everybody()}
        assert activity_table.names(rows(sandbox)).items() <= people.items()
        calls = sandbox.calls.document()
        assert calls["total"] < 30
        assert calls["by_code"] == {"0": calls["total"]}


async def test_a_second_start_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    async with quiet() as sandbox:
        events = witnessed(sandbox)
        for start in range(3):
            async with running(sandbox, tmp_path) as run:
                for sender in range(start + 2):
                    say(sandbox, sender=sender)
                await sandbox.gateway.delivery.emptied()
                await run.handled()
                assert str(await run.stop()) == "Nothing is left to do."
            assert activity_table.shown(rows(sandbox)) == activity_table.expected(events)
        assert len(events) == 9
        by_name = sandbox.calls.document()["by_name"]
        assert by_name["bitable.v1.appTableRecord.search"] == 1
        assert by_name["contact.v3.user.batch"] <= 4


async def test_the_state_through_a_life(tmp_path: Path) -> None:
    async with quiet() as sandbox:
        sandbox.gateway.refuse(1, 10_000)
        async with running(sandbox, tmp_path) as run:
            await until(lambda: run.state() == "unhealthy")
            assert any("the platform is busy" in reason for reason in run.application.status().reasons)
            sandbox.faults.clear()
            await until(lambda: run.state() == "healthy")
            status = run.application.status()
            assert status.reasons == ()
            assert status.connection.phase == "connected"
            sandbox.gateway.refuse(1, 10_000)
            sandbox.gateway.disconnect()
            await until(lambda: run.state() == "unhealthy")
            sandbox.faults.clear()
            await until(lambda: run.state() == "healthy")
            await run.stop()


async def test_before_a_frame_the_state_is_unknown(tmp_path: Path) -> None:
    async with quiet() as sandbox, running(sandbox, tmp_path) as run:
        states = []

        def healthy() -> bool:
            states.append(run.state())
            return states[-1] == "healthy"

        await until(healthy)
        assert states[0] == "unknown"
        assert set(states) == {"unknown", "healthy"}


async def test_a_graceful_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    async with quiet() as sandbox:
        async with running(sandbox, tmp_path) as run:
            await run.ready()
            for _ in range(20):
                say(sandbox)
            await sandbox.gateway.delivery.emptied()
            await run.stop()
            assert run.application.status().connection.phase == "stopped"
        await until(lambda: sandbox.gateway.connections == 0)
        names = {thread.name for thread in set(threading.enumerate()) - before}
        assert not {name for name in names if name in ("connection", "journal") or name.startswith("plugin:")}


async def test_what_is_left_is_said(tmp_path: Path) -> None:
    assert str(Left({"activity": 0, "pin": 0}, 0)) == "Nothing is left to do."
    some = Left({"activity": 3, "pin": 0}, 2)
    assert str(some) == "Left for the next start: 3 events for activity, 2 rows for Bitable."
    async with quiet() as sandbox:
        async with running(sandbox, tmp_path) as run:
            await run.ready()
            await run.stop()
        table = sandbox.bases.find(sandbox.tables.app_token).table(sandbox.tables.activity)
        async with running(sandbox, tmp_path) as run:
            await run.ready()
            table.delete_field(table.by_name["发言次数"].field_id)
            say(sandbox)
            await sandbox.gateway.delivery.emptied()
            await run.handled()
            assert str(await run.stop()) == "Left for the next start: 1 rows for Bitable."


async def test_a_plugin_is_held_until_its_table_is_there(tmp_path: Path) -> None:
    async with quiet() as sandbox:
        events = witnessed(sandbox)
        table = sandbox.bases.find(sandbox.tables.app_token).table(sandbox.tables.activity)
        table.delete_field(table.by_name["发言次数"].field_id)
        clock = Clock()
        async with running(sandbox, tmp_path, clock=clock) as run:
            await until(lambda: run.state() == "degraded")
            status = run.application.status()
            assert status.plugins[0].phase == "waiting"
            assert "column 发言次数 is missing: add it as 数字 (number)" in status.plugins[0].problem
            say(sandbox)
            await sandbox.gateway.delivery.emptied()
            assert run.application.status().plugins[0].lag == 1
            table.add_field({"field_name": "发言次数", "type": 2})
            clock.ahead += 61_000
            await run.ready()
            await run.handled()
            assert str(await run.stop()) == "Nothing is left to do."
        assert activity_table.shown(rows(sandbox)) == activity_table.expected(events)


async def test_a_column_deleted_during_the_takeover_is_named_all_the_same(tmp_path: Path) -> None:
    async with quiet() as sandbox:
        table = sandbox.bases.find(sandbox.tables.app_token).table(sandbox.tables.activity)
        clock = Clock()
        async with running(sandbox, tmp_path, clock=clock) as run:
            entry = run.application.mirror.tables[0]
            check = entry._check

            async def check_too_early() -> None:
                await check()
                if "发言次数" in table.by_name:
                    table.delete_field(table.by_name["发言次数"].field_id)

            entry._check = check_too_early  # type: ignore[method-assign]
            await until(lambda: "InvalidFieldNames" in entry.problem)
            clock.ahead += 61_000
            await until(lambda: "column 发言次数 is missing" in entry.problem)


async def test_a_stop_while_a_plugin_is_held(tmp_path: Path) -> None:
    async with quiet() as sandbox:
        table = sandbox.bases.find(sandbox.tables.app_token).table(sandbox.tables.activity)
        table.delete_field(table.by_name["发言次数"].field_id)
        async with running(sandbox, tmp_path) as run:
            await until(lambda: run.state() == "degraded")
            say(sandbox)
            await sandbox.gateway.delivery.emptied()
            assert str(await run.stop()) == "Left for the next start: 1 events for activity."


async def test_without_bitable_rows_live_in_the_local_store(tmp_path: Path) -> None:
    async with quiet() as sandbox, running(sandbox, tmp_path, BITABLE_APP_TOKEN="") as run:
        await run.ready()
        say(sandbox)
        await sandbox.gateway.delivery.emptied()
        await run.handled()
        [table] = run.application.status().tables
        assert (table.rows, table.waiting) == (1, 0)
        assert run.application.idle
        found = run.application.leaders(5)
        assert found is not None
        assert [row["score"] for row in found[2]] == [2.04]
        await run.stop()
        assert sandbox.calls.document()["total"] == 0


async def test_the_live_view_shows_it_all(tmp_path: Path) -> None:
    async with quiet() as sandbox, running(sandbox, tmp_path) as run:
        await run.ready()
        say(sandbox)
        await sandbox.gateway.delivery.emptied()
        await run.handled()
        await until(lambda: run.application.rows_written == 1)
        console = Console(width=100, record=True, file=io.StringIO())
        view = LiveView(run.application, None)
        console.print(view._panel(run.application.status(), sandbox.document()))
        shown = console.export_text()
        for piece in ("larkflock healthy", "1 received", "activity running", "1 rows written", "李雷", "2.04", "2026-"):
            assert piece in shown, shown


# Ends that are not clean.


async def test_giving_up_is_an_error_that_says_what_is_left(tmp_path: Path) -> None:
    async with quiet() as sandbox:
        sandbox.gateway.refuse(1, 10_000)
        async with running(sandbox, tmp_path, MAX_RETRIES="1") as run:
            with pytest.raises(Unreachable, match=r"busy.*MAX_RETRIES=1 retries\. Nothing is left to do\."):
                await run.ended


async def test_another_apps_data_is_not_mixed_with_this_ones(tmp_path: Path) -> None:
    async with quiet() as sandbox:
        async with running(sandbox, tmp_path) as run:
            await run.handled()
        env = environment(sandbox, tmp_path, APP_ID="cli_00000000000000ff")
        other = Application(load_settings(env, needs_credentials=True), load(ACTIVITY, env, Path("plugins.toml")))
        with pytest.raises(
            ConfigurationError, match=f"holds the data of app {sandbox.environment()['APP_ID']}"
        ) as raised:
            await other.run()
    assert raised.value.problems[0].fix == "set DATA_DIR to a directory of its own for each app"


def lose_journal(directory: Path) -> None:
    for file in directory.glob("journal.db*"):
        file.unlink()


async def test_a_store_that_cannot_be_prepared_ends_the_program_cleanly(tmp_path: Path) -> None:
    async with quiet() as sandbox:
        async with running(sandbox, tmp_path) as run:
            await run.ready()
            say(sandbox)
            await until(lambda: run.application.journal.head > 0)
            await run.handled()
            await run.stop()
        lose_journal(tmp_path)
        async with running(sandbox, tmp_path) as run:
            with pytest.raises(StorageError, match=r"journal\.db was lost"):
                await run.ended


def test_a_second_instance_is_kept_out(tmp_path: Path) -> None:
    with sole_instance(tmp_path), pytest.raises(InstanceLocked, match="DATA_DIR"), sole_instance(tmp_path):
        raise AssertionError("two instances in one directory")
    with sole_instance(tmp_path):
        assert (tmp_path / "larkflock.lock").exists()
