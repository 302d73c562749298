"""Timers of plugins: when they ring, that they survive, and what happens when they fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from consumer_bench import SEEN, Bench, Step, counting, plugin, until
from feishu_events import message

from core import Context, Manifest, Retry, Schedule, Undeclared
from core.storage.values import Commit, Failure

MINUTE = 60_000
POLL = (Schedule("poll", timeout=5.0),)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


def polling(calls: list[int], *, again: bool = True, fail: list[BaseException] | None = None, **parts: Any) -> Any:
    """A plugin that polls every minute, from its start on, and counts each time under its own name."""

    async def startup(ctx: Context[Any]) -> None:
        if ctx.armed("poll") is None:
            ctx.schedule("poll", at=ctx.now() + MINUTE)

    async def on_schedule(schedule: str, ctx: Context[Any]) -> None:
        calls.append(ctx.now())
        ctx.table(SEEN).add(schedule, times=1)
        if again:
            ctx.schedule("poll", at=ctx.now() + MINUTE)
        if fail:
            raise fail.pop(0)

    return plugin(schedules=POLL, startup=startup, on_schedule=on_schedule, **parts)


def rings(bench: Bench, calls: list[int], count: int) -> None:
    bench.pass_time(lambda: len(calls) >= count, f"{count} calls of on_schedule")


def test_a_timer_rings_when_its_time_has_come_and_not_before(bench: Bench) -> None:
    calls: list[int] = []
    start = bench.now
    consumer = bench.run(polling(calls))
    assert (calls, bench.store.timers("tester")[0].due) == ([], start + MINUTE)
    bench.advance(59)
    bench.finish(consumer)
    assert calls == []
    rings(bench, calls, 3)
    assert all(later - earlier >= MINUTE for earlier, later in zip([start, *calls], calls, strict=False))


def test_a_timer_that_is_not_armed_again_rings_once(bench: Bench) -> None:
    calls: list[int] = []
    bench.run(polling(calls, again=False))
    rings(bench, calls, 1)
    until(lambda: bench.seen() == {"poll": 1}, "the commit")
    assert bench.store.timers("tester") == []


def test_a_time_that_passed_while_the_program_was_off_is_made_up_for_once(bench: Bench) -> None:
    calls: list[int] = []
    first = bench.run(polling(calls))
    assert first.stop(5)
    bench.advance(3600)
    bench.start(polling(calls))
    until(lambda: bench.seen() == {"poll": 1}, "the timer that is late")
    assert calls == [bench.now]
    assert bench.store.timers("tester")[0].due == bench.now + MINUTE


def test_a_call_that_fails_leaves_nothing_and_is_tried_again_with_growing_pauses(bench: Bench) -> None:
    calls: list[int] = []
    consumer = bench.run(polling(calls, fail=[ValueError("not now"), Retry("busy", after=600), ValueError("no")]))
    rings(bench, calls, 1)
    until(lambda: bench.status(consumer).attempts == 1, "the failure to be noted")
    assert bench.status(consumer).problem == "schedule poll: ValueError: not now"
    assert bench.seen() == {}
    rings(bench, calls, 3)
    assert calls[2] - calls[1] >= 600_000
    rings(bench, calls, 4)
    until(lambda: bench.seen() == {"poll": 1}, "the success")
    assert bench.status(consumer).problem == ""
    assert bench.store.timers("tester")[0].attempts == 0


def test_a_call_that_takes_too_long_is_ended(bench: Bench) -> None:
    import asyncio

    hung: list[int] = []

    async def on_schedule(schedule: str, ctx: Context[Any]) -> None:
        hung.append(1)
        await asyncio.Event().wait()

    async def startup(ctx: Context[Any]) -> None:
        ctx.schedule("poll", at=0)

    one = plugin(schedules=(Schedule("poll", timeout=0.05),), startup=startup, on_schedule=on_schedule)
    consumer = bench.start(one)
    until(lambda: bench.status(consumer).attempts == 1, "the time-out")
    assert bench.status(consumer).problem == "schedule poll: TimeoutError: on_schedule did not return within 0.05 s"
    assert hung == [1]


def test_events_and_timers_take_turns(bench: Bench) -> None:
    """A timer that is always due again does not keep events waiting, nor they it."""
    calls: list[int] = []

    async def startup(ctx: Context[Any]) -> None:
        ctx.schedule("poll", at=ctx.now())

    async def on_schedule(schedule: str, ctx: Context[Any]) -> None:
        calls.append(1)
        if len(calls) < 50:
            ctx.schedule(schedule, at=ctx.now())

    bench.arrive(*(message(f"om_{number}") for number in range(20)))
    consumer = bench.run(counting(schedules=POLL, startup=startup, on_schedule=on_schedule), batch_seconds=0.0)
    assert len(bench.seen()) == 20
    assert len(calls) == 50
    assert bench.status(consumer).handled == 20


def test_a_program_is_not_idle_while_a_timer_is_due(bench: Bench) -> None:
    step = Step()

    async def startup(ctx: Context[Any]) -> None:
        ctx.schedule("poll", at=ctx.now())

    async def on_schedule(schedule: str, ctx: Context[Any]) -> None:
        step()

    consumer = bench.start(plugin(schedules=POLL, startup=startup, on_schedule=on_schedule))
    step.reached()
    assert consumer.idle_at == -1
    step.go_on()
    bench.finish(consumer)


def test_what_was_to_be_tried_again_by_hooks_of_a_version_before_is_over(bench: Bench) -> None:
    """It kept its consumer busy for ever."""

    async def startup(ctx: Context[Any]) -> None: ...

    bench.arrive(message("om_1"))
    bench.store.cursor("tester", 1)
    bench.store.commit(Commit("tester", 1, 1, now=0, failures=[Failure(1, 1, "no luck", 0)]))
    consumer = bench.start(plugin(startup=startup), at=None)
    bench.finish(consumer)
    assert bench.store.unsettled("tester") == set()


def test_a_timer_of_a_version_before_is_dropped(bench: Bench) -> None:
    calls: list[int] = []
    assert bench.run(polling(calls)).stop(5)
    bench.advance(61)
    bench.run(counting())
    until(lambda: bench.store.timers("tester") == [], "the timer to go")
    assert calls == []


def test_a_schedule_that_is_not_declared_cannot_be_armed(bench: Bench) -> None:
    told: list[str] = []

    async def startup(ctx: Context[Any]) -> None:
        for ask in (lambda: ctx.schedule("nightly", at=0), lambda: ctx.armed("nightly")):
            with pytest.raises(Undeclared) as error:
                ask()
            told.append(str(error.value))

    bench.run(plugin(startup=startup))
    hint = "tester: schedule 'nightly' is not in the manifest; add Schedule('nightly') to schedules=(…)"
    assert told == [hint, hint]


@pytest.mark.parametrize("schedules", [(Schedule("Poll"),), (Schedule("poll", timeout=0),), POLL * 2])
def test_a_wrong_schedule_is_refused(schedules: tuple[Schedule, ...]) -> None:
    with pytest.raises(ValueError, match="schedules have different lower-case names and a positive timeout"):
        Manifest(name="tester", summary="", schedules=schedules)
