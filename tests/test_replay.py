"""Replays: tables built anew equal those that events made, and replace them whole or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from consumer_bench import SEEN, Bench, plugin, until
from feishu_events import message

from core import Context, Event, Malformed, Message, Number, Schedule, Table, Text, Timestamp
from core.context import STATE
from core.errors import Replaced
from core.journal import admit
from core.loading.plugins import Plugin
from core.replaying.replay import Refused, Replay, losses, nothing_to_rebuild
from core.storage import open_engine
from core.storage.protocol import Engine, StoreHandle
from core.storage.values import Commit, Difference, Standing

SCORES = Table(
    "scores",
    (Text("user", "用户"), Number("points", "分"), Text("note", "备注", carried=True), Text("hidden"), Timestamp("at")),
    key=("user",),
    setting="SCORES_TABLE_ID",
)
FACTS = Table("facts", (Text("name"), Number("count")), key=("name",))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


def counter(worth: int = 1, refuse: Callable[[Message], None] = lambda message: None, **parts: Any) -> Plugin:
    """Gives the sender of each message ``worth`` points, by time of arrival."""

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        refuse(message)
        row = ctx.table(SCORES).add(message.sender.open_id, points=worth)
        ctx.table(SCORES).set(row["user"], hidden=f"last {message.id}", at=ctx.now())
        ctx.send("oc_group", "text", {"text": "thanks"}, key=message.id)

    declared = {"tables": (SCORES, FACTS), "permissions": ("im:message:send_as_bot",)}
    return plugin(on_message=on_message, **(declared | parts))


def texts(count: int, start: int = 0) -> list[bytes]:
    return [message(f"om_{number}", sender=f"ou_{number % 3}") for number in range(start, start + count)]


@contextmanager
def engines(bench: Bench, name: str = "tester") -> Iterator[tuple[Engine, Engine]]:
    engine = open_engine(bench.directory)
    with engine.shadow(name) as shadow:
        yield engine, shadow


async def rebuild(
    bench: Bench, one: Plugin, *, start: int = 0, end: int | None = None, dry: bool = False, park: bool = False
) -> list[Difference]:
    with engines(bench, one.name) as (engine, shadow):
        replay = Replay(
            one,
            engine,
            shadow,
            start=start,
            end=end,
            timezone=ZoneInfo("Asia/Shanghai"),
            chats=(),
            clock=lambda: bench.now,
        )
        try:
            await replay.build()
            return replay.differences(5) if dry else await replay.swap(park=park)
        finally:
            await replay.close()


def rows(bench: Bench, table: Table = SCORES) -> dict[str, dict[str, Any]]:
    return {str(row[table.key[0]]): row for row in bench.store.scan("tester", table)}


def mirrored(store: StoreHandle) -> None:
    """Bitable shows every row."""
    waiting = store.pending("tester", SCORES, 100)
    store.settle("tester", SCORES, [(row.rowid, row.version) for row in waiting])


async def test_what_was_counted_rightly_does_not_differ(bench: Bench) -> None:
    for number in range(0, 60, 7):
        bench.arrive(*texts(7, start=number))
        bench.advance(100)
    bench.run(counter())
    before = rows(bench)
    (scores, facts, state) = await rebuild(bench, counter(), dry=True)
    assert (scores.table, facts.table, state.table) == (SCORES, FACTS, STATE)
    assert [found.total for found in (scores, facts, state)] == [0, 0, 0]
    assert rows(bench) == before
    assert not (bench.directory / "replay" / "tester" / "shadow").exists()


async def test_hooks_see_the_time_at_which_the_event_arrived(bench: Bench) -> None:
    consumer = bench.start(counter())
    for number in range(6):
        bench.arrive(*texts(1, start=number))
        bench.finish(consumer)
        bench.advance(3600)
    assert await rebuild(bench, counter(), dry=True) == [
        Difference(table, 0, 0, 0, []) for table in (SCORES, FACTS, STATE)
    ]


async def test_a_mended_rule_changes_the_rows_and_only_those_wait_for_bitable(bench: Bench) -> None:
    bench.arrive(*texts(6))
    bench.run(counter())
    mirrored(bench.store)

    def double_for_ou_1(one: Plugin) -> Plugin:
        async def on_message(message: Message, ctx: Context[Any]) -> None:
            user = message.sender.open_id
            ctx.table(SCORES).add(user, points=2 if user == "ou_1" else 1)
            ctx.table(SCORES).set(user, hidden="rebuilt", at=ctx.now())

        return replace(one, hooks=plugin(on_message=on_message).hooks)

    mended = double_for_ou_1(counter())
    (looked, *_) = await rebuild(bench, mended, dry=True)
    assert (looked.added, looked.changed, looked.removed) == (0, 1, 0)
    await rebuild(bench, mended)
    assert {user: (row["points"], row["hidden"]) for user, row in rows(bench).items()} == {
        "ou_0": (2, "rebuilt"),
        "ou_1": (4, "rebuilt"),
        "ou_2": (2, "rebuilt"),
    }
    assert [row.row["user"] for row in bench.store.pending("tester", SCORES, 10)] == ["ou_1"]


async def test_rows_that_should_not_be_are_deleted_and_missing_ones_made(bench: Bench) -> None:
    bench.arrive(*texts(6))
    bench.run(counter())
    mirrored(bench.store)
    cursor = bench.store.cursor("tester", 0)
    wrong = {("ou_9",): SCORES.blank | {"user": "ou_9"}, ("ou_1",): None}
    bench.store.commit(Commit("tester", cursor, cursor, now=1, rows={SCORES: wrong}))  # type: ignore[dict-item]
    (found, *_) = await rebuild(bench, counter(), dry=True)
    assert (found.added, found.changed, found.removed) == (1, 0, 1)
    assert [(before and before["user"], after and after["user"]) for before, after in found.first] == [
        (None, "ou_1"),
        ("ou_9", None),
    ]
    await rebuild(bench, counter())
    assert sorted(rows(bench)) == ["ou_0", "ou_1", "ou_2"]
    waiting = {row.row["user"]: row.deleted for row in bench.store.pending("tester", SCORES, 10)}
    assert waiting == {"ou_1": False, "ou_9": True}


async def test_what_no_event_tells_is_kept(bench: Bench) -> None:
    """Carried columns of rows that stay, carried tables, and rows that were found in Bitable at the start."""
    one = counter(carried=("facts", "state"))
    bench.store.prepare("tester", one.tables)
    bench.store.adopt("tester", SCORES, [("rec1", SCORES.blank | {"user": "ou_0", "points": 100})])
    bench.store.adopt("tester", SCORES, [("rec2", SCORES.blank | {"user": "ou_old", "points": 7})])
    bench.arrive(*texts(6))
    bench.run(one)
    cursor = bench.store.cursor("tester", 0)
    summary = rows(bench)["ou_1"] | {"note": "a summary"}
    facts = {("asked",): {"name": "asked", "count": 3}}
    kept: dict[Table, Any] = {STATE: {("n",): {"name": "n", "value": [1]}}, FACTS: facts, SCORES: {("ou_1",): summary}}
    bench.store.commit(Commit("tester", cursor, cursor, now=1, rows=kept))
    before = rows(bench), rows(bench, FACTS), rows(bench, STATE)
    mirrored(bench.store)
    assert [one.total for one in await rebuild(bench, one)] == [0]
    assert (rows(bench), rows(bench, FACTS), rows(bench, STATE)) == before
    assert rows(bench)["ou_0"]["points"] == 102
    assert rows(bench)["ou_1"]["note"] == "a summary"
    assert bench.store.pending("tester", SCORES, 10) == []


async def test_carried_tables_take_over_what_the_replay_changed_in_them(bench: Bench) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SCORES).add(message.sender.open_id, points=1)
        ctx.table(FACTS).add("writes", count=1)
        ctx.table(FACTS).delete("gone")

    one = plugin(on_message=on_message, tables=(SCORES, FACTS), carried=("facts",))
    bench.arrive(*texts(4))
    bench.run(one)
    cursor = bench.store.cursor("tester", 0)
    some = {("gone",): {"name": "gone", "count": 1}, ("asked",): {"name": "asked", "count": 3}}
    bench.store.commit(Commit("tester", cursor, cursor, now=1, rows={FACTS: some}))
    await rebuild(bench, one)
    assert {name: row["count"] for name, row in rows(bench, FACTS).items()} == {"writes": 8, "asked": 3}


async def test_nothing_leaves_a_replay(bench: Bench) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(FACTS).add("messages", count=1)
        ctx.send("oc_group", "text", {"text": "hello"}, key=f"{message.id} {ctx.now()}")
        ctx.publish("tester.seen", f"{message.id} {ctx.now()}", {})
        ctx.attach(message.id, "file_1", "file")
        ctx.schedule("later", at=ctx.now() + 1)

    async def on_event(event: Event, ctx: Context[Any]) -> None: ...

    async def on_schedule(schedule: str, ctx: Context[Any]) -> None: ...

    one = plugin(
        on_message=on_message,
        on_event=on_event,
        on_schedule=on_schedule,
        permissions=("im:message:send_as_bot", "im:message:readonly"),
        tables=(FACTS,),
        events=("attachment.done",),
        publishes=("tester.seen",),
        schedules=(Schedule("later"),),
    )
    bench.arrive(*texts(3))
    bench.store.prepare("tester", one.tables)
    bench.store.cursor("tester", 3)
    await rebuild(bench, one, start=0, park=True)
    assert rows(bench, FACTS)["messages"]["count"] == 3
    assert bench.store.publications(10) == []
    assert bench.store.unsent(bench.now + 10**9, 10) == []
    assert bench.store.attachment_count().waiting == 0
    (timer,) = bench.store.timers("tester")
    assert timer.name == "later"


async def test_armed_timers_stay_and_schedules_that_need_only_time_are_rung(bench: Bench) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SCORES).add(message.sender.open_id, points=1)
        ctx.schedule("age", at=ctx.now() + 1000)
        ctx.schedule("ask", at=ctx.now() + 1000)

    async def on_schedule(schedule: str, ctx: Context[Any]) -> None:
        ctx.table(FACTS).add(schedule, count=1)
        if schedule == "ask":
            ctx.schedule("ask", at=ctx.now() + 10**9)

    one = plugin(
        on_message=on_message,
        on_schedule=on_schedule,
        tables=(SCORES, FACTS),
        schedules=(Schedule("age", replayed=True), Schedule("ask")),
    )
    consumer = bench.start(one)
    for number in range(3):
        bench.arrive(*texts(1, start=number))
        bench.finish(consumer)
        bench.advance(2)
        until(lambda rung=number + 1: rows(bench, FACTS).get("age", {}).get("count") == rung, "the schedule")
    bench.finish(consumer)
    armed = bench.store.timers("tester")
    (_, facts, _) = await rebuild(bench, one)
    assert [(row and row["name"], after) for row, after in facts.first] == []
    assert rows(bench, FACTS) == {"age": {"name": "age", "count": 3}}
    assert bench.store.timers("tester") == armed


async def test_events_that_wait_or_were_given_up_are_left_to_the_program(bench: Bench) -> None:
    def refuse(message: Message) -> None:
        if message.id in ("om_1", "om_2"):
            raise Malformed("not this one")

    bench.arrive(*texts(6))
    consumer = bench.run(counter(refuse=refuse))
    bench.store.discard([letter for letter in bench.store.dead() if letter.seq == 2], 1)
    await rebuild(bench, counter())
    assert {user: row["points"] for user, row in rows(bench).items()} == {"ou_0": 2, "ou_1": 1, "ou_2": 1}
    assert [letter.seq for letter in bench.store.dead()] == [3]
    assert consumer.stop(5)
    bench.consumers.clear()
    bench.store.redrive(bench.store.dead(), bench.now)
    again = bench.start(counter())
    until(lambda: rows(bench)["ou_2"]["points"] == 2, "the redriven event")
    bench.finish(again)


async def test_events_that_fail_only_now_stop_it_unless_they_may_be_parked(bench: Bench) -> None:
    def refuse(message: Message) -> None:
        if message.id == "om_4":
            raise ValueError("new rule")

    bench.arrive(*texts(6))
    bench.run(counter())
    before = rows(bench)
    with pytest.raises(Refused, match="1 events fail now that did not before: ValueError: new rule"):
        await rebuild(bench, counter(refuse=refuse))
    assert rows(bench) == before
    await rebuild(bench, counter(refuse=refuse), park=True)
    assert [(letter.seq, letter.error) for letter in bench.store.dead()] == [(5, "ValueError: new rule")]
    assert rows(bench)["ou_1"]["points"] == 1


async def test_an_event_that_needs_a_later_one_is_tried_again_at_the_end(bench: Bench) -> None:
    seen: set[str] = set()

    def needs_the_last(message: Message) -> None:
        seen.add(message.id)
        if message.id == "om_0" and "om_5" not in seen:
            raise ValueError("not yet")

    bench.arrive(*texts(6))
    bench.run(counter())
    (scores, *_) = await rebuild(bench, counter(refuse=needs_the_last))
    assert {user: row["points"] for user, row in rows(bench).items()} == {"ou_0": 2, "ou_1": 2, "ou_2": 2}
    assert scores.added == scores.removed == 0


async def test_while_the_program_runs_nothing_is_lost_and_nothing_counted_twice(bench: Bench) -> None:
    """The tables are replaced under a plugin that goes on counting all the time."""
    consumer = bench.start(counter(), tick=0.01)
    stop = threading.Event()
    sent = 0

    def talk() -> None:
        nonlocal sent
        journal = open_engine(bench.directory).journal()
        while not stop.wait(0.003):  # However fast the disk is, replaying is faster than what arrives.
            journal.append([admit(body, bench.now) for body in texts(5, start=sent)])
            sent += 5
            consumer.wake()
        journal.close()

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        for _ in range(4):
            await rebuild(bench, counter())
    finally:
        stop.set()
        talking.join()
    bench.finish()
    until(lambda: bench.store.next_due("tester") is None, "the retries")
    assert sum(row["points"] for row in rows(bench).values()) == sent
    status = bench.status(consumer)
    assert (status.phase, status.dead, status.problem) == ("running", 0, "")


async def test_a_plugin_that_had_nothing_to_do_meanwhile_goes_on_from_the_new_tables(bench: Bench) -> None:
    bench.arrive(*texts(3))
    consumer = bench.run(counter())
    await rebuild(bench, counter(worth=10))
    bench.arrive(*texts(3, start=3))
    bench.finish(consumer)
    assert [row["points"] for row in rows(bench).values()] == [11, 11, 11]
    assert bench.status(consumer).attempts == 0


async def test_a_batch_that_read_the_old_tables_is_done_again(bench: Bench) -> None:
    bench.arrive(*texts(3))
    bench.run(counter())
    other = open_engine(bench.directory).store()
    cursor = other.cursor("tester", 0)
    await rebuild(bench, counter())
    with pytest.raises(Replaced):
        other.commit(Commit("tester", cursor, cursor + 1, now=1))
    assert other.cursor("tester", 0) == cursor
    other.commit(Commit("tester", cursor, cursor, now=1))
    other.close()


async def test_stopping_it_leaves_the_tables_and_no_trace(bench: Bench) -> None:
    bench.arrive(*texts(50))
    bench.run(counter())
    before = rows(bench)
    reached = asyncio.Event()

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SCORES).add("ou_wrong", points=1)
        reached.set()
        await asyncio.sleep(30)

    task = asyncio.create_task(rebuild(bench, plugin(on_message=on_message, tables=(SCORES, FACTS))))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rows(bench) == before
    assert not (bench.directory / "replay" / "tester" / "shadow").exists()


async def test_a_part_is_rebuilt_from_there_on(bench: Bench) -> None:
    bench.arrive(*texts(9))
    bench.run(counter())
    (scores, *_) = await rebuild(bench, counter(), start=3, end=6, dry=True)
    assert {row["user"]: row["points"] for _, row in scores.first if row} == {"ou_0": 1, "ou_1": 1, "ou_2": 1}


async def test_a_plugin_that_never_ran_is_refused(bench: Bench) -> None:
    bench.arrive(*texts(1))
    with pytest.raises(Refused, match="tester has not run yet"):
        await rebuild(bench, counter())


@pytest.mark.parametrize(
    ("start", "trimmed", "told"),
    [
        (0, 0, []),
        (10, 0, []),
        (11, 0, ["what x made of the events up to 11 is left out"]),
        (10, 10, []),
        (0, 12, ["the journal has forgotten events up to 12; what x made of them is left out"]),
    ],
)
def test_what_is_lost_is_said(start: int, trimmed: int, told: list[str]) -> None:
    assert losses("x", Standing(10, None, ""), start, trimmed) == told


def test_a_plugin_whose_tables_come_from_elsewhere_has_nothing_to_rebuild() -> None:
    assert nothing_to_rebuild(plugin(tables=(SEEN,), carried=("seen",))).endswith("does not come from events")
    assert nothing_to_rebuild(plugin(tables=())).endswith("it keeps no tables")
    assert nothing_to_rebuild(plugin(tables=(SEEN,))) == ""


def test_only_tables_of_the_plugin_can_be_carried() -> None:
    with pytest.raises(ValueError, match="carried names its tables or 'state', not other"):
        plugin(tables=(SEEN,), carried=("state", "other"))
