"""A plugin whose call is refused for want of a scope is suspended, told once, and goes on when it is granted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from consumer_bench import SEEN, Bench, counting, plugin, until
from feishu_events import message
from log_lines import logged

from core import ApiError, Context, Message, Schedule
from core.loading.plugins import Plugin
from core.running.bus import PluginConsumer
from core.running.suspension import LOOK_AGAIN

LINK = "https://open.feishu.cn/app/cli_1/auth?q=im:message.pins:read&op_from=openapi"
HOUR = LOOK_AGAIN / 1000


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


class Grants:
    """Whether the scope is granted, and how often it was needed."""

    def __init__(self, *, granted: bool = False, code: int = 99991672) -> None:
        self.granted = granted
        self.asked = 0
        self._code = code

    def __call__(self, _: object = None) -> None:
        self.asked += 1
        if not self.granted:
            error = f"Access denied [log id {self.asked}]"
            raise ApiError("im.v1.pins:GET", self._code, error, scopes=("im:message.pins:read",), link=LINK)


def phase(consumer: PluginConsumer, wanted: str) -> Callable[[], bool]:
    return lambda: consumer.status(None, 0).phase == wanted


def texts(count: int) -> list[bytes]:
    return [message(f"om_{number}") for number in range(count)]


def suspend(bench: Bench, grants: Grants, **parts: Any) -> PluginConsumer:
    consumer = bench.start(counting(before=grants, **parts))
    until(phase(consumer, "suspended"), "the suspension")
    return consumer


@pytest.mark.parametrize("code", [99991672, 230027])
def test_one_refusal_suspends_it_and_nothing_is_lost(bench: Bench, code: int) -> None:
    grants = Grants(code=code)
    bench.arrive(*texts(5))
    consumer = suspend(bench, grants)
    status = bench.status(consumer)
    assert (grants.asked, status.cursor, status.retrying, status.dead, status.handled) == (1, 1, 1, 0, 0)
    assert "im:message.pins:read" in status.problem
    assert LINK in status.problem
    assert "python -m core plugins resume tester" in status.problem


def test_the_others_go_on(bench: Bench) -> None:
    bench.arrive(*texts(5))
    consumer = bench.start(counting("lacking", before=Grants()))
    bench.run(counting("fine"))
    until(phase(consumer, "suspended"), "the suspension")
    assert len(list(bench.store.scan("fine", SEEN))) == 5


def test_once_resumed_everything_is_handled_once(bench: Bench) -> None:
    grants = Grants()
    bench.arrive(*texts(5))
    consumer = suspend(bench, grants)
    grants.granted = True
    assert bench.store.resume("tester")
    bench.finish(consumer)
    until(lambda: bench.store.next_due("tester") is None, "the retry")
    assert bench.seen() == {f"om_{number}": 1 for number in range(5)}
    assert consumer.status(None, 0).phase == "running"


def test_it_looks_every_hour_by_itself_and_says_so_once(bench: Bench) -> None:
    grants = Grants()
    with logged() as lines:
        bench.arrive(*texts(5))
        consumer = suspend(bench, grants)
        bench.advance(HOUR - 1)
        assert (grants.asked, phase(consumer, "suspended")()) == (1, True)
        for asked in (2, 3):
            bench.advance(HOUR)
            until(lambda asked=asked: grants.asked == asked and phase(consumer, "suspended")(), "the next look")
        grants.granted = True
        bench.advance(HOUR)
        until(lambda: len(bench.seen()) == 5, "the events")
    assert len([line for line in lines if "is suspended" in line]) == 1
    assert bench.status(consumer).dead == 0


def test_a_clock_put_back_does_not_make_it_wait_for_the_old_time(bench: Bench) -> None:
    grants = Grants()
    bench.arrive(*texts(1))
    consumer = suspend(bench, grants)
    grants.granted = True
    bench.advance(-10 * HOUR)
    until(phase(consumer, "running"), "the next look")


def test_a_plugin_that_catches_the_refusal_is_not_suspended(bench: Bench) -> None:
    grants = Grants()

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(message.id, times=1)
        with pytest.raises(ApiError):
            grants()

    bench.arrive(*texts(5))
    consumer = bench.run(plugin(on_message=on_message))
    assert (bench.status(consumer).phase, bench.status(consumer).handled) == ("running", 5)


def test_another_refusal_is_the_event_s_own_trouble(bench: Bench) -> None:
    bench.arrive(*texts(5))
    consumer = bench.run(counting(before=Grants(code=230002)))
    assert (bench.status(consumer).phase, bench.status(consumer).retrying) == ("running", 5)


def test_with_suspension_off_its_events_are_retried_like_any(bench: Bench) -> None:
    bench.arrive(*texts(5))
    consumer = bench.run(counting(before=Grants()), suspend_after=0)
    assert (bench.status(consumer).phase, bench.status(consumer).retrying) == ("running", 5)


def scheduled(grants: Grants) -> Plugin:
    """It needs the scope at a time, not for events."""

    async def startup(ctx: Context[Any]) -> None:
        ctx.schedule("poll", at=ctx.now())

    async def on_schedule(schedule: str, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(schedule, times=1)
        grants()

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(message.id, times=1)

    hooks = {"startup": startup, "on_schedule": on_schedule, "on_message": on_message}
    return plugin(schedules=(Schedule("poll"),), **hooks)


def test_a_schedule_that_is_refused_suspends_too_and_is_called_again_when_it_goes_on(bench: Bench) -> None:
    grants = Grants()
    consumer = bench.start(scheduled(grants))
    until(phase(consumer, "suspended"), "the suspension")
    bench.arrive(*texts(1))
    assert bench.seen() == {}
    grants.granted = True
    bench.advance(HOUR)
    until(lambda: bench.seen() == {"poll": 1, "om_0": 1}, "what waited")
    assert grants.asked == 2


def test_a_start_that_is_refused_waits_for_the_scope_and_no_event_is_handled_before(bench: Bench) -> None:
    grants = Grants()

    async def startup(ctx: Context[Any]) -> None:
        ctx.table(SEEN).add("startup", times=1)
        grants()

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(message.id, times=1)

    bench.arrive(*texts(2))
    consumer = bench.start(plugin(startup=startup, on_message=on_message))
    until(phase(consumer, "suspended"), "the suspension")
    assert (grants.asked, bench.seen()) == (1, {})
    grants.granted = True
    assert bench.store.resume("tester")
    until(lambda: bench.seen() == {"startup": 1, "om_0": 1, "om_1": 1}, "the start")
    assert phase(consumer, "running")()


def test_the_end_of_the_program_does_not_wait_for_a_scope(bench: Bench) -> None:
    bench.arrive(*texts(1))
    consumer = suspend(bench, Grants())
    assert consumer.stop(5)
