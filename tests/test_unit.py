"""The unit of work: reads see what was written before them, and a mark takes everything after it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.storage import open_engine
from core.storage.protocol import StoreHandle
from core.storage.values import Commit, Publication
from core.table import Number, Row, Table, Text, Timestamp
from core.unit import MOST_KEPT, Unit

LIKES = Table(
    "likes",
    (Text("message"), Text("who"), Number("count"), Timestamp("at")),
    key=("message", "who"),
    indexes=(("message",), ("at",)),
)
START = (0, 0, 0, 0, 0, 0)
"""The mark of a unit in which nothing is collected."""
FACTS = Table("facts", (Text("id"), Number("n")), key=("id",), by_message=True)


def like(message: str, who: str, count: int = 1, at: int | None = None) -> Row:
    return {"message": message, "who": who, "count": count, "at": at}


class Reads:
    """The real store; it notes what is asked of it."""

    def __init__(self, handle: StoreHandle) -> None:
        self._handle = handle
        self.asked: list[Any] = []

    def get(self, plugin: str, table: Table, key: tuple[Any, ...]) -> Row | None:
        self.asked.append(key)
        return self._handle.get(plugin, table, key)

    def get_many(self, plugin: str, table: Table, keys: Any) -> Any:
        self.asked.append(list(keys))
        return self._handle.get_many(plugin, table, keys)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    store = open_engine(tmp_path).store()
    store.prepare("p", (LIKES, FACTS))
    store.cursor("p", 0)
    yield Reads(store)
    store.close()


@pytest.fixture
def unit(store: StoreHandle) -> Unit:
    before = Unit("p", store)
    for row in (like("m1", "a"), like("m1", "c", at=5), like("m2", "a", at=5)):
        before.put(LIKES, (row["message"], row["who"]), row)
    commit(store, before)
    return Unit("p", store)


def commit(store: StoreHandle, unit: Unit) -> None:
    cursor = store.cursor("p", 0)
    store.commit(Commit("p", cursor, cursor + 1, now=1, rows=unit.rows, published=unit.published))


def test_a_read_sees_what_was_written_before_it(unit: Unit) -> None:
    assert unit.get(LIKES, ("m1", "a")) == like("m1", "a")
    unit.put(LIKES, ("m1", "a"), like("m1", "a", 2))
    assert unit.get(LIKES, ("m1", "a")) == like("m1", "a", 2)
    unit.put(LIKES, ("m1", "a"), None)
    assert unit.get(LIKES, ("m1", "a")) is None
    unit.put(LIKES, ("new", "x"), like("new", "x"))
    assert unit.get(LIKES, ("new", "x")) == like("new", "x")
    assert unit.get(LIKES, ("nobody", "x")) is None


def test_a_row_is_read_from_the_store_once(unit: Unit, store: Any) -> None:
    for _ in range(3):
        unit.get(LIKES, ("m1", "a"))
        unit.get(LIKES, ("absent", "a"))
    assert store.asked == [("m1", "a"), ("absent", "a")]


def test_find_merges_what_is_stored_with_what_was_written(unit: Unit) -> None:
    unit.put(LIKES, ("m1", "b"), like("m1", "b"))
    unit.put(LIKES, ("m1", "a"), like("m1", "a", 9))
    unit.put(LIKES, ("m1", "c"), None)
    unit.put(LIKES, ("m3", "a"), like("m3", "a"))
    assert unit.find(LIKES, {"message": "m1"}) == [like("m1", "a", 9), like("m1", "b")]
    assert unit.find(LIKES, {"message": "m2"}) == [like("m2", "a", at=5)]
    assert unit.find(LIKES, {"message": "m3"}) == [like("m3", "a")]


def test_find_follows_rows_whose_column_changed(unit: Unit) -> None:
    unit.put(LIKES, ("m1", "a"), like("m1", "a", at=5))
    unit.put(LIKES, ("m2", "a"), like("m2", "a", at=6))
    assert [row["message"] + row["who"] for row in unit.find(LIKES, {"at": 5})] == ["m1a", "m1c"]
    unit.put(LIKES, ("m9", "z"), like("m9", "z", at=None))
    assert [row["message"] for row in unit.find(LIKES, {"at": None})] == ["m9"]


def test_what_was_not_set_is_found_stored_or_not(unit: Unit) -> None:
    assert [row["who"] for row in unit.find(LIKES, {"at": None})] == ["a"]


def test_back_to_a_mark_takes_back_rows_and_publications(unit: Unit) -> None:
    unit.put(LIKES, ("m1", "a"), like("m1", "a", 2))
    unit.published.append(Publication("p.a", "1", {}))
    mark = unit.mark()
    unit.put(LIKES, ("m1", "a"), like("m1", "a", 3))
    unit.put(LIKES, ("m1", "a"), None)
    unit.put(LIKES, ("m1", "c"), None)
    unit.put(LIKES, ("new", "x"), like("new", "x"))
    unit.published.append(Publication("p.a", "2", {}))
    unit.back_to(mark)
    assert unit.get(LIKES, ("m1", "a")) == like("m1", "a", 2)
    assert unit.get(LIKES, ("m1", "c")) == like("m1", "c", at=5)
    assert unit.get(LIKES, ("new", "x")) is None
    assert unit.find(LIKES, {"message": "m1"}) == [like("m1", "a", 2), like("m1", "c", at=5)]
    assert [one.event_id for one in unit.published] == ["1"]
    assert unit.rows[LIKES] == {("m1", "a"): like("m1", "a", 2)}
    unit.back_to(START)
    assert not any(unit.rows.values())
    assert unit.published == []


def test_rows_of_a_batch_are_read_at_once(unit: Unit, store: Any) -> None:
    first = Unit("p", store)
    first.put(FACTS, ("m1",), {"id": "m1", "n": 1})
    commit(store, first)
    unit.prefetch(FACTS, ["m1", "m2"])
    unit.prefetch(FACTS, ["m2", "m3"])
    assert [unit.get(FACTS, (one,)) for one in ("m1", "m2", "m3")] == [{"id": "m1", "n": 1}, None, None]
    assert store.asked == [[("m1",), ("m2",)], [("m3",)]]


def test_a_prefetch_does_not_hide_what_was_written(unit: Unit) -> None:
    unit.put(FACTS, ("m1",), {"id": "m1", "n": 7})
    unit.prefetch(FACTS, ["m1"])
    assert unit.get(FACTS, ("m1",)) == {"id": "m1", "n": 7}


def test_the_unit_after_a_commit_remembers_rows_as_they_are_stored(unit: Unit, store: Any) -> None:
    unit.get(LIKES, ("m1", "a"))
    unit.get(LIKES, ("m1", "c"))
    unit.get(LIKES, ("absent", "a"))
    unit.put(LIKES, ("m1", "a"), like("m1", "a", 2))
    unit.put(LIKES, ("m1", "c"), None)
    unit.published.append(Publication("p.a", "1", {}))
    commit(store, unit)
    following = unit.committed()
    store.asked.clear()
    assert following.get(LIKES, ("m1", "a")) == like("m1", "a", 2)
    assert following.get(LIKES, ("m1", "c")) is None
    assert following.get(LIKES, ("absent", "a")) is None
    assert store.asked == []
    assert (following.rows, following.published, following.mark()) == ({}, [], START)


def test_a_table_too_large_to_remember_is_read_again(store: Any) -> None:
    unit = Unit("p", store)
    for number in range(MOST_KEPT + 1):
        unit.get(FACTS, (str(number),))
    store.asked.clear()
    unit.committed().get(FACTS, ("1",))
    assert store.asked == [("1",)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 3)),
        st.tuples(st.just("delete"), st.sampled_from("ab"), st.sampled_from("xyz"), st.just(0)),
        st.tuples(st.sampled_from(["mark", "back", "commit"]), st.just(""), st.just(""), st.just(0)),
    ),
    max_size=30,
)


@given(STEPS)
def test_a_unit_reads_like_a_plain_dictionary(tmp_path_factory: pytest.TempPathFactory, steps: list[Any]) -> None:
    store = open_engine(tmp_path_factory.mktemp("unit")).store()
    store.prepare("p", (LIKES,))
    store.cursor("p", 0)
    unit, model, kept, mark = Unit("p", store), dict[Any, Row](), dict[Any, Row](), START
    for kind, message, who, count in steps:
        key = (message, who)
        match kind:
            case "put":
                model[key] = like(message, who, count)
                unit.put(LIKES, key, dict(model[key]))
            case "delete":
                model.pop(key, None)
                unit.put(LIKES, key, None)
            case "mark":
                mark, kept = unit.mark(), dict(model)
            case "back":
                unit.back_to(mark)
                model = dict(kept)
            case _:
                commit(store, unit)
                unit, mark, kept = unit.committed(), START, dict(model)
        for one in ("a", "b"):
            assert unit.find(LIKES, {"message": one}) == [model[key] for key in sorted(model) if key[0] == one]
            assert [unit.get(LIKES, (one, who)) for who in "xyz"] == [model.get((one, who)) for who in "xyz"]
    commit(store, unit)
    assert list(store.scan("p", LIKES)) == [model[key] for key in sorted(model)]
    store.close()
