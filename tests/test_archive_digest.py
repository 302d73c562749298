"""The digest: when it is sent, to whom, once; and a card that the platform takes and nobody can write into."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from archive_driver import DAY, HOUR, SHANGHAI, Driver
from group_events import NOVEMBER, message
from hypothesis import given
from hypothesis import strategies as st

from core import Row
from plugins.archive.digest import SIZE, card, following, latest, plain
from plugins.archive.settings import ArchiveConfig
from plugins.archive.tables import TOPICS
from sandbox.cards import check

NEW_YORK = ZoneInfo("America/New_York")


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def talk(number: int, moment: int, chat_id: str = "oc_group") -> list[dict[str, Any]]:
    said = [
        message(f"q{number}", "a", f"第 {number} 个话题", at=moment),
        message(f"r{number}", "b", "回答", at=moment + 1000, parent=f"q{number}"),
    ]
    for one in said:
        one["event"]["message"]["chat_id"] = chat_id
    return said


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Driver]:
    with Driver(tmp_path, digest="daily") as driver:
        driver.platform.people = {"a": "阿梅"}
        yield driver


def cards(driver: Driver) -> list[tuple[str, dict[str, Any]]]:
    return [(one.chat_id, orjson.loads(one.content)) for one in driver.sent]


def test_the_topics_of_a_day_are_sent_at_its_time(group: Driver) -> None:
    group.deliver(*talk(1, NOVEMBER)).until(at("2026-11-02 09:29"))
    assert group.sent == []
    group.until(at("2026-11-02 09:30"))
    ((chat_id, told),) = cards(group)
    assert chat_id == "oc_group"
    check(told)
    assert told["header"]["title"]["content"] == "话题日报"
    assert told["header"]["subtitle"]["content"] == "2026-11-01 09:30 – 11-02 09:29，1 个话题，1 条回复"
    title, summary, notes, facts = told["body"]["elements"]
    assert title["text"]["content"] == "第 1 个话题"
    assert "applink" not in summary["text"]["content"]
    assert notes["text"]["content"].startswith("发起人 阿梅")
    link = "https://applink.feishu.cn/client/chat/open?openChatId=oc_group&messageId=q1"
    assert facts["content"] == f"1 条回复 · 2 人 · 活跃 · [查看话题]({link})"


def test_nothing_is_sent_when_nothing_happened(group: Driver) -> None:
    group.deliver(*talk(1, NOVEMBER)).until(at("2026-11-05 12:00"))
    assert len(group.sent) == 1


def test_each_group_gets_its_own_and_one_chat_may_get_all(tmp_path: Path) -> None:
    for name, config, chats in (("each", {}, ["oc_group", "oc_other"]), ("all", {"digest_chat": "oc_x"}, ["oc_x"] * 2)):
        with Driver(tmp_path / name, digest="daily", **config) as driver:
            driver.platform.groups_by_id = {"oc_group": "项目群", "oc_other": "闲聊群"}
            driver.deliver(*talk(1, NOVEMBER), *talk(2, NOVEMBER, "oc_other")).until(at("2026-11-02 09:30"))
            assert [chat_id for chat_id, _ in cards(driver)] == chats
            titles = [told["header"]["title"]["content"] for _, told in cards(driver)]
            assert titles == (["话题日报"] * 2 if name == "each" else ["话题日报 · 项目群", "话题日报 · 闲聊群"])


def test_a_weekly_digest_is_about_a_week(tmp_path: Path) -> None:
    with Driver(tmp_path, digest="weekly", digest_weekday=5, digest_time="18:00") as driver:
        driver.deliver(*talk(1, NOVEMBER), *talk(2, NOVEMBER + 3 * DAY)).until(at("2026-11-06 18:00"))
        ((_, told),) = cards(driver)
        assert "2 个话题" in told["header"]["subtitle"]["content"]
        assert driver.context.armed("digest") == at("2026-11-13 18:00")


def test_a_digest_missed_while_off_is_sent_once_at_the_next_start(group: Driver) -> None:
    group.deliver(*talk(1, NOVEMBER))
    group.now = at("2026-11-02 20:00")
    group.restart()
    group.pass_time()
    group.restart()
    group.pass_time(HOUR)
    assert [one.key for one in group.sent] == [f"digest:{at('2026-11-02 09:30')}:oc_group"]


def test_one_missed_for_longer_than_a_day_is_left_out(tmp_path: Path) -> None:
    with Driver(tmp_path, digest="weekly") as driver:
        driver.deliver(*talk(1, NOVEMBER))
        driver.now = at("2026-11-04 09:31")
        driver.restart()
        driver.pass_time(HOUR)
        assert driver.sent == []
        assert driver.context.armed("digest") == at("2026-11-09 09:30")


def test_after_days_off_only_the_last_day_is_told(group: Driver) -> None:
    group.deliver(*talk(1, NOVEMBER))
    group.now = at("2026-11-05 12:00")
    group.deliver(*talk(2, at("2026-11-05 08:00")))
    group.restart()
    group.pass_time()
    ((_, told),) = cards(group)
    assert told["body"]["elements"][0]["text"]["content"] == "第 2 个话题"


def test_another_time_in_the_settings_counts_from_the_next_start(group: Driver) -> None:
    group.restart(digest="daily", digest_time="20:00")
    assert group.context.armed("digest") == at("2026-11-01 20:00")
    group.deliver(*talk(1, NOVEMBER))
    group.restart(digest="off")
    group.pass_time(3 * DAY)
    assert group.sent == []


def test_groups_that_are_not_watched_any_more_get_none(group: Driver) -> None:
    group.deliver(*talk(1, NOVEMBER))
    group.chats = ("oc_other",)
    group.restart()
    group.pass_time(2 * DAY)
    assert group.sent == []


@pytest.mark.parametrize(
    ("now", "start", "due", "then"),
    [
        ("2026-03-08 01:59", "2026-03-06 02:30", "2026-03-07 02:30", "2026-03-08 03:00"),  # There is no 02:30 that day.
        ("2026-03-08 12:00", "2026-03-07 02:30", "2026-03-08 03:00", "2026-03-09 02:30"),
        ("2026-11-01 12:00", "2026-10-31 02:30", "2026-11-01 02:30", "2026-11-02 02:30"),
    ],
)
def test_summer_time_leaves_out_no_digest_and_doubles_none(now: str, start: str, due: str, then: str) -> None:
    config, moment = ArchiveConfig(digest="daily", digest_time="02:30"), at(now, NEW_YORK)
    assert latest(config, moment, NEW_YORK) == (at(start, NEW_YORK), at(due, NEW_YORK))
    assert following(config, moment, NEW_YORK) == at(then, NEW_YORK)


def topic(number: int = 0, **values: Any) -> Row:
    usual = {"topic_id": f"om_{number}", "chat_id": "oc_1", "title": "题", "replies": 3, "people": 2, "status": "活跃"}
    return TOPICS.blank | usual | values


def test_a_card_stays_within_what_the_platform_takes() -> None:
    long = {"title": "长" * 500, "summary": "\n".join(["长" * 400] * 5), "keywords": "词" * 300, "starter_id": "a"}
    told = card("daily", (0, DAY), [topic(number, **long) for number in range(300)], {"a": "名" * 300}, SHANGHAI)
    check(told)
    assert len(orjson.dumps(told)) <= SIZE
    shown = sum(element["tag"] == "hr" for element in told["body"]["elements"]) + 1
    assert told["body"]["elements"][-1]["content"] == f"另有 {300 - shown} 个话题"


hostile = st.text() | st.sampled_from(
    ['<at id="all"></at>', "@_all", "[点我](https://evil.example)", "**粗**", "\u202e反", "a\u0000b", "</text_tag>"]
)


@given(hostile, hostile, hostile, hostile)
def test_nothing_a_person_writes_is_more_than_text_on_a_card(title: str, summary: str, word: str, name: str) -> None:
    row = topic(title=title, summary=summary, keywords=word, starter_id="a")
    told = card("daily", (0, DAY), [row], {"a": name}, SHANGHAI, group=name)
    check(told)
    texts = [element["content"] for element in told["body"]["elements"] if element["tag"] == "markdown"]
    link = "https://applink.feishu.cn/client/chat/open?openChatId=oc_1&messageId=om_0"
    assert texts == [f"3 条回复 · 2 人 · 活跃 · [查看话题]({link})"]
    assert {element["tag"] for element in told["body"]["elements"]} <= {"div", "markdown"}


def test_an_id_cannot_break_out_of_the_link() -> None:
    told = card("daily", (0, DAY), [topic(chat_id="oc) <at id=all></at>")], {}, SHANGHAI)
    (facts,) = (element for element in told["body"]["elements"] if element["tag"] == "markdown")
    assert "openChatId=oc%29%20%3Cat" in facts["content"]


def test_plain_text_is_one_line_without_what_is_not_seen() -> None:
    assert plain("一\n二\u202e三\u0007 四", 10) == "一 二 三 四"
    assert plain("长" * 11, 10) == f"{'长' * 9}…"
