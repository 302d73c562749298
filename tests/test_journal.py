"""The door: group commit, confirmation after the disk, what cannot be read, a disk that refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import Any, Self

import orjson
import pytest
from feishu_events import LI, SENT, message, message_event, pushed, reaction, recall

from core.errors import StorageError
from core.journal import MOST_PER_COMMIT, Journal, admit
from core.storage import open_engine
from core.storage.protocol import Engine, JournalHandle, StoreHandle
from core.storage.values import Appended, Record, Stored

Outcome = tuple[list[Any], StorageError | None]


class Gate:
    """A journal handle whose appends wait to be let through, and fail on demand."""

    def __init__(self, handle: JournalHandle) -> None:
        self._handle = handle
        self.entered: Queue[int] = Queue()
        """The size of each append, put when it begins."""
        self.free = threading.Event()
        self.free.set()
        self.failure: StorageError | None = None

    def append(self, records: Sequence[Record]) -> Appended:
        self.entered.put(len(records))
        assert self.free.wait(20)
        if self.failure is not None:
            raise self.failure
        return self._handle.append(records)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


class GatedEngine:
    """The real engine; the handle that the journal's thread opens is gated."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.opened: Queue[Gate] = Queue()

    def journal(self) -> JournalHandle:
        if threading.current_thread().name != "journal":
            return self._engine.journal()
        gate: Any = Gate(self._engine.journal())
        self.opened.put(gate)
        return gate  # type: ignore[no-any-return]

    def store(self) -> StoreHandle:
        return self._engine.store()

    def close(self) -> None:
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Door:
    """A running journal, and what its producers were told."""

    def __init__(self, directory: Path, fresh: Callable[[], None] = lambda: None) -> None:
        engine = GatedEngine(open_engine(directory))
        self.engine = engine
        self.outcomes: Queue[Outcome] = Queue()
        self.journal = Journal(engine, clock=lambda: SENT, on_fresh=fresh)
        self.journal.start()
        self.gate = engine.opened.get(timeout=20)

    def confirm(self, tickets: Sequence[Any], error: StorageError | None) -> None:
        self.outcomes.put((list(tickets), error))

    def submit(self, *bodies: bytes) -> None:
        for number, body in enumerate(bodies):
            self.journal.submit(body, number, self.confirm)

    def told(self) -> Outcome:
        return self.outcomes.get(timeout=20)

    def take(self, *bodies: bytes) -> Outcome:
        """Submit one after the other; the outcome of the last."""
        outcome: Outcome = ([], None)
        for body in bodies:
            self.submit(body)
            outcome = self.told()
        return outcome

    def stored(self) -> list[Stored]:
        handle = self.engine.journal()
        events = [event for seq in range(1, handle.head() + 1) if (event := handle.fetch(seq)) is not None]
        handle.close()
        return events

    def rejected(self) -> dict[str, int]:
        handle = self.engine.journal()
        reasons = handle.rejected()
        handle.close()
        return reasons


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path)
    yield door
    door.gate.free.set()
    door.journal.stop()


def texts(count: int, prefix: str = "om") -> list[bytes]:
    return [message(f"{prefix}_{number}") for number in range(count)]


def test_whatever_has_arrived_is_committed_together(door: Door) -> None:
    door.gate.free.clear()
    bodies = texts(101)
    door.submit(bodies[0])
    assert door.gate.entered.get(timeout=20) == 1
    door.submit(*bodies[1:])
    door.gate.free.set()
    assert door.told() == ([0], None)
    assert door.told() == (list(range(100)), None)
    assert door.gate.entered.get(timeout=20) == 100
    assert [event.body for event in door.stored()] == bodies


def test_a_commit_takes_no_more_than_its_limit(door: Door) -> None:
    door.gate.free.clear()
    door.submit(message("om_first"))
    door.gate.entered.get(timeout=20)
    door.submit(*texts(MOST_PER_COMMIT + 3))
    door.gate.free.set()
    sizes = [len(door.told()[0]) for _ in range(3)]
    assert sizes == [1, MOST_PER_COMMIT, 3]


