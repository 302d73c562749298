"""Plugins that come, go and change while the program runs: nothing counted twice or lost, nobody else disturbed."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from changing import COUNTS, changing, counter
from log_lines import logged
from sandbox_client import until

from core import Config, Manifest, Table, Text
from core.errors import ConfigurationError, Problem
from core.loading.fitness import Hook
from core.loading.plugins import Plugin, Unfit, load_all
from core.settings import PluginSettings

OTHER_KEY = Plugin(
    Manifest("one", "As one, with another key.", tables=(Table("counts", (Text("only"),), key=("only",)),)),
    Config(),
    {},
    {},
)
"""A version of the plugin ``one`` whose table cannot be made of the one that is there."""


async def test_a_new_plugin_begins_with_the_next_event(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("old")) as program:
        await program.say(count=3)
        await program.change(counter("old"), counter("new"))
        await program.say(count=2)
        await program.idle()
        assert (program.counted("old"), program.counted("new")) == (5, 2)


async def test_a_plugin_whose_cursor_was_put_to_the_beginning_counts_everything(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("old")) as program:
        await program.say(count=3)
        store = program.application._engine.store()
        store.cursor("new", 0)
        store.close()
        await program.change(counter("old"), counter("new"))
        await program.say()
        await program.idle()
        assert (program.counted("old"), program.counted("new")) == (4, 4)


async def test_a_plugin_that_was_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one"), counter("two")) as program:
        await program.say()
        await program.idle()
        for times in range(1, 4):
            await program.change(counter("one"))
            await program.say()
            assert [one.name for one in program.application.status().plugins] == ["one"]
            await program.change(counter("one"), counter("two"))
            await program.idle()
            assert (program.counted("one"), program.counted("two")) == (1 + times, 1 + times)


async def test_the_last_one_may_go_and_come_back(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one")) as program:
        await program.change()
        await program.say(count=2)
        assert program.application.status().state == "healthy"
        await program.change(counter("one"))
        await program.idle()
        assert program.counted("one") == 2


async def test_another_configuration_holds_for_the_events_after_it_and_only_for_its_plugin(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one"), counter("two")) as program:
        await program.say(count=2)
        await program.idle()
        unchanged = program.application.consumers[1]
        await program.change(counter("one", weight=100), unchanged.plugin)
        await program.say(count=3)
        await program.idle()
        assert (program.counted("one"), program.counted("two")) == (302, 5)
        assert program.application.consumers[1] is unchanged


async def test_a_file_that_changes_without_any_difference_disturbs_nobody(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one")) as program:
        before = program.application.consumers
        with logged() as lines:
            program.edit(*(one.plugin for one in before))
            await until(lambda: any("nothing is different" in line for line in lines))
        assert program.application.consumers == before


async def test_what_happens_meanwhile_is_counted_once_by_everybody(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one"), counter("two")) as program:
        weights = []
        for weight in range(2, 8):
            await program.say(count=20)
            await program.change(counter("one"), counter("two", weight=weight))
            weights.append(weight)
        await program.idle()
        assert program.counted("one") == 120
        store = program.application._engine.store()
        handled = {consumer.plugin: consumer.handled for consumer in store.consumers()}
        store.close()
        assert handled["one"] == handled["two"] == 120


async def test_rows_reach_bitable_before_a_plugin_is_gone(tmp_path: Path) -> None:
    async with changing(tmp_path) as program:
        table = program.sandbox.tables.activity
        await program.change(counter("one", table_id=table))
        await program.say(count=3)
        await until(lambda: program.counted("one") == 3)
        await program.change()
        assert program.shown(table) == 3
        assert program.application.mirror.tables == ()
        written = program.application.rows_written
        await program.change(counter("one", table_id=table))
        await program.say()
        await until(lambda: program.application.idle and program.shown(table) == 4)
        assert program.application.rows_written > written


async def test_another_table_id_moves_all_rows_to_the_other_table(tmp_path: Path) -> None:
    async with changing(tmp_path) as program:
        first, second = program.sandbox.tables.activity, program.other_table()
        await program.change(counter("one", table_id=first))
        await program.say(count=2)
        await until(lambda: program.application.idle and program.shown(first) == 2)
        await program.change(counter("one", table_id=second))
        await until(lambda: program.application.idle and program.shown(second) == 2)
        assert program.shown(first) == 2
        assert [entry.table_id for entry in program.application.mirror.tables] == [second]


async def test_a_plugin_that_hangs_delays_nobody_else_and_goes_when_it_returns(tmp_path: Path) -> None:
    held = threading.Event()
    async with changing(tmp_path, counter("stuck", held=held), counter("one")) as program:
        await program.say("hang")
        await until(lambda: program.counted("one") == 1)
        program.edit(counter("two"))
        await until(lambda: {plugin.name for plugin in program.application.roster.running} == {"stuck", "two"})
        await program.say()
        await until(lambda: program.counted("two") == 1)
        held.set()
        await until(lambda: program.application.roster.settled)
        assert program.counted("stuck") == 1
        await program.change(counter("two"), counter("stuck"))
        await program.idle()
        assert program.counted("stuck") == 2


async def test_a_plugin_that_is_wanted_again_before_it_is_gone_comes_back(tmp_path: Path) -> None:
    held = threading.Event()
    stuck = counter("stuck", held=held)
    async with changing(tmp_path, stuck) as program:
        await program.say("hang")
        program.edit()
        await until(lambda: program.application.roster.plugins == ())
        program.edit(stuck)
        await until(lambda: program.application.roster.plugins == (stuck,))
        held.set()
        await program.say()
        await until(lambda: program.counted("stuck") == 2)
        await program.idle()


async def test_a_program_may_end_while_a_plugin_does_not_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.app.STOP_TIMEOUT", 0.2)
    held = threading.Event()
    async with changing(tmp_path, counter("stuck", held=held)) as program:
        await program.say("hang")
        program.edit()
        await until(lambda: program.application.roster.plugins == ())
        threading.Timer(0.5, held.set).start()


async def test_a_file_that_is_wrong_changes_nothing_and_says_so_until_it_is_right(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one")) as program:
        wrong = ConfigurationError([Problem("plugins.toml", "is not TOML: line 3", "correct that line")])
        with logged() as lines:
            program.edit(error=wrong)
            await until(lambda: program.application.status().state == "degraded")
            status = program.application.status()
            assert status.not_in_force == "plugins.toml: is not TOML: line 3 (correct that line)"
            assert status.reasons == (f"a change is not in force: {status.not_in_force}",)
            await program.say()
            await until(lambda: program.counted("one") == 1)
        assert len([line for line in lines if "is not TOML" in line]) == 1
        await program.change(counter("one", weight=2))
        assert program.application.status().state == "healthy"


async def test_a_broken_plugin_is_set_aside_and_one_that_runs_goes_on_as_it_was(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one"), counter("two")) as program:
        problem = Problem("plugins.toml [plugins.one] config", "weight: should be a number", "correct weight")
        broken = tuple(Unfit(name, "a 1.0", (problem,)) for name in ("one", "new"))
        with logged() as lines:
            program.edit(counter("two", weight=5), unfit=broken)
            await until(lambda: len(program.application.roster.unfit) == 2 and program.application.roster.settled)
            await until(lambda: program.phases() == {"running"})
        told = [line for line in lines if "weight: should be a number" in line]
        assert len(told) == 2
        assert "one (a 1.0) goes on as it was" in told[0]
        assert "new (a 1.0) is set aside, the others run" in told[1]
        status = program.application.status()
        assert {one.name: one.phase for one in status.plugins} == {"two": "running", "one": "running", "new": "unfit"}
        assert status.state == "degraded"
        assert len(status.reasons) == 2
        await program.say()
        await program.idle()
        assert (program.counted("one"), program.counted("two")) == (1, 5)


async def test_a_plugin_whose_tables_cannot_be_made_waits_and_the_others_come(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one")) as program:
        with logged() as lines:
            program.edit(OTHER_KEY, counter("two"))
            await until(lambda: [plugin.name for plugin in program.application.roster.running] == ["two"])
            await until(lambda: bool(program.problem("one")))
            assert {one.name: one.phase for one in program.application.status().plugins}["one"] == "waiting"
            await program.idle()
        assert len([line for line in lines if "one cannot start" in line]) == 1
        await program.change(counter("one"), counter("two"))
        await program.say()
        await program.idle()
        assert program.counted("one") == program.counted("two") == 1


async def test_a_plugin_that_is_kept_back_from_the_start_leaves_no_trace_when_it_is_disabled(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one")):
        pass
    async with changing(tmp_path, OTHER_KEY, counter("two")) as program:
        assert program.problem("one")
        await program.idle()
        await program.change(counter("two"))
        status = program.application.status()
        assert ([one.name for one in status.plugins], status.state) == (["two"], "healthy")
        assert {table.plugin for table in status.tables} == {"two"}


async def test_a_failed_plugin_comes_back_with_another_configuration(tmp_path: Path) -> None:
    async def startup() -> None:
        raise RuntimeError("no")

    good = counter("one")
    bad = Plugin(good.manifest, good.config, {**good.hooks, "startup": Hook(startup, ())}, good.table_ids)
    async with changing(tmp_path) as program:
        program.edit(bad)
        await until(lambda: program.phases() == {"failed"})
        await program.say()
        await program.change(good)
        await program.idle()
        assert program.counted("one") == 1


async def test_a_plugin_that_was_off_for_too_long_says_how_much_it_missed(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one"), counter("two")) as program:
        await program.say()
        await program.idle()
        await program.change(counter("one"))
        await program.say(count=4)
        await program.idle()
        journal = program.application._engine.journal()
        journal.trim([1, 2, 3, 4])
        journal.close()
        with logged() as lines:
            await program.change(counter("one"), counter("two"))
        assert len([line for line in lines if "two missed 3 events" in line]) == 1
        await program.idle()
        assert (program.counted("one"), program.counted("two")) == (5, 2)


async def test_only_what_is_enabled_holds_the_journal(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one"), counter("two")) as program:
        roster = program.application.roster
        assert roster.readers() == ("one", "two")
        unfit = (Unfit("broken", "a 1.0", (Problem("x", "y", "z"),)),)
        await program.change(counter("two"), unfit=unfit)
        assert roster.readers() == ("two", "broken")


async def test_the_table_of_a_plugin_is_known_while_it_runs(tmp_path: Path) -> None:
    async with changing(tmp_path, counter("one")) as program:
        roster = program.application.roster
        assert roster.table("one.counts") is COUNTS
        assert roster.table("one.other") is None
        await program.change(counter("two"))
        assert roster.table("one.counts") is None
        assert roster.table("two.counts") is COUNTS


async def test_the_health_port_is_free_while_health_is_off(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {"HEALTH_CHECK_PORT": str(port)}

    def health() -> Plugin:
        return load_all({"health": PluginSettings(enabled=True)}, env, tmp_path / "plugins.toml").plugins[0]

    def listening() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    async with changing(tmp_path, health(), counter("one")) as program:
        for _ in range(3):
            assert listening()
            await program.change(counter("one"))
            assert not listening()
            await program.change(health(), counter("one"))
