"""What an author gets wrong costs one event or a test, never the batch, the program or somebody's rows."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from consumer_bench import SEEN, Bench, plugin, until
from feishu_events import message

from core import Context, Json, Manifest, Message, Number, Schedule, Table, Text, Timestamp, Undeclared, hookimpl
from core.events import envelope
from core.loading.fitness import Examination, hooks_of
from core.loading.needs import needs
from core.loading.prints import Stdout
from core.scaffold import NewPlugin
from core.testing import Harness, HarnessFailure
from core.testing.failures import Swallowed, TaskLeft
from core.testing.network import GUARD
from core.testing.pytest_plugin import harness

DATED = Table("dated", (Timestamp("day"), Number("times")), key=("day",))
Mistake = Callable[[Context[Any]], object]


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"in": value}
    return value


MISTAKES: dict[str, Mistake] = {
    "a time that is text": lambda ctx: ctx.schedule("later", at="soon"),  # type: ignore[arg-type]
    "a time that is no number": lambda ctx: ctx.schedule("later", at=float("nan")),  # type: ignore[arg-type]
    "a time beyond all calendars": lambda ctx: ctx.schedule("later", at=2**70),
    "no time": lambda ctx: ctx.schedule("later", at=None),  # type: ignore[arg-type]
    "a key that is a pair": lambda ctx: ctx.send("oc_1", "text", {}, key=("a", 1)),  # type: ignore[arg-type]
    "a key that is no Unicode": lambda ctx: ctx.send("oc_1", "text", {}, key="\ud800"),
    "a reply to None": lambda ctx: ctx.send("oc_1", "text", {}, key="k", reply_to=None),  # type: ignore[arg-type]
    "an event that is a list": lambda ctx: ctx.publish("tester.made", "1", [1]),  # type: ignore[arg-type]
    "an event that is too deep for its envelope": lambda ctx: ctx.publish("tester.made", "1", nested(254)),
    "a row without a key": lambda ctx: ctx.table(DATED).add(None, times=1),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_what_cannot_be_stored_fails_one_event_and_not_its_batch(mistake: Mistake, tmp_path: Path) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        if message.id == "om_2":
            mistake(ctx)
        ctx.table(SEEN).add(message.id, times=1)

    async def on_schedule(schedule: str, ctx: Context[Any]) -> None:
        pass

    one = plugin(
        on_message=on_message,
        on_schedule=on_schedule,
        tables=(SEEN, DATED),
        schedules=(Schedule("later"),),
        publishes=("tester.made",),
        permissions=("im:message:send_as_bot",),
    )
    with Bench(tmp_path) as bench:
        consumer = bench.start(one)
        bench.arrive(*(message(f"om_{number}") for number in (1, 2, 3)))
        until(lambda: bench.seen() == {"om_1": 1, "om_3": 1}, "the other two events")
        until(lambda: bench.status(consumer).retrying == 1, "the failure to be stored")
        assert bench.status(consumer).phase == "running"
        assert bench.store.publications(1) == []


def test_what_is_published_can_be_as_deep_as_its_envelope_allows(tmp_path: Path) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.publish("tester.made", message.id, nested(253))

    with Bench(tmp_path) as bench:
        bench.arrive(message("om_1"))
        bench.run(plugin(on_message=on_message, publishes=("tester.made",)))
        [(_, made)] = bench.store.publications(5)
        assert envelope(made.type, made.event_id, dict(made.event))


def test_json_reads_the_same_before_and_after_a_restart(tmp_path: Path) -> None:
    table = Table("facts", (Text("name"), Json("value")), key=("name",))
    mine = [1, 2]
    read: list[Any] = []

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        row = ctx.table(table).get("it")
        if row is None:
            ctx.table(table).set("it", value={"pair": (1, 2), "day": date(2026, 11, 22), "mine": mine})
            mine.append(3)
        else:
            read.append(row["value"])

    with Bench(tmp_path) as bench:
        consumer = bench.start(plugin(on_message=on_message, tables=(table,)))
        for name in ("om_1", "om_2"):
            bench.arrive(message(name))
            bench.finish(consumer)
        assert consumer.stop(5)
        bench.consumers.clear()
        bench.arrive(message("om_3"))
        bench.run(plugin(on_message=on_message, tables=(table,)))
    assert read == [{"pair": [1, 2], "day": "2026-11-22", "mine": [1, 2]}] * 2


def test_a_hook_that_takes_arguments_by_place_is_found_before_it_runs() -> None:
    module = ModuleType("by_place")

    @hookimpl
    async def on_message(message: Message, /, ctx: Context[Any]) -> None: ...

    module.on_message = on_message  # type: ignore[attr-defined]
    found = Examination("plugins.toml [plugins.by_place]", "the author")
    hooks_of(Manifest(name="by_place", summary="Tests."), module, found)
    assert [problem.what for problem in found.problems] == ["hook on_message takes arguments by their place only"]


def test_an_event_of_schema_1_is_one_to_subscribe_to(tmp_path: Path) -> None:
    async def on_event(ctx: Context[Any]) -> None: ...

    one = plugin(on_event=on_event, events=("approval_instance", "pin.added", "im.chat.updated_v1"))
    assert needs([one], any_group=False)[0].events == ("approval_instance", "im.chat.updated_v1")


def test_threads_that_never_end_a_line_leave_nothing_behind() -> None:
    stdout = Stdout(io.StringIO())
    for number in range(50):
        thread = threading.Thread(target=stdout.write, args=(".",), name=f"Thread-{number} (work)")
        thread.start()
        thread.join()
    assert len(stdout._begun) == 1


@pytest.mark.parametrize("author", ["𠮷野家 <a@example.com>", "O'Neil & Co <o@example.com>", "李雷 \\ 😀"])
def test_whatever_an_author_is_called_the_new_package_can_be_read(author: str, tmp_path: Path) -> None:
    package = NewPlugin("probe", author).write(tmp_path, version="0.1.0", year=2026)
    [found] = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]["authors"]
    assert found["name"] in author
    assert found["name"]


@pytest.fixture
def module() -> ModuleType:
    """A plugin that asks for what it does not declare, and hides the refusal; ``ask`` says what."""
    made = ModuleType("hiding")

    @hookimpl
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        try:
            await (ctx.names(["ou_ann"]) if "names" in message.content["text"] else ctx.groups())
        except Undeclared:
            ctx.state.set("hidden", True)

    made.manifest = Manifest(name="hiding", summary="Tests.")  # type: ignore[attr-defined]
    made.on_message = on_message  # type: ignore[attr-defined]
    sys.modules[made.__name__] = made
    return made


@pytest.mark.parametrize("what", ["names", "groups"])
async def test_a_hidden_refusal_of_names_or_groups_fails_the_test(what: str, module: ModuleType) -> None:
    async with Harness(module) as lark:
        with pytest.raises(Swallowed, match=f"ctx.{what} needs a scope"):
            await lark.say("ou_ann", what)


def test_the_fixture_closes_every_harness_also_when_closing_one_fails(leaving: ModuleType) -> None:
    before = len(GUARD.listeners)
    fixture = harness.__wrapped__()  # type: ignore[attr-defined]  # As pytest calls it.
    make = next(fixture)

    async def use() -> None:
        await make(leaving)
        await make(leaving)

    asyncio.run(use())
    with pytest.raises(HarnessFailure) as raised:
        next(fixture)
    assert isinstance(raised.value, TaskLeft)
    assert len(GUARD.listeners) == before


@pytest.fixture
def leaving() -> ModuleType:
    """A plugin that leaves a task behind when it ends."""
    made = ModuleType("leaving")

    @hookimpl
    async def shutdown(ctx: Context[Any]) -> None:
        made.task = asyncio.create_task(asyncio.Event().wait())  # type: ignore[attr-defined]

    made.manifest = Manifest(name="leaving", summary="Tests.")  # type: ignore[attr-defined]
    made.shutdown = shutdown  # type: ignore[attr-defined]
    sys.modules[made.__name__] = made
    return made