def test_nothing_is_confirmed_before_it_is_on_disk(tmp_path: Path) -> None:
    seen: Queue[int] = Queue()
    door = Door(tmp_path)

    def confirm(tickets: Sequence[Any], error: StorageError | None) -> None:
        handle = door.engine._engine.journal()
        seen.put(handle.head())
        handle.close()

    door.gate.free.clear()
    door.journal.submit(message("om_1"), 1, confirm)
    door.gate.entered.get(timeout=20)
    assert seen.empty()
    door.gate.free.set()
    assert seen.get(timeout=20) == 1
    door.journal.stop()


def test_each_producer_is_told_about_its_own_events(door: Door) -> None:
    other: Queue[list[Any]] = Queue()

    def confirm(tickets: Sequence[Any], error: StorageError | None) -> None:
        other.put(list(tickets))

    door.gate.free.clear()
    door.submit(message("om_0"))
    door.gate.entered.get(timeout=20)
    for number in range(1, 5):
        door.journal.submit(message(f"om_{number}"), number, confirm if number % 2 else door.confirm)
    door.gate.free.set()
    assert [door.told()[0], door.told()[0]] == [[0], [2, 4]]
    assert other.get(timeout=20) == [1, 3]


def test_a_producer_that_left_does_not_stop_the_journal(door: Door) -> None:
    def confirm(tickets: Sequence[Any], error: StorageError | None) -> None:
        raise RuntimeError("Event loop is closed")

    door.journal.submit(message("om_1"), 1, confirm)
    assert door.take(message("om_2")) == ([0], None)
    assert len(door.stored()) == 2


def test_duplicates_are_confirmed_and_dropped_also_after_a_restart(tmp_path: Path) -> None:
    fresh: list[int] = []
    again = (message("om_1"), message("om_1"), recall("om_1"), reaction("om_1"), reaction("om_1"))
    counts: list[tuple[int, int]] = []
    for _ in range(2):
        door = Door(tmp_path, lambda: fresh.append(1))
        for body in again:
            assert door.take(body) == ([0], None)
        status = door.journal.status({})
        counts.append((status.received, status.duplicates))
        assert len(door.stored()) == 3
        door.journal.stop()
    assert counts == [(3, 2), (0, 5)]
    assert len(fresh) == 3


def test_a_message_delivered_again_under_another_event_id_is_the_same_one(door: Door) -> None:
    door.take(message("om_1", event_id="e1"), message("om_1", event_id="e2"), message("om_2", event_id="e1"))
    assert len(door.stored()) == 2


MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not JSON"),
    "text": (b"hello", "not JSON"),
    "half a document": (message("om_1")[:-20], "not JSON"),
    "not UTF-8": (message("om_1").replace("你".encode(), b"\xff"), "not JSON"),
    "a lone surrogate": (b'{"event":"\\ud83d"}', "not JSON"),
    "deep nesting": (b'{"a":' * 100_000, "not JSON"),
    "deep nesting that ends": (b'{"a":' * 2000 + b"1" + b"}" * 2000, "not JSON"),
    "an array": (b"[1,2]", "not a JSON object"),
    "no event": (b"{}", "event is missing or of the wrong type"),
    "no header": (b'{"schema":"2.0","event":{}}', "type is missing or of the wrong type"),
    "an empty header": (b'{"header":{},"event":{}}', "event_type is missing or of the wrong type"),
    "a header of the wrong type": (b'{"header":"x","event":{}}', "header is missing or of the wrong type"),
    "no sender": (
        pushed("im.message.receive_v1", {"message": message_event("om_1")["message"]}),
        "sender is missing or of the wrong type",
    ),
    "a number for an id": (message("om_1", chat_id=7), "chat_id is missing or of the wrong type"),
    "a megabyte of nothing": (bytes(1_000_000), "not JSON"),
    "a megabyte of JSON": (orjson.dumps({"event": ["x" * 1_000_000]}), "event is missing or of the wrong type"),
}


