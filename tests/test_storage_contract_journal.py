"""What every storage engine promises about the journal (``core/storage/protocol.py``)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import storage_contract as contract
from storage_contract import record

from core.storage.protocol import Engine

reopen, engine, store = contract.reopen, contract.engine, contract.store


# The journal


def test_an_append_tells_fresh_ones_from_duplicates_and_where_the_head_is(engine: Engine) -> None:
    journal = engine.journal()
    assert journal.head() == 0
    assert journal.append([record("a"), record("b")]) == (2, 0, 2)
    assert journal.append([record("b"), record("c"), record("c")]).fresh == 1
    assert journal.append([record("a"), record("b"), record("c")])[:2] == (0, 3)
    events, _ = journal.read_after(0, ["a"], 10)
    assert [event.body for event in events] == [b"a", b"b", b"c"]
    assert journal.head() == events[-1].seq
    journal.close()


def test_an_append_of_nothing_is_nothing(engine: Engine) -> None:
    journal = engine.journal()
    assert journal.append([]) == (0, 0, 0)
    journal.append([record("a")])
    assert journal.append([]) == (0, 0, 1)
    journal.close()


def test_the_first_delivery_of_a_duplicate_is_the_one_that_is_kept(engine: Engine) -> None:
    journal = engine.journal()
    journal.append([record("a", body=b"first"), record("a", body=b"second")])
    journal.append([record("a", body=b"third")])
    events, _ = journal.read_after(0, ["a"], 10)
    assert [event.body for event in events] == [b"first"]
    journal.close()


def test_what_is_read_is_what_was_appended(engine: Engine) -> None:
    journal = engine.journal()
    body = bytes(range(256)) * 4096
    journal.append([record("k", "im.message.receive_v1", body=body)])
    ((event,), reached) = journal.read_after(0, ["im.message.receive_v1"], 10)
    assert (event.type, event.received, event.body) == ("im.message.receive_v1", 1000, body)
    assert event.intact
    assert reached == event.seq
    assert journal.fetch(event.seq) == event
    assert journal.fetch(event.seq + 1) is None
    journal.close()


def test_only_the_types_asked_for_are_read_and_the_position_passes_over_the_rest(engine: Engine) -> None:
    journal = engine.journal()
    journal.append([record("1", "a"), record("2", "b"), record("3", "c"), record("4", "a"), record("5", "b")])
    events, reached = journal.read_after(0, ["a", "c"], 10)
    assert [event.body for event in events] == [b"1", b"3", b"4"]
    assert reached == 5
    assert journal.read_after(reached, ["a", "c"], 10) == ([], 5)
    assert journal.read_after(0, ["nothing"], 10) == ([], 5)
    assert journal.read_after(0, [], 10) == ([], 5)
    journal.close()


def test_a_full_read_reaches_no_further_than_its_last_event(engine: Engine) -> None:
    journal = engine.journal()
    journal.append([record(str(number), "ab"[number % 2]) for number in range(10)])
    read: list[bytes] = []
    position, rounds = 0, 0
    while True:
        events, reached = journal.read_after(position, ["a"], 2)
        if reached == position:
            break
        read += [event.body for event in events]
        position, rounds = reached, rounds + 1
    assert read == [b"0", b"2", b"4", b"6", b"8"]
    assert (position, rounds) == (10, 3)
    journal.close()


def test_a_position_beyond_the_head_stays(engine: Engine) -> None:
    journal = engine.journal()
    journal.append([record("a")])
    assert journal.read_after(7, ["a"], 10) == ([], 7)
    journal.close()


def test_what_nobody_can_read_is_kept_counted_and_handed_to_nobody(engine: Engine) -> None:
    journal = engine.journal()
    journal.append([record("1", "malformed", "not JSON"), record("2"), record("3", "malformed", "not JSON")])
    journal.append([record("4", "malformed", "header is missing"), record("1", "malformed", "not JSON")])
    assert journal.rejected() == {"not JSON": 2, "header is missing": 1}
    assert [(dead.plugin, dead.seq, dead.error) for dead in journal.unreadable()] == [
        ("core", 4, "header is missing"),
        ("core", 3, "not JSON"),
        ("core", 1, "not JSON"),
    ]
    events, reached = journal.read_after(0, ["a", "malformed"], 10)
    assert ([event.body for event in events], reached) == ([b"2"], 4)
    kept = journal.fetch(1)
    assert kept is not None
    assert kept.body == b"1"
    journal.close()


def test_what_was_appended_is_there_after_the_process_ended(reopen: Callable[[], Engine]) -> None:
    reopen().journal().append([record("a"), record("b")])  # Neither handle nor engine is closed: it was killed.
    with reopen() as engine:
        journal = engine.journal()
        assert journal.head() == 2
        assert journal.append([record("a"), record("c")])[:2] == (1, 1)
        journal.close()


def test_a_reader_never_skips_while_others_append(engine: Engine) -> None:
    writers, each = 3, 200
    start = threading.Barrier(writers + 1)

    def write(writer: int) -> None:
        journal = engine.journal()
        start.wait()
        for number in range(0, each, 4):
            journal.append([record(f"{writer}-{number + one}", "ab"[one % 2]) for one in range(4)])
        journal.close()

    def follow() -> list[int]:
        journal = engine.journal()
        seen: list[int] = []
        position = 0
        start.wait()
        while len(seen) < writers * each // 2:
            events, position = journal.read_after(position, ["a"], 7)
            seen += [event.seq for event in events]
        journal.close()
        return seen

    with ThreadPoolExecutor(writers + 1) as pool:
        reading = pool.submit(follow)
        writing = [pool.submit(write, writer) for writer in range(writers)]
        seen = reading.result(60)
        for one in writing:
            one.result(60)
    journal = engine.journal()
    everything, _ = journal.read_after(0, ["a"], writers * each)
    journal.close()
    assert seen == [event.seq for event in everything]
    assert len(seen) == writers * each // 2
