"""Events that fail: what is undone, when they are tried again, when they are parked, and whose fault it is."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from consumer_bench import SEEN, Bench, counting, plugin, until
from feishu_events import message

from core import Context, Json, Message, Number, Retry, Table, Text
from core.running.attempts import MOST_ATTEMPTS, backoff
from core.storage.values import Commit, Failure


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


def texts(count: int, start: int = 0) -> list[bytes]:
    return [message(f"om_{number}") for number in range(start, start + count)]


def test_one_event_that_raises_loses_only_its_own_writes(bench: Bench) -> None:
    def refuse(one: Message) -> None:
        if one.id == "om_2":
            raise ValueError("not this one")

    bench.arrive(*texts(5))
    consumer = bench.run(counting(before=refuse))
    assert bench.seen() == dict.fromkeys(("om_0", "om_1", "om_3", "om_4"), 1)
    status = bench.status(consumer)
    assert (status.handled, status.retrying, status.attempts, status.dead, status.cursor) == (4, 1, 1, 0, 5)


def test_a_failed_event_changes_nothing_that_a_later_one_reads(bench: Bench) -> None:
    """Also not through a value it was handed: a list that was read is the plugin's own copy."""
    facts = Table("facts", (Text("name"), Number("count"), Json("people")), key=("name",))
    fail = {"om_1", "om_2"}

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ids = ctx.state.get("ids", [])
        ids.append(message.id)
        ctx.state.set("ids", ids)
        ids.append("changed after it was set")
        ctx.table(facts).add("all", count=1)
        if message.id in fail:
            fail.remove(message.id)
            raise ValueError("try again")

    bench.arrive(*texts(2))
    bench.run(plugin(tables=(facts,), on_message=on_message))
    bench.arrive(*texts(2, start=2))
    bench.finish()
    bench.advance(10)
    until(lambda: bench.store.next_due("tester") is None, "the retries")
    state = bench.consumers[0].plugin.tables[-1]
    row = bench.store.get("tester", state, ("ids",))
    assert row is not None
    assert Counter(row["value"]) == Counter(["om_0", "om_1", "om_2", "om_3"])
    assert bench.store.get("tester", facts, ("all",)) == {"name": "all", "count": 4, "people": None}


def test_a_failing_event_is_tried_with_growing_delay_and_then_parked(bench: Bench) -> None:
    def refuse(one: Message) -> None:
        if one.id == "om_1":
            raise ValueError("never")

    bench.arrive(*texts(3))
    consumer = bench.run(counting(before=refuse))
    delays: list[float] = []
    for attempt in range(1, MOST_ATTEMPTS):
        until(lambda tries=attempt: consumer._attempts == tries and not _busy(bench), f"attempt {attempt}")
        due = bench.store.next_due("tester")
        assert due is not None
        delays.append((due - bench.now) / 1000)
        bench.advance_to(due - 1)
        assert consumer._attempts == attempt
        bench.advance_to(due)
    until(lambda: bench.store.dead(), "the dead letter")
    for attempt, delay in enumerate(delays, 1):
        assert 0.74 * 2**attempt <= delay <= 1.26 * 2**attempt
    (letter,) = bench.store.dead("tester")
    assert (letter.seq, letter.attempts, letter.parked) == (2, MOST_ATTEMPTS, bench.now)
    assert letter.error.startswith("ValueError: never\nTraceback")
    assert bench.store.next_due("tester") is None
    assert bench.seen() == {"om_0": 1, "om_2": 1}
    bench.advance(3600)
    bench.arrive(*texts(1, start=3))
    bench.finish()
    assert consumer._attempts == MOST_ATTEMPTS


def _busy(bench: Bench) -> bool:
    """Whether the failed attempt is not stored yet: its event is still due."""
    due = bench.store.next_due("tester")
    return due is None or due <= bench.now


def test_the_delay_grows_to_ten_minutes_and_is_never_the_same() -> None:
    for attempts, longest in ((1, 2), (2, 4), (5, 32), (9, 512), (10, 600), (50, 600), (10_000, 600)):
        delays = {backoff(attempts) for _ in range(50)}
        assert len(delays) > 1
        assert all(0.75 * longest <= delay <= 1.25 * longest for delay in delays)


