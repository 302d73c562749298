"""The archive as files: complete, incremental, safe to open, and never half written."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from archive_driver import DAY, MINUTE, Driver, Offline, attachment, edit
from click.testing import CliRunner, Result
from group_events import NOVEMBER, message, recall

from core import Row, Table
from plugins.archive import exports
from plugins.archive.commands import archive
from plugins.archive.pages import linked

NAMES = {"a": "阿梅", "b": "小李"}
OCTOBER = NOVEMBER - 15 * DAY


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Driver]:
    with Driver(tmp_path / "data") as driver:
        driver.platform.groups_by_id["oc_group"] = "项目群"
        driver.deliver(
            message("om_1", "a", "十月的<b>计划</b>", at=OCTOBER),
            message("om_2", "b", "=1+1", parent="om_1", at=NOVEMBER),
            message("om_3", "a", "看 https://example.com/a，好的", at=NOVEMBER + MINUTE),
        )
        driver.pass_time(DAY)
        yield driver


def run(driver: Driver, to: Path, form: str, *options: str) -> Result:
    words = ["export", "--to", str(to), "--format", form, *options]
    return CliRunner().invoke(archive, words, obj=Offline(driver, NAMES))


def done(driver: Driver, to: Path, form: str, *options: str) -> str:
    result = run(driver, to, form, *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def read_jsonl(to: Path) -> dict[str, dict[str, Any]]:
    lines = [line for file in sorted(to.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()]
    messages = [json.loads(line) for line in lines]
    assert len({one["message_id"] for one in messages}) == len(messages)
    return {one["message_id"]: one for one in messages}


def read_csv(to: Path) -> list[dict[str, str]]:
    rows = []
    for file in sorted(to.glob("*.csv")):
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows += list(csv.DictReader(stream))
    return rows


# JSONL


def test_every_message_is_read_back(group: Driver, tmp_path: Path) -> None:
    said = done(group, tmp_path / "out", "jsonl")
    assert said.startswith("3 new or changed messages: 2 of 2 files written")
    messages = read_jsonl(tmp_path / "out")
    assert list(messages) == ["om_1", "om_2", "om_3"]
    assert messages["om_2"] == {
        "message_id": "om_2",
        "chat_id": "oc_group",
        "group": "项目群",
        "topic_id": "om_1",
        "parent_id": "om_1",
        "sender_id": "b",
        "sender": "小李",
        "type": "text",
        "content": "=1+1",
        "sent": "2026-11-01T10:26:40+08:00",
        "mentioned": "",
        "status": "",
        "edited": None,
        "attachments": [],
        "link": "https://applink.feishu.cn/client/chat/open?openChatId=oc_group&messageId=om_2",
    }


def test_only_months_with_something_new_are_written_again(group: Driver, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(group, out, "jsonl")
    (out / "2026-10.jsonl").write_text("untouched", "utf-8")
    assert done(group, out, "jsonl").startswith("0 new or changed messages: 0 of 2 files")
    group.deliver(message("om_4", "a", "新的", at=NOVEMBER + DAY))
    assert done(group, out, "jsonl").startswith("1 new or changed messages: 1 of 2 files")
    assert (out / "2026-10.jsonl").read_text("utf-8") == "untouched"
    assert "om_4" in (out / "2026-11.jsonl").read_text("utf-8")
    assert done(group, out, "jsonl", "--all").startswith("4 new or changed messages: 2 of 2 files")
    assert set(read_jsonl(out)) == {"om_1", "om_2", "om_3", "om_4"}


def test_an_edit_and_a_recall_change_what_was_exported(group: Driver, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(group, out, "jsonl")
    group.deliver(edit("om_1", "新计划", at=NOVEMBER + DAY), recall("om_3"))
    done(group, out, "jsonl")
    messages = read_jsonl(out)
    assert (messages["om_1"]["content"], messages["om_1"]["status"]) == ("新计划", "edited")
    assert (messages["om_3"]["content"], messages["om_3"]["status"]) == ("", "recalled")


def test_formats_and_directories_have_positions_of_their_own(group: Driver, tmp_path: Path) -> None:
    done(group, tmp_path / "one", "jsonl")
    assert done(group, tmp_path / "one", "csv").startswith("3 new")
    assert done(group, tmp_path / "two", "jsonl").startswith("3 new")


def test_a_position_nobody_can_read_means_everything(group: Driver, tmp_path: Path) -> None:
    done(group, tmp_path, "jsonl")
    (tmp_path / exports.POSITION).write_text('{"jsonl": {"revision": "?"}}', "utf-8")
    assert done(group, tmp_path, "jsonl").startswith("3 new")


def test_another_archive_in_the_same_directory_is_exported_whole(group: Driver, tmp_path: Path) -> None:
    done(group, tmp_path / "out", "jsonl")
    with Driver(tmp_path / "other") as other:
        other.deliver(message("om_9", "a", "别的"))
        done(other, tmp_path / "out", "jsonl")
    assert "om_9" in read_jsonl(tmp_path / "out")


def test_an_archive_that_went_back_to_a_backup_is_exported_whole(group: Driver, tmp_path: Path) -> None:
    with Driver(tmp_path / "now") as driver:
        driver.deliver(*(message(f"om_{number}", "a", "后来没有了", at=NOVEMBER + number) for number in range(9)))
        done(driver, tmp_path / "out", "jsonl")
    (tmp_path / "now").rename(tmp_path / "lost")
    (tmp_path / "data").rename(tmp_path / "now")  # Three messages: all below the revision that the files came to.
    with Driver(tmp_path / "now") as driver:
        driver.deliver(message("om_4", "b", "新的", at=NOVEMBER + MINUTE))
        assert done(driver, tmp_path / "out", "jsonl").startswith("4 new or changed messages: 2 of 2 files")
        assert done(driver, tmp_path / "out", "jsonl").startswith("0 new or changed messages: 0 of 2 files")
    assert set(read_jsonl(tmp_path / "out")) == {"om_1", "om_2", "om_3", "om_4"}


def test_older_messages_can_be_left_out(group: Driver, tmp_path: Path) -> None:
    said = done(group, tmp_path / "out", "jsonl", "--since", "2026-11-01")
    assert said.startswith("2 new or changed messages: 1 of 1 files")
    assert list(read_jsonl(tmp_path / "out")) == ["om_2", "om_3"]
    assert done(group, tmp_path / "out", "jsonl").startswith("3 new or changed messages: 2 of 2 files")


class Interrupted(Offline):
    """Ctrl+C while the second message of a month is read."""

    def select(self, table: Table, **given: Any) -> Iterator[Row]:
        for number, row in enumerate(super().select(table, **given)):
            if number and "month" in given.get("equals", {}):
                raise KeyboardInterrupt
            yield row


def test_an_export_that_is_interrupted_leaves_whole_files_and_is_done_again(group: Driver, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(group, out, "jsonl")
    before = (out / "2026-11.jsonl").read_bytes()
    group.deliver(edit("om_2", "改", at=NOVEMBER + DAY), edit("om_3", "改", at=NOVEMBER + DAY))
    words = ["export", "--to", str(out), "--format", "jsonl"]
    assert CliRunner().invoke(archive, words, obj=Interrupted(group, NAMES)).exit_code == 1
    assert (out / "2026-11.jsonl").read_bytes() == before
    assert list(out.glob("*.part")) == []
    assert done(group, out, "jsonl").startswith("2 new")
    assert read_jsonl(out)["om_3"]["content"] == "改"


def test_a_directory_that_cannot_be_written_is_said(group: Driver, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(group, tmp_path / "file" / "out", "jsonl")
    assert result.exit_code == 1
    assert "Could not open file" in result.stderr


# CSV


def test_a_spreadsheet_runs_no_formula_of_a_message(group: Driver, tmp_path: Path) -> None:
    group.deliver(message("om_4", "a", "\t=cmd|' /C calc'!A0", at=NOVEMBER + 2 * MINUTE))
    done(group, tmp_path / "out", "csv")
    rows = {row["消息ID"]: row for row in read_csv(tmp_path / "out")}
    assert rows["om_2"]["消息内容"] == "'=1+1"
    assert rows["om_4"]["消息内容"].startswith("'\t=")
    assert rows["om_1"]["消息内容"] == "十月的<b>计划</b>"
    assert rows["om_1"]["发送者姓名"] == "阿梅"


# HTML


class Page(HTMLParser):
    """What a browser would make of a page: its text, anchors, links and tags."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.text = ""
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[str] = []
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.feed(file.read_text("utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.ids += [str(given["id"])] if "id" in given else []
        self.links += [str(given["href"])] if "href" in given else []
        self.images += [str(given["src"])] if "src" in given else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_pages_show_messages_topics_and_quotes(group: Driver, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(group, out, "html")
    index, october, november = (
        Page(out / name) for name in ("index.html", "oc_group/2026-10.html", "oc_group/2026-11.html")
    )
    assert "项目群" in index.text
    assert index.links == ["oc_group/2026-11.html", "oc_group/2026-10.html"]
    assert november.ids == ["om_2", "om_3"]
    assert "2026 年 11 月 1 日 星期日" in november.text
    assert "阿梅：十月的<b>计划</b>" in november.text
    assert "2026-10.html#om_1" in november.links
    assert "https://example.com/a" in november.links
    assert "本月话题" in october.text
    assert "1 条回复 · 2 人 · 活跃" in october.text
    assert "#om_1" in october.links
    assert "script" not in november.tags | october.tags | index.tags


def test_a_page_is_written_again_when_its_topics_change(group: Driver, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(group, out, "html")
    assert done(group, out, "html").startswith("0 new or changed messages: 0 of 2 files")
    group.pass_time(8 * DAY)
    assert done(group, out, "html").startswith("0 new or changed messages: 1 of 2 files")
    assert "沉默" in Page(out / "oc_group/2026-10.html").text


def test_attachments_are_linked_to_their_local_copies(group: Driver, tmp_path: Path) -> None:
    files = tmp_path / "data" / "attachments"
    files.mkdir()
    (files / "图 1.png").write_bytes(b"png")
    (files / "x.pdf").write_bytes(b"pdf")
    at = NOVEMBER + 3 * MINUTE
    group.deliver(
        message("om_4", "a", kind="image", content={"image_key": "img_1"}, at=at),
        message("om_5", "a", kind="file", content={"file_key": "file_1", "file_name": "<报告>.pdf"}, at=at),
        message("om_6", "a", kind="file", content={"file_key": "file_2", "file_name": "gone.pdf"}, at=at),
        attachment("om_4", "img_1", path="attachments/图 1.png"),
        attachment("om_5", "file_1", path="attachments/x.pdf"),
        attachment("om_6", "file_2", path="attachments/gone.pdf"),
    )
    out = tmp_path / "out"
    done(group, out, "html")
    page = Page(out / "oc_group/2026-11.html")
    assert page.images == ["../../data/attachments/%E5%9B%BE%201.png"]
    assert (out / "oc_group" / "../../data/attachments/x.pdf").exists()
    assert "../../data/attachments/x.pdf" in page.links
    assert "<报告>.pdf" in page.text
    assert not any("gone" in link for link in page.links)


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "javascript:alert(1)"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_person_writes_becomes_markup(tmp_path: Path, text: str) -> None:
    with Driver(tmp_path / "data") as driver:
        driver.platform.people["a"] = text
        driver.deliver(message("om_1", "a", text), message("om_2", "a", text, parent="om_1")).pass_time(DAY)
        CliRunner().invoke(
            archive,
            ["export", "--to", str(tmp_path / "out"), "--format", "html"],
            obj=Offline(driver, {"a": text}),
            catch_exceptions=False,
        )
    page = Page(tmp_path / "out" / "oc_group" / "2026-11.html")
    assert page.text.count(text) >= 4
    assert page.images == []
    assert "script" not in page.tags
    assert not any(link.startswith("javascript") for link in page.links)


def test_a_month_or_group_from_bitable_cannot_leave_the_directory(group: Driver, tmp_path: Path) -> None:
    table = group.context.table(exports.ARCHIVE)
    table.set("om_9", month="../../evil", link="https://x/?openChatId=..%2F..&messageId=1", content="旧", created=1)
    group.commit()
    out = tmp_path / "out"
    for form in ("jsonl", "html"):
        done(group, out, form)
    assert {file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file()} >= {"______evil.jsonl"}
    assert not (tmp_path / "evil.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("看https://x.cn/a?b=1&c=2。好", ["https://x.cn/a?b=1&amp;c=2"]),
        ("(https://x.cn/a) http://y.cn/", ["https://x.cn/a", "http://y.cn/"]),
        ("javascript:alert(1) www.x.cn ftp://x", []),
        ('https://x.cn/"onclick="x', ["https://x.cn/"]),
    ],
)
def test_web_addresses_become_links(text: str, addresses: list[str]) -> None:
    html = str(linked(text))
    assert [part.split('"')[0] for part in html.split('href="')[1:]] == addresses
