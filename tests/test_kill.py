"""Acceptance: the program is killed in the middle of its work and told to stop; nothing is lost, nothing counted twice.

Both programs are real processes. What must be in Bitable comes from a third, independent play of the same scenario.
"""

from __future__ import annotations

import asyncio
import functools
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import activity_table
import orjson
import pytest
from programs import SECONDS, SandboxProgram, core_program, sandbox_program

from core.storage import open_engine
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

SEED = 7
PLAY = ("--seed", str(SEED), "--retry-factor", "0.005", "--no-rate-limits", "--window", "64")


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    """Every event of the scenario, by a sandbox nobody is connected to."""
    return asyncio.run(_announced())


async def _announced() -> list[dict[str, Any]]:
    sandbox = Sandbox(SandboxConfig(seed=SEED))
    events: list[dict[str, Any]] = []
    sandbox.world._listener = lambda event: events.append(orjson.loads(event))
    async with sandbox:
        sandbox.play()
        await sandbox.played()
    return events


def journaled(directory: Path) -> list[dict[str, Any]]:
    """Every event in the journal, in its order; damaged and unreadable ones would be missing."""
    with open_engine(directory / "data") as engine:
        journal = engine.journal()
        head = journal.head()
        stored = [journal.fetch(seq) for seq in range(1, head + 1)]
        journal.close()
    return [orjson.loads(event.body) for event in stored if event is not None]


def lag(directory: Path) -> int:
    """Events in the journal that the plugin has not handled."""
    with open_engine(directory / "data") as engine:
        journal, store = engine.journal(), engine.store()
        cursor = next((entry.cursor for entry in store.consumers() if entry.plugin == "activity"), 0)
        behind = journal.head() - cursor
        journal.close()
        store.close()
    return behind


def acknowledged(count: float, stats: dict[str, Any]) -> bool:
    return bool(stats["pushes"]["acked"] >= count)


def created(times: int, stats: dict[str, Any]) -> bool:
    """Whether rows were created so often, or nothing more will happen."""
    calls = stats["calls"]["by_name"].get("bitable.v1.appTableRecord.batchCreate", 0)
    return bool(calls >= times or stats["scenario"]["done"])


async def everything_handled(directory: Path, sandbox: SandboxProgram) -> None:
    def over(stats: dict[str, Any]) -> bool:
        under_way = sum(stats["pushes"][name] for name in ("waiting", "in_flight", "scheduled"))
        return bool(stats["scenario"]["done"]) and not under_way

    await sandbox.until(over)
    deadline = time.monotonic() + SECONDS
    while lag(directory):
        assert time.monotonic() < deadline, "the plugin does not catch up"
        await asyncio.sleep(0.05)


async def test_killed_again_and_again_it_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, events: list[dict[str, Any]]
) -> None:
    async with sandbox_program(*PLAY) as sandbox:
        for part in (0.15, 0.4, 0.65, 0.9):
            async with core_program(tmp_path, sandbox) as core:
                await sandbox.until(functools.partial(acknowledged, part * len(events)))
                await core.kill()
        async with core_program(tmp_path, sandbox) as core:
            await everything_handled(tmp_path, sandbox)
            code, said = await core.end(signal.SIGTERM)
        assert (code, said.splitlines()[-1]) == (0, "Nothing is left to do."), said
        stats, rows = await sandbox.stats(), await sandbox.rows()
    assert stats["pushes"]["given_up"] == 0
    assert stats["pushes"]["repushed"] > 0
    assert activity_table.shown(rows) == activity_table.expected(events)
    stored = Counter(event["header"]["event_id"] for event in journaled(tmp_path))
    assert stored == Counter(event["header"]["event_id"] for event in events)


async def test_killed_while_it_writes_to_bitable_it_makes_no_second_row(
    tmp_path: Path, events: list[dict[str, Any]]
) -> None:
    async with sandbox_program(*PLAY) as sandbox:
        for times in (1, 2):
            async with core_program(tmp_path, sandbox) as core:
                await sandbox.until(functools.partial(created, times))
                await core.kill()
        async with core_program(tmp_path, sandbox) as core:
            await everything_handled(tmp_path, sandbox)
            code, said = await core.end(signal.SIGINT)
        assert code == 0, said
        rows = await sandbox.rows()
    assert activity_table.shown(rows) == activity_table.expected(events)


async def test_told_to_stop_in_the_middle_it_says_what_is_left_and_goes_on_later(
    tmp_path: Path, events: list[dict[str, Any]]
) -> None:
    async with sandbox_program(*PLAY) as sandbox:
        async with core_program(tmp_path, sandbox) as core:
            await sandbox.until(functools.partial(acknowledged, len(events) / 3))
            code, said = await core.end(signal.SIGTERM)
        assert code == 0, said
        left = lag(tmp_path)
        last = f"Left for the next start: {left} events for activity." if left else "Nothing is left to do."
        assert said.splitlines()[-1] == last
        assert "Traceback" not in said
        before = journaled(tmp_path)
        assert activity_table.shown(await sandbox.rows()) == activity_table.expected(before[: len(before) - left])
        async with core_program(tmp_path, sandbox) as core:
            await everything_handled(tmp_path, sandbox)
            code, said = await core.end(signal.SIGINT)
        assert (code, said.splitlines()[-1]) == (0, "Nothing is left to do."), said
        assert activity_table.shown(await sandbox.rows()) == activity_table.expected(events)
