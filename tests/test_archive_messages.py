"""What the archive says of a message: every type, edits, recalls, attachments and forwards, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from archive_driver import DAY, HOUR, MINUTE, Driver, attachment, edit, event, item
from group_events import NOVEMBER, message, recall

from core import ApiError, Malformed, QuotaExhausted, Unreachable
from core.context import STATE
from plugins.archive.tables import EARLY, FETCHES, NAMES

LATER = NOVEMBER + MINUTE


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Driver]:
    with Driver(tmp_path) as driver:
        yield driver


def test_a_message_becomes_a_row(group: Driver) -> None:
    group.deliver(message("om_1", "a", "@_user_1 @_all 你好", mentions=["b", "all"]))
    row = group.row("om_1")
    assert {name: row[name] for name in row if row[name] not in ("", None, [], 0)} == {
        "message_id": "om_1",
        "topic_id": "om_1",
        "content": "@B @所有人 你好",
        "message_type": "text",
        "created": NOVEMBER,
        "month": "2026-11",
        "link": "https://applink.feishu.cn/client/chat/open?openChatId=oc_group&messageId=om_1",
        "mentioned": "B, 所有人",
        "chat_id": "oc_group",
        "sender_id": "a",
        "person_id": "a",
        "version": NOVEMBER,
        "length": 10,
        "revision": 1,
    }


def test_a_reply_names_its_topic_and_its_parent(group: Driver) -> None:
    group.deliver(message("om_3", "b", "好", parent="om_2", root="om_1"))
    row = group.row("om_3")
    assert (row["topic_id"], row["parent_id"]) == ("om_1", "om_2")


def test_the_month_is_that_of_the_group(tmp_path: Path) -> None:
    midnight = 1_793_462_399_000  # 2026-10-31T15:59:59Z, a second before November in Shanghai
    with Driver(tmp_path) as driver:
        driver.deliver(message("om_1", "a", at=midnight), message("om_2", "a", at=midnight + 1000))
        assert [row["month"] for row in driver.rows().values()] == ["2026-10", "2026-11"]


def test_a_bots_message_is_kept_and_its_sender_is_no_person_cell(group: Driver) -> None:
    group.deliver(message("om_1", "a", "@_user_1 在吗", mentions=["bot1"]), message("om_2", "bot1", "在"))
    row = group.row("om_2")
    assert (row["sender_id"], row["person_id"], row["content"]) == ("bot1", "", "在")
    assert group.rows(NAMES)["bot1"]["name"] == "BOT1"


def test_a_private_chat_is_not_kept(group: Driver) -> None:
    group.deliver(message("om_1", "a", "秘密", chat_type="p2p"))
    assert group.rows() == {}


def test_no_message_costs_a_call(group: Driver) -> None:
    group.deliver(*(message(f"om_{number}", "a", "好") for number in range(20)))
    assert group.platform.asked == []


TYPES: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"text": "好"}, "好"),
    "post": ({"title": "标题", "content": [[{"tag": "a", "href": "https://x.cn", "text": "文档"}]]}, "https://x.cn"),
    "image": ({"image_key": "img_1"}, "[图片]"),
    "file": ({"file_key": "file_1", "file_name": "报告.pdf"}, "[文件] 报告.pdf"),
    "folder": ({"file_key": "file_2", "file_name": "资料"}, "［附件无法下载：文件夹无法下载］"),
    "audio": ({"file_key": "file_3", "duration": 2000}, "[语音]"),
    "media": ({"file_key": "file_4", "image_key": "img_2", "file_name": "v.mp4", "duration": 2000}, "[视频] v.mp4"),
    "sticker": ({"file_key": "file_5"}, "［附件无法下载：表情包无法下载］"),
    "interactive": ({"title": "卡片标题", "elements": [[{"tag": "text", "text": "正文"}]]}, "卡片标题"),
    "share_chat": ({"chat_id": "oc_1"}, "oc_1"),
    "share_user": ({"user_id": "ou_1"}, "ou_1"),
    "system": ({"template": "{from_user} 来了", "from_user": ["小李"]}, "小李 来了"),
    "merge_forward": ({"content": "Merged and Forwarded Message"}, "[合并转发]"),
    "location": ({"name": "公司", "longitude": "116.39", "latitude": "39.90"}, "公司"),
    "hongbao": ({"text": "[红包]"}, "[红包]"),
    "share_calendar_event": ({"summary": "周会", "start_time": "1763800000000", "end_time": "1763803600000"}, "周会"),
    "calendar": ({"summary": "周会", "start_time": "1763800000000", "end_time": "1763803600000"}, "2025-11-22"),
    "general_calendar": ({"summary": "周会", "start_time": "1763800000000", "end_time": "1763803600000"}, "[日程]"),
    "video_chat": ({"topic": "站会", "start_time": "1763800000000"}, "站会"),
    "todo": ({"task_id": "t", "summary": {"title": "", "content": [[{"tag": "text", "text": "写周报"}]]}}, "写周报"),
    "vote": ({"topic": "吃什么", "options": ["面", "饭"]}, "- 面"),
    "hologram": ({"beam": 1}, '{"beam": 1}'),
}


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_kept_as_readable_text(group: Driver, kind: str) -> None:
    content, shown = TYPES[kind]
    group.deliver(message("om_1", "a", kind=kind, content=content))
    row = group.row("om_1")
    assert shown in row["content"]
    assert row["message_type"] == kind


def test_content_that_is_no_json_is_kept_as_it_came(group: Driver) -> None:
    broken = message("om_1", "a")
    broken["event"]["message"] |= {"content": "{", "mentions": "none"}
    group.deliver(broken)
    assert "{" in group.row("om_1")["content"]


# Edits


@pytest.mark.parametrize("edited_first", [False, True])
def test_an_edit_counts_before_and_after_its_message(group: Driver, edited_first: bool) -> None:
    events = [message("om_1", "a", "旧"), edit("om_1", "新", at=LATER)]
    group.deliver(*(reversed(events) if edited_first else events))
    row = group.row("om_1")
    assert (row["content"], row["status"], row["edited"], row["version"]) == ("新", "已编辑", LATER, LATER)
    assert group.rows(EARLY) == {}


def test_the_newest_edit_counts_whenever_it_comes(group: Driver) -> None:
    group.deliver(edit("om_1", "三", at=LATER + 2), edit("om_1", "二", at=LATER), message("om_1", "a", "一"))
    group.deliver(edit("om_1", "二", at=LATER + 1))
    assert group.row("om_1")["content"] == "三"


def test_a_message_pushed_again_with_a_later_content_is_an_edit(group: Driver) -> None:
    again = message("om_1", "a", "新")
    again["event"]["message"]["update_time"] = str(LATER)
    group.deliver(message("om_1", "a", "旧"), again)
    assert (group.row("om_1")["content"], group.row("om_1")["status"]) == ("新", "已编辑")


@pytest.mark.parametrize("edited_first", [False, True])
def test_an_edit_that_says_only_which_message_is_asked_for(group: Driver, edited_first: bool) -> None:
    group.platform.messages["om_1"] = [item("om_1", "<p>新</p>", update_time=str(LATER))]
    events = [message("om_1", "a", "旧"), edit("om_1")]
    group.deliver(*(reversed(events) if edited_first else events)).pass_time()
    assert (group.row("om_1")["content"], group.row("om_1")["status"]) == ("新", "已编辑")
    assert group.platform.asked.count("om_1") == 1
    assert group.rows(FETCHES) == {}


def test_the_answer_may_be_that_it_was_recalled(group: Driver) -> None:
    body = {"content": "This message was recalled"}
    group.platform.messages["om_1"] = [item("om_1", "", update_time=str(LATER), deleted=True, body=body)]
    group.deliver(message("om_1", "a", "旧"), edit("om_1")).pass_time()
    assert (group.row("om_1")["content"], group.row("om_1")["status"]) == ("", "已撤回")


def test_an_unreadable_answer_leaves_the_row_as_it_was(group: Driver) -> None:
    group.platform.messages["om_1"] = [{"message_id": "om_1"}]
    group.deliver(message("om_1", "a", "旧"), edit("om_1")).pass_time()
    assert group.row("om_1")["content"] == "旧"


def test_an_edit_of_an_unwatched_group_or_private_chat_is_passed_over(group: Driver) -> None:
    group.chats = ("oc_group",)
    group.restart()
    private = edit("om_2", "新", at=LATER)
    private["event"]["message"]["chat_type"] = "p2p"
    group.deliver(edit("om_1", chat_id="oc_other"), private)
    assert group.rows(EARLY) == {}


def test_an_edit_without_a_message_is_refused(group: Driver) -> None:
    with pytest.raises(Malformed, match="message_id"):
        group.deliver(event("im.message.updated_v1", {"message": {}}))


# Recalls


@pytest.mark.parametrize("recalled_first", [False, True])
def test_a_recall_blanks_and_marks_the_row(group: Driver, recalled_first: bool) -> None:
    said = message("om_1", "a", "@_user_1 密码", mentions=["b"], kind="post", content={"content": [[_image("img_1")]]})
    group.deliver(*([recall("om_1"), said] if recalled_first else [said, recall("om_1")]))
    row = group.row("om_1")
    assert (row["content"], row["mentioned"], row["files"], row["status"]) == ("", "", [], "已撤回")
    assert row["sender_id"] == "a"
    assert group.rows(EARLY) == {}


def test_what_is_recalled_may_be_kept(tmp_path: Path) -> None:
    with Driver(tmp_path, recalled="keep") as driver:
        driver.deliver(message("om_1", "a", "旧"), recall("om_1"), edit("om_1", "新", at=LATER))
        row = driver.row("om_1")
        assert (row["content"], row["status"]) == ("新", "已撤回")
        driver.restart(recalled="blank")
        assert (driver.row("om_1")["content"], driver.row("om_1")["status"]) == ("", "已撤回")


@pytest.mark.parametrize("order", ["mer", "mre", "emr", "erm", "rme", "rem"])
def test_an_edit_and_a_recall_in_any_order_make_the_same_row(group: Driver, order: str) -> None:
    events = {"m": message("om_1", "a", "旧"), "e": edit("om_1", "新", at=LATER), "r": recall("om_1")}
    for one in order:
        group.deliver(events[one])
    row = group.row("om_1")
    assert (row["content"], row["status"], row["edited"], row["version"]) == ("", "已撤回", LATER, LATER)


def test_a_recalled_message_is_found_by_no_search(group: Driver) -> None:
    group.deliver(message("om_1", "a", "机密计划"))
    assert len(_search(group, "机密")) == 1
    group.deliver(recall("om_1"))
    assert _search(group, "机密") == []


# Attachments


def _image(key: str) -> dict[str, Any]:
    return {"tag": "img", "image_key": key}


def test_attachments_are_asked_for_and_put_into_their_cell(group: Driver) -> None:
    images = {"content": [[_image("img_1"), {"tag": "text", "text": "看图"}, _image("img_2")]]}
    group.deliver(message("om_1", "a", kind="post", content=images))
    assert [(one.message_id, one.file_key, one.kind) for one in group.attached] == [
        ("om_1", "img_1", "image"),
        ("om_1", "img_2", "image"),
    ]
    before = group.row("om_1")["content"]
    group.deliver(attachment("om_1", "img_2", file_token="tok2", name="2.png", path="attachments/2.png"))
    group.deliver(attachment("om_1", "img_1", problem="资源已过期"))
    row = group.row("om_1")
    assert [(file["file_key"], file.get("file_token"), file.get("path")) for file in row["files"]] == [
        ("img_1", None, None),
        ("img_2", "tok2", "attachments/2.png"),
    ]
    assert row["content"] == f"{before}\n［附件无法下载：资源已过期］"


def test_an_edit_asks_only_for_attachments_that_are_new(group: Driver) -> None:
    group.deliver(message("om_1", "a", kind="post", content={"content": [[_image("img_1")]]}))
    group.deliver(attachment("om_1", "img_1", problem="没有权限"))
    again = message("om_1", "a", kind="post", content={"content": [[_image("img_2"), _image("img_1")]]})
    again["event"]["message"]["update_time"] = str(LATER)
    group.deliver(again)
    assert [one.file_key for one in group.attached] == ["img_1", "img_2"]
    assert "没有权限" in group.row("om_1")["content"]


def test_an_attachment_of_a_recalled_message_stays_away(group: Driver) -> None:
    group.deliver(message("om_1", "a", kind="image", content={"image_key": "img_1"}), recall("om_1"))
    group.deliver(attachment("om_1", "img_1", file_token="tok"))
    group.deliver(attachment("never seen", "img_1", file_token="tok"))
    assert group.row("om_1")["files"] == []


# Forwards


def forwarded(driver: Driver) -> None:
    wrapper = item("om_1", "", msg_type="merge_forward", body={"content": "Merged and Forwarded Message"})
    child = item("om_c", "原话", sender="b", upper_message_id="om_1")
    driver.platform.messages["om_1"] = [wrapper, child]
    driver.platform.people["b"] = "小李"
    driver.deliver(message("om_1", "a", kind="merge_forward", content={"content": "Merged and Forwarded Message"}))


def test_a_forward_is_kept_at_once_and_completed_later(group: Driver) -> None:
    forwarded(group)
    assert group.row("om_1")["content"] == "[合并转发]"
    group.pass_time()
    assert "小李, 2026-11-01 10:26: 原话" in group.row("om_1")["content"]
    assert group.platform.asked.count("om_1") == 1


def test_notes_on_attachments_stand_beside_each_other(group: Driver) -> None:
    """What can never be had is said at once, what became of the others is added, whenever they are told again."""
    cover = [[{"tag": "img", "image_key": "img_v3_1"}, {"tag": "img", "image_key": "img_v3_2"}]]
    group.deliver(message("om_1", "a", kind="post", content={"title": "图", "content": cover}))
    for _ in range(2):
        group.deliver(attachment("om_1", "img_v3_1", name="a.png", problem="没有了"))
        group.deliver(attachment("om_1", "img_v3_2", problem="太大"))
    assert group.row("om_1")["content"] == "图\n[图片][图片]\n［附件无法下载：a.png，没有了］\n［附件无法下载：太大］"
    assert group.row("om_1")["length"] == len("图\n[图片][图片]")


def test_a_forward_says_that_its_attachments_cannot_be_had(group: Driver) -> None:
    forwarded(group)
    picture = orjson.dumps({"image_key": "img_v3_1"}).decode()
    child = item("om_d", "", sender="b", msg_type="image", body={"content": picture}, upper_message_id="om_1")
    group.platform.messages["om_1"].append(child)
    group.pass_time()
    assert group.row("om_1")["content"].endswith("[图片]\n［附件无法下载：合并转发中的附件无法下载］")
    assert group.attached == []


def test_a_failing_platform_is_asked_again_also_after_a_restart(group: Driver) -> None:
    group.platform.failure = Unreachable("no network")
    forwarded(group)
    group.pass_time(MINUTE)
    assert group.row("om_1")["content"] == "[合并转发]"
    group.restart()
    group.platform.failure = None
    group.pass_time(HOUR)
    assert "原话" in group.row("om_1")["content"]


def test_a_spent_quota_is_waited_for(group: Driver) -> None:
    group.platform.failure = QuotaExhausted("all gone")
    forwarded(group)
    group.pass_time(5 * HOUR)
    assert group.platform.asked.count("om_1") == 6
    assert group.rows(FETCHES)["om_1"]["attempts"] == 0


@pytest.mark.parametrize(
    ("failure", "calls"),
    [(ApiError("message", 230002, "Bot is out of the chat."), 1), (Unreachable("no network"), 33)],
)
def test_what_the_platform_never_tells_is_said_in_the_row(group: Driver, failure: Exception, calls: int) -> None:
    group.platform.failure = failure
    forwarded(group)
    group.pass_time(8 * DAY)
    assert group.row("om_1")["content"].startswith("[合并转发]\n［合并转发的内容无法读取：")
    assert group.platform.asked.count("om_1") == calls
    assert group.rows(FETCHES) == {}


def test_a_forward_recalled_meanwhile_stays_blank(group: Driver) -> None:
    forwarded(group)
    group.deliver(recall("om_1")).pass_time(DAY)
    assert group.row("om_1")["content"] == ""


# The store


def test_events_that_come_again_change_nothing(group: Driver) -> None:
    events = [message("om_1", "a", "旧"), edit("om_1", "新", at=LATER), message("om_2", "b", "好"), recall("om_2")]
    group.deliver(*events)
    before = group.rows()
    group.deliver(*events)
    assert group.rows() == before


def test_every_change_has_a_revision_of_its_own(group: Driver) -> None:
    group.deliver(message("om_1", "a", "旧"), message("om_2", "a", "好"), edit("om_1", "新", at=LATER))
    assert {key: row["revision"] for key, row in group.rows().items()} == {"om_1": 3, "om_2": 2}
    assert group.rows(STATE)["revision"]["value"] == 3


def test_the_name_of_a_group_is_asked_for_once_a_week(group: Driver) -> None:
    group.platform.groups_by_id["oc_group"] = "项目群"
    group.deliver(message("om_1", "a")).pass_time(DAY)
    group.deliver(message("om_2", "a")).pass_time(7 * DAY)
    assert group.rows(NAMES)["oc_group"]["name"] == "项目群"
    assert group.platform.asked == ["oc_group"]
    group.deliver(message("om_3", "a")).pass_time(DAY)
    assert group.platform.asked == ["oc_group", "oc_group"]


def _search(driver: Driver, words: str) -> list[Any]:
    from plugins.archive.tables import ARCHIVE

    return driver.store.search("archive", ARCHIVE, words, equals={}, between=None, limit=9)
