"""Looking for rows stays cheap: none is read to be counted, and no query is prepared for every number of them."""

from __future__ import annotations

from pathlib import Path

from core import Number, Table, Text
from core.storage.sqlite import SqliteEngine
from core.storage.sqlite.handle import in_few_lengths
from core.storage.sqlite.store import SqliteStore
from core.storage.values import Commit

MIRRORED = Table(
    "mirrored", (Text("key", "键"), Text("content", "内容"), Number("count", "数")), key=("key",), setting="T"
)
PLUGIN = "tester"


def test_the_rows_of_a_mirrored_table_are_counted_in_an_index(tmp_path: Path) -> None:
    with SqliteEngine(tmp_path) as engine:
        store = engine.store()
        assert isinstance(store, SqliteStore)
        store.prepare(PLUGIN, [MIRRORED])
        rows = {(f"{n}",): dict(MIRRORED.blank) | {"key": f"{n}", "content": "长" * 500} for n in range(20)}
        store.commit(Commit(PLUGIN, store.cursor(PLUGIN, 0), 1, now=1, rows={MIRRORED: dict(rows)}))
        store.commit(Commit(PLUGIN, 1, 2, now=1, rows={MIRRORED: {("3",): None}}))
        queries: list[str] = []
        store._database.set_trace_callback(queries.append)
        assert store.count_pending(PLUGIN, MIRRORED) == (20, 19)
        store._database.set_trace_callback(None)
        plans = [row[3] for query in queries for row in store.read(f"EXPLAIN QUERY PLAN {query}")]
        store.close()
    assert plans
    assert all("USING" in plan and "INDEX" in plan for plan in plans), plans


def test_however_many_rows_are_looked_for_there_are_few_queries(tmp_path: Path) -> None:
    assert {len(in_few_lengths(range(count))) for count in range(1, 257)} == {1, 4, 16, 64, 256}
    with SqliteEngine(tmp_path) as engine:
        store = engine.store()
        store.prepare(PLUGIN, [MIRRORED])
        rows = {(f"{n}",): dict(MIRRORED.blank) | {"key": f"{n}"} for n in range(600)}
        store.commit(Commit(PLUGIN, store.cursor(PLUGIN, 0), 1, now=1, rows={MIRRORED: dict(rows)}))
        for count in (1, 2, 4, 5, 255, 256, 257, 600):
            keys = list(rows)[-count:]
            assert store.get_many(PLUGIN, MIRRORED, [*keys, ("none",)]).keys() == set(keys)
        store.close()
