"""Whatever holds the interpreter so that nothing can run is told, with the plugin that was at work."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from consumer_bench import DEADLINE, Bench, counting, until
from feishu_events import message
from log_lines import logged

from core import Message
from core.running.watchdog import Watchdog

HELD = 0.9


def freeze(seconds: float) -> None:
    """Holds the interpreter's lock, as a C extension may."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


def test_it_tells_for_how_long_nothing_could_run() -> None:
    asked: list[tuple[float, float]] = []

    def at_work(start: float, end: float) -> list[str]:
        asked.append((start, end))
        return []

    watchdog = Watchdog(at_work, every=0.05, noticed=0.6)
    began: list[float] = []

    def told() -> bool:
        began.append(time.monotonic())
        freeze(HELD)
        return bool(lines)

    with logged() as lines:
        watchdog.start()
        until(told, "the line")
        watchdog.stop()
    assert any(start <= one + 0.1 and end >= one + HELD for start, end in asked for one in began)
    assert all("Nothing could run for" in line and "no plugin was at work" in line for line in lines)


def test_the_hook_that_was_called_all_the_time_is_named_also_when_it_has_just_returned(bench: Bench) -> None:
    called = threading.Event()

    def hold(message: Message) -> None:
        called.set()
        time.sleep(HELD)

    before = time.monotonic()
    consumer = bench.start(counting("holder", hold))
    bench.arrive(message("om_0"))
    assert called.wait(DEADLINE)
    start = time.monotonic()
    assert consumer.at_work(start, start + HELD) == "on_message"
    assert consumer.at_work(before, start + HELD) == ""
    bench.finish(consumer)
    assert consumer.at_work(start, start + HELD) == "on_message"
    assert consumer.at_work(time.monotonic(), time.monotonic() + HELD) == ""
