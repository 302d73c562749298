"""The bus: order, one commit a batch, exactly once over stops and kills, retries, dead letters, what is skipped."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from consumer_bench import SEEN, Bench, Step, counting, plugin, until
from feishu_events import GROUP, PRIVATE, message, pushed, reaction, read, recall

from core import Context, Event, Malformed, Message, Number, Reaction, Read, Recall, Table, Text
from core.errors import StorageError
from core.running.bus import BATCH
from core.storage import open_engine
from core.storage.protocol import StoreHandle
from core.storage.values import Commit


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


def texts(count: int, start: int = 0) -> list[bytes]:
    return [message(f"om_{number}") for number in range(start, start + count)]


def test_events_come_in_the_order_of_the_journal(bench: Bench) -> None:
    seen: list[str] = []
    bench.start(counting(before=lambda one: seen.append(one.id)))
    bench.arrive(*texts(BATCH + 300))
    bench.arrive(*texts(10, start=5))
    bench.arrive(*texts(100, start=BATCH + 300))
    bench.finish()
    assert seen == [f"om_{number}" for number in range(BATCH + 400)]


def test_each_hook_gets_its_events_as_their_types(bench: Bench) -> None:
    got: list[tuple[str, str]] = []

    async def on_message(message: Message) -> None:
        got.append(("message", message.id))

    async def on_reaction(ctx: Context[Any], reaction: Reaction) -> None:
        got.append((f"reaction to {ctx.plugin}", reaction.emoji))

    async def on_recall(recall: Recall) -> None:
        got.append(("recall", recall.message_id))

    async def on_read(read: Read) -> None:
        got.append(("read", read.message_ids[0]))

    async def on_event(event: Event) -> None:
        assert event.received_at == bench.now
        got.append((f"event {event.seq}", event.type))

    hooks = {"on_message": on_message, "on_reaction": on_reaction, "on_recall": on_recall, "on_read": on_read}
    bench.arrive(message("om_1"), reaction("om_1"), reaction("om_1", added=False), recall("om_1"), read("om_2"))
    bench.arrive(pushed("im.chat.updated_v1", {"chat_id": GROUP}), pushed("im.chat.disbanded_v1", {}))
    consumer = bench.run(plugin(**hooks, on_event=on_event, events=("im.chat.updated_v1",)))
    assert got == [
        ("message", "om_1"),
        ("reaction to tester", "DONE"),
        ("reaction to tester", "DONE"),
        ("recall", "om_1"),
        ("read", "om_2"),
        ("event 6", "im.chat.updated_v1"),
    ]
    assert bench.status(consumer).handled == 6


def test_a_type_with_a_hook_of_its_own_may_also_be_taken_by_on_event(bench: Bench) -> None:
    got: list[str] = []

    async def on_event(event: Event) -> None:
        got.append(event.key)

    bench.arrive(message("om_1"), recall("om_1"))
    bench.run(plugin(on_event=on_event, events=("im.message.receive_v1",)))
    assert got == ["message:om_1"]


class CountingEngine:
    """The real engine; it notes the commits of the consumers' threads, and fails those it is told to."""

    def __init__(self, directory: Path) -> None:
        self._engine = open_engine(directory)
        self.commits: list[Commit] = []
        self.failures: list[StorageError] = []
        self.lost_answers: list[StorageError] = []

    def store(self) -> StoreHandle:
        handle: Any = self._engine.store()
        commit = handle.commit

        def counted(batch: Commit) -> None:
            if self.failures:
                raise self.failures.pop()
            commit(batch)
            self.commits.append(batch)
            if self.lost_answers:
                raise self.lost_answers.pop()

        handle.commit = counted
        return handle  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def counted_bench(tmp_path: Path) -> tuple[CountingEngine, Bench]:
    engine: Any = CountingEngine(tmp_path)
    return engine, Bench(tmp_path, engine)


