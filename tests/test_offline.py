"""What commands read of a plugin's tables: rows, selections, searches, and rows as people see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from plugin_package import install, on_path

from core.cli import main
from core.errors import ConfigurationError, Undeclared
from core.loading.plugins import Plugin, load
from core.offline import Offline
from core.settings import PluginSettings, Settings
from core.storage import open_engine
from core.storage.values import Commit
from core.table import Row, Table

ARCHIVING = """
from core import Manifest
from core.table import *

MESSAGES = Table(
    "messages",
    (
        Text("id", "消息ID"),
        Text("sender"),
        PersonCell("person", "发送者", of="sender"),
        PersonName("name", "发送者姓名", of="sender"),
        Text("content", "消息内容"),
        Choice("kind", "消息类型", options=("文本", "文件")),
        Timestamp("sent", "发送时间"),
        Link("link", "消息链接"),
        Attachments("files", "附件信息"),
        Json("mentions"),
        PersonNames("mentioned", "@的人", of="mentions"),
    ),
    key=("id",),
    setting="ARCHIVE_TABLE_ID",
    search=("content",),
)
PLAIN = Table("plain", (Text("k"),), key=("k",))
manifest = Manifest(name="archiving", summary="Keeps messages.", tables=(MESSAGES, PLAIN))
"""
SENT = 1_793_505_600_000
"""2026-11-01 12:00 in Shanghai, ms."""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugin]:
    monkeypatch.chdir(tmp_path)
    install(tmp_path, "archiving", ARCHIVING)
    with on_path(tmp_path):
        (plugin,) = load({"archiving": PluginSettings(enabled=True)}, {}, Path("plugins.toml"))
        yield plugin


@pytest.fixture
def offline(plugin: Plugin, tmp_path: Path) -> Iterator[Offline]:
    messages, _ = plugin.manifest.tables
    with open_engine(tmp_path / "data") as engine:
        store = engine.store()
        store.prepare("archiving", plugin.tables)
        store.cursor("archiving", 0)
        rows: list[Row] = [
            {"id": "om_1", "sender": "ou_li", "content": "项目会议纪要", "kind": "文本", "sent": SENT},
            {
                "id": "om_2",
                "sender": "ou_wang",
                "content": "会议改期",
                "sent": SENT + 1000,
                "mentions": ["ou_li", "ou_x"],
            },
            {
                "id": "om_3",
                "kind": "文件",
                "link": "https://example.com/3",
                "files": [
                    {"file_token": "b1", "name": "一.pdf"},
                    {"file_token": "b2"},
                    {"name": "", "problem": "太大"},
                ],
                "mentions": ["ou_li", "ou_wang"],
            },
        ]
        kept: Any = {(row["id"],): messages.blank | row for row in rows}
        store.commit(Commit("archiving", 0, 1, now=1, rows={messages: kept}))
        store.save_people({"ou_li": "李雷", "ou_wang": "王芳"}, 1, [])
        store.close()
    with Offline(Settings(data_dir=tmp_path / "data"), plugin) as offline:
        yield offline


@pytest.fixture
def messages(plugin: Plugin) -> Table:
    return plugin.manifest.tables[0]


def test_rows_are_read_by_key_in_order_and_by_their_words(offline: Offline, messages: Table) -> None:
    row = offline.get(messages, "om_1")
    assert row is not None
    assert row["content"] == "项目会议纪要"
    assert offline.get(messages, "om_9") is None
    assert [row["id"] for row in offline.select(messages)] == ["om_1", "om_2", "om_3"]
    assert [row["id"] for row in offline.select(messages, after=row, limit=1)] == ["om_2"]
    assert [row["id"] for row in offline.select(messages, between=("sent", SENT + 1, None))] == ["om_2"]
    assert [row["id"] for row in offline.select(messages, equals={"kind": "文件"})] == ["om_3"]
    assert [row["id"] for row in offline.search(messages, "会议")] == ["om_2", "om_1"]
    assert [row["id"] for row in offline.search(messages, "会议", equals={"sender": "ou_li"})] == ["om_1"]
    assert [row["id"] for row in offline.search(messages, "会议", between=("sent", None, SENT + 1))] == ["om_1"]
    assert len(offline.search(messages, "会议", limit=1)) == 1


def test_a_table_without_search_says_so(offline: Offline, plugin: Plugin) -> None:
    with pytest.raises(Undeclared, match=r"archiving\.plain"):
        offline.search(plugin.manifest.tables[1], "会议")


def test_nothing_stored_yet_says_what_to_do(plugin: Plugin, messages: Table, tmp_path: Path) -> None:
    empty = Offline(Settings(data_dir=tmp_path / "nowhere"), plugin)
    with pytest.raises(ConfigurationError, match="nothing is stored there yet"), empty:
        empty.search(messages, "会议")


def test_rows_are_shown_as_people_read_them(offline: Offline, messages: Table) -> None:
    first, second, third = (offline.shown(messages, row, offline.names()) for row in offline.rows(messages))
    assert first == {
        "消息ID": "om_1",
        "sender": "ou_li",
        "发送者": "李雷",
        "发送者姓名": "李雷",
        "消息内容": "项目会议纪要",
        "消息类型": "文本",
        "发送时间": "2026-11-01 12:00:00+08:00",
        "消息链接": "",
        "附件信息": "",
        "mentions": None,
        "@的人": "",
    }
    assert (second["@的人"], second["mentions"]) == ("李雷", '["ou_li","ou_x"]')
    assert (third["@的人"], third["附件信息"]) == ("李雷, 王芳", "一.pdf, b2")
    assert (third["消息链接"], third["发送时间"]) == ("https://example.com/3", None)


@pytest.mark.usefixtures("offline")
def test_the_table_commands_show_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    (tmp_path / "plugins.toml").write_text("[plugins.archiving]\nenabled = true\n")
    shown = CliRunner().invoke(main, ["tables", "show", "messages"])
    exported = CliRunner().invoke(main, ["tables", "export", "messages"])
    assert (shown.exit_code, exported.exit_code) == (0, 0)
    for text in ("一.pdf, b2", "李雷, 王芳", "https://example.com/3", "会议改期"):
        assert text in shown.output
        assert text in exported.output
