"""A backup is one moment of both databases, taken while the program works; the way back loses nothing it can read."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from storage_contract import PLUGIN, SCORES, record

from core.disk.backup import back_up, read_backup, restore
from core.disk.integrity import inspect
from core.errors import StorageError
from core.storage import open_engine
from core.storage.protocol import Engine, JournalHandle, StoreHandle
from core.storage.values import Commit, Failure, Publication

NOW = 1_800_000_000_000
STAMP = "20270115-080000"


class Work:
    """A program's data: events that arrive, and a plugin that counts them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.engine: Engine = open_engine(directory)
        self.journal: JournalHandle = self.engine.journal()
        self.store: StoreHandle = self.engine.store()
        self.store.prepare(PLUGIN, (SCORES,))
        self.number = self.journal.head()

    def arrive(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.journal.append([record(f"event {self.number}", body=f"{self.number}".encode() * 40)])

    def handle(self) -> None:
        """Count all there is."""
        cursor = self.store.cursor(PLUGIN, 0)
        events, reached = self.journal.read_after(cursor, ["a"], 100_000)
        row = self.store.get(PLUGIN, SCORES, ("all",)) or {**SCORES.blank, "user": "all"}
        row["points"] += len(events)
        published = [Publication("counted", f"{reached}", {})]
        self.store.commit(Commit(PLUGIN, cursor, reached, now=1, rows={SCORES: {("all",): row}}, published=published))

    def counted(self) -> float:
        row = self.store.get(PLUGIN, SCORES, ("all",))
        return row["points"] if row else 0

    def keys(self) -> list[bytes]:
        return [event.body for event in self.journal.read_after(0, ["a"], 100_000)[0]]

    def close(self) -> None:
        self.journal.close()
        self.store.close()


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    work = Work(tmp_path / "data")
    yield work
    work.close()


def ruin(path: Path) -> None:
    """Nothing of this file is what it was."""
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    path.write_bytes(os.urandom(16384))


def hurt_last_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-4096:] = os.urandom(4096)
    path.write_bytes(content)


def bodies(count: int) -> list[bytes]:
    return [f"{number}".encode() * 40 for number in range(1, count + 1)]


def test_a_backup_says_what_it_is_and_only_its_owner_may_read_it(work: Work, tmp_path: Path) -> None:
    work.arrive(5)
    work.handle()
    work.arrive(2)
    work.store.set_note("app", "cli_1")
    backup = back_up(work.directory, tmp_path / "deep" / "backup", now=NOW)
    assert (backup.made, backup.app, backup.head, backup.cursor) == ("2027-01-15T08:00:00+00:00", "cli_1", 7, 5)
    assert read_backup(tmp_path / "deep" / "backup") == backup
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in (tmp_path / "deep" / "backup").iterdir()}
    assert modes == {"journal.db": 0o600, "store.db": 0o600, "backup.json": 0o600}
    assert stat.S_IMODE((tmp_path / "deep" / "backup").stat().st_mode) == 0o700
    assert not list((tmp_path / "deep").glob("*.part"))


def test_backups_taken_beside_the_work_always_fit_together(work: Work, tmp_path: Path) -> None:
    over = threading.Event()

    def go_on() -> None:
        busy = Work(work.directory)
        while not over.is_set():
            busy.arrive(3)
            busy.handle()
        busy.close()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        for number in range(8):
            backup = back_up(work.directory, tmp_path / f"backup-{number}", now=NOW)
            assert backup.cursor <= backup.head
            copy = Work(tmp_path / f"backup-{number}")
            assert copy.counted() == copy.store.cursor(PLUGIN, 0) == backup.cursor
            copy.handle()
            assert copy.counted() == len(copy.keys()) == backup.head
            copy.close()
    finally:
        over.set()
        thread.join()


def test_a_backup_is_not_written_over_another_one(work: Work, tmp_path: Path) -> None:
    back_up(work.directory, tmp_path / "backup", now=NOW)
    with pytest.raises(StorageError, match=f"exists; name a new directory, for example .*{STAMP}"):
        back_up(work.directory, tmp_path / "backup", now=NOW)


