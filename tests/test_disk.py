"""A disk that is full, read-only, busy or damaged: what the storage says and keeps, and that it goes on afterwards."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from faulty_disk import BROKEN, FULL, READ_ONLY, FaultyDisk
from feishu_events import SENT, message
from storage_contract import NOTES, PLUGIN, SCORES, put, record

from core.errors import Damaged, StorageError
from core.journal import Journal
from core.storage.protocol import JournalHandle
from core.storage.sqlite import SqliteEngine

SMALL = 4 * 2**20
"""Bytes of the small disk."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system that is soon full."""
    place = tmp_path / "small"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", place], capture_output=True)
    if mount.returncode:
        pytest.skip(f"this user may not mount a small disk: {mount.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize(
    ("fault", "advice"),
    [(FULL, "free space on the disk of DATA_DIR"), (READ_ONLY, "writable"), (BROKEN, "see the log of the machine")],
)
def test_a_disk_that_refuses_is_told_with_what_to_do_and_nothing_is_stored(
    directory: Path, fault: tuple[int, str], advice: str
) -> None:
    disk = FaultyDisk()
    engine = SqliteEngine(directory, disk.connect)
    journal, store = engine.journal(), engine.store()
    journal.append([record("a")])
    disk.fault = fault
    for write in (lambda: journal.append([record("b")]), lambda: store.set_note("n", "1"), lambda: journal.probe(1)):
        with pytest.raises(StorageError, match=advice):
            write()
    assert (journal.head(), store.note("n")) == (1, None)
    disk.fault = None
    assert journal.append([record("a"), record("b")])[:2] == (1, 1)
    journal.close()
    store.close()


def test_it_is_known_when_the_journal_can_be_written_again_before_an_event_comes(directory: Path) -> None:
    disk, told = FaultyDisk(), Queue[Any]()
    journal = Journal(SqliteEngine(directory, disk.connect), clock=lambda: SENT, on_fresh=lambda: None)
    journal.start()
    try:
        disk.fault = FULL
        journal.submit(message("om_1"), 1, lambda tickets, error: told.put(error))
        assert "free space" in str(told.get(timeout=20))
        assert "free space" in journal.status({}).problem
        refused = disk.refused
        _until(lambda: disk.refused > refused)
        disk.fault = None
        _until(lambda: not journal.status({}).problem)
        assert journal.head == 0  # What was not acknowledged was not stored either; the platform pushes it again.
        journal.submit(message("om_1"), 1, lambda tickets, error: told.put(error))
        assert told.get(timeout=20) is None
    finally:
        journal.stop()


def test_a_full_disk_takes_no_acknowledged_event_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    ballast, engine = small_disk / "ballast", SqliteEngine(small_disk / "data")
    ballast.write_bytes(bytes(SMALL // 2))
    journal: Any = engine.journal()
    acknowledged = 0
    for _ in range(3):
        error, count = _fill(journal, acknowledged)
        assert "free space on the disk of DATA_DIR" in str(error)
        assert not journal._database.in_transaction
        assert count > acknowledged
        acknowledged = count
        ballast.write_bytes(bytes(max(0, ballast.stat().st_size - SMALL // 8)))
        assert len(journal.read_after(0, ["a"], 10_000)[0]) == acknowledged
        assert journal.scrub(0, 10_000)[0] == []
    assert journal.read("PRAGMA integrity_check") == [("ok",)]
    journal.close()


def _fill(journal: JournalHandle, number: int) -> tuple[StorageError, int]:
    """Append until the disk is full; why it was, and how many events there are then."""
    while True:
        try:
            journal.append([record(f"{number}", body=os.urandom(20_000))])
        except StorageError as error:
            return error, number
        number += 1


def test_a_database_that_is_busy_is_told_and_used_again(directory: Path) -> None:
    engine = SqliteEngine(directory, lambda path: sqlite3.connect(path, isolation_level=None, timeout=0.01))
    journal = engine.journal()
    with sqlite3.connect(directory / "journal.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="another process holds the database"):
            journal.append([record("a")])
        other.execute("ROLLBACK")
    other.close()
    assert journal.append([record("a")]).fresh == 1
    journal.close()


def test_a_damaged_page_is_told_with_the_command_that_helps(directory: Path) -> None:
    store = SqliteEngine(directory).store()
    store.prepare(PLUGIN, (SCORES, NOTES))
    store.cursor(PLUGIN, 0)
    put(store, NOTES, *({"message": f"m{number}", "author": "a" * 200} for number in range(200)))
    store.close()
    content = bytearray((directory / "store.db").read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 300] = os.urandom(300)
    (directory / "store.db").write_bytes(content)
    with pytest.raises(Damaged, match="core restore DIR"):
        list(SqliteEngine(directory).store().scan(PLUGIN, NOTES))


def test_a_file_that_is_no_database_names_the_command_that_helps(directory: Path) -> None:
    directory.mkdir()
    (directory / "journal.db").write_bytes(os.urandom(8192))
    with pytest.raises(Damaged, match=r"journal\.db: file is not a database: .*core restore DIR"):
        SqliteEngine(directory)


def test_a_row_that_cannot_be_read_at_all_stands_alone(directory: Path) -> None:
    journal = _with_a_broken_header(directory)
    events, reached = journal.read_after(0, ["a"], 10)
    assert [(event.seq, event.intact) for event in events] == [(1, True), (2, False), (3, True)]
    assert reached == 3
    assert journal.read_after(0, ["b"], 10)[0] == [events[1]]  # Nobody can say what type it had.
    broken = journal.fetch(2)
    assert broken is not None
    assert not broken.intact
    assert journal.scrub(0, 10) == ([2], 3)
    journal.quarantine([2], 5)
    assert [event.seq for event in journal.read_after(0, ["a"], 10)[0]] == [1, 3]
    assert journal.rejected() == {"stored bytes are damaged (CRC)": 1}
    assert [(one.seq, one.parked) for one in journal.unreadable()] == [(2, 5)]
    journal.close()


def _with_a_broken_header(directory: Path) -> JournalHandle:
    journal = SqliteEngine(directory).journal()
    journal.append([record(key, body=key.encode() * 50) for key in ("one", "two", "three")])
    journal.close()
    path = directory / "journal.db"
    content = bytearray(path.read_bytes())
    at = content.index(b"two.............")
    content[at - 9 : at - 2] = b"\xff" * 7  # The kinds and lengths of its columns.
    path.write_bytes(content)
    return SqliteEngine(directory).journal()


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
