"""Upkeep: what is checked when, what is trimmed and what never, and that appends hardly notice."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from faulty_disk import FULL, FaultyDisk
from storage_contract import record

from core.disk.upkeep import DAY, RUNNING, Upkeep
from core.errors import Damaged
from core.storage.protocol import StoreHandle
from core.storage.sqlite import SqliteEngine
from core.storage.values import Commit, Failure, Record, checksum

NOW = 1_800_000_000_000
READER = "reader"


class House:
    """A data directory, its clock and its upkeep."""

    def __init__(self, directory: Path, disk: FaultyDisk | None = None) -> None:
        self.directory = directory
        self.now = NOW
        self.engine = SqliteEngine(directory, disk.connect) if disk else SqliteEngine(directory)
        self.journal = self.engine.journal()
        self.store: StoreHandle = self.engine.store()

    def arrive(self, count: int, days_ago: float, body: bytes = b"{}") -> list[int]:
        """So many events that arrived then; their positions."""
        head, at = self.journal.head(), NOW - round(days_ago * DAY)
        self.journal.append([arrived(f"{head + number}", at, body) for number in range(count)])
        return list(range(head + 1, self.journal.head() + 1))

    def lately(self) -> int:
        """Something arrived just now, which only a program that hears nothing has not; its position."""
        return self.arrive(1, 0)[0]

    def handled(self, cursor: int, *failures: Failure, plugin: str = READER) -> None:
        before = self.store.cursor(plugin, 0)
        self.store.commit(Commit(plugin, before, cursor, now=NOW, failures=failures))

    def upkeep(self, keep_days: int = 30, **given: Any) -> Upkeep:
        fast = {"look_every": 0.005, "breath": 0.0} | given
        return Upkeep(
            self.engine, self.directory, lambda: [READER], keep_days=keep_days, clock=lambda: self.now, **fast
        )

    def looked(self, keep_days: int = 30, **given: Any) -> Upkeep:
        """What upkeep does in one day."""
        upkeep = self.upkeep(keep_days, **given)
        upkeep.start(self.store)
        until(lambda: upkeep.status().checked == self.now or upkeep.status().problem)
        upkeep.stop(self.store)
        return upkeep

    def kept(self) -> list[int]:
        return [event.seq for event in self.journal.read_after(0, ["a"], 10_000)[0]]

    def close(self) -> None:
        self.journal.close()
        self.store.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "data")
    yield house
    house.close()


def arrived(name: str, at: int, body: bytes) -> Record:
    lane, key, kind, _, _, _, _ = record(name)
    return Record(lane, key, kind, at, checksum(lane, key, kind, at, None, body), None, body)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_events_past_their_time_are_trimmed_once_everybody_has_handled_them(house: House) -> None:
    old, young = house.arrive(450, 31), house.arrive(5, 29)
    house.handled(young[-1])
    upkeep = house.looked()
    assert house.kept() == young
    assert upkeep.status().trimmed == len(old)
    assert house.journal.head() == young[-1]


def test_what_a_cursor_a_retry_or_a_dead_letter_needs_is_never_trimmed(house: House) -> None:
    old = house.arrive(300, 400)
    house.handled(old[249], Failure(old[3], 1, "again", NOW + DAY), Failure(old[220], 8, "never", None))
    house.handled(old[-1], Failure(old[5], 1, "of a plugin that is off", NOW), plugin="off")
    late = house.lately()
    house.looked()
    assert house.kept() == [old[3], old[5], old[220], *old[250:], late]


def test_a_clock_that_jumps_ahead_takes_nothing_that_may_be_pushed_again(house: House) -> None:
    seqs = house.arrive(3, 2) + house.arrive(3, 0.5)
    house.handled(seqs[-1])
    house.now += 31 * DAY
    house.looked()
    assert house.kept() == seqs[3:]
    house.now = NOW
    again = [arrived(str(seq - 1), NOW, b"{}") for seq in seqs[3:]]
    assert house.journal.append(again).duplicates == 3


def test_zero_days_keep_everything(house: House) -> None:
    old = house.arrive(3, 4000)
    house.handled(old[-1])
    house.looked(keep_days=0)
    assert house.kept() == old


def test_events_that_arrived_while_the_clock_was_wrong_do_not_stop_the_trimming(house: House) -> None:
    first, future, _ = house.arrive(250, 40), house.arrive(3, -4000), house.arrive(250, 40)
    late = house.lately()
    house.handled(late)
    house.looked()
    assert house.kept() == [*future, late]
    assert first


def test_a_damaged_event_goes_into_quarantine_and_stays_there(house: House) -> None:
    seqs = house.arrive(20, 40)
    house.handled(seqs[-1])
    with closing(sqlite3.connect(house.directory / "journal.db")) as other, other:
        other.execute("UPDATE event SET body = ? WHERE seq = ?", (b"[]", seqs[7]))
    late = house.lately()
    house.looked()
    assert house.kept() == [late]
    assert list(house.journal.rejected().values()) == [1]
    assert house.journal.fetch(seqs[7]) is not None
    house.now += DAY
    house.looked()
    assert list(house.journal.rejected().values()) == [1]


def test_a_clean_end_and_a_check_of_today_need_no_other(house: House) -> None:
    assert house.looked().status().checked == NOW
    house.now += DAY - 1
    upkeep = house.upkeep()
    upkeep.start(house.store)
    upkeep.wait_checked(20)
    upkeep.stop(house.store)
    assert upkeep.status().checked == NOW
    house.now += 1
    assert house.looked().status().checked == NOW + DAY


def test_after_an_end_that_was_not_clean_everything_is_checked(house: House) -> None:
    house.looked()
    house.now += 1000
    upkeep = house.upkeep()
    upkeep.start(house.store)
    upkeep.stop()  # Killed.
    assert house.store.note(RUNNING)
    assert house.looked().status().checked == NOW + 1000
    assert not house.store.note(RUNNING)


def test_a_check_that_is_owed_after_a_crash_stays_owed_until_it_was_made(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.looked()
    house.now += 1000
    house.store.set_note(RUNNING, "1")  # Killed.
    waiting, go_on = threading.Event(), threading.Event()

    def slow(directory: Path) -> list[Any]:
        waiting.set()
        go_on.wait(20)
        return []

    monkeypatch.setattr("core.disk.upkeep.hurt_pages", slow)
    upkeep = house.upkeep()
    upkeep.start(house.store)
    assert waiting.wait(20)
    threading.Timer(0.1, go_on.set).start()
    upkeep.stop(house.store)
    assert house.store.note(RUNNING)
    assert house.looked().status().checked == NOW + 1000
    assert not house.store.note(RUNNING)


def test_a_clock_that_was_put_back_does_not_put_off_the_check(house: House) -> None:
    house.looked()
    house.now -= 100 * DAY
    assert house.looked().status().checked == house.now


def test_damaged_pages_stop_the_start_and_the_next_one_too(house: House) -> None:
    house.arrive(200, 1, body=bytes(500))
    house.journal.close()
    path = house.directory / "journal.db"
    content = bytearray(path.read_bytes())
    content[-4096:] = os.urandom(4096)
    path.write_bytes(content)
    house.journal = house.engine.journal()
    for _ in range(2):
        upkeep = house.upkeep()
        upkeep.start(house.store)
        with pytest.raises(Damaged, match=r"journal\.db: the file is damaged: .*core restore DIR"):
            upkeep.wait_checked(20)
        upkeep.stop(house.store)
        assert "core restore" in upkeep.status().problem


def test_room_is_given_back_when_there_is_much_of_it(house: House) -> None:
    seqs = house.arrive(4000, 40, body=bytes(3000))
    house.handled(seqs[-1])
    house.lately()
    before = house.journal.size()
    assert before.unused == 0
    house.looked()
    assert house.journal.size().total < before.total / 5


def test_appends_hardly_wait_for_upkeep(house: House) -> None:
    seqs = house.arrive(3000, 40, body=os.urandom(1500))
    house.handled(seqs[-1])
    upkeep, waits = house.upkeep(breath=0.002), []
    upkeep.start(house.store)
    while upkeep.status().checked is None:
        since = time.monotonic()
        house.arrive(1, 0, body=b"new")
        waits.append(time.monotonic() - since)
    upkeep.stop(house.store)
    assert upkeep.status().trimmed == len(seqs)
    waits.sort()
    print(
        f"{len(waits)} appends beside upkeep: median {waits[len(waits) // 2] * 1000:.1f} ms, "
        f"p99 {waits[len(waits) * 99 // 100] * 1000:.1f} ms, longest {waits[-1] * 1000:.1f} ms"
    )
    assert waits[len(waits) // 2] < 0.1
    assert waits[-1] < 2


def test_upkeep_that_cannot_write_says_so_and_tries_again(tmp_path: Path) -> None:
    disk = FaultyDisk()
    house = House(tmp_path / "data", disk)
    seqs = house.arrive(3, 40)
    house.handled(seqs[-1])
    upkeep = house.upkeep()
    upkeep.start(house.store)
    until(lambda: upkeep.status().checked == NOW)
    disk.fault = FULL
    house.now += DAY
    until(lambda: "free space" in upkeep.status().warning)
    disk.fault = None
    until(lambda: not upkeep.status().warning)
    assert upkeep.status().checked == NOW + DAY
    upkeep.stop(house.store)
    house.close()


def test_a_disk_that_is_nearly_full_is_told_before_it_is(house: House) -> None:
    assert not house.upkeep(free_space=lambda path: 2**40).status().warning
    status = house.upkeep(free_space=lambda path: 12 * 2**20).status()
    assert status.warning.startswith("only 12 MB are left")
    assert status.free == 12 * 2**20


def test_a_data_directory_that_is_gone_is_a_problem(tmp_path: Path, house: House) -> None:
    upkeep = Upkeep(house.engine, tmp_path / "gone", lambda: [READER], keep_days=30, clock=lambda: NOW)
    assert "cannot be read" in upkeep.status().problem


def test_the_end_does_not_wait_for_work_that_is_under_way(house: House) -> None:
    house.handled(house.arrive(2000, 40)[-1])
    upkeep = house.upkeep(breath=10)
    upkeep.start(house.store)
    upkeep.wait_checked(20)
    since = time.monotonic()
    upkeep.stop(house.store)
    assert time.monotonic() - since < 5
    assert "upkeep" not in {thread.name for thread in threading.enumerate()}