def test_a_batch_is_one_commit(tmp_path: Path) -> None:
    engine, bench = counted_bench(tmp_path)
    with bench:
        bench.arrive(*texts(BATCH + 1))
        bench.run(counting())
        assert [(one.expected, one.cursor, one.handled) for one in engine.commits] == [
            (0, 0, 0),  # start-up
            (0, BATCH, BATCH),
            (BATCH, BATCH + 1, 1),
        ]
        assert len(bench.seen()) == BATCH + 1


def test_a_batch_that_could_not_be_stored_is_done_again_and_counts_once(tmp_path: Path) -> None:
    engine, bench = counted_bench(tmp_path)
    with bench:
        consumer = bench.run(counting())
        engine.failures.append(StorageError("disk full"))
        bench.arrive(*texts(3))
        until(lambda: bench.status(consumer).problem == "disk full", "the failure to be told")
        assert bench.seen() == {}
        bench.arrive(*texts(2, start=3))
        assert bench.status(consumer).problem == "disk full"
        bench.finish_in_time()
        assert bench.seen() == {f"om_{number}": 1 for number in range(5)}
        assert bench.status(consumer).problem == ""


def test_a_commit_whose_answer_was_lost_is_not_done_twice(tmp_path: Path) -> None:
    engine, bench = counted_bench(tmp_path)
    with bench:
        bench.run(counting())
        engine.lost_answers.append(StorageError("interrupted after the commit"))
        bench.arrive(*texts(3))
        until(lambda: not engine.lost_answers, "the commit")
        bench.finish_in_time()
        assert bench.seen() == dict.fromkeys(("om_0", "om_1", "om_2"), 1)


def test_another_writer_moving_the_cursor_fences_the_batch_off(bench: Bench) -> None:
    step = Step()
    bench.start(counting(before=step))
    bench.arrive(*texts(3))
    step.reached()
    bench.store.commit(Commit("tester", 0, 2, now=1))
    step.go_on()
    until(lambda: bench.status(bench.consumers[0]).problem, "the batch to be refused")
    bench.finish_in_time()
    assert bench.seen() == {"om_2": 1}


def test_a_stop_in_the_middle_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    calls: Counter[str] = Counter()
    total = 3 * BATCH
    with Bench(tmp_path) as bench:
        bench.arrive(*texts(total))
    while sum(calls.values()) < total:
        with Bench(tmp_path) as bench:
            target = sum(calls.values()) + BATCH // 2
            bench.start(counting(before=lambda one: calls.update([one.id])))
            until(lambda least=target: sum(calls.values()) >= min(least, total), "some events to be handled")
    with Bench(tmp_path) as bench:
        assert bench.seen() == {f"om_{number}": 1 for number in range(total)}
    assert set(calls.values()) == {1}


def test_a_kill_in_the_middle_of_a_batch_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    step = Step()

    def stop_at_14(one: Message) -> None:
        if one.id == "om_14":
            step()

    with Bench(tmp_path / "alive") as bench:
        bench.run(counting(before=stop_at_14))
        bench.arrive(*texts(10))
        bench.finish()
        bench.arrive(*texts(10, start=10))
        step.reached()
        image = bench.image(tmp_path / "killed")
        step.go_on()
    with Bench(image) as bench:
        assert bench.seen() == {f"om_{number}": 1 for number in range(10)}
        bench.arrive(*texts(5, start=17))
        bench.run(counting())
        assert bench.seen() == {f"om_{number}": 1 for number in range(22)}


