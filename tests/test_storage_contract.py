"""What every storage engine promises about commits, rows and failed events (``core/storage/protocol.py``)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import storage_contract as contract
from storage_contract import NOTES, PLUGIN, SCORES, delete, put, score

from core.errors import Fenced, StorageError
from core.storage.protocol import Engine, StoreHandle
from core.storage.values import Commit, Consumer, Dead, Due, Failure, Publication
from core.table import Number, PersonName, Table, Text

reopen, engine, store = contract.reopen, contract.engine, contract.store


# Commits


def test_a_plugin_that_never_ran_starts_where_it_is_told_to(store: StoreHandle) -> None:
    assert store.cursor("new", 42) == 42
    assert store.cursor("new", 99) == 42
    assert Consumer("new", 42, 0, 0, 0) in store.consumers()


def test_a_commit_stores_everything_of_a_batch(store: StoreHandle, reopen: Callable[[], Engine]) -> None:
    row = {"message": "m", "author": "a", "length": 3, "people": ["x", {"y": None}], "at": None}
    store.commit(
        Commit(
            PLUGIN,
            expected=0,
            cursor=9,
            now=5000,
            handled=7,
            rows={NOTES: {("m", "a"): row}, SCORES: {("u",): {"user": "u", "points": 1.25, "at": 77}}},
            published=[Publication("counting.done", "d1", {"a": ["深", 1]})],
            failures=[Failure(3, 1, "later", 6000), Failure(4, 8, "never", None)],
        )
    )
    with reopen() as engine:
        other = engine.store()
        assert other.consumers() == [Consumer(PLUGIN, 9, 7, 1, 1)]
        assert other.get(PLUGIN, NOTES, ("m", "a")) == row
        assert other.get(PLUGIN, SCORES, ("u",)) == {"user": "u", "points": 1.25, "at": 77}
        assert [one for _, one in other.publications(10)] == [Publication("counting.done", "d1", {"a": ["深", 1]})]
        assert other.due(PLUGIN, 6000, 10) == [Due(3, 1)]
        assert other.dead() == [Dead(PLUGIN, 4, 8, 5000, "never")]
        other.close()


class Disobedient(dict[Any, Any]):
    """Rows that fail while they are being written."""

    def items(self) -> Any:
        yield from super().items()
        raise RuntimeError("in the middle")

    def values(self) -> Any:
        yield from super().values()
        raise RuntimeError("in the middle")


@pytest.mark.parametrize("damage", ["rows", "published", "failures"])
def test_an_error_in_the_middle_leaves_nothing(store: StoreHandle, damage: str) -> None:
    store.commit(Commit(PLUGIN, 0, 5, now=1, failures=[Failure(1, 1, "first", 10)]))
    good = {("u",): {"user": "u", "points": 1.0, "at": None}}
    commit = Commit(
        PLUGIN,
        5,
        6,
        now=2,
        handled=1,
        rows={SCORES: good},
        published=[Publication("counting.done", "d1", {})],
        settled=[1],
        failures=[Failure(2, 1, "second", 10)],
    )
    if damage == "rows":
        commit.rows = {SCORES: good, NOTES: Disobedient({("m", "a"): dict(NOTES.blank)})}
    elif damage == "published":
        commit.published = [*commit.published, Publication("counting.done", "d2", {"a": object()})]
    else:
        commit.failures = [*commit.failures, Failure(3, 1, object(), 5)]  # type: ignore[arg-type]
    with pytest.raises((RuntimeError, TypeError, StorageError)):
        store.commit(commit)
    assert store.consumers() == [Consumer(PLUGIN, 5, 0, 1, 0)]
    assert store.get(PLUGIN, SCORES, ("u",)) is None
    assert store.get(PLUGIN, NOTES, ("m", "a")) is None
    assert store.publications(10) == []
    assert store.due(PLUGIN, 100, 10) == [Due(1, 1)]
    score(store, "u", 2)  # And the handle is still good.
    assert store.get(PLUGIN, SCORES, ("u",)) == {"user": "u", "points": 2, "at": None}


def test_a_row_that_the_database_refuses_is_a_storage_error_and_leaves_nothing(store: StoreHandle) -> None:
    with pytest.raises(StorageError):
        put(store, SCORES, {"user": "u", "points": None})
    assert store.consumers() == [Consumer(PLUGIN, 0, 0, 0, 0)]


def test_a_moved_cursor_fences_the_batch_off(engine: Engine, store: StoreHandle) -> None:
    other = engine.store()
    other.commit(Commit(PLUGIN, 0, 4, now=1))
    other.close()
    with pytest.raises(Fenced, match=f"{PLUGIN} is no longer at 0"):
        store.commit(Commit(PLUGIN, 0, 3, now=1, rows={SCORES: {("u",): {"user": "u", "points": 1, "at": None}}}))
    assert store.get(PLUGIN, SCORES, ("u",)) is None
    assert store.cursor(PLUGIN, 0) == 4
    with pytest.raises(Fenced):
        store.commit(Commit("nobody", 0, 1, now=1))


def test_of_two_writers_at_the_same_place_one_wins(engine: Engine, store: StoreHandle) -> None:
    start = threading.Barrier(2)

    def step(points: int) -> bool:
        handle = engine.store()
        start.wait()
        try:
            row = {"user": "u", "points": points, "at": None}
            handle.commit(Commit(PLUGIN, 0, points, now=1, rows={SCORES: {("u",): row}}))
        except Fenced:
            return False
        finally:
            handle.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        won = list(pool.map(step, (1, 2)))
    assert sorted(won) == [False, True]
    row = store.get(PLUGIN, SCORES, ("u",))
    assert row is not None
    assert row["points"] == store.cursor(PLUGIN, 0) == won.index(True) + 1


def test_two_handles_in_two_threads_add_up(engine: Engine, store: StoreHandle) -> None:
    def count(plugin: str) -> None:
        handle = engine.store()
        handle.prepare(plugin, (SCORES,))
        cursor = handle.cursor(plugin, 0)
        for points in range(1, 51):
            row = {"user": "u", "points": points, "at": None}
            handle.commit(Commit(plugin, cursor, cursor + 1, now=1, handled=1, rows={SCORES: {("u",): row}}))
            cursor += 1
        handle.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count, ("one", "two")))
    assert {one.plugin: (one.cursor, one.handled) for one in store.consumers() if one.plugin != PLUGIN} == {
        "one": (50, 50),
        "two": (50, 50),
    }
    for plugin in ("one", "two"):
        assert store.get(plugin, SCORES, ("u",)) == {"user": "u", "points": 50, "at": None}


def test_a_handle_closed_without_a_commit_leaves_what_was_committed(reopen: Callable[[], Engine]) -> None:
    with reopen() as engine:
        store = engine.store()
        store.prepare(PLUGIN, (SCORES,))
        store.cursor(PLUGIN, 0)
        score(store, "u", 1)
        reading = store.scan(PLUGIN, SCORES)
        next(reading)
        store.close()
    with reopen() as engine:
        store = engine.store()
        assert [row["user"] for row in store.scan(PLUGIN, SCORES)] == ["u"]
        assert store.cursor(PLUGIN, 0) == 1
        store.close()


# Failed events


def test_a_failed_event_is_due_again_until_it_is_settled(store: StoreHandle) -> None:
    assert store.next_due(PLUGIN) is None
    store.commit(Commit(PLUGIN, 0, 9, now=1, failures=[Failure(5, 1, "e", 300), Failure(2, 1, "e", 200)]))
    assert store.next_due(PLUGIN) == 200
    assert store.next_due("other") is None
    assert store.due(PLUGIN, 199, 10) == []
    assert store.due(PLUGIN, 200, 10) == [Due(2, 1)]
    assert store.due(PLUGIN, 300, 10) == [Due(2, 1), Due(5, 1)]
    assert store.due(PLUGIN, 300, 1) == [Due(2, 1)]
    assert store.due("other", 300, 10) == []
    store.commit(Commit(PLUGIN, 9, 9, now=2, settled=[2], failures=[Failure(5, 2, "again", 900)]))
    assert store.due(PLUGIN, 900, 10) == [Due(5, 2)]
    assert store.consumers() == [Consumer(PLUGIN, 9, 0, 1, 0)]
    store.commit(Commit(PLUGIN, 9, 9, now=3, settled=[5]))
    assert store.next_due(PLUGIN) is None


def test_an_event_given_up_becomes_a_dead_letter(store: StoreHandle) -> None:
    store.commit(Commit(PLUGIN, 0, 9, now=1, failures=[Failure(5, 1, "e", 300), Failure(6, 1, "bad bytes", None)]))
    store.commit(Commit(PLUGIN, 9, 9, now=700, failures=[Failure(5, 8, "the last straw", None)]))
    assert store.next_due(PLUGIN) is None
    assert store.dead(PLUGIN) == [Dead(PLUGIN, 6, 1, 1, "bad bytes"), Dead(PLUGIN, 5, 8, 700, "the last straw")]
    assert store.dead() == store.dead(PLUGIN)
    assert store.dead("other") == []
    assert store.consumers() == [Consumer(PLUGIN, 9, 0, 0, 2)]


# Reading rows


def test_rows_are_read_by_key_by_column_and_in_key_order(store: StoreHandle) -> None:
    rows = [
        {"message": "m2", "author": "b", "length": 1, "people": None, "at": 5},
        {"message": "m1", "author": "b", "length": 2, "people": [], "at": None},
        {"message": "m1", "author": "a", "length": 3, "people": {"k": [1]}, "at": 5},
        {"message": "深", "author": "c", "length": 4, "people": "x", "at": 6},
    ]
    put(store, NOTES, *rows)
    by_key = [rows[2], rows[1], rows[0], rows[3]]
    assert list(store.scan(PLUGIN, NOTES)) == by_key
    assert store.find(PLUGIN, NOTES, {"author": "b"}) == [rows[1], rows[0]]
    assert store.find(PLUGIN, NOTES, {"at": 5}) == [rows[2], rows[0]]
    assert store.find(PLUGIN, NOTES, {"at": None}) == [rows[1]]
    assert store.find(PLUGIN, NOTES, {"author": "nobody"}) == []
    assert store.get(PLUGIN, NOTES, ("m1", "a")) == rows[2]
    assert store.get(PLUGIN, NOTES, ("m1", "c")) is None
    assert store.top(PLUGIN, NOTES, 2) == by_key[:2]
    put(store, NOTES, {"message": "m2", "author": "b", "length": 9})
    assert store.get(PLUGIN, NOTES, ("m2", "b")) == dict(NOTES.blank) | {"message": "m2", "author": "b", "length": 9}


def test_many_rows_are_read_at_once_by_a_key_of_one_column(store: StoreHandle) -> None:
    put(store, SCORES, *({"user": f"u{number}", "points": number} for number in range(1200)))
    delete(store, SCORES, "u7")
    found = store.get_many(PLUGIN, SCORES, [(f"u{number}",) for number in range(2400)])
    assert found.keys() == {(f"u{number}",) for number in range(1200)} - {("u7",)}
    assert found["u9",] == {"user": "u9", "points": 9, "at": None}
    assert store.get_many(PLUGIN, SCORES, []) == {}


def test_the_first_rows_are_those_ranked_highest(store: StoreHandle) -> None:
    for user, points in (("a", 1.5), ("b", 10), ("c", 2)):
        score(store, user, points)
    delete(store, SCORES, "c")
    assert [row["user"] for row in store.top(PLUGIN, SCORES, 5)] == ["b", "a"]
    assert [row["user"] for row in store.top(PLUGIN, SCORES, 1)] == ["b"]


@pytest.mark.parametrize("table", [SCORES, NOTES])
def test_a_deleted_row_is_gone_and_may_come_back(store: StoreHandle, table: Table) -> None:
    key = tuple("k" for _ in table.key)
    row = dict(zip(table.key, key, strict=True))
    delete(store, table, *key)
    put(store, table, row)
    delete(store, table, *key)
    assert store.get(PLUGIN, table, key) is None
    assert list(store.scan(PLUGIN, table)) == []
    assert store.top(PLUGIN, table, 5) == []
    put(store, table, row)
    assert store.get(PLUGIN, table, key) == dict(table.blank) | row


def test_tables_of_the_same_name_belong_to_their_plugins(store: StoreHandle) -> None:
    store.prepare("other", (SCORES,))
    score(store, "u", 1)
    assert store.get("other", SCORES, ("u",)) is None


def test_a_column_may_be_called_like_a_word_of_sql(store: StoreHandle) -> None:
    words = Table(
        "order",
        (Text("select", "键"), PersonName("from", "名", of="group"), Text("group", "组"), Number("order", "序")),
        key=("select",),
        setting="WORDS_TABLE_ID",
        indexes=(("group", "order"),),
        ranked_by=("order",),
    )
    store.prepare(PLUGIN, (words,))
    put(store, words, {"select": "a", "group": "g", "order": 1})
    put(store, words, {"select": "a", "group": "g", "order": 2})
    row = {"select": "a", "group": "g", "order": 2}
    assert list(store.scan(PLUGIN, words)) == store.top(PLUGIN, words, 1) == [row]
    assert store.find(PLUGIN, words, {"group": "g", "order": 2}) == [row]
    assert store.get_many(PLUGIN, words, [("a",)]) == {("a",): row}
    assert store.adopt(PLUGIN, words, [("rec1", row)]) == 1
    (waiting,) = store.pending(PLUGIN, words, 5)
    store.settle(PLUGIN, words, updated=[(waiting.rowid, waiting.version)])
    store.save_people({"g": "组长"}, 1, [(PLUGIN, words, "group")])
    assert len(store.pending(PLUGIN, words, 5)) == 1
