"""A hook that does not come back is told once, with its place, and keeps nothing else from working or ending."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from consumer_bench import DEADLINE, Bench, counting, until
from feishu_events import message
from log_lines import logged

from core import Message
from core.running.overdue import watch
from core.status import ApiStatus, AttachmentStatus, ConnectionStatus, JournalStatus, OutboxStatus, PluginStatus
from core.verdict import verdict


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("core.running.calling.GRACE", 0.2)
    monkeypatch.setattr("core.running.overdue.LOOK_EVERY", 0.05)
    with Bench(tmp_path / "data") as bench:
        yield bench


async def seen(condition: Callable[[], object]) -> None:
    """Wait for what another thread or task does."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_blocked_thread_is_told_once_with_the_line_it_is_at(bench: Bench) -> None:
    blocked = threading.Event()

    async def startup() -> None:
        blocked.wait(60)

    stuck = bench.start(counting("stuck", startup=startup), hook_timeout=0.1)
    well = bench.start(counting("well"))
    with logged() as lines:
        watching = asyncio.create_task(watch(lambda: bench.consumers, lambda: False))
        bench.arrive(message("om_1"))
        await seen(lambda: lines and well.idle_at >= 1 and stuck.idle_at >= 1)
        await asyncio.sleep(0.3)  # Some more looks.
        watching.cancel()
    (told,) = lines
    assert told.startswith("ERROR Plugin stuck does not come back from startup (test_overdue.py, line ")
    assert bench.status(well).handled == 1
    assert not stuck.stop(0.05)
    blocked.set()
    assert stuck.stop(10)


async def test_what_comes_back_and_blocks_again_is_told_again(bench: Bench) -> None:
    gates = [threading.Event(), threading.Event()]

    def block(message: Message) -> None:
        gates[int(message.id[-1])].wait(60)

    stuck = bench.start(counting("stuck", block), hook_timeout=0.1)
    with logged() as lines:
        watching = asyncio.create_task(watch(lambda: bench.consumers, lambda: False))
        bench.arrive(message("om_0"), message("om_1"))
        for number, gate in enumerate(gates):
            await seen(lambda number=number: sum("does not come back" in line for line in lines) > number)
            gate.set()
            await seen(lambda: not stuck.overdue())
        watching.cancel()
    assert sum("does not come back" in line for line in lines) == 2
    assert all("on_message" in line for line in lines if "does not come back" in line)


def test_a_start_up_that_waits_is_cut_short_when_the_program_ends(bench: Bench) -> None:
    waiting = threading.Event()

    async def startup() -> None:
        waiting.set()
        await asyncio.Event().wait()

    consumer = bench.start(counting(startup=startup))
    with logged() as lines:
        until(waiting.is_set, "the start")
        assert consumer.stop(10)
    assert bench.status(consumer).phase == "stopped"
    assert lines == []


def test_a_plugin_that_blocks_at_its_start_leaves_the_state_known() -> None:
    def state(busy_for: float) -> tuple[str, tuple[str, ...]]:
        plugin = PluginStatus("stuck", "", "starting", busy_for=busy_for)
        parts = ConnectionStatus("connected"), JournalStatus(), [plugin], [], ApiStatus(), OutboxStatus()
        return verdict(*parts, AttachmentStatus())

    assert state(5) == ("unknown", ("still starting: stuck",))
    assert state(31) == ("degraded", ("plugin stuck has been busy with one event for 31 s",))


def test_a_plugin_that_is_set_aside_is_a_lasting_trouble() -> None:
    plugin = PluginStatus("bad", "larkflock-bad 1.0", "unfit", problem="bad has no manifest (add one)")
    parts = ConnectionStatus("connected"), JournalStatus(), [plugin], [], ApiStatus(), OutboxStatus()
    assert verdict(*parts, AttachmentStatus()) == ("degraded", ("plugin bad is unfit: bad has no manifest (add one)",))