def test_groups_that_are_not_watched_are_counted_and_skipped(tmp_path: Path) -> None:
    other = "oc_other"
    with Bench(tmp_path, chats=(GROUP,)) as bench:
        bench.arrive(
            message("om_1"),
            message("om_2", chat_id=other),
            message("om_private", chat_id=PRIVATE, chat_type="p2p"),
            recall("om_2", chat_id=other),
            reaction("om_2"),
        )
        got: list[str] = []

        async def on_reaction(reaction: Reaction) -> None:
            got.append(reaction.message_id)

        async def on_recall(recall: Recall) -> None:
            got.append(recall.key)

        consumer = bench.run(counting(on_reaction=on_reaction, on_recall=on_recall))
        assert bench.seen() == {"om_1": 1, "om_private": 1}
        assert got == ["om_2"]
        assert bench.status(consumer).skipped == {"group not in CHAT_ID": 2}
        assert bench.status(consumer).lag == 0


def test_a_new_plugin_starts_at_the_head(bench: Bench) -> None:
    bench.arrive(*texts(3))
    consumer = bench.start(counting(), at=None)
    bench.finish()
    bench.arrive(*texts(2, start=3))
    bench.finish()
    assert bench.seen() == {"om_3": 1, "om_4": 1}
    assert bench.status(consumer).cursor == 5


def test_a_plugin_without_events_is_idle_and_never_behind(bench: Bench) -> None:
    consumer = bench.run(plugin())
    head = bench.arrive(*texts(3))
    bench.finish()
    assert consumer.idle_at == head
    assert bench.status(consumer).lag == 0


def test_published_events_are_stored_with_the_commit_and_told_of(bench: Bench) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        payload = {"message_id": message.id, "names": ["李"]}
        ctx.publish("tester.seen", message.id, payload)
        payload["names"].append("added later")  # type: ignore[attr-defined]
        if message.id == "om_1":
            raise ValueError("this one not")

    bench.arrive(*texts(2))
    bench.run(plugin(on_message=on_message, publishes=("tester.seen",)))
    ((_, one),) = bench.store.publications(10)
    assert (one.type, one.event_id, one.event) == ("tester.seen", "om_0", {"message_id": "om_0", "names": ["李"]})
    assert bench.published.wait(5)


def test_a_view_kept_from_start_up_writes_like_any_other(bench: Bench) -> None:
    kept: list[Any] = []

    async def startup(ctx: Context[Any]) -> None:
        kept.extend([ctx.table(SEEN), ctx.state])

    async def on_message(message: Message) -> None:
        kept[0].add(message.id, times=1)
        kept[1].set("last", message.id)

    bench.arrive(*texts(2))
    consumer = bench.run(plugin(startup=startup, on_message=on_message))
    bench.arrive(*texts(2, start=2))
    bench.finish()
    assert bench.seen() == {f"om_{number}": 1 for number in range(4)}
    last = bench.store.get("tester", consumer.plugin.tables[-1], ("last",))
    assert last == {"name": "last", "value": "om_3"}


FOREIGN = Table("foreign", (Text("k"),), key=("k",))
UNDECLARED: dict[str, tuple[Any, str]] = {
    "a table": (
        lambda ctx: ctx.table(FOREIGN),
        r"tester: table 'foreign' is not in the manifest; add it to tables=\(…\)",
    ),
    "a column": (
        lambda ctx: ctx.table(SEEN).set("m", colour="red"),
        r"tester: table 'seen' has no column colour that can be changed; declare it in columns=\(…\)",
    ),
    "a column of the key": (
        lambda ctx: ctx.table(SEEN).set("m", message="other"),
        r"no column message that can be changed; .* do not change the key",
    ),
    "an index": (
        lambda ctx: ctx.table(SEEN).find(times=1),
        r"tester: find\(times\) on table 'seen' needs indexes=\(\('times',\),\) in its declaration",
    ),
    "a type": (
        lambda ctx: ctx.publish("tester.other", "1", {}),
        r"tester: type 'tester\.other' is not in the manifest; add it to publishes=\(…\)",
    ),
}