def test_without_data_there_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not there; set DATA_DIR"):
        back_up(tmp_path, tmp_path / "backup", now=NOW)


def test_damaged_data_is_not_taken_for_a_backup(work: Work, tmp_path: Path) -> None:
    work.arrive(300)
    work.close()
    hurt_last_page(work.directory / "journal.db")
    with pytest.raises(StorageError):
        back_up(work.directory, tmp_path / "backup", now=NOW)
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("name", ["journal.db", "store.db", "backup.json"])
def test_a_backup_that_was_changed_is_refused(work: Work, tmp_path: Path, name: str) -> None:
    work.arrive(3)
    back_up(work.directory, tmp_path / "backup", now=NOW)
    path = tmp_path / "backup" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(StorageError):
        restore(work.directory, tmp_path / "backup", whole=True, now=NOW)
    assert len(work.keys()) == 3


def test_a_backup_stays_as_it_is_however_often_it_is_restored(work: Work, tmp_path: Path) -> None:
    work.arrive(20)
    work.handle()
    back_up(work.directory, tmp_path / "backup", now=NOW)
    before = {file.name: file.read_bytes() for file in (tmp_path / "backup").iterdir()}
    for number in range(3):
        restore(tmp_path / f"data {number}", tmp_path / "backup", now=NOW)
        assert {file.name: file.read_bytes() for file in (tmp_path / "backup").iterdir()} == before
        assert inspect(tmp_path / f"data {number}") == []


def test_a_backup_of_a_later_version_is_refused(work: Work, tmp_path: Path) -> None:
    back_up(work.directory, tmp_path / "backup", now=NOW)
    path = tmp_path / "backup" / "backup.json"
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"format": 2}))
    with pytest.raises(StorageError, match="another version"):
        read_backup(tmp_path / "backup")


def test_a_sound_directory_is_left_alone(work: Work, tmp_path: Path) -> None:
    back_up(work.directory, tmp_path / "backup", now=NOW)
    with pytest.raises(StorageError, match=r"nothing in .* is damaged; with --whole"):
        restore(work.directory, tmp_path / "backup", now=NOW)


def test_a_damaged_store_catches_up_from_the_journal(work: Work, tmp_path: Path) -> None:
    work.arrive(10)
    work.handle()
    back_up(work.directory, tmp_path / "backup", now=NOW)
    work.arrive(10)
    work.handle()
    work.close()
    ruin(work.directory / "store.db")
    done = restore(work.directory, tmp_path / "backup", now=NOW)
    assert (done.taken, done.aside) == (("store.db",), work.directory / f"replaced-{STAMP}")
    assert (work.directory / f"replaced-{STAMP}" / "store.db").stat().st_size == 16384
    again = Work(work.directory)
    assert again.counted() == 10
    again.handle()
    assert again.counted() == len(again.keys()) == 20
    again.close()
    assert inspect(work.directory) == []


def test_a_store_that_is_put_back_finds_events_that_were_trimmed_since(work: Work, tmp_path: Path) -> None:
    work.arrive(10)
    back_up(work.directory, tmp_path / "backup", now=NOW)
    work.handle()
    work.arrive(2)
    work.journal.trim(range(1, 11))
    work.close()
    ruin(work.directory / "store.db")
    restore(work.directory, tmp_path / "backup", now=NOW)
    again = Work(work.directory)
    again.handle()
    assert again.counted() == 12
    again.close()


def test_a_dead_letter_that_is_put_back_finds_its_event_though_it_was_trimmed_since(work: Work, tmp_path: Path) -> None:
    work.arrive(10)
    work.handle()
    work.store.commit(Commit(PLUGIN, 10, 10, now=1, failures=[Failure(3, 8, "no luck", None)]))
    back_up(work.directory, tmp_path / "backup", now=NOW)
    work.store.commit(Commit(PLUGIN, 10, 10, now=2, settled=[3]))
    work.journal.trim(range(1, 11))
    work.close()
    ruin(work.directory / "store.db")
    restore(work.directory, tmp_path / "backup", now=NOW)
    again = Work(work.directory)
    assert again.store.needed(()).events == {3}
    assert again.journal.fetch(3) is not None
    again.close()