def test_what_cannot_be_read_is_kept_with_its_reason_and_confirmed(door: Door) -> None:
    for body, _ in MALFORMED.values():
        assert door.take(body) == ([0], None)
    assert [event.body for event in door.stored()] == [body for body, _ in MALFORMED.values()]
    reasons = [reason for _, reason in MALFORMED.values()]
    assert door.rejected() == {reason: reasons.count(reason) for reason in reasons}
    door.take(*(body for body, _ in MALFORMED.values()))
    assert len(door.stored()) == len(MALFORMED)
    assert door.take(message("om_1")) == ([0], None)
    assert door.stored()[-1].type == "im.message.receive_v1"


def test_garbage_never_takes_the_place_of_a_message() -> None:
    garbage, real = admit(b"message:om_1", SENT), admit(message("om_1"), SENT)
    assert garbage.problem is not None
    assert real.problem is None
    assert garbage.key != real.key


def test_a_large_message_is_an_event_like_any_other(door: Door) -> None:
    body = message("om_1", text="深" * 400_000)
    door.take(body)
    assert [event.body for event in door.stored()] == [body]
    assert door.rejected() == {}


def test_while_the_disk_refuses_nothing_is_confirmed_and_afterwards_all_goes_on(door: Door) -> None:
    refusal = StorageError("disk full")
    door.gate.failure = refusal
    assert door.take(message("om_1")) == ([0], refusal)
    assert door.take(message("om_2")) == ([0], refusal)
    status = door.journal.status({})
    assert (status.problem, status.received, status.head) == ("disk full", 0, 0)
    assert door.stored() == []
    door.gate.failure = None
    assert door.take(message("om_2")) == ([0], None)
    status = door.journal.status({"not JSON": 1})
    assert (status.problem, status.received, status.head, status.rejected) == ("", 1, 1, {"not JSON": 1})
    assert door.take(message("om_1")) == ([0], None)
    assert len(door.stored()) == 2


def test_stopping_stores_what_was_submitted_before(tmp_path: Path) -> None:
    door = Door(tmp_path)
    bodies = texts(3 * MOST_PER_COMMIT)
    door.submit(*bodies)
    door.journal.stop()
    door.journal.stop()
    assert [event.body for event in door.stored()] == bodies
    confirmed = sum(len(door.outcomes.get_nowait()[0]) for _ in range(door.outcomes.qsize()))
    assert confirmed == len(bodies)


def test_a_journal_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    Journal(open_engine(tmp_path), clock=lambda: SENT, on_fresh=lambda: None).stop()


def test_the_head_is_known_from_the_start(tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.take(*texts(4))
    door.journal.stop()
    door = Door(tmp_path)
    assert door.journal.head == 4
    door.journal.stop()


def test_a_journal_that_cannot_be_opened_says_so_at_the_start(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "data")
    for entry in (tmp_path / "data").iterdir():
        entry.unlink()
    (tmp_path / "data").rmdir()
    with pytest.raises(StorageError):
        Journal(engine, clock=lambda: SENT, on_fresh=lambda: None).start()


async def test_an_append_returns_when_everything_is_durable(door: Door) -> None:
    await door.journal.append(texts(1000))
    assert len(door.stored()) == 1000
    await door.journal.append([])
    await door.journal.append([message("om_0"), message("om_new", LI)])
    assert len(door.stored()) == 1001


async def test_an_append_that_was_refused_raises(door: Door) -> None:
    door.gate.failure = StorageError("disk full")
    with pytest.raises(StorageError, match="disk full"):
        await door.journal.append(texts(3))
    door.gate.failure = None
    await door.journal.append(texts(3))
    assert len(door.stored()) == 3
