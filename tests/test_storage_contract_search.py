"""What every storage engine promises about searching and selecting rows (``core/storage/protocol.py``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import storage_contract as contract
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_contract import PLUGIN, change, delete, put

from core.errors import StorageError, Undeclared
from core.storage.protocol import Engine, StoreHandle
from core.storage.values import Batch, Commit
from core.table import Json, Number, Row, Table, Text, Timestamp

reopen, engine = contract.reopen, contract.engine

MESSAGES = Table(
    "messages",
    (Text("id", "消息"), Text("content", "内容"), Text("sender", "谁"), Timestamp("sent", "时"), Number("rank", "序")),
    key=("id",),
    setting="MESSAGES_TABLE_ID",
    search=("content", "sender"),
)
NOTES = Table(
    "notes",
    (Text("a"), Text("b"), Text("content"), Json("x")),
    key=("a", "b"),
    indexes=(("b",),),
    search=("content",),
)
SAID = {
    "m1": "项目会议纪要已经发到群里了，大家记得看",
    "m2": "明天上午十点的会议改到 v2版本 发布以后",
    "m3": "The release of Release-Notes is delayed; see https://example.com/a/b?c=1",
    "m4": "会，议；标点不算",
    "m5": "Ｃａｆé ﾃｽﾄ 完了",
    "m6": "한국어로 말해요 テスト 𠮷野家",
    "m7": "",
    "m8": 'she said "hello world" AND left',
}


@pytest.fixture
def store(engine: Engine) -> Iterator[StoreHandle]:
    store = engine.store()
    store.prepare(PLUGIN, (MESSAGES, NOTES))
    store.cursor(PLUGIN, 0)
    yield store
    store.close()


@pytest.fixture
def told(store: StoreHandle) -> StoreHandle:
    """A store that holds ``SAID``."""
    put(store, MESSAGES, *(said(key, text) for key, text in SAID.items()))
    return store


def said(key: str, text: str, **more: Any) -> Row:
    return {"id": key, "content": text, **more}


def found(store: StoreHandle, query: str, **filters: Any) -> list[str]:
    wanted: dict[str, Any] = {"equals": {}, "between": None, "limit": 100, **filters}
    return [row["id"] for row in store.search(PLUGIN, MESSAGES, query, **wanted)]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("会议", {"m1", "m2", "m4"}),
        ("纪要已经", {"m1"}),
        ("会议 发布", {"m2"}),
        ("要", {"m1"}),
        ("会议纪要 明天", set()),
        ("v2", {"m2"}),
        ("V2版本", {"m2"}),
        ("release", {"m3"}),
        ("RELEASE delayed", {"m3"}),
        ("releas", set()),
        ("releas*", {"m3"}),
        ("release-notes", {"m3"}),
        ("example.com/a", {"m3"}),
        ("cafe テスト", {"m5"}),
        ("ＣＡＦＥ", {"m5"}),
        ("국어", {"m6"}),
        ("𠮷野", {"m6"}),
        ("テスト", {"m5", "m6"}),
        ('"hello world"', {"m8"}),
        ('"world hello"', set()),
        ("world hello", {"m8"}),
        ("“会议改到”", {"m2"}),
        ('hello "said', {"m8"}),
        ("会议改*", {"m2"}),
        ("AND", {"m8"}),
        ("hello OR 会议", set()),
        ("NOT hello", set()),
        ("content: hello", set()),
        ("🎉 会议 ！", {"m1", "m2", "m4"}),
        ("hello\0world", {"m8"}),
    ],
)
def test_words_are_found(told: StoreHandle, query: str, keys: set[str]) -> None:
    assert set(found(told, query)) == keys


@pytest.mark.parametrize(
    "query", ["", " ", "\n", "🎉", "。，！", '"', '""', '"!"', "*", "-", "()", "\0", "\ud83d", "^"]
)
def test_a_query_without_words_finds_nothing(told: StoreHandle, query: str) -> None:
    assert found(told, query) == []


def test_a_very_long_query_is_no_error(told: StoreHandle) -> None:
    assert found(told, "会议 " * 5000) == found(told, "会议")
    assert found(told, "会议" * 5000) == []
    assert found(told, '"hello" ' * 5000) == ["m8"]


ODD = st.text(st.sampled_from("\"“”*():^-+{}~\\'`,.;&|%_\0\t\n\ud83d aA1é会議🎉＂＊"), max_size=40)
PARTS = st.lists(st.sampled_from(["AND", "OR", "NOT", "NEAR(", "content", ":", "_0", "rowid", "会议", '"', "*"]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ODD | PARTS.map(" ".join) | st.text(max_size=30))
def test_whatever_is_typed_is_no_error(told: StoreHandle, query: str) -> None:
    assert set(found(told, query)) <= SAID.keys()


LETTERS = st.text(st.sampled_from("会议纪要明天上午十点的了"), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LETTERS, LETTERS)
def test_every_part_of_a_chinese_sentence_is_found_and_nothing_else(store: StoreHandle, text: str, word: str) -> None:
    put(store, MESSAGES, said("m", text))
    assert found(store, word) == (["m"] if word in text else [])
    assert found(store, text[len(text) // 2 :]) == ["m"]


def test_the_best_come_first_and_of_equals_the_newest(store: StoreHandle) -> None:
    long = "发布" + "，以及许多别的不相干的事情" * 8
    put(store, MESSAGES, said("once", long, sent=9), said("twice", "发布，发布", sent=1), said("other", "无关"))
    assert found(store, "发布") == ["twice", "once"]
    for key, sent in (("b", 2000), ("c", 3000), ("a", 1000), ("d", None)):
        put(store, MESSAGES, said(key, "相同的话", sent=sent))
    assert found(store, "相同") == ["c", "b", "a", "d"]
    assert found(store, "相同", limit=2) == ["c", "b"]


def test_a_search_can_be_narrowed(store: StoreHandle) -> None:
    for number in range(6):
        put(store, MESSAGES, said(f"m{number}", "会议", sender="ou_a" if number % 2 else "ou_b", sent=number, rank=9))
    put(store, MESSAGES, said("never", "会议", sender="ou_a"))
    assert found(store, "会议", equals={"sender": "ou_a"}) == ["m5", "m3", "m1", "never"]
    assert found(store, "会议", equals={"sent": None}) == ["never"]
    assert found(store, "会议", equals={"sender": "ou_a", "rank": 9}, between=("sent", 1, 5)) == ["m3", "m1"]
    assert found(store, "会议", between=("sent", None, 2)) == ["m1", "m0"]
    assert found(store, "会议", between=("sent", 4, None)) == ["m5", "m4"]
    assert found(store, "会议 ou_b", between=("sent", None, None)) == ["m4", "m2", "m0"]


def test_what_is_changed_or_deleted_is_no_longer_found_as_it_was(store: StoreHandle) -> None:
    put(store, MESSAGES, said("m", "第一版 one"), said("n", "第一版 one"))
    put(store, MESSAGES, said("m", "第二版 two"))
    assert found(store, "第一版") == ["n"]
    assert found(store, "two") == ["m"]
    put(store, MESSAGES, said("m", "第二版 two", sent=7, rank=1))
    assert found(store, "two") == ["m"]
    delete(store, MESSAGES, "m")
    delete(store, MESSAGES, "never there")
    assert found(store, "two") == []
    put(store, MESSAGES, said("m", "第三版"))
    assert (found(store, "two"), found(store, "第三版")) == ([], ["m"])
    put(store, MESSAGES, said("m", ""))
    assert found(store, "第三版") == []
    delete(store, MESSAGES, "m")
    put(store, MESSAGES, said("m", "第三版"))
    change(store, MESSAGES, {("m",): None, ("n",): None})
    assert found(store, "版") == []


def test_rows_deleted_in_bitable_leave_the_index(store: StoreHandle) -> None:
    put(store, MESSAGES, said("m", "会议"))
    (waiting,) = store.pending(PLUGIN, MESSAGES, 9)
    batch = Batch("t", b"{}", ((waiting.rowid, waiting.version),))
    store.begin_batch(PLUGIN, MESSAGES, batch)
    store.end_batch(PLUGIN, MESSAGES, batch, ["rec1"])
    delete(store, MESSAGES, "m")
    store.settle(PLUGIN, MESSAGES, deleted=[waiting.rowid])
    put(store, MESSAGES, said("other", "无关"))
    assert found(store, "会议") == []
    assert found(store, "无关") == ["other"]


def test_what_is_taken_over_is_found(store: StoreHandle) -> None:
    rows = [(f"rec{number}", MESSAGES.blank | said(f"m{number}", f"旧的第{number}条")) for number in range(3)]
    assert store.adopt(PLUGIN, MESSAGES, rows) == 3
    assert store.adopt(PLUGIN, MESSAGES, rows) == 0
    assert store.adopt(PLUGIN, MESSAGES, []) == 0
    assert found(store, "第2条") == ["m2"]


def test_a_commit_that_fails_leaves_the_index_as_it_was(store: StoreHandle) -> None:
    put(store, MESSAGES, said("m", "从前"))
    good = MESSAGES.blank | said("m", "以后")
    cursor = store.cursor(PLUGIN, 0)
    commit = Commit(PLUGIN, cursor, cursor + 1, now=1, rows={MESSAGES: {("m",): good, ("n",): good | {"id": "n"}}})
    commit.settled = [object()]  # type: ignore[list-item]
    with pytest.raises(Exception, match="type 'object' is not supported"):
        store.commit(commit)
    assert (found(store, "从前"), found(store, "以后")) == (["m"], [])


def test_a_key_of_two_columns_and_a_private_table_are_searched_alike(store: StoreHandle) -> None:
    put(store, NOTES, {"a": "1", "b": "x", "content": "会议"}, {"a": "1", "b": "y", "content": "会议 meeting"})
    put(store, NOTES, {"a": "2", "b": "x", "content": "会议", "x": [{"y": 1}]})
    rows = store.search(PLUGIN, NOTES, "会议", equals={"b": "x"}, between=None, limit=9)
    assert [(row["a"], row["x"]) for row in rows] == [("2", [{"y": 1}]), ("1", None)]
    delete(store, NOTES, "2", "x")
    assert len(store.search(PLUGIN, NOTES, "会议", equals={}, between=None, limit=9)) == 2


def test_a_table_that_declares_no_search_cannot_be_searched(store: StoreHandle) -> None:
    plain = Table("plain", (Text("k"),), key=("k",))
    store.prepare(PLUGIN, (plain,))
    for query in ("a", ""):
        with pytest.raises(Undeclared, match=r"table counting\.plain is searched; it needs search="):
            store.search(PLUGIN, plain, query, equals={}, between=None, limit=1)


@pytest.mark.parametrize("setting", ["", "T_TABLE_ID"])
def test_a_search_added_later_finds_what_was_there(reopen: Callable[[], Engine], setting: str) -> None:
    columns = (Text("k", "键"), Text("text", "话"), Number("n", "数"), Text("more", "多"))
    before = Table("t", columns, key=("k",), setting=setting, indexes=(("n",),))
    after = Table("t", columns[:3], key=("k",), setting=setting, indexes=(("n",),), search=("text",))
    wider = Table("t", columns, key=("k",), setting=setting, indexes=(("n",),), search=("text", "more"))

    def keys(store: StoreHandle, table: Table, query: str) -> list[str]:
        return sorted(row["k"] for row in store.search(PLUGIN, table, query, equals={}, between=None, limit=9))

    with reopen() as engine:
        store = engine.store()
        store.prepare(PLUGIN, (before,))
        store.cursor(PLUGIN, 0)
        put(store, before, *({"k": f"k{n:04}", "text": f"会议第{n}次", "n": n, "more": "补充"} for n in range(1500)))
        store.close()
    with reopen() as engine:
        store = engine.store()
        store.prepare(PLUGIN, (after,))
        assert keys(store, after, "第1499次") == ["k1499"]
        assert store.find(PLUGIN, after, {"n": 7}) == [{"k": "k0007", "text": "会议第7次", "n": 7}]
        put(store, after, {"k": "k0007", "text": "改了", "n": 7})
        delete(store, after, "k0008")
        store.prepare(PLUGIN, (before,))  # As an earlier version of the program does.
        put(store, before, {"k": "k0009", "text": "后来改了"}, {"k": "new", "text": "后来的"})
        delete(store, before, "k0010")
        store.close()
    with reopen() as engine:
        store = engine.store()
        store.prepare(PLUGIN, (after,))
        assert keys(store, after, "改了") == ["k0007", "k0009"]
        assert keys(store, after, "后来") == ["k0009", "new"]
        assert [keys(store, after, f"第{n}次") for n in (7, 8, 9, 10, 11)] == [[], [], [], [], ["k0011"]]
        store.prepare(PLUGIN, (wider,))
        assert keys(store, wider, "补充 第12次") == ["k0012"]
        assert keys(store, wider, "改了") == ["k0007", "k0009"]
        store.close()


def test_an_index_that_could_not_be_made_is_made_the_next_time(store: StoreHandle) -> None:
    columns = (Text("k"), Text("text"))
    store.prepare(PLUGIN, (Table("t", columns, key=("k",)), Table("u", columns, key=("k",))))
    searched = Table("t", columns, key=("k",), search=("text",))
    put(store, Table("t", columns, key=("k",)), {"k": "a", "text": "会议"})
    with pytest.raises(StorageError, match="its key was"):
        store.prepare(PLUGIN, (searched, Table("u", columns, key=("text",))))
    put(store, Table("t", columns, key=("k",)), {"k": "b", "text": "会议"})
    store.prepare(PLUGIN, (searched,))
    rows = store.search(PLUGIN, searched, "会议", equals={}, between=None, limit=9)
    assert [row["k"] for row in rows] == ["b", "a"]


def selected(store: StoreHandle, **question: Any) -> list[str]:
    wanted: dict[str, Any] = {"equals": {}, "between": None, "limit": None, "after": None, **question}
    return [row["id"] for row in store.select(PLUGIN, MESSAGES, **wanted)]


def test_rows_are_selected_in_order(store: StoreHandle) -> None:
    for key, sent in (("c", 10), ("a", 30), ("b", 20), ("e", None), ("d", 20)):
        put(store, MESSAGES, said(key, "", sent=sent, sender="u" if key in "abc" else "v"))
    put(store, MESSAGES, said("gone", "", sent=20))
    delete(store, MESSAGES, "gone")
    assert selected(store) == ["a", "b", "c", "d", "e"]
    assert selected(store, equals={"sender": "u"}, limit=2) == ["a", "b"]
    assert selected(store, between=("sent", None, None)) == ["c", "b", "d", "a"]
    assert selected(store, between=("sent", 10, 30)) == ["c", "b", "d"]
    assert selected(store, between=("sent", 11, None), equals={"sender": "u"}) == ["b", "a"]
    assert selected(store, limit=0) == []


@pytest.mark.parametrize("between", [None, ("sent", 0, 99)])
def test_a_selection_goes_on_behind_a_row(store: StoreHandle, between: Any) -> None:
    put(store, MESSAGES, *(said(f"m{number}", "", sent=number % 3) for number in range(10)))
    whole = selected(store, between=between)
    pages: list[str] = []
    after: Row | None = None
    while rows := list(store.select(PLUGIN, MESSAGES, equals={}, between=between, limit=3, after=after)):
        pages += [row["id"] for row in rows]
        after = rows[-1]
    assert pages == whole
    assert len(whole) == 10


def test_a_selection_behind_a_key_of_two_columns_goes_on(store: StoreHandle) -> None:
    put(store, NOTES, *({"a": a, "b": b, "x": [a]} for a in "12" for b in "xy"))
    rows = list(store.select(PLUGIN, NOTES, equals={}, between=None, limit=None, after=None))
    assert [(row["a"], row["b"]) for row in rows] == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]
    assert list(store.select(PLUGIN, NOTES, equals={}, between=None, limit=None, after=rows[1])) == rows[2:]