def test_of_a_damaged_journal_everything_that_can_be_read_is_kept(work: Work, tmp_path: Path) -> None:
    work.arrive(200)
    back_up(work.directory, tmp_path / "backup", now=NOW)
    work.arrive(300)
    work.handle()
    work.close()
    hurt_last_page(work.directory / "journal.db")
    assert inspect(work.directory)
    done = restore(work.directory, tmp_path / "backup", now=NOW)
    assert done.taken == ("journal.db",)
    assert 200 < done.salvaged < 300
    again = Work(work.directory)
    kept = again.keys()
    assert set(kept) <= set(bodies(500))
    assert kept[:200] == bodies(200)
    assert len(kept) == 200 + done.salvaged
    assert again.counted() == 500
    assert again.journal.head() == 500  # New events must come after what was handled.
    again.arrive(1)
    again.handle()
    assert again.counted() == 501
    again.close()
    assert inspect(work.directory) == []


def test_a_journal_that_is_gone_goes_on_behind_the_cursors(work: Work, tmp_path: Path) -> None:
    work.arrive(5)
    back_up(work.directory, tmp_path / "backup", now=NOW)
    work.arrive(5)
    work.handle()
    work.close()
    for path in work.directory.glob("journal.db*"):
        path.unlink()
    assert "is not there" in str(inspect(work.directory)[0])
    done = restore(work.directory, tmp_path / "backup", now=NOW)
    assert (done.taken, done.salvaged, done.aside) == (("journal.db",), 0, None)
    again = Work(work.directory)
    assert again.keys() == bodies(5)
    again.number = 10
    again.arrive(1)
    again.handle()
    assert again.counted() == 11
    again.close()


def test_both_are_taken_where_nothing_is_left(work: Work, tmp_path: Path) -> None:
    work.arrive(5)
    work.handle()
    back_up(work.directory, tmp_path / "backup", now=NOW)
    done = restore(tmp_path / "elsewhere", tmp_path / "backup", now=NOW)
    assert (done.taken, done.aside) == (("journal.db", "store.db"), None)
    again = Work(tmp_path / "elsewhere")
    assert (again.counted(), again.keys()) == (5, bodies(5))
    again.close()


def test_the_whole_backup_takes_the_place_of_sound_data(work: Work, tmp_path: Path) -> None:
    work.arrive(5)
    work.handle()
    back_up(work.directory, tmp_path / "backup", now=NOW)
    work.arrive(5)
    work.handle()
    work.close()
    done = restore(work.directory, tmp_path / "backup", whole=True, now=NOW)
    assert done.taken == ("journal.db", "store.db")
    again = Work(work.directory)
    assert (again.counted(), again.keys()) == (5, bodies(5))
    again.close()
    aside = Work(work.directory / f"replaced-{STAMP}")
    assert (aside.counted(), aside.keys()) == (10, bodies(10))
    aside.close()


def test_a_backup_of_other_data_is_refused(work: Work, tmp_path: Path) -> None:
    work.arrive(5)
    other = Work(tmp_path / "other")
    other.number = 100
    other.arrive(5)
    other.close()
    back_up(tmp_path / "other", tmp_path / "backup", now=NOW)
    work.close()
    ruin(work.directory / "store.db")
    with pytest.raises(StorageError, match="a backup of other data"):
        restore(work.directory, tmp_path / "backup", now=NOW)
    assert not (work.directory / "restoring").exists()


def test_inspecting_names_damaged_events_and_a_journal_that_is_too_short(work: Work) -> None:
    work.arrive(3)
    work.handle()
    assert inspect(work.directory) == []
    with sqlite3.connect(work.directory / "journal.db", isolation_level=None) as other:
        other.execute("UPDATE event SET received = received + 1 WHERE seq = 2")
        other.execute("DELETE FROM event WHERE seq = 3")
    other.close()
    told = [problem.what for problem in inspect(work.directory)]
    assert told == [
        "1 events are damaged (CRC): 2",
        f"{PLUGIN} has handled event 3 but the journal ends at 2: journal.db was lost or replaced",
    ]
