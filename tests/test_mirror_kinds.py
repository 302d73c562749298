"""Links, choices, attachments and lists of people between the store and Bitable, there and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from api_client import NOVEMBER
from log_lines import logged
from mirror_stage import PLUGIN, Stage
from unruly import CREATE, NAMES, UnrulySandbox, refused

from core.storage.values import PendingRow
from core.table import (
    Attachments,
    Choice,
    Json,
    Link,
    PersonCell,
    PersonName,
    PersonNames,
    Row,
    Table,
    Text,
    Timestamp,
)
from sandbox.config import SandboxConfig

MESSAGES = Table(
    "messages",
    (
        Text("id", "消息ID"),
        Text("sender"),
        PersonCell("person", "发送者", of="sender"),
        PersonName("name", "发送者姓名", of="sender"),
        Text("content", "消息内容"),
        Choice("kind", "消息类型"),
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
LINK = "https://applink.feishu.cn/client/chat/open?openChatId=oc_1&messageId=om_1"


class Archive(Stage):
    """The archive table of the sandbox."""

    table = MESSAGES

    def __init__(self, sandbox: UnrulySandbox, directory: Path) -> None:
        super().__init__(sandbox, directory)
        self.table_id = sandbox.tables.archive

    def say(self, key: str, **values: Any) -> None:
        """A message as a plugin commits it."""
        row = {**MESSAGES.blank, "id": key, "sender": self.people[0], "mentions": [], "sent": NOVEMBER, **values}
        self.commit({(key,): row})

    def upload(self, name: str, data: bytes = b"abc", *, base: str = "") -> str:
        """A file in the base (or in another), by token."""
        with self.sandbox.media.spool() as spool:
            spool.write(data)
            return self.sandbox.media.keep(spool, name, "bitable_file", base or self.sandbox.tables.app_token).token

    def cells(self) -> dict[str, dict[str, Any]]:
        """The cells of every record by message; text as text."""
        found = {}
        for item in self.items():
            cells = {title: _plain(cell) for title, cell in item["fields"].items()}
            found[cells["消息ID"]] = cells
        return found

    def stored(self, key: str) -> Row:
        """The row in the store."""
        row = self.store.get(PLUGIN, MESSAGES, (key,))
        assert row is not None
        return row

    def waiting(self) -> list[PendingRow]:
        return self.store.pending(PLUGIN, MESSAGES, 100)

    def name(self, number: int) -> str:
        """What a person is called."""
        return self.sandbox.world.people.everybody()[number].name


def _plain(cell: Any) -> Any:
    is_text = isinstance(cell, list) and "text" in cell[0]
    return "".join(part["text"] for part in cell) if is_text else cell


@asynccontextmanager
async def archive(directory: Path) -> AsyncIterator[Archive]:
    async with UnrulySandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        stage = Archive(sandbox, directory)
        await stage.open()
        try:
            yield stage
        finally:
            await stage.close()


async def test_every_kind_is_shown_as_its_cell(tmp_path: Path) -> None:
    async with archive(tmp_path) as stage:
        one, two, *_ = stage.people
        token = stage.upload("图.png")
        files = [{"file_token": "", "name": "过大.zip", "problem": "太大"}, {"file_token": token, "name": "图.png"}]
        stage.say("om_1", kind="新类型", link=LINK, files=files, content="你好", mentions=[two, one])
        stage.say("om_2")
        assert await stage.flush()
        cells = stage.cells()["om_1"]
        assert cells["消息类型"] == "新类型"
        assert cells["消息链接"] == {"link": LINK, "text": LINK}
        assert [(file["file_token"], file["name"]) for file in cells["附件信息"]] == [(token, "图.png")]
        assert cells["@的人"] == f"{stage.name(1)}, {stage.name(0)}"
        assert cells["发送者姓名"] == stage.name(0)
        assert stage.cells()["om_2"].keys() == {"消息ID", "发送者", "发送者姓名", "发送时间"}


async def test_what_is_blanked_is_cleared(tmp_path: Path) -> None:
    async with archive(tmp_path) as stage:
        files = [{"file_token": stage.upload("a.txt"), "name": "a.txt"}]
        stage.say("om_1", kind="文本", link=LINK, files=files, content="你好", mentions=[stage.people[1]])
        await stage.flush()
        stage.say("om_1")
        await stage.flush()
        assert stage.cells()["om_1"].keys() == {"消息ID", "发送者", "发送者姓名", "发送时间"}


async def test_columns_may_be_plain_text_instead(tmp_path: Path) -> None:
    async with archive(tmp_path) as stage:
        for title in ("消息类型", "消息链接"):
            stage.there.delete_field(stage.there.by_name[title].field_id)
            stage.there.add_field({"field_name": title, "type": 1})
        stage.say("om_1", kind="文本", link=LINK)
        await stage.flush()
        assert (stage.cells()["om_1"]["消息类型"], stage.cells()["om_1"]["消息链接"]) == ("文本", LINK)
        stage.insert({"消息ID": "om_2", "消息类型": "文件", "消息链接": LINK})
        await stage.restart()
        stage.store.set_note(f"table of {PLUGIN}.messages", "")
        await stage.entry.adopt()
        assert (stage.stored("om_2")["kind"], stage.stored("om_2")["link"]) == ("文件", LINK)


async def test_columns_of_another_type_are_named(tmp_path: Path) -> None:
    async with archive(tmp_path) as stage:
        for title in ("消息链接", "附件信息"):
            stage.there.delete_field(stage.there.by_name[title].field_id)
        stage.there.add_field({"field_name": "附件信息", "type": 1})
        assert not await stage.mirror._tried(stage.entry, stage.entry.adopt)
        assert "column 消息链接 is missing: add it as 超链接 (link) or 文本 (text)" in stage.entry.problem
        assert "column 附件信息 is 文本 (text): change it to 附件 (attachment)" in stage.entry.problem


async def test_what_the_predecessor_wrote_is_taken_over_and_kept(tmp_path: Path) -> None:
    async with archive(tmp_path) as stage:
        one, token = stage.people[0], stage.upload("旧.pdf", b"12345")
        stage.insert(
            {
                "消息ID": "om_old",
                "发送者": [{"id": one}],
                "发送者姓名": "曾用名",
                "消息内容": "旧会议纪要",
                "消息类型": "文件",
                "消息链接": {"link": LINK, "text": "打开"},
                "附件信息": [{"file_token": token}],
                "@的人": "某人, 另一人",
            }
        )
        await stage.entry.adopt()
        row = stage.stored("om_old")
        assert (row["sender"], row["kind"], row["link"], row["mentions"]) == (one, "文件", LINK, None)
        assert row["files"] == [{"file_token": token, "name": "旧.pdf", "size": 5, "type": "application/pdf"}]
        (hit,) = stage.store.search(PLUGIN, MESSAGES, "会议", equals={}, between=None, limit=9)
        assert hit == row
        assert stage.waiting() == []
        stage.commit({("om_old",): row | {"content": "（已撤回）"}})
        await stage.flush()
        cells = stage.cells()["om_old"]
        assert (cells["消息内容"], cells["@的人"], cells["发送者姓名"]) == ("（已撤回）", "某人, 另一人", stage.name(0))
        assert [file["file_token"] for file in cells["附件信息"]] == [token]


async def test_names_of_a_list_are_asked_for_together_and_rows_follow_a_new_name(tmp_path: Path) -> None:
    async with archive(tmp_path) as stage:
        people = stage.invite(60)
        for number in range(3):
            stage.say(f"om_{number}", sender="", mentions=people[number * 20 : number * 20 + 20])
        stage.say("om_3", mentions=["ou_stranger", people[0]])
        assert stage.store.strangers(PLUGIN, MESSAGES, "mentions") != []
        await stage.flush()
        assert len(stage.sandbox.seen[NAMES]) == 2
        assert stage.cells()["om_2"]["@的人"].split(", ") == [f"群友{number}" for number in range(41, 61)]
        assert stage.cells()["om_3"]["@的人"] == "群友1"
        assert stage.store.strangers(PLUGIN, MESSAGES, "mentions") == []
        uses = [(PLUGIN, MESSAGES, column) for column in MESSAGES.people]
        stage.store.save_people({people[0]: "新名", "ou_unseen": "谁"}, NOVEMBER, uses)
        assert {row.row["id"] for row in stage.waiting()} == {"om_0", "om_3"}
        await stage.flush()
        assert stage.cells()["om_3"]["@的人"] == "新名"
        stage.store.save_people({people[0]: "新名"}, NOVEMBER, uses)
        assert stage.waiting() == []


async def test_files_of_another_base_do_not_keep_a_row_out(tmp_path: Path) -> None:
    async with archive(tmp_path) as stage:
        mine, theirs = stage.upload("a.txt"), stage.upload("b.txt", base="another")
        for number in range(5):
            tokens = [mine, theirs] if number == 3 else [mine]
            stage.say(f"om_{number}", files=[{"file_token": token, "name": "x"} for token in tokens])
        with logged() as lines:
            assert await stage.flush()
        files = {
            key: [file["file_token"] for file in cells.get("附件信息", ())] for key, cells in stage.cells().items()
        }
        assert files == {f"om_{number}": [] if number == 3 else [mine] for number in range(5)}
        assert any("row om_3 has files that this base does not hold" in line for line in lines)
        assert stage.waiting() == []
        fresh = stage.upload("c.txt")
        stage.say("om_3", files=[{"file_token": token, "name": "x"} for token in (theirs, fresh)])
        before = stage.calls()
        assert await stage.flush()
        assert stage.calls() == before + 1
        assert [file["file_token"] for file in stage.cells()["om_3"]["附件信息"]] == [fresh]


@pytest.mark.parametrize("code", [1254069, 1254068])
async def test_a_row_refused_without_files_is_told_and_the_others_go_on(tmp_path: Path, code: int) -> None:
    async with archive(tmp_path) as stage:
        stage.say("om_1", link=LINK)
        stage.sandbox.troubles[CREATE].append(refused(code))
        with logged() as lines:
            await stage.flush()
        assert any("row om_1 cannot be written" in line for line in lines)
        stage.say("om_2")
        await stage.flush()
        assert stage.cells().keys() == {"om_2"}


async def test_text_beyond_a_cell_is_cut_in_bitable_and_whole_in_the_store(tmp_path: Path) -> None:
    async with archive(tmp_path) as stage:
        stage.say("om_1", content="长" * 100_001)
        assert await stage.flush()
        assert stage.cells()["om_1"]["消息内容"] == "长" * 99_999 + "…"
        assert len(stage.stored("om_1")["content"]) == 100_001
