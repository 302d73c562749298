"""What SQLite alone has: files and their modes, durability settings, layout, and errors told as ``StorageError``."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from storage_contract import NOTES, PLUGIN, SCORES, put, record

from core.errors import StorageError
from core.storage.protocol import StoreHandle
from core.storage.sqlite import SqliteEngine
from core.storage.sqlite.handle import SqliteHandle


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(directory: Path) -> Iterator[StoreHandle]:
    store = SqliteEngine(directory).store()
    store.prepare(PLUGIN, (SCORES, NOTES))
    store.cursor(PLUGIN, 0)
    yield store
    store.close()


def asked(handle: Any, question: str) -> list[Any]:
    return list(handle._database.execute(question).fetchall())


def test_only_the_owner_may_read_what_is_stored(directory: Path) -> None:
    before = os.umask(0)
    try:
        engine = SqliteEngine(directory)
        journal, store = engine.journal(), engine.store()
        journal.append([record("a")])
        store.set_note("a", "b")
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in directory.iterdir()}
        journal.close()
        store.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {"journal.db", "journal.db-wal", "store.db", "store.db-wal"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_every_handle_writes_ahead_and_syncs_fully(directory: Path) -> None:
    engine = SqliteEngine(directory)
    for handle in (engine.journal(), engine.store()):
        assert asked(handle, "PRAGMA journal_mode") == [("wal",)]
        assert asked(handle, "PRAGMA synchronous") == [(2,)]
        handle.close()


def test_private_tables_are_kept_by_key_alone(store: StoreHandle) -> None:
    made = dict(asked(store, "SELECT name, sql FROM sqlite_schema WHERE type = 'table'"))
    assert made["counting.notes"].endswith("WITHOUT ROWID")
    assert "WITHOUT ROWID" not in made["counting.scores"]
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        asked(store, 'SELECT rowid FROM "counting.notes"')


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ('SELECT * FROM "counting.notes" WHERE "author" IS ?', "counting.notes.author"),
        ('SELECT * FROM "counting.scores" WHERE _mirrored < _version', "counting.scores.pending"),
    ],
)
def test_what_is_asked_often_is_answered_from_an_index(store: StoreHandle, question: str, index: str) -> None:
    put(store, NOTES, {"message": "m", "author": "a"})
    values = ("a",) * question.count("?")
    plan = store._database.execute(f"EXPLAIN QUERY PLAN {question}", values).fetchall()  # type: ignore[attr-defined]
    assert index in plan[0][3]


def test_appends_and_commits_do_not_wait_for_each_other(directory: Path) -> None:
    engine = SqliteEngine(directory)
    journal, store = engine.journal(), engine.store()
    with store.write():  # type: ignore[attr-defined]
        assert journal.append([record("a")]).fresh == 1
    with journal.write():  # type: ignore[attr-defined]
        store.set_note("a", "1")
    journal.close()
    store.close()


def test_a_directory_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Is the directory writable"):
        SqliteEngine(tmp_path / "file" / "data")


def test_a_file_that_is_no_database_is_a_storage_error(directory: Path) -> None:
    directory.mkdir()
    (directory / "store.db").write_text("this is no database, and it is longer than a header " * 10)
    with pytest.raises(StorageError, match="not a database"):
        SqliteEngine(directory)


def test_a_handle_that_cannot_be_opened_is_a_storage_error(directory: Path) -> None:
    engine = SqliteEngine(directory)
    for entry in directory.iterdir():
        entry.unlink()
    directory.rmdir()
    for opened in (engine.store, engine.journal):
        with pytest.raises(StorageError, match="unable to open"):
            opened()


def test_a_failed_append_stores_nothing_and_the_next_one_works(directory: Path) -> None:
    journal = SqliteEngine(directory).journal()
    broken = record("b")._replace(type=None)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="NOT NULL"):
        journal.append([record("a"), broken, record("c")])
    assert journal.head() == 0
    assert journal.append([record("a")]).fresh == 1
    journal.close()


def test_a_full_disk_stores_nothing_and_the_next_append_works(directory: Path) -> None:
    journal: Any = SqliteEngine(directory).journal()
    journal.append([record("first")])
    pages = asked(journal, "PRAGMA page_count")[0][0]
    asked(journal, f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StorageError, match="full"):
        journal.append([record("small"), record("big", body=bytes(1_000_000))])
    assert journal.head() == 1
    asked(journal, "PRAGMA max_page_count = 100000")
    assert journal.append([record("small"), record("big", body=bytes(1_000_000))]).fresh == 2
    journal.close()


class FailingDatabase:
    """A connection whose disk is gone: even the rollback fails."""

    in_transaction = True

    def execute(self, statement: str) -> None:
        if not statement.startswith("BEGIN"):
            raise sqlite3.OperationalError(f"disk I/O error at {statement}")


def test_a_rollback_that_fails_too_does_not_hide_the_error() -> None:
    handle = SqliteHandle(FailingDatabase(), threading.Lock())  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="disk I/O error at COMMIT"), handle.write():
        pass
