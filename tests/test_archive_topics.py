"""Topics: what belongs to one, what its row says, and how its status moves with time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_driver import DAY, HOUR, MINUTE, SHANGHAI, Driver, edit
from group_events import NOVEMBER, message, recall

from core.storage.values import PendingRow
from plugins.archive.tables import ARCHIVE, STATUS_AGENDA, THREADS, TOPICS
from plugins.archive.topics import Replies, month_of, shown, status, title


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Driver]:
    with Driver(tmp_path, summaries=False) as driver:
        yield driver


def pending(driver: Driver) -> list[PendingRow]:
    return driver.store.pending("archive", TOPICS, 100)


def test_a_reply_makes_a_topic(group: Driver) -> None:
    group.deliver(message("om_1", "a", "标题行\n正文"))
    assert group.topics() == {}
    group.deliver(
        message("om_2", "b", "一", at=NOVEMBER + MINUTE, parent="om_1"),
        message("om_3", "c", "二", at=NOVEMBER + 2 * MINUTE, parent="om_2", root="om_1"),
        message("om_4", "b", "三", at=NOVEMBER + 3 * MINUTE, parent="om_1"),
        message("om_5", "bot1", "四", at=NOVEMBER + 4 * MINUTE, parent="om_1"),
    )
    assert group.topics()["om_1"] == {
        "topic_id": "om_1",
        "title": "标题行",
        "created": NOVEMBER,
        "last_reply": NOVEMBER + 4 * MINUTE,
        "replies": 4,
        "people": 3,
        "status": "活跃",
        "month": "2026-11",
        "link": "https://applink.feishu.cn/client/chat/open?openChatId=oc_group&messageId=om_1",
        "summary": "",
        "keywords": "",
        "chat_id": "oc_group",
        "starter_id": "a",
        "person_id": "a",
        "participants": ["a", "b", "c"],
    }


def test_a_topic_needs_as_many_replies_as_the_setting_says(tmp_path: Path) -> None:
    with Driver(tmp_path, topic_min_replies=2) as driver:
        driver.deliver(message("om_1", "a", "问"), message("om_2", "b", "答", parent="om_1"))
        assert driver.topics() == {}
        driver.deliver(message("om_3", "c", "又答", parent="om_1"))
        assert driver.topics()["om_1"]["replies"] == 2
        driver.deliver(recall("om_2"))
        assert driver.topics() == {}


def test_a_root_that_comes_after_its_replies_completes_the_topic(group: Driver) -> None:
    group.deliver(message("om_2", "b", "答", at=NOVEMBER + MINUTE, parent="om_1"))
    before = group.topics()["om_1"]
    assert (before["title"], before["created"], before["starter_id"]) == ("（首条消息不在归档中）", None, "")
    group.deliver(message("om_1", "a", "问"))
    after = group.topics()["om_1"]
    assert (after["title"], after["created"], after["participants"]) == ("问", NOVEMBER, ["a", "b"])


def test_a_recalled_root_gives_the_topic_no_title(group: Driver) -> None:
    group.deliver(message("om_1", "a", "秘密"), message("om_2", "b", "答", parent="om_1"), recall("om_1"))
    topic = group.topics()["om_1"]
    assert (topic["title"], topic["starter_id"], topic["participants"]) == ("（首条消息已撤回）", "a", ["b"])


def test_an_edited_root_changes_the_title(group: Driver) -> None:
    group.deliver(message("om_1", "a", "旧"), message("om_2", "b", "答", parent="om_1"))
    group.deliver(edit("om_1", "新", at=NOVEMBER + DAY))
    assert group.topics()["om_1"]["title"] == "新"


def test_the_status_moves_at_the_exact_moment(group: Driver) -> None:
    group.deliver(message("om_1", "a", "问"), message("om_2", "b", "答", parent="om_1"))
    for moment, expected in (
        (NOVEMBER + 7 * DAY, "活跃"),
        (NOVEMBER + 7 * DAY + 1, "沉默"),
        (NOVEMBER + 30 * DAY, "沉默"),
        (NOVEMBER + 30 * DAY + 1, "冷却"),
    ):
        group.until(moment)
        assert group.topics()["om_1"]["status"] == expected
    assert list(group.store.scan("archive", STATUS_AGENDA)) == []
    group.deliver(message("om_3", "b", "又答", at=group.now, parent="om_1"))
    assert group.topics()["om_1"]["status"] == "活跃"
    group.restart()
    group.pass_time(7 * DAY + 1)
    assert group.topics()["om_1"]["status"] == "沉默"


def test_a_reply_recalled_puts_the_clock_back(group: Driver) -> None:
    group.deliver(
        message("om_1", "a", "问"),
        message("om_2", "b", "答", parent="om_1"),
        message("om_3", "b", "又答", at=NOVEMBER + 5 * DAY, parent="om_1"),
        recall("om_3"),
    )
    group.until(NOVEMBER + 7 * DAY + 1)
    assert group.topics()["om_1"]["status"] == "沉默"


def test_replies_write_no_agenda_and_an_unchanged_row_is_not_mirrored_again(group: Driver) -> None:
    group.deliver(message("om_1", "a", "问"), message("om_2", "b", "答", parent="om_1"))
    agenda = list(group.store.scan("archive", STATUS_AGENDA))
    (before,) = pending(group)
    group.deliver(*(message(f"om_r{n}", "b", "答", at=NOVEMBER + n, parent="om_1") for n in range(5)))
    assert list(group.store.scan("archive", STATUS_AGENDA)) == agenda
    (after,) = pending(group)
    group.deliver(edit("om_2", "改", at=NOVEMBER + DAY))
    assert pending(group)[0].version == after.version > before.version


def test_topics_that_were_in_bitable_go_on(group: Driver) -> None:
    old = TOPICS.blank | {"topic_id": "om_1", "title": "旧题", "last_reply": NOVEMBER, "replies": 3, "status": "活跃"}
    link = "https://applink.feishu.cn/client/chat/open?openChatId=oc_group&messageId=om_1"
    group.store.adopt("archive", TOPICS, [("rec1", old | {"link": link})])
    message_row = ARCHIVE.blank | {"message_id": "om_1", "topic_id": "om_1", "content": "旧题", "created": NOVEMBER}
    group.store.adopt("archive", ARCHIVE, [("rec2", message_row | {"link": link})])
    group.restart()
    group.until(NOVEMBER + 8 * DAY)
    assert group.topics()["om_1"]["status"] == "沉默"
    group.deliver(message("om_9", "b", "还在", at=group.now, parent="om_1"))
    topic = group.topics()["om_1"]
    assert (topic["replies"], topic["status"], topic["title"], topic["link"]) == (4, "活跃", "旧题", link)
    group.deliver(recall("om_1"))
    assert group.topics()["om_1"]["link"] == link
    assert group.rows(THREADS)["om_1"]["replies"] == 4


def test_a_recall_takes_nothing_away_from_a_topic_but_the_message(group: Driver) -> None:
    """Of a topic that was in Bitable before, the archive may hold some replies, or none at all."""
    link = "https://applink.feishu.cn/client/chat/open?openChatId=oc_group&messageId=om_1"
    old = TOPICS.blank | {"topic_id": "om_1", "last_reply": NOVEMBER, "replies": 3, "status": "活跃", "link": link}
    group.store.adopt("archive", TOPICS, [("rec1", old)])
    reply = ARCHIVE.blank | {"message_id": "om_2", "topic_id": "om_1", "content": "好", "created": NOVEMBER - DAY}
    group.store.adopt("archive", ARCHIVE, [("rec2", reply)])
    group.restart()
    group.deliver(message("om_9", "b", "还在", at=NOVEMBER + HOUR, parent="om_1"), recall("om_9"))
    topic = group.topics()["om_1"]
    assert (topic["replies"], topic["last_reply"], topic["link"]) == (3, NOVEMBER, link)
    group.deliver(recall("om_2"))
    assert group.topics()["om_1"]["replies"] == 2


def test_a_reply_from_bitable_that_is_read_again_counts_once_and_keeps_its_files(group: Driver) -> None:
    link = "https://applink.feishu.cn/client/chat/open?openChatId=oc_group&messageId=om_1"
    old = TOPICS.blank | {"topic_id": "om_1", "last_reply": NOVEMBER, "replies": 3, "status": "活跃", "link": link}
    group.store.adopt("archive", TOPICS, [("rec1", old)])
    rows = {"om_2": {"created": NOVEMBER - DAY, "files": [{"file_token": "box1", "name": "图.png"}]}, "om_3": {}}
    for name, values in rows.items():
        reply = ARCHIVE.blank | {"message_id": name, "topic_id": "om_1", "content": "好", "person_id": "b", **values}
        group.store.adopt("archive", ARCHIVE, [(f"rec_{name}", reply)])
    group.restart()
    group.deliver(message("om_2", "b", "好", at=NOVEMBER - DAY, parent="om_1"))
    assert group.topics()["om_1"]["replies"] == 3
    assert [file["file_token"] for file in group.row("om_2")["files"]] == ["box1"]
    group.deliver(message("om_3", "b", "好", at=NOVEMBER - HOUR, parent="om_1"))
    assert group.topics()["om_1"]["replies"] == 3
    group.deliver(message("om_9", "b", "还在", at=NOVEMBER + HOUR, parent="om_1"))
    topic = group.topics()["om_1"]
    assert (topic["replies"], topic["last_reply"]) == (4, NOVEMBER + HOUR)


def test_messages_that_answer_without_replying_are_grouped_when_asked(tmp_path: Path) -> None:
    said = [
        message("om_1", "a", "数据库迁移脚本谁来写", at=NOVEMBER),
        message("om_2", "b", "@_user_1 数据库迁移脚本我来写", at=NOVEMBER + 1000, mentions=["a"]),
        message("om_3", "c", "好的", at=NOVEMBER + 2000, parent="om_2"),
    ]
    with Driver(tmp_path / "off") as driver:
        assert {row["topic_id"] for row in driver.deliver(*said).rows().values()} == {"om_1", "om_2"}
    with Driver(tmp_path / "on", grouping=True) as driver:
        driver.deliver(*said[:1])
        driver.restart()
        driver.deliver(*said[1:])
        assert {row["topic_id"] for row in driver.rows().values()} == {"om_1"}
        assert driver.topics()["om_1"]["replies"] == 2
        driver.deliver(recall("om_2"))
        assert driver.topics()["om_1"]["replies"] == 1


# The pure rules


def test_a_title_is_the_first_line_that_says_something() -> None:
    def root(content: str, **values: object) -> dict[str, object]:
        return ARCHIVE.blank | {"content": content, "length": len(content), **values}

    assert title(root("\n  \n 标题 \n正文")) == "标题"
    assert title(root("长" * 81)) == f"{'长' * 79}…"
    assert title(root("")) == "（无文字）"
    assert title(root("旧", status="已撤回")) == "旧"


def test_status_and_month_are_told_from_plain_numbers() -> None:
    assert status(0, 7 * DAY) == ("活跃", 7 * DAY + 1)
    assert status(0, 7 * DAY + 1) == ("沉默", 30 * DAY + 1)
    assert status(0, 30 * DAY + 1) == ("冷却", None)
    assert month_of(1_793_462_399_999, SHANGHAI) == "2026-10"
    assert month_of(1_793_462_400_000, SHANGHAI) == "2026-11"


def test_a_topic_without_its_root_begins_with_its_first_reply() -> None:
    row = ARCHIVE.blank | {"person_id": "b", "created": 1_793_462_399_999}
    assert shown("t", "c", Replies().plus(row), None, SHANGHAI)["month"] == "2026-10"
