"""Rounds of the pin plugin on a real store: what is found, published, archived and told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from log_lines import logged
from pin_driver import Driver, words
from pin_platform import APP, PinPlatform

from core import Budget, Unreachable
from plugins.pin.rounds import SLICE
from plugins.pin.tables import KNOWN, PIN

HOUR = 3600.0
DAY = 86_400.0


@pytest.fixture
def platform() -> PinPlatform:
    platform = PinPlatform()
    platform.pins["oc_1"] = {}
    platform.people = {"ou_li": "李雷", "ou_wang": "王芳"}
    return platform


@pytest.fixture
def driver(tmp_path: Path, platform: PinPlatform) -> Iterator[Driver]:
    with Driver(tmp_path, platform) as driver:
        yield driver


def test_a_pin_becomes_a_row(driver: Driver, platform: PinPlatform) -> None:
    driver.round()
    platform.say("om_1", {"text": "周五 18:00 前提交周报"}, by="ou_li")
    platform.pin("oc_1", "om_1", "ou_wang")
    driver.round()
    assert driver.rows() == [
        {
            "message_id": "om_1",
            "content": "周五 18:00 前提交周报",
            "message_type": "text",
            "sender_id": "ou_li",
            "operator_id": "ou_wang",
            "pinned": "2026-11-01 10:26:40",
            "sent": "2026-11-01 10:26:40",
            "link": "https://applink.feishu.cn/client/chat/open?openChatId=oc_1&messageId=om_1",
            "files": [],
            "archived": "2026-11-01 10:56:25",
            "status": "已Pin",
            "unpinned": "",
            "recalled": 0,
        }
    ]


def test_the_columns_are_those_users_know() -> None:
    known = [column.title for column in PIN.mirrored if not column.optional]
    assert known == [
        *("Pin消息ID", "消息内容", "消息类型", "发送者ID", "发送者姓名", "Pin操作人ID", "Pin操作人姓名"),
        *("Pin时间", "消息发送时间", "消息链接", "附件信息", "归档时间"),
    ]


def test_the_first_pins_are_published_and_archived_but_not_announced(driver: Driver, platform: PinPlatform) -> None:
    first, second = platform.pin("oc_1", "om_1", at=1_000), platform.pin("oc_1", "om_2", at=2_000)
    driver.finish()
    assert driver.events() == [("pin.added", "om_2", second.time), ("pin.added", "om_1", first.time)]
    assert [row["content"] for row in driver.rows()] == ["说 om_1", "说 om_2"]
    assert driver.sent == []
    driver.restart()
    driver.finish()
    assert driver.sent == []
    assert len(driver.published) == 2


def test_a_new_pin_is_announced_once(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    platform.pin("oc_1", "om_1")
    driver.round()
    (card,) = driver.cards()
    assert all(word in words(card) for word in ("说 om_1", "王芳", "李雷", "messageId=om_1"))
    for _ in range(3):
        driver.round()
    driver.restart()
    driver.finish()
    assert len(driver.sent) == 1
    assert (driver.sent[0].chat_id, driver.sent[0].msg_type) == ("oc_1", "interactive")


def test_many_new_pins_are_one_card_and_cost_one_list_call(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    for number in range(12):
        platform.pin("oc_1", f"om_{number:02}", at=driver.now + number)
    platform.calls.clear()
    driver.round()
    assert len(platform.calls) == 1 + 12
    (card,) = driver.cards()
    assert "12 条新的 Pin 消息" in words(card)
    assert "说 om_11" in words(card)
    assert "说 om_01" not in words(card)
    assert "另有 2 条" in words(card)


def test_an_unchanged_group_costs_one_call_however_many_pins_it_has(tmp_path: Path) -> None:
    platform = PinPlatform()
    for number in range(180):
        platform.pin("oc_1", f"om_{number}", at=1_000 + number)
    with Driver(tmp_path, platform) as driver:
        driver.finish()
        assert len(driver.rows()) == 180
        for _ in range(7):
            platform.calls.clear()
            driver.round()
            assert platform.calls == ["pins oc_1"]
        driver.round()
        assert platform.calls == ["pins oc_1"] * 5


def test_a_pin_taken_off_far_below_the_first_page_is_found_by_a_deep_look(tmp_path: Path) -> None:
    platform = PinPlatform()
    pins = [platform.pin("oc_1", f"om_{number}", at=1_000 + number) for number in range(120)]
    with Driver(tmp_path, platform) as driver:
        driver.finish()
        platform.unpin("oc_1", "om_3")
        for _ in range(8):
            driver.round()
        assert driver.events()[120:] == [("pin.removed", "om_3", pins[3].time)]
        platform.unpin("oc_1", "om_5")
        driver.restart()
        driver.finish()
        assert driver.events()[121:] == [("pin.removed", "om_5", pins[5].time)]
        assert len(driver.rows()) == 118


def test_more_new_pins_than_a_page_are_all_found_at_once(driver: Driver, platform: PinPlatform) -> None:
    platform.pin("oc_1", "om_old", at=5)
    driver.finish()
    for number in range(130):
        platform.pin("oc_1", f"om_{number}", at=driver.now + number)
    driver.round()
    assert len(driver.rows()) == 131
    assert len(driver.published) == 131
    assert "130 条新的 Pin 消息" in words(driver.cards()[0])


def test_unpinning_deletes_the_row(driver: Driver, platform: PinPlatform) -> None:
    pinned = platform.pin("oc_1", "om_1")
    driver.finish()
    platform.unpin("oc_1", "om_1")
    driver.round()
    assert driver.rows() == []
    assert driver.events()[1:] == [("pin.removed", "om_1", pinned.time)]


def test_unpinning_marks_the_row_where_that_is_wanted(tmp_path: Path, platform: PinPlatform) -> None:
    with Driver(tmp_path, platform, unpinned="mark") as driver:
        platform.pin("oc_1", "om_1")
        driver.finish()
        platform.unpin("oc_1", "om_1")
        driver.round()
        row = driver.row("om_1")
        assert (row["status"], row["unpinned"]) == ("已取消", "2026-11-01 10:56:25")
        platform.pin("oc_1", "om_1", "ou_li")
        platform.calls.clear()
        driver.round()
        row = driver.row("om_1")
        assert (row["status"], row["unpinned"], row["operator_id"]) == ("已Pin", "", "ou_li")
        assert platform.calls == ["pins oc_1"], "its content is known already"


def test_pinned_again_is_one_removal_one_addition_and_a_new_card(driver: Driver, platform: PinPlatform) -> None:
    first = platform.pin("oc_1", "om_1")
    driver.finish()
    platform.unpin("oc_1", "om_1")
    driver.advance(5)
    again = platform.pin("oc_1", "om_1", "ou_li")
    driver.round()
    assert driver.events()[1:] == [("pin.removed", "om_1", first.time), ("pin.added", "om_1", again.time)]
    assert driver.row("om_1")["operator_id"] == "ou_li"
    assert driver.row("om_1")["content"] == "说 om_1"
    assert len(driver.sent) == 1


def test_what_changed_while_the_program_was_off_is_found_at_the_start(driver: Driver, platform: PinPlatform) -> None:
    platform.pin("oc_1", "om_gone")
    driver.finish()
    driver.advance(20 * HOUR)
    platform.unpin("oc_1", "om_gone")
    platform.pin("oc_1", "om_old")
    driver.advance(12 * HOUR)
    platform.pin("oc_1", "om_new")
    driver.advance(13 * HOUR)
    driver.restart()
    driver.finish()
    assert {row["message_id"] for row in driver.rows()} == {"om_old", "om_new"}
    assert [event[:2] for event in driver.events()[1:]] == [
        *(("pin.removed", "om_gone"), ("pin.added", "om_new"), ("pin.added", "om_old"))
    ]
    (card,) = driver.cards()
    assert "om_new" in words(card)
    assert "om_old" not in words(card), "older than a day is no news"


def test_a_pin_taken_off_before_it_was_announced_is_not_announced(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    platform.pin("oc_1", "om_1")
    platform.failing["message om_1"] = Unreachable("gone")
    driver.round()
    platform.unpin("oc_1", "om_1")
    del platform.failing["message om_1"]
    driver.round()
    assert driver.sent == []
    assert driver.rows() == []


def test_nothing_is_announced_where_that_is_not_wanted(tmp_path: Path, platform: PinPlatform) -> None:
    with Driver(tmp_path, platform, announce=False) as driver:
        driver.finish()
        platform.pin("oc_1", "om_1")
        driver.round()
        assert len(driver.rows()) == 1
        assert driver.sent == []


def test_a_group_that_joins_later_has_its_own_baseline(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    platform.pin("oc_2", "om_2")
    driver.round()
    assert driver.sent == []
    platform.pin("oc_2", "om_3")
    driver.round()
    assert [message.chat_id for message in driver.sent] == ["oc_2"]


def test_an_image_and_a_file_are_asked_for_and_put_into_the_row(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    content = {"title": "", "content": [[{"tag": "text", "text": "见图"}, {"tag": "img", "image_key": "img_1"}]]}
    platform.say("om_1", content, kind="post")
    platform.say("om_2", {"file_key": "file_2", "file_name": "方案.pdf"}, kind="file")
    platform.pin("oc_1", "om_1")
    platform.pin("oc_1", "om_2")
    driver.round()
    assert {(one.message_id, one.file_key, one.kind, one.name) for one in driver.attachments} == {
        ("om_1", "img_1", "image", ""),
        ("om_2", "file_2", "file", "方案.pdf"),
    }
    done = {"name": "img_1.png", "size": 5, "media_type": "image/png", "file_token": "box1", "path": "", "problem": ""}
    driver.attached("om_1", "img_1", **done)
    driver.attached("om_1", "img_1", **done)
    assert driver.row("om_1")["files"] == [{"file_key": "img_1", **done}]
    driver.attached("om_2", "file_2", name="方案.pdf", file_token="", problem="文件已过期")
    driver.attached("om_2", "file_2", name="方案.pdf", file_token="", problem="文件已过期")
    assert driver.row("om_2")["content"] == "[文件] 方案.pdf\n［附件无法下载：方案.pdf，文件已过期］"


def test_an_attachment_of_a_row_that_is_gone_changes_nothing(driver: Driver, platform: PinPlatform) -> None:
    platform.say("om_1", {"image_key": "img_1"}, kind="image")
    platform.pin("oc_1", "om_1")
    driver.finish()
    platform.unpin("oc_1", "om_1")
    driver.round()
    driver.attached("om_1", "img_1", file_token="box1")
    driver.attached("om_9", "img_9", file_token="box9")
    assert driver.rows() == []


def test_a_merged_forward_shows_its_children_by_name(driver: Driver, platform: PinPlatform) -> None:
    platform.say("om_1", {"content": "Merged and Forwarded Message"}, kind="merge_forward")
    child = platform.messages["om_1"][0] | {
        "message_id": "om_c",
        "msg_type": "text",
        "upper_message_id": "om_1",
        "body": {"content": '{"text":"明天见"}'},
    }
    platform.messages["om_1"].append(child)
    platform.pin("oc_1", "om_1")
    driver.finish()
    assert "李雷, 2026-11-01" in driver.row("om_1")["content"]
    assert "明天见" in driver.row("om_1")["content"]


def test_the_interval_is_what_the_budget_allows_or_what_is_set(tmp_path: Path, platform: PinPlatform) -> None:
    platform.month = Budget(10_000, 0, 31 * DAY)
    with Driver(tmp_path / "derived", platform) as driver:
        driver.finish()
        due = driver.due()
        assert due is not None
        assert (due - driver.now) / 1000 == pytest.approx(31 * DAY / 1500, abs=1)
    with Driver(tmp_path / "set", platform, interval=30) as driver, logged() as lines:
        driver.finish()
        driver.round()
        assert driver.due() == driver.now + 30_000
        assert len([line for line in lines if "PIN_MONITOR_INTERVAL=30" in str(line)]) == 1


def test_a_long_round_is_done_in_slices_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    platform = PinPlatform(size=5)
    for chat in ("oc_1", "oc_2"):
        for number in range(40):
            platform.pin(chat, f"om_{chat}_{number}", at=1_000 + number)
    with Driver(tmp_path, platform) as driver:
        for _ in range(12):
            before = len(platform.calls)
            driver.slice()
            assert len(platform.calls) - before <= SLICE
            driver.restart()
        driver.finish()
        assert len(driver.rows()) == len(driver.events()) == len(set(driver.events())) == 80
        assert all(row["content"] for row in driver.rows())
        assert driver.sent == []


def test_who_pinned_is_called_a_bot_where_it_was_one(driver: Driver, platform: PinPlatform) -> None:
    driver.finish()
    platform.pin("oc_1", "om_1", APP)
    driver.round()
    assert "机器人" in words(driver.cards()[0])
    assert APP not in platform.asked


def test_rows_of_a_table_taken_over_are_kept_while_pinned_and_go_when_not(
    driver: Driver, platform: PinPlatform
) -> None:
    link = "https://applink.feishu.cn/client/chat/open?openChatId={}&messageId=om"
    driver.put(PIN, "om_kept", content="旧内容", link=link.format("oc_1"), archived="2025-01-01 00:00:00")
    driver.put(PIN, "om_gone", content="旧内容", link=link.format("oc_1"))
    driver.put(PIN, "om_elsewhere", content="旧内容", link=link.format("oc_other"))
    platform.pin("oc_1", "om_kept")
    driver.finish()
    assert {row["message_id"] for row in driver.rows()} == {"om_kept", "om_elsewhere"}
    row = driver.row("om_kept")
    assert (row["content"], row["archived"], row["operator_id"]) == ("旧内容", "2025-01-01 00:00:00", "ou_wang")
    assert "message om_kept" not in platform.calls


def test_pins_taken_off_are_forgotten_after_a_while(driver: Driver, platform: PinPlatform) -> None:
    platform.pin("oc_1", "om_1")
    driver.finish()
    platform.unpin("oc_1", "om_1")
    driver.round()
    assert len(driver.rows(KNOWN)) == 1
    driver.advance(10 * DAY)
    driver.round()
    assert driver.rows(KNOWN) == []