@pytest.mark.parametrize("what", UNDECLARED)
def test_what_is_not_declared_cannot_be_used_and_the_error_says_what_to_add(bench: Bench, what: str) -> None:
    use, told = UNDECLARED[what]
    raised: list[Exception] = []

    async def on_message(ctx: Context[Any]) -> None:
        try:
            use(ctx)
        except Exception as error:
            raised.append(error)
            raise Malformed("parked") from error

    bench.arrive(message("om_1"))
    bench.run(plugin(on_message=on_message))
    (error,) = raised
    assert type(error).__name__ == "Undeclared"
    with pytest.raises(type(error), match=told):
        raise error


def test_the_number_of_key_values_is_checked(bench: Bench) -> None:
    async def on_message(ctx: Context[Any]) -> None:
        ctx.table(SEEN).get("a", "b")

    bench.arrive(message("om_1"))
    bench.run(plugin(on_message=on_message))
    assert bench.store.due("tester", bench.now + 10_000, 9)
    with sqlite3.connect(bench.directory / "store.db") as database:
        ((error,),) = database.execute("SELECT error FROM retry").fetchall()
    database.close()
    assert error == "TypeError: the key of table 'seen' is ('message',), got ('a', 'b')"


async def test_hooks_may_wait_and_call_each_other(bench: Bench) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        await asyncio.sleep(0)
        await asyncio.to_thread(lambda: None)
        ctx.table(SEEN).add(message.id, times=1)

    bench.arrive(*texts(3))
    bench.run(plugin(on_message=on_message))
    assert len(bench.seen()) == 3


def test_a_table_by_message_is_read_ahead_and_counts_the_same(bench: Bench) -> None:
    replies = Table("replies", (Text("message"), Number("count")), key=("message",), by_message=True)

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(replies).add(message.id, count=0)
        if message.parent_id:
            ctx.table(replies).add(message.parent_id, count=1)

    bench.arrive(message("om_1"))
    for number in range(2, 8):  # Started anew each time, so that nothing is remembered from the batch before.
        bench.arrive(message(f"om_{number}", parent_id="om_1"), message(f"om_{number}0", parent_id=f"om_{number}"))
        assert bench.run(plugin(tables=(replies,), on_message=on_message)).stop(10)
    counts = {row["message"]: row["count"] for row in bench.store.scan("tester", replies)}
    assert counts == {"om_1": 6} | {f"om_{n}": 1 for n in range(2, 8)} | {f"om_{n}0": 0 for n in range(2, 8)}


def test_a_plugin_that_keeps_up_commits_every_so_often(bench: Bench) -> None:
    begun: list[float] = []
    consumer = bench.start(counting(before=lambda _: begun.append(time.monotonic())), commit_every=0.2)
    for number in range(3):
        bench.arrive(message(f"om_{number}"))
        until(lambda count=number + 1: len(begun) == count, "the event to be handled")
    bench.finish(consumer)
    assert all(later - earlier > 0.19 for earlier, later in itertools.pairwise(begun))
    assert bench.seen() == dict.fromkeys(("om_0", "om_1", "om_2"), 1)


def test_a_plugin_that_is_behind_does_not_wait_between_its_commits(bench: Bench) -> None:
    bench.arrive(*texts(2 * BATCH))
    bench.run(counting(), commit_every=1000.0, tick=1000.0)
    assert len(bench.seen()) == 2 * BATCH


@pytest.mark.parametrize(("seconds", "collected"), [(60.0, [0, 1, 2, 3]), (0.0, [0, 0, 0, 0])])
def test_a_batch_that_takes_long_is_committed_as_far_as_it_is(
    bench: Bench, seconds: float, collected: list[int]
) -> None:
    before: list[int] = []

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        before.append(len(ctx.unit.rows.get(SEEN, {})))
        ctx.table(SEEN).add(message.id, times=1)

    bench.arrive(*(message(f"om_{number}") for number in range(4)))
    bench.run(plugin(tables=(SEEN,), on_message=on_message), batch_seconds=seconds)
    assert before == collected
    assert bench.seen() == {f"om_{number}": 1 for number in range(4)}