def test_retry_says_when(bench: Bench) -> None:
    tries: list[int] = []

    async def on_message(ctx: Context[Any]) -> None:
        tries.append(ctx.now())
        if len(tries) == 1:
            raise Retry("not yet", after=30)

    bench.arrive(message("om_1"))
    bench.run(plugin(on_message=on_message))
    assert bench.store.next_due("tester") == bench.now + 30_000
    bench.advance(30)
    until(lambda: bench.store.next_due("tester") is None, "the retry")
    assert tries == [bench.now - 30_000, bench.now]


def test_retry_at_once_is_tried_until_it_is_parked(bench: Bench) -> None:
    tries: list[int] = []

    async def on_message(ctx: Context[Any]) -> None:
        tries.append(ctx.now())
        raise Retry(after=0)

    bench.arrive(message("om_1"))
    bench.start(plugin(on_message=on_message))
    until(lambda: bench.store.dead(), "the dead letter")
    assert tries == [bench.now] * MOST_ATTEMPTS


@pytest.mark.parametrize("after", [-1, float("nan"), float("inf"), 86_401])
def test_retry_takes_no_time_that_is_none(after: float) -> None:
    with pytest.raises(ValueError, match="seconds from 0 to 86400"):
        Retry(after=after)


def test_what_a_plugin_calls_malformed_is_parked_at_once(bench: Bench) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(message.id, times=len(message.content))

    bench.arrive(message("om_1", content="no json"), message("om_2"))
    bench.run(plugin(on_message=on_message))
    (letter,) = bench.store.dead("tester")
    assert (letter.seq, letter.attempts) == (1, 1)
    assert letter.error.startswith("Malformed: message.content is not JSON")
    assert bench.seen() == {"om_2": 1}


def test_damaged_bytes_are_parked_and_handed_to_nobody(bench: Bench) -> None:
    head = bench.arrive(*texts(3))
    assert head == 3
    damaged = message("om_1", text="somebody else's words")
    with sqlite3.connect(bench.directory / "journal.db") as database:
        database.execute("UPDATE event SET body = ? WHERE seq = 2", (damaged,))
    database.close()
    bench.run(counting())
    assert bench.seen() == {"om_0": 1, "om_2": 1}
    (letter,) = bench.store.dead("tester")
    assert letter.seq == 2
    assert letter.error.startswith("Malformed: stored bytes are damaged (CRC)")


def test_an_event_that_the_journal_no_longer_has_is_parked(bench: Bench) -> None:
    consumer = bench.run(counting())
    bench.store.commit(Commit("tester", 0, 0, now=1, failures=[Failure(77, 1, "earlier", 5)]))
    bench.advance(1)
    until(lambda: bench.store.dead(), "the dead letter")
    assert bench.store.dead()[0].error == "the journal keeps it no longer"
    assert bench.status(consumer).phase == "running"


@pytest.mark.parametrize(
    "values",
    [
        {"times": None},
        {"times": "3"},
        {"times": float("nan")},
        {"times": float("inf")},
        {"times": 2**63},
        {"trace": None},
        {"trace": 5},
        {"trace": "\ud83d"},
        {"trace": b"bytes"},
    ],
)
def test_a_value_that_cannot_be_stored_is_the_fault_of_its_event_alone(bench: Bench, values: dict[str, Any]) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(message.id, times=1)
        if message.id == "om_1":
            ctx.table(SEEN).set(message.id, **values)

    bench.arrive(*texts(3))
    consumer = bench.run(plugin(on_message=on_message))
    assert bench.seen() == {"om_0": 1, "om_2": 1}
    assert bench.status(consumer).retrying == 1


async def _publish_badly(message: Message, ctx: Context[Any]) -> None:
    if message.id == "om_0":
        ctx.publish("tester.seen", "1", {"what": object()})
    if message.id == "om_1":
        ctx.publish("tester.seen", "", {})
    ctx.table(SEEN).add(message.id, times=1)


def test_an_event_that_cannot_be_published_is_the_fault_of_its_cause_alone(bench: Bench) -> None:
    bench.arrive(*texts(3))
    consumer = bench.run(plugin(on_message=_publish_badly, publishes=("tester.seen",)))
    assert bench.seen() == {"om_2": 1}
    assert bench.status(consumer).retrying == 2
