"""The game as a group plays it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import larkflock_checkin as checkin
import pytest
from larkflock_checkin import board
from larkflock_checkin.settings import CheckinConfig
from larkflock_checkin.tables import CHECKINS, STANDINGS
from pydantic import ValidationError

from core.testing import Harness

PEOPLE = {"ou_li": "李雷", "ou_wang": "王芳"}
SLOW = 3.0
"""Seconds a hook may keep its loop: the machine that tests may be busy."""


def game(*, clock: str = "2026-11-22 09:00", **config: Any) -> Harness:
    return Harness(checkin, config=config, people=PEOPLE, clock=clock, groups=("oc_1", "oc_2"), most_blocked=SLOW)


def told(lark: Harness) -> list[str]:
    return [sent.text for sent in lark.sent if sent.msg_type == "text"]


def lines(card: Mapping[str, Any]) -> list[str]:
    texts = [one["text"]["content"] for one in card["body"]["elements"] if one["tag"] == "div"]
    return "\n".join(texts).split("\n")


def button(card: Mapping[str, Any], label: str) -> dict[str, Any]:
    """The value of the button with this label."""
    (found,) = [one for one in card["body"]["elements"] if one["text"]["content"] == label]
    return dict(found["behaviors"][0]["value"])


async def say_late(lark: Harness, who: str, moment: str, message_id: str) -> None:
    """A message of an earlier moment arrives now."""
    at = int(datetime.fromisoformat(moment).replace(tzinfo=lark.zone).timestamp() * 1000)
    message = {
        "message_id": message_id,
        "create_time": str(at),
        "chat_id": "oc_1",
        "chat_type": "group",
        "message_type": "text",
        "content": json.dumps({"text": "签到"}),
    }
    sender = {"sender_id": {"open_id": who}, "sender_type": "user"}
    await lark.event("im.message.receive_v1", {"sender": sender, "message": message})


async def test_the_first_day_earns_one_and_is_answered() -> None:
    async with game() as lark:
        said = await lark.say("ou_li", "签到")
        (sent,) = lark.sent
        assert (sent.chat_id, sent.reply_to) == ("oc_1", said)
        assert sent.text == "签到成功！连续 1 天，获得 1 灵芝，共 1 灵芝。"
        (row,) = lark.rows(CHECKINS)
        assert (row["day"], row["streak"], row["lingzhi_earned"], row["time"]) == ("2026-11-22", 1, 1, lark.now)


async def test_days_in_a_row_earn_more_and_a_day_left_out_begins_anew() -> None:
    async with game() as lark:
        for _ in range(6):
            await lark.say("ou_li", "签到")
            await lark.advance(days=1)
        assert [row["lingzhi_earned"] for row in lark.rows(CHECKINS)] == [1, 1, 2, 3, 5, 8]
        assert told(lark)[-1] == "签到成功！连续 6 天，获得 8 灵芝，共 20 灵芝。"
        await lark.advance(days=1)
        await lark.say("ou_li", "签到")
        assert told(lark)[-1] == "签到成功！连续 1 天，获得 1 灵芝，共 21 灵芝。"
        (standing,) = lark.rows(STANDINGS)
        assert [standing[name] for name in ("total", "days", "streak", "best")] == [21, 7, 1, 6]
        rows = lark.rows(CHECKINS), lark.rows(STANDINGS)
        await lark.again()
        await lark.restart()
        assert (lark.rows(CHECKINS), lark.rows(STANDINGS)) == rows
        await lark.assert_repeatable()


async def test_once_a_day_in_each_group() -> None:
    async with game() as lark:
        for chat in ("oc_1", "oc_1", "oc_2"):
            await lark.say("ou_li", "签到", chat=chat)
        assert told(lark) == [
            "签到成功！连续 1 天，获得 1 灵芝，共 1 灵芝。",
            "今天已经签到过了，连续 1 天，共 1 灵芝。",
            "签到成功！连续 1 天，获得 1 灵芝，共 1 灵芝。",
        ]
        assert [(row["chat_id"], row["total"]) for row in lark.rows(STANDINGS)] == [("oc_1", 1), ("oc_2", 1)]


async def test_a_day_ends_at_midnight_where_the_group_lives() -> None:
    async with game(clock="2026-11-22 22:59:59", timezones={"oc_2": "Asia/Tokyo"}) as lark:
        for _ in range(2):  # 22:59:59 and 23:00:00 in Shanghai, an hour later in Tokyo.
            await lark.say("ou_li", "签到", chat="oc_1")
            await lark.say("ou_li", "签到", chat="oc_2")
            await lark.advance(seconds=1)
        assert [(row["chat_id"], row["day"]) for row in lark.rows(CHECKINS)] == [
            ("oc_1", "2026-11-22"),
            ("oc_2", "2026-11-22"),
            ("oc_2", "2026-11-23"),
        ]


async def test_a_message_read_late_counts_for_its_day_and_raises_those_after_it() -> None:
    async with game() as lark:
        await lark.say("ou_li", "签到")
        await lark.advance(days=2)
        await lark.say("ou_li", "签到")
        assert told(lark)[-1].startswith("签到成功！连续 1 天")
        await say_late(lark, "ou_li", "2026-11-23 12:00", "om_late")
        assert [(row["day"], row["streak"], row["lingzhi_earned"]) for row in lark.rows(CHECKINS)] == [
            ("2026-11-22", 1, 1),
            ("2026-11-23", 2, 1),
            ("2026-11-24", 3, 2),
        ]
        (standing,) = lark.rows(STANDINGS)
        assert [standing[name] for name in ("total", "last_day", "streak", "best")] == [4, "2026-11-24", 3, 3]
        assert len(lark.sent) == 2  # Nobody is told in the evening what they said the day before.
        await say_late(lark, "ou_li", "2026-11-23 08:00", "om_earlier")
        assert lark.rows(CHECKINS)[1]["time"] == 1_795_392_000_000  # 08:00 of that day
        assert lark.rows(STANDINGS) == [standing]


async def test_what_is_no_check_in_is_left_alone() -> None:
    async with game() as lark:
        await lark.say("ou_li", "签到了吗")
        await lark.say("ou_li", "签到", private=True)
        await lark.say("cli_00000000000000bb", "签到")
        await lark.post("ou_li", "签到")
        assert (lark.rows(CHECKINS), lark.sent) == ([], [])


async def test_mentions_may_stand_beside_the_word() -> None:
    async with game() as lark:
        await lark.say("ou_li", "签到", mention=["ou_bot"])
        await lark.say("ou_wang", "签到", mention=[f"ou_{number}" for number in range(11)])
        await lark.say("ou_mei", "@_all 签到")
        assert len(lark.rows(CHECKINS)) == 3


async def test_words_answers_and_the_greatest_earning_are_the_operators() -> None:
    async with game(words=["打卡"], replies=False, longest=3) as lark:
        await lark.say("ou_li", "签到")
        for _ in range(5):
            await lark.say("ou_li", "打卡")
            await lark.advance(days=1)
        assert [row["lingzhi_earned"] for row in lark.rows(CHECKINS)] == [1, 1, 2, 2, 2]
        assert lark.sent == []


async def test_the_leaderboard_is_shown_and_its_buttons_are_answered() -> None:
    async with game() as lark:
        await lark.say("ou_li", "签到榜")
        assert lines(lark.cards[0]) == ["还没有人签到，来做第一个吧。", "今天 0 人签到，共 0 人参加。"]
        await lark.say("ou_li", "签到")
        await lark.advance(days=1)
        await lark.say("ou_li", "签到")
        await lark.say("ou_wang", "签到榜")
        card, sent = lark.cards[-1], lark.sent[-1]
        assert card["header"]["title"]["content"] == "🍄 签到榜 2026-11-23"
        assert lines(card) == ["🥇 李雷　2 灵芝 · 连续 2 天", "今天 1 人签到，共 1 人参加。"]

        joined = await lark.press("ou_wang", sent, button(card, "签到"))
        assert joined["toast"] == {"type": "success", "content": "签到成功！连续 1 天，获得 1 灵芝，共 1 灵芝。"}
        assert lines(joined["card"]["data"]) == [
            "🥇 李雷　2 灵芝 · 连续 2 天",
            "🥈 王芳　1 灵芝 · 连续 1 天",
            "今天 2 人签到，共 2 人参加。",
        ]
        again = await lark.press("ou_wang", sent, button(card, "签到"))
        assert again["toast"] == {"type": "info", "content": "今天已经签到过了，连续 1 天，共 1 灵芝。"}
        await lark.advance(days=1)
        refreshed = await lark.press("ou_li", sent, button(card, "刷新"))
        assert lines(refreshed["card"]["data"])[2] == "今天 0 人签到，共 2 人参加。"
        assert "toast" not in refreshed
        await lark.advance(days=1)
        late = await lark.press("ou_li", sent, button(card, "刷新"))
        assert lines(late["card"]["data"])[0] == "🥇 李雷　2 灵芝 · 连续 0 天"
        assert await lark.press("ou_li", sent, {"somebody": "else"}) == {}
        assert len(lark.rows(CHECKINS)) == 3


async def test_once_a_day_the_leaderboard_goes_to_the_groups_that_play() -> None:
    async with game(board_time="21:00", clock="2026-11-22 20:00") as lark:
        await lark.say("ou_li", "签到")
        await lark.advance(hours=2)
        assert [(sent.chat_id, sent.key) for sent in lark.sent[1:]] == [("oc_1", "daily:oc_1:2026-11-22")]
        await lark.advance(days=1)  # Nobody checked in.
        assert len(lark.cards) == 1
        await lark.restart({"board_time": "22:30"})
        await lark.say("ou_li", "签到", chat="oc_2")
        await lark.until("2026-11-23 22:31")
        assert [sent.chat_id for sent in lark.sent if sent.msg_type == "interactive"] == ["oc_1", "oc_2"]
        await lark.restart({"board_time": ""})
        await lark.advance(days=1)
        await lark.say("ou_li", "签到")
        await lark.advance(days=1)
        assert len(lark.cards) == 2


@pytest.mark.parametrize(
    ("armed", "missed"), [(None, False), (7_200_001, False), (7_200_000, True), (3_600_001, True), (3_600_000, False)]
)
def test_a_leaderboard_is_made_up_for_within_an_hour(armed: int | None, missed: bool) -> None:
    ctx: Any = SimpleNamespace(now=lambda: 7_200_000, armed=lambda name: armed)
    assert board.missed(ctx) is missed


@pytest.mark.parametrize(
    ("now", "clock", "zone", "following"),
    [
        ("2026-11-22T20:59:59", "21:00", "Asia/Shanghai", "2026-11-22T21:00:00+08:00"),
        ("2026-11-22T21:00:00", "21:00", "Asia/Shanghai", "2026-11-23T21:00:00+08:00"),
        ("2026-12-31T23:00:00", "00:30", "Asia/Shanghai", "2027-01-01T00:30:00+08:00"),
        ("2026-10-24T22:00:00", "21:00", "Europe/Berlin", "2026-10-25T21:00:00+01:00"),
        ("2026-03-29T01:00:00", "02:30", "Europe/Berlin", "2026-03-29T03:30:00+02:00"),
    ],
)
def test_the_next_leaderboard_is_at_the_next_such_time(now: str, clock: str, zone: str, following: str) -> None:
    after = int(datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    found = board.next_time(after, clock, ZoneInfo(zone))
    assert found == int(datetime.fromisoformat(following).timestamp() * 1000)
    assert found > after


@pytest.mark.parametrize(
    "wrong",
    [
        {"words": []},
        {"longest": 0},
        {"longest": 71},
        {"board_time": "9:00"},
        {"board_time": "24:00"},
        {"board_size": 0},
        {"timezones": {"oc_1": "Mars/Olympus"}},
        {"timezones": {"group": "Asia/Tokyo"}},
        {"word": "签到"},
    ],
)
def test_a_setting_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CheckinConfig(**wrong)


async def test_each_check_in_is_published_once() -> None:
    async with game() as lark:
        await lark.say("ou_li", "签到")
        await lark.say("ou_li", "签到")
        await lark.again()
        await lark.advance(days=1)
        await lark.say("ou_li", "签到")
        told_of = [(one.type, one.event["day"], one.event["streak"]) for one in lark.published]
        assert told_of == [("checkin.done", "2026-11-22", 1), ("checkin.done", "2026-11-23", 2)]
