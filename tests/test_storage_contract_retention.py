"""What every engine promises to upkeep: what is trimmed is gone, what is needed is known, no position comes again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import storage_contract as contract
from storage_contract import PLUGIN, record

from core.storage.protocol import Engine, JournalHandle, StoreHandle
from core.storage.values import Commit, Failure, Needed, Record, checksum

reopen, engine, store = contract.reopen, contract.engine, contract.store


@pytest.fixture
def journal(engine: Engine) -> Iterator[JournalHandle]:
    journal = engine.journal()
    journal.append([arrived(name, at) for name, at in zip("abcdef", range(10, 70, 10), strict=True)])
    yield journal
    journal.close()


def arrived(name: str, at: int) -> Record:
    lane, key, kind, _, _, problem, body = record(name)
    return Record(lane, key, kind, at, checksum(lane, key, kind, at, problem, body), problem, body)


def test_events_that_arrived_before_a_moment_are_found_step_by_step(journal: JournalHandle) -> None:
    assert journal.expired(0, 35, 2) == ([1, 2], 2)
    assert journal.expired(2, 35, 2) == ([3], 4)
    assert journal.expired(6, 35, 2) == ([], 0)


def test_what_is_trimmed_is_gone_and_its_positions_never_come_again(
    journal: JournalHandle, reopen: Callable[[], Engine]
) -> None:
    assert journal.trimmed() == 0
    journal.trim([4, 5, 6])
    journal.trim([1])
    assert (journal.trimmed(), journal.head()) == (6, 6)
    assert [journal.forgotten(after) for after in range(8)] == [4, 3, 3, 3, 2, 1, 0, 0]
    assert [event.seq for event in journal.read_after(0, ["a"], 10)[0]] == [2, 3]
    assert journal.read_after(3, ["a"], 10) == ([], 6)
    assert journal.fetch(5) is None
    with reopen() as again:
        later = again.journal()
        assert later.head() == 6
        assert later.append([record("g")]).head > 6
        later.close()


def test_an_event_in_quarantine_is_kept_counted_and_handed_to_nobody(journal: JournalHandle) -> None:
    journal.quarantine([2, 3], 99)
    journal.quarantine([3], 100)
    assert [event.seq for event in journal.read_after(0, ["a"], 10)[0]] == [1, 4, 5, 6]
    assert list(journal.rejected().values()) == [2]
    assert [(dead.seq, dead.parked) for dead in journal.unreadable()] == [(3, 99), (2, 99)]
    assert journal.expired(0, 1000, 10)[0] == [1, 4, 5, 6]
    assert journal.scrub(0, 10) == ([], 6)


def test_an_event_whose_checksum_is_wrong_is_found_wherever_it_stands(engine: Engine) -> None:
    journal = engine.journal()
    right = record("right")
    changes = {"lane": 4, "type": "b", "received": 1001, "body": b"other"}
    wrong = [record(name)._replace(**{name: value}) for name, value in changes.items()]
    journal.append([right, *wrong, record("known", problem="not JSON")])
    assert journal.scrub(0, 3) == ([2, 3], 3)
    assert journal.scrub(3, 3) == ([4, 5], 6)
    assert journal.scrub(6, 3) == ([], 0)
    journal.close()


def test_a_probe_writes_and_changes_nothing(journal: JournalHandle) -> None:
    journal.probe(1)
    journal.probe(2)
    assert (journal.head(), journal.trimmed(), len(journal.read_after(0, ["a"], 10)[0])) == (6, 0, 6)


def test_needed_is_what_the_slowest_reader_lacks_and_what_waits_for_another_attempt(store: StoreHandle) -> None:
    assert store.needed(()) == Needed(None, frozenset())
    assert store.needed(("nobody",)) == Needed(None, frozenset())
    store.cursor("slow", 3)
    store.cursor("off", 1)
    failures = [Failure(5, 1, "again", 10), Failure(7, 8, "never", None)]
    store.commit(Commit(PLUGIN, 0, 9, now=1, failures=failures))
    assert store.needed((PLUGIN, "slow")) == Needed(3, frozenset({5, 7}))
    assert store.needed((PLUGIN,)) == Needed(9, frozenset({5, 7}))


def test_room_that_was_given_up_can_be_given_back(engine: Engine) -> None:
    journal = engine.journal()
    journal.append([record(f"{number}", body=bytes(3000)) for number in range(200)])
    full = journal.size()
    assert full.unused == 0
    journal.trim(range(1, 151))
    assert journal.size().unused > full.total // 2
    for _ in range(20):
        journal.release(10)
    assert journal.size().unused == 0
    assert journal.size().total < full.total // 2
    assert len(journal.read_after(0, ["a"], 1000)[0]) == 50
    journal.close()
