"""A data directory of every released version works with this one: ``tests/schemas``, taken by ``take.py`` there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from core.events import decode
from core.loading.plugins import Plugin, available, load
from core.settings import PluginSettings
from core.storage import open_engine
from core.storage.protocol import Engine, StoreHandle
from core.table import STRUCTURED, Row, Table

RELEASES = sorted(place for place in (Path(__file__).parent / "schemas").iterdir() if (place / "store.sql").exists())


class Upgraded(NamedTuple):
    """A released version's data, opened by this one, and as it was."""

    engine: Engine
    store: StoreHandle
    before: sqlite3.Connection
    plugins: list[Plugin]

    def rows_before(self, plugin: str, table: Table) -> list[Row]:
        """The rows as that version stored them, of the columns that are declared still."""
        there = self.before.execute(f'PRAGMA table_info("{plugin}.{table.name}")').fetchall()
        names = [name for _, name, *_ in there if name in table.by_name]
        alive = " WHERE _deleted = 0" if any(row[1] == "_deleted" for row in there) else ""
        if not names:
            return []
        chosen = ", ".join(f'"{name}"' for name in names)
        found = self.before.execute(f'SELECT {chosen} FROM "{plugin}.{table.name}"{alive}').fetchall()
        return [{name: read(table, name, value) for name, value in zip(names, row, strict=True)} for row in found]


def read(table: Table, name: str, value: Any) -> Any:
    return orjson.loads(value) if value is not None and isinstance(table.by_name[name], STRUCTURED) else value


def restored(release: Path, name: str, to: Path) -> Path:
    with closing(sqlite3.connect(to)) as database:
        database.executescript((release / f"{name}.sql").read_text("utf-8"))
    return to


@pytest.fixture(params=RELEASES, ids=lambda place: str(place.name))
def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Upgraded]:
    for name in ("journal", "store"):
        restored(request.param, name, tmp_path / f"{name}.db")
    names = [name for name, origin in available().items() if origin.source == "bundled"]
    plugins = load({name: PluginSettings(enabled=True) for name in names}, {}, Path("plugins.toml"))
    before = sqlite3.connect(restored(request.param, "store", tmp_path / "before.db"))
    with open_engine(tmp_path) as engine, closing(engine.store()) as store, closing(before):
        for plugin in plugins:
            store.prepare(plugin.name, plugin.tables)
        yield Upgraded(engine, store, before, plugins)


def test_there_is_a_release_to_upgrade_from() -> None:
    assert "0.1.0" in [place.name for place in RELEASES]


def test_every_row_of_every_plugin_is_there_as_it_was(upgraded: Upgraded) -> None:
    filled = set()
    for plugin in upgraded.plugins:
        for table in plugin.tables:
            now = {tuple(row[key] for key in table.key): row for row in upgraded.store.scan(plugin.name, table)}
            rows = upgraded.rows_before(plugin.name, table)
            assert len(now) == len(rows), f"{plugin.name}.{table.name}"
            for row in rows:
                found = now[tuple(row[key] for key in table.key)]
                assert {name: found[name] for name in row} == row
            filled |= {f"{plugin.name}.{table.name}"} if rows else set()
    assert filled >= {"activity.activity", "activity.credits", "archive.archive", "archive.topics", "pin.pin"}


def test_what_bitable_shows_already_is_not_written_again(upgraded: Upgraded) -> None:
    waiting = {
        table.name: upgraded.store.count_pending(plugin.name, table)[0]
        for plugin in upgraded.plugins
        for table in plugin.table_ids
    }
    assert set(waiting.values()) == {0}
    known = [row.record for p in upgraded.plugins for t in p.table_ids for row in upgraded.store.mirrored(p.name, t)]
    assert known
    assert all(known)


def test_every_plugin_goes_on_where_it_was(upgraded: Upgraded) -> None:
    cursors = dict(upgraded.before.execute("SELECT plugin, cursor FROM consumer"))
    with closing(upgraded.engine.journal()) as journal:
        head = journal.head()
        stored, _ = journal.read_after(0, ["im.message.receive_v1"], 100)
    assert {plugin.name: upgraded.store.cursor(plugin.name, head) for plugin in upgraded.plugins} == cursors
    assert max(cursors.values()) == head
    assert all(event.intact for event in stored)
    assert {decode(event.body).type for event in stored} == {"im.message.receive_v1"}


def test_names_notes_and_calls_are_known_still(upgraded: Upgraded) -> None:
    store, before = upgraded.store, upgraded.before
    people = dict(before.execute("SELECT open_id, name FROM person WHERE name != ''"))
    assert people
    assert store.all_people() == people
    for name, value in before.execute("SELECT name, value FROM note"):
        assert store.note(name) == value
    month, calls = before.execute("SELECT substr(day, 1, 7), sum(calls) FROM api_call").fetchone()
    assert sum(store.calls(month).values()) == calls


def test_words_are_found_in_what_was_archived(upgraded: Upgraded) -> None:
    [archive] = [plugin for plugin in upgraded.plugins if plugin.name == "archive"]
    [table] = [table for table in archive.tables if table.search]
    found = upgraded.store.search("archive", table, "发布", equals={}, between=None, limit=9)
    assert [row["content"] for row in found] == ["灰度发布定在周三 @王芳"]
