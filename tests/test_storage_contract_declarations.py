"""What every storage engine makes of a table whose declaration changes: rows are kept, or it says why it cannot be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import storage_contract as contract
from storage_contract import PLUGIN, put

from core.errors import StorageError, TableChanged
from core.storage.protocol import Engine, StoreHandle
from core.table import Attachments, Choice, Column, Json, Link, Number, Table, Text, Timestamp

reopen, engine, store = contract.reopen, contract.engine, contract.store


def test_an_added_column_keeps_the_rows(reopen: Callable[[], Engine]) -> None:
    before = Table("t", (Text("k"), Number("n")), key=("k",))
    after = Table("t", (Text("k"), Number("n"), Text("x"), Json("j"), Timestamp("at")), key=("k",), indexes=(("x",),))
    with reopen() as engine:
        store = engine.store()
        store.prepare(PLUGIN, (before,))
        store.cursor(PLUGIN, 0)
        put(store, before, {"k": "a", "n": 5})
        store.close()
    with reopen() as engine:
        store = engine.store()
        store.prepare(PLUGIN, (after,))
        store.prepare(PLUGIN, (after,))
        assert list(store.scan(PLUGIN, after)) == [{"k": "a", "n": 5, "x": "", "j": None, "at": None}]
        put(store, after, {"k": "a", "n": 6, "x": "now"})
        assert len(store.find(PLUGIN, after, {"x": "now"})) == 1
        store.prepare(PLUGIN, (before,))
        put(store, before, {"k": "b", "n": 7})
        assert [row["n"] for row in store.scan(PLUGIN, before)] == [6, 7]
        store.close()


def test_a_removed_column_keeps_its_values_and_may_come_back(store: StoreHandle) -> None:
    long = Table("t", (Text("k"), Number("n"), Json("j"), Timestamp("at")), key=("k",))
    short = Table("t", (Text("k"),), key=("k",))
    store.prepare(PLUGIN, (long,))
    store.cursor(PLUGIN, 0)
    put(store, long, {"k": "a", "n": 5, "j": [1], "at": 7})
    store.prepare(PLUGIN, (short,))
    put(store, short, {"k": "b"}, {"k": "a"})
    store.prepare(PLUGIN, (long,))
    assert list(store.scan(PLUGIN, long)) == [
        {"k": "a", "n": 5, "j": [1], "at": 7},
        {"k": "b", "n": 0, "j": None, "at": None},
    ]


VALUES: tuple[tuple[Column, object], ...] = (
    (Text("x", "值"), "5"),
    (Number("x", "值"), 5),
    (Timestamp("x", "值"), 5),
    (Attachments("x", "值"), [{"file_token": "t"}]),
    (Json("x"), [5]),
)


@pytest.mark.parametrize("setting", ["", "T_TABLE_ID"])
@pytest.mark.parametrize(("before", "value"), VALUES, ids=lambda one: type(one).__name__)
def test_a_column_cannot_hold_another_kind_of_value(
    store: StoreHandle, setting: str, before: Column, value: object
) -> None:
    def declared(column: Column) -> Table:
        return Table("t", (Text("k", "键"), column), key=("k",), setting=setting)

    store.prepare(PLUGIN, (declared(before),))
    store.cursor(PLUGIN, 0)
    put(store, declared(before), {"k": "a", "x": value})
    for other, _ in VALUES:
        if other is not before:
            with pytest.raises(TableChanged, match=r"table counting\.t: column x is stored as .* and cannot become"):
                store.prepare(PLUGIN, (declared(other),))
    store.prepare(PLUGIN, (declared(before),))
    assert list(store.scan(PLUGIN, declared(before))) == [{"k": "a", "x": value}]


def test_a_number_may_get_other_decimals_and_text_other_options(store: StoreHandle) -> None:
    first = Table("t", (Number("n", places=2), Text("x"), Number("m")), key=("n",))
    second = Table("t", (Number("n"), Choice("x", options=("a",)), Number("m", places=3)), key=("n",))
    third = Table("t", (Number("n"), Link("x"), Number("m")), key=("n",))
    store.prepare(PLUGIN, (first,))
    store.cursor(PLUGIN, 0)
    put(store, first, {"n": 1.25, "x": "anything", "m": 1})
    for table in (second, third):
        store.prepare(PLUGIN, (table,))
        assert list(store.scan(PLUGIN, table)) == [{"n": 1.25, "x": "anything", "m": 1}]
    store.prepare(PLUGIN, (second,))
    put(store, second, {"n": 2, "x": "a", "m": 0.125})
    assert [row["m"] for row in store.scan(PLUGIN, second)] == [1, 0.125]


@pytest.mark.parametrize("setting", ["", "T_TABLE_ID"])
def test_a_key_cannot_change_and_nothing_is_lost_by_trying(store: StoreHandle, setting: str) -> None:
    columns = (Text("a", "甲"), Text("b", "乙"))
    store.prepare(PLUGIN, (Table("t", columns, key=("a", "b"), setting=setting),))
    store.prepare(PLUGIN, (Table("t", columns, key=("a", "b"), setting=setting, indexes=(("b",),)),))
    for key in (("a",), ("b", "a")):
        added = Table("added", (Text("k"),), key=("k",))
        with pytest.raises(StorageError, match=r"table counting\.t: its key was a, b and cannot become"):
            store.prepare(PLUGIN, (added, Table("t", columns, key=key, setting=setting)))
        with pytest.raises(StorageError):
            put(store, added, {"k": "not made either"})


def test_a_private_table_cannot_become_a_mirrored_one_nor_back(store: StoreHandle) -> None:
    for name, first, second in (("t", "", "T_ID"), ("u", "T_ID", "")):
        store.prepare(PLUGIN, (Table(name, (Text("a", "甲"),), key=("a",), setting=first),))
        with pytest.raises(StorageError, match=rf"counting\.{name}: a private table cannot become a mirrored"):
            store.prepare(PLUGIN, (Table(name, (Text("a", "甲"),), key=("a",), setting=second),))
