"""Plugins cannot hurt each other: exits, hangs, blocking calls, broken starts and ends stay where they happen."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from consumer_bench import SEEN, Bench, Step, counting, plugin, until
from feishu_events import message

from core import Context, Message, NotReady
from core.running.attempts import MOST_RACES

WELL = dict.fromkeys(("om_0", "om_1", "om_2"), 1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


def texts(count: int, start: int = 0) -> list[bytes]:
    return [message(f"om_{number}") for number in range(start, start + count)]


async def exits() -> None:
    sys.exit("goodbye")


async def exits_in_a_task() -> None:
    await asyncio.create_task(exits())


async def cancels_itself() -> None:
    raise asyncio.CancelledError


async def task_groups_fail() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_failing())
        await asyncio.sleep(60)


async def _failing() -> None:
    raise ValueError("in a task")


@pytest.mark.parametrize(
    ("misbehave", "told"),
    [
        (exits, "RuntimeError: on_message called sys.exit('goodbye')"),
        (exits_in_a_task, "RuntimeError: on_message called sys.exit('goodbye')"),
        (cancels_itself, "CancelledError"),
        (task_groups_fail, "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)"),
    ],
)
def test_whatever_comes_out_of_a_hook_is_its_events_failure(
    bench: Bench, misbehave: Callable[[], Awaitable[None]], told: str
) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(message.id, times=1)
        if message.id == "om_1":
            await misbehave()

    bench.arrive(*texts(3))
    consumer = bench.run(plugin(on_message=on_message))
    assert bench.seen() == {"om_0": 1, "om_2": 1}
    assert bench.status(consumer).retrying == 1
    for _ in range(10):
        bench.advance(900)
        until(lambda: (bench.store.next_due("tester") or bench.now + 1) > bench.now, "the attempt")
    assert bench.store.dead()[0].error.startswith(told)


def test_a_hook_that_hangs_is_ended_after_its_time_and_the_rest_goes_on(bench: Bench) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(message.id, times=1)
        if message.id == "om_1":
            await asyncio.Event().wait()

    bench.arrive(*texts(3))
    consumer = bench.run(plugin(on_message=on_message), hook_timeout=0.05)
    assert bench.seen() == {"om_0": 1, "om_2": 1}
    status = bench.status(consumer)
    assert (status.retrying, status.phase, status.busy_for) == (1, "running", 0.0)


def test_after_a_timeout_later_hooks_have_their_own_time_and_their_own_cancellations(bench: Bench) -> None:
    """A cancellation that is not taken back would make every later TaskGroup and timeout misbehave."""
    outcomes: list[str] = []

    async def on_message(message: Message) -> None:
        match message.id:
            case "om_0":  # Swallows the cancellation and returns as if nothing had happened.
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
            case "om_1":  # Turns it into an error of its own.
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    raise ValueError("cancelled") from None
            case "om_2":
                await asyncio.Event().wait()
            case "om_3":
                task = asyncio.current_task()
                assert task is not None
                assert task.cancelling() == 0
                try:
                    await task_groups_fail()
                except* ValueError:
                    outcomes.append("group")
                try:
                    async with asyncio.timeout(0):
                        await asyncio.Event().wait()
                except TimeoutError:
                    outcomes.append("timeout")

    bench.arrive(*texts(4))
    consumer = bench.run(plugin(on_message=on_message), hook_timeout=0.05)
    assert outcomes == ["group", "timeout"]
    status = bench.status(consumer)
    assert (status.handled, status.retrying, status.phase) == (2, 2, "running")


def test_a_plugin_that_blocks_its_thread_does_not_delay_another(bench: Bench) -> None:
    step = Step()
    blocked = bench.start(counting("blocked", before=step))
    free = bench.start(counting("free"))
    bench.arrive(*texts(3))
    step.reached()
    bench.finish(free)
    assert bench.seen("free") == WELL
    assert bench.status(blocked).busy_for > 0
    assert (bench.seen("blocked"), blocked.idle_at) == ({}, -1)
    assert free.stop(10)
    step.go_on()
    bench.finish(blocked)
    assert bench.seen("blocked") == WELL


def test_a_plugin_that_does_not_come_back_is_left_behind_when_stopping(bench: Bench) -> None:
    step = Step()
    consumer = bench.start(counting(before=step))
    bench.arrive(*texts(1))
    step.reached()
    assert not consumer.stop(0.01)
    step.go_on()
    assert consumer.stop(10)
    assert bench.seen() == {"om_0": 1}


def test_a_plugin_that_is_not_ready_is_tried_again_after_a_while_and_misses_nothing(bench: Bench) -> None:
    tries: list[int] = []
    ready = threading.Event()

    async def startup(ctx: Context[Any]) -> None:
        ctx.table(SEEN).add("start-ups", times=1)
        tries.append(ctx.now())
        if not ready.is_set():
            raise NotReady("port 8080 is in use")

    consumer = bench.start(counting(startup=startup))
    until(lambda: bench.status(consumer).phase == "waiting", "the first try")
    assert bench.status(consumer).problem == "port 8080 is in use"
    bench.arrive(*texts(3))
    bench.arrive(*texts(3))  # What arrives meanwhile does not hasten the next try.
    assert len(tries) == 1
    bench.pass_time(lambda: len(tries) == 2, "the second try")
    ready.set()
    bench.finish_in_time()
    assert bench.seen() == {**WELL, "start-ups": 1}
    assert (bench.status(consumer).phase, bench.status(consumer).problem) == ("running", "")
    assert len(tries) == 3
    assert 1400 <= tries[1] - tries[0] <= tries[2] - tries[0] - 2900


@pytest.mark.parametrize(("hears", "idle"), [(False, True), (True, False)])
def test_a_plugin_that_waits_to_start_holds_up_the_end_only_if_it_hears_events(
    bench: Bench, hears: bool, idle: bool
) -> None:
    async def startup() -> None:
        raise NotReady("the port is taken")

    async def on_message(message: Message) -> None:
        raise AssertionError(f"{message.id} came before the start")

    bench.arrive(message("om_1"))
    consumer = bench.start(plugin(startup=startup, **({"on_message": on_message} if hears else {})))
    until(lambda: bench.status(consumer).phase == "waiting", "it waits")
    assert (consumer.idle_at >= 1) is idle


def test_a_start_up_that_hangs_is_tried_again(bench: Bench) -> None:
    tries: list[int] = []

    async def startup() -> None:
        tries.append(1)
        if len(tries) == 1:
            await asyncio.Event().wait()

    consumer = bench.start(counting(startup=startup), hook_timeout=0.05)
    until(lambda: bench.status(consumer).phase == "waiting", "the time-out")
    assert bench.status(consumer).problem == "startup did not return within 0.05 s"
    bench.arrive(*texts(3))
    bench.finish_in_time()
    assert bench.seen() == WELL


def test_half_a_module_that_another_thread_imports_is_waited_for(bench: Bench) -> None:
    tries: list[int] = []

    async def startup() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ImportError("cannot import name 'B' from partially initialized module 'a' (most likely due to …)")

    consumer = bench.start(counting(startup=startup))
    until(lambda: bench.status(consumer).phase == "waiting", "the first try")
    bench.arrive(*texts(3))
    bench.finish_in_time()
    assert bench.seen() == WELL


def test_a_circle_in_a_plugins_own_modules_ends_it(bench: Bench) -> None:
    tries: list[int] = []

    async def startup() -> None:
        tries.append(1)
        raise AttributeError("partially initialized module 'mine' has no attribute 'B' (most likely due to …)")

    consumer = bench.start(counting(startup=startup))
    bench.pass_time(lambda: bench.status(consumer).phase == "failed", "the end")
    assert len(tries) == 1 + MOST_RACES


def test_a_plugin_waiting_to_start_can_be_stopped(bench: Bench) -> None:
    async def startup() -> None:
        raise NotReady("never")

    consumer = bench.start(counting(startup=startup))
    until(lambda: bench.status(consumer).phase == "waiting", "the first try")
    assert consumer.stop(10)
    assert bench.status(consumer).phase == "stopped"


async def breaks() -> None:
    raise ZeroDivisionError("division by zero")


async def leaves_a_task_and_breaks() -> None:
    await leaves_a_task()
    raise ZeroDivisionError("division by zero")


async def leaves_a_task() -> None:
    asyncio.get_running_loop().create_task(asyncio.sleep(3600)).add_done_callback(lambda task: None)


@pytest.mark.parametrize(
    ("startup", "told"),
    [
        (breaks, "ZeroDivisionError: division by zero"),
        (leaves_a_task_and_breaks, "ZeroDivisionError: division by zero"),
        (exits, "RuntimeError: startup called sys.exit('goodbye')"),
        (cancels_itself, "CancelledError: "),
    ],
)
def test_a_plugin_that_cannot_start_has_failed_and_the_others_run(
    bench: Bench, startup: Callable[[], Awaitable[None]], told: str
) -> None:
    broken = bench.start(counting("broken", startup=startup))
    well = bench.start(counting("well"))
    bench.arrive(*texts(3))
    bench.finish(well)
    until(lambda: bench.status(broken).phase == "failed", "the failure")
    assert bench.status(broken).problem == told
    assert bench.status(broken).lag == 3
    assert bench.seen("well") == WELL
    assert bench.seen("broken") == {}
    bench.wake()
    assert broken.stop(10)


def test_an_exit_in_a_task_that_nobody_waits_for_ends_that_task_only(bench: Bench) -> None:
    tasks: list[asyncio.Task[None]] = []

    async def startup() -> None:
        tasks.append(asyncio.create_task(exits()))

    bench.arrive(*texts(3))
    consumer = bench.run(counting(startup=startup))
    assert bench.seen() == WELL
    assert consumer.stop(10)
    assert isinstance(tasks[0].exception(), SystemExit)


def test_an_interrupt_raised_by_a_plugin_ends_that_plugin(bench: Bench) -> None:
    def interrupt(_message: Message) -> None:
        raise KeyboardInterrupt

    bench.arrive(*texts(3))
    broken = bench.start(counting("broken", before=interrupt))
    well = bench.run(counting("well"))
    until(lambda: bench.status(broken).phase == "failed", "the failure")
    assert bench.seen("well") == WELL
    assert bench.seen("broken") == {}
    assert well.stop(10)


def test_start_up_and_shutdown_write_and_publish(bench: Bench) -> None:
    async def startup(ctx: Context[Any]) -> None:
        ctx.table(SEEN).add("started", times=1)
        ctx.publish("tester.up", "1", {})

    async def shutdown(ctx: Context[Any]) -> None:
        ctx.table(SEEN).add("stopped", times=ctx.table(SEEN).get("started")["times"])  # type: ignore[index]
        ctx.publish("tester.down", "1", {})

    consumer = bench.run(plugin(startup=startup, shutdown=shutdown, publishes=("tester.up", "tester.down")))
    assert bench.seen() == {"started": 1}
    assert consumer.stop(10)
    assert bench.seen() == {"started": 1, "stopped": 1}
    assert [one.type for _, one in bench.store.publications(9)] == ["tester.up", "tester.down"]
    assert bench.status(consumer).phase == "stopped"


@pytest.mark.parametrize("shutdown", [breaks, exits, cancels_itself])
def test_a_shutdown_that_breaks_is_an_end_all_the_same(bench: Bench, shutdown: Callable[[], Awaitable[None]]) -> None:
    bench.arrive(*texts(3))
    consumer = bench.run(counting(shutdown=shutdown))
    assert consumer.stop(10)
    assert bench.status(consumer).phase == "stopped"
    assert bench.seen() == WELL


def test_tasks_that_a_plugin_leaves_behind_are_cancelled_at_the_end(bench: Bench) -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def startup() -> None:
        tasks.append(asyncio.create_task(forever()))

    tasks: list[asyncio.Task[None]] = []
    consumer = bench.run(plugin(startup=startup))
    assert consumer.stop(10)
    assert ended == ["cancelled"]


def test_a_consumer_that_was_held_says_why_and_is_stopped_without_ever_running(bench: Bench) -> None:
    consumer = bench.consumer(counting())
    consumer.hold("its table lacks a column")
    assert (bench.status(consumer).phase, bench.status(consumer).problem) == ("waiting", "its table lacks a column")
    assert consumer.stop(1)
    consumer.wake()
    consumer.start()
    assert bench.status(consumer).phase == "waiting"


def test_waking_a_consumer_that_has_ended_is_harmless(bench: Bench) -> None:
    consumer = bench.run(counting())
    assert consumer.stop(10)
    consumer.wake()
    assert consumer.stop(10)
