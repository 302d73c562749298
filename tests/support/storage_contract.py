"""The engines that ``tests/test_storage_contract*.py`` run against, and what those tests say in one word.

A new engine joins by one entry in ``ENGINES``; what only one engine has is tested in a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.storage import open_engine
from core.storage.protocol import Engine, StoreHandle
from core.storage.values import Batch, Commit, PendingRow, Record, checksum
from core.table import Json, Number, PersonName, Row, Table, Text, Timestamp

ENGINES: dict[str, Callable[[Path], Engine]] = {"sqlite": open_engine}

SCORES = Table(
    "scores",
    (
        Text("user", "用户"),
        PersonName("name", "姓名", of="user"),
        Number("points", "分", places=2),
        Timestamp("at", "时"),
    ),
    key=("user",),
    setting="SCORES_TABLE_ID",
    ranked_by=("points",),
)
NOTES = Table(
    "notes",
    (Text("message"), Text("author"), Number("length"), Json("people"), Timestamp("at")),
    key=("message", "author"),
    indexes=(("author",), ("at",)),
)
PLUGIN = "counting"


@pytest.fixture(params=ENGINES)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Engine]:
    return lambda: ENGINES[request.param](tmp_path / "data")


@pytest.fixture
def engine(reopen: Callable[[], Engine]) -> Iterator[Engine]:
    with reopen() as engine:
        yield engine


@pytest.fixture
def store(engine: Engine) -> Iterator[StoreHandle]:
    store = engine.store()
    store.prepare(PLUGIN, (SCORES, NOTES))
    store.cursor(PLUGIN, 0)
    yield store
    store.close()


def record(key: str, kind: str = "a", problem: str | None = None, body: bytes | None = None) -> Record:
    body = key.encode() if body is None else body
    name = key.encode().ljust(16, b".")
    return Record(3, name, kind, 1000, checksum(3, name, kind, 1000, problem, body), problem, body)


def put(store: StoreHandle, table: Table, *rows: Row) -> None:
    change(store, table, {tuple(row[name] for name in table.key): dict(table.blank) | row for row in rows})


def delete(store: StoreHandle, table: Table, *key: Any) -> None:
    change(store, table, {key: None})


def change(store: StoreHandle, table: Table, rows: dict[tuple[Any, ...], Row | None]) -> None:
    cursor = store.cursor(PLUGIN, 0)
    store.commit(Commit(PLUGIN, cursor, cursor + 1, now=1, rows={table: rows}))


def score(store: StoreHandle, user: str, points: float) -> None:
    put(store, SCORES, {"user": user, "points": points})


def pending(store: StoreHandle) -> dict[str, PendingRow]:
    return {row.row["user"]: row for row in store.pending(PLUGIN, SCORES, 100)}


def create(store: StoreHandle, users: Sequence[str], token: str = "t") -> Batch:
    """What the mirror does before it sends: say that these rows are being created."""
    waiting = pending(store)
    batch = Batch(token, b"{}", tuple((waiting[user].rowid, waiting[user].version) for user in users))
    store.begin_batch(PLUGIN, SCORES, batch)
    return batch


def mirrored(store: StoreHandle, *users: str) -> None:
    """These rows are in Bitable, as ``rec_<user>``."""
    store.end_batch(PLUGIN, SCORES, create(store, users), [f"rec_{user}" for user in users])
