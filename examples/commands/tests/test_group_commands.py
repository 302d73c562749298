"""Commands in a group, beside the plugins whose tables they read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import larkflock_commands.plugin as commands
import pytest
from larkflock_commands import Answer, Command

from core.testing import Call, Harness

PEOPLE = {"ou_li": "李雷", "ou_wang": "王芳", "ou_mei": "韩梅梅"}
WHO = "GET /open-apis/bot/v3/info"
CLOCK = "2026-11-22 09:00"
SLOW = 3.0
"""Seconds a hook may keep its loop: the machine that tests may be busy."""


def lark_with(
    *others: str, config: Mapping[str, Any] | None = None, answers: Mapping[str, Any] | None = None
) -> Harness:
    options = {"commands": config or {}} if others else config or {}
    given = {WHO: {"bot": {"open_id": "ou_bot"}}, **(answers or {})}
    return Harness(commands, *others, config=options, people=PEOPLE, clock=CLOCK, answers=given, most_blocked=SLOW)


def title(card: Mapping[str, Any]) -> str:
    return str(card["header"]["title"]["content"])


def lines(card: Mapping[str, Any]) -> list[str]:
    return str(card["body"]["elements"][0]["text"]["content"]).split("\n")


def buttons(card: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The value of each button by its label."""
    return {one["text"]["content"]: one["behaviors"][0]["value"] for one in card["body"]["elements"][1:]}


def shown(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The card that a pressed button put in place of the old one."""
    return dict(answer["card"]["data"])


async def test_help_lists_every_command_and_the_words_for_it() -> None:
    async with lark_with() as lark:
        asked = await lark.say("ou_li", "/help")
        (sent,) = lark.sent
        assert (sent.chat_id, sent.reply_to, title(sent.content)) == ("oc_1", asked, "命令")
        assert lines(sent.content) == [
            "/rank [YYYY-MM]（排行）　本月或某月的活跃度排行",
            "/topics [条数] [页]（话题）　本群最近的话题和摘要",
            "/pins [条数] [页]（置顶）　本群的 Pin 消息",
            "/help（帮助）　这个列表",
        ]
        await lark.say("ou_wang", "帮助")
        assert lark.cards[1] == lark.cards[0]
        assert lark.calls == []
        await lark.again()
        assert len(lark.sent) == 2
        await lark.assert_repeatable()


async def test_where_a_plugin_is_not_enabled_its_command_says_so() -> None:
    async with lark_with() as lark:
        for command in ("/rank", "/topics", "/pins"):
            await lark.say("ou_li", command)
        assert [lines(card) for card in lark.cards] == [
            ["没有启用活跃度插件（activity）。"],
            ["没有启用归档插件（archive）。"],
            ["没有启用 Pin 插件（pin）。"],
        ]


async def test_privately_nothing_of_a_group_is_told() -> None:
    async with lark_with(config={"needs_mention": True}) as lark:
        for command in ("/topics", "/pins", "/help"):
            await lark.say("ou_li", command, private=True)
        assert [sent.chat_id for sent in lark.sent] == ["oc_private_ou_li"] * 3
        assert ["请在群里使用" in lines(card)[0] for card in lark.cards] == [True, True, False]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("/rank november", ["“november” 不是月份，例如 2026-11。", "用法：/rank [YYYY-MM]"]),
        ("/rank 2026-13", ["“2026-13” 不是月份，例如 2026-11。", "用法：/rank [YYYY-MM]"]),
        ("/rank 2026-11 10", ["最多 1 个参数。", "用法：/rank [YYYY-MM]"]),
        ("/topics 0", ["“0” 不是 1 到 10 的整数。", "用法：/topics [条数] [页]"]),
        ("/排行 谁第一", ["“谁第一” 不是月份，例如 2026-11。", "用法：/rank [YYYY-MM]"]),
        ("/help me", ["没有参数。", "用法：/help"]),
    ],
)
async def test_wrong_arguments_are_answered_with_the_usage(said: str, told: list[str]) -> None:
    async with lark_with() as lark:
        await lark.say("ou_li", said)
        assert [lines(card) for card in lark.cards] == [told]


async def test_what_is_no_command_is_not_answered() -> None:
    async with lark_with() as lark:
        for said in ("你好", "话题 真多", "帮助 我一下", "看看排行", "/weather", "/etc/hosts"):
            await lark.say("ou_li", said)
        await lark.post("ou_li", "/help")
        await lark.say("cli_00000000000000bb", "/help")
        assert lark.sent == []


async def test_with_the_hint_an_unknown_command_is_answered() -> None:
    async with lark_with(config={"hint": True}) as lark:
        await lark.say("ou_li", "/weather")
        await lark.say("ou_li", "天气")
        assert [lines(card) for card in lark.cards] == [["没有 /weather 这个命令，用 /help 看所有命令。"]]


async def test_a_mention_may_be_needed_and_has_to_be_ours() -> None:
    async with lark_with(config={"needs_mention": True}) as lark:
        await lark.say("ou_li", "/help")
        await lark.say("ou_li", "/help", mention=["ou_wang"])
        assert lark.sent == []
        await lark.say("ou_li", "/help", mention=["ou_bot"])
        await lark.say("ou_wang", "/help", mention=["ou_wang", "ou_bot"])
        assert len(lark.sent) == 2
        assert [call.name for call in lark.calls] == [WHO]


async def test_what_is_said_to_another_bot_is_left_to_it() -> None:
    async with lark_with(answers={WHO: {"bot": {"open_id": "ou_somebody_else"}}}) as lark:
        await lark.say("ou_li", "/help", mention=["ou_bot"])
        assert lark.sent == []
        await lark.say("ou_li", "/help", mention=["ou_wang"])
        assert len(lark.sent) == 1


async def test_a_message_read_after_an_outage_is_not_answered() -> None:
    async with lark_with() as lark:
        async with lark.batch():
            await lark.say("ou_li", "/help")
            await lark.advance(minutes=11)
        assert lark.sent == []


async def test_one_person_has_six_a_minute_and_the_others_have_theirs() -> None:
    async with lark_with() as lark:
        for _ in range(8):
            await lark.say("ou_li", "/help")
        await lark.say("ou_wang", "/help")
        assert len(lark.sent) == 7
        assert await lark.press("ou_li", lark.sent[0], {"commands": "rank", "arguments": "", "group": True}) == {
            "toast": {"type": "warning", "content": "请稍后再试。"}
        }
        await lark.advance(minutes=1)
        await lark.say("ou_li", "/help")
        assert len(lark.sent) == 8


async def test_the_rank_is_that_of_the_month_and_its_buttons_turn_to_others() -> None:
    async with lark_with("activity") as lark:
        for _ in range(3):
            await lark.say("ou_wang", "一起吃饭吗")
        await lark.say("ou_li", "好的，走吧，今天我请客")
        await lark.say("ou_mei", "/rank")
        (card,) = lark.cards
        assert title(card) == "活跃度排行 2026-11"
        first, second = (lines(card)[place].split("　") for place in (0, 1))
        assert (first[0], second[0]) == ("1. 王芳", "2. 李雷")
        scores = {row["user_id"]: row["score"] for row in lark.rows("activity.activity")}
        assert (first[1], second[1]) == (f"{scores['ou_wang']:.2f} 分", f"{scores['ou_li']:.2f} 分")
        assert list(buttons(card)) == ["上个月"]

        before = shown(await lark.press("ou_li", lark.sent[0], buttons(card)["上个月"]))
        assert title(before) == "活跃度排行 2026-10"
        assert lines(before) == ["2026-10 没有记录。"]
        assert list(buttons(before)) == ["上个月", "下个月"]
        again = shown(await lark.press("ou_li", lark.sent[0], buttons(before)["下个月"]))
        assert lines(again)[:2] == lines(card)[:2]
        assert len(lark.sent) == 1


async def test_topics_are_those_of_the_group_and_their_buttons_turn_pages() -> None:
    group = {"GET /open-apis/im/v1/chats/:chat_id": {"name": "运维群"}}
    async with lark_with("archive", answers=group) as lark:
        for number in range(3):
            asked = await lark.say("ou_li", f"第{number}个问题\n怎么办")
            await lark.advance(minutes=1)
            await lark.say("ou_wang", "这样办", reply_to=asked)
        other = await lark.say("ou_li", "别的群里的事", chat="oc_2")
        await lark.say("ou_wang", "好", reply_to=other, chat="oc_2")
        await lark.advance(hours=3)
        await lark.say("ou_mei", "/topics 2")
        (card,) = lark.cards
        assert title(card) == "话题（共 3 个）"
        heads = [line.split("　")[0] for line in lines(card) if not line.startswith("　")]
        assert heads == ["第2个问题", "第1个问题"]
        assert lines(card)[0].endswith("1 回复 · 11-22 09:03")
        assert list(buttons(card)) == ["较早"]
        older = shown(await lark.press("ou_wang", lark.sent[0], buttons(card)["较早"]))
        assert [line.split("　")[0] for line in lines(older) if not line.startswith("　")] == ["第0个问题"]
        assert list(buttons(older)) == ["较新"]


async def test_pins_are_those_of_the_group_that_are_still_pinned() -> None:
    pinned: dict[str, int] = {}

    def pins(call: Call) -> dict[str, Any]:
        items = [
            {
                "message_id": message_id,
                "chat_id": "oc_1",
                "operator_id": "ou_wang",
                "operator_id_type": "open_id",
                "create_time": str(at),
            }
            for message_id, at in reversed(pinned.items())
            if at <= int(call.query.get("end_time", 1 << 60))
        ]
        return {"items": items, "has_more": False}

    def message(call: Call) -> dict[str, Any]:
        said = f'{{"text": "内容 {call.path["message_id"]}"}}'
        item = {
            "message_id": call.path["message_id"],
            "msg_type": "text",
            "create_time": str(lark.now),
            "update_time": str(lark.now),
            "deleted": False,
            "sender": {"id": "ou_li", "id_type": "open_id", "sender_type": "user"},
            "body": {"content": said},
        }
        return {"items": [item]}

    answers = {
        "GET /open-apis/im/v1/pins": pins,
        "GET /open-apis/im/v1/messages/:message_id": message,
        "GET /open-apis/im/v1/chats/:chat_id": {"name": "运维群"},
    }
    lark = lark_with("pin", answers=answers)
    async with lark:
        for number in range(3):
            pinned[await lark.say("ou_li", f"内容 {number}")] = lark.now
            await lark.advance(hours=1)
        del pinned["om_2"]
        await lark.advance(hours=1)
        before = len(lark.cards)  # The pin plugin tells the group of new pins.
        await lark.say("ou_mei", "/pins")
        (card,) = lark.cards[before:]
        assert title(card) == "Pin（共 2 条）"
        assert [line for line in lines(card) if not line.startswith("　")] == ["内容 om_3", "内容 om_1"]
        assert all("李雷 · 2026-11-22" in line for line in lines(card)[1::2])


async def test_a_command_that_fails_or_hangs_is_told_and_the_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(call: Any, ctx: Any) -> Answer:
        raise ZeroDivisionError(call.asker)

    async def hangs(call: Any, ctx: Any) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def strays(call: Any, ctx: Any) -> Any:
        return "晴"

    monkeypatch.setattr("larkflock_commands.answering.PATIENCE", 0.05)
    for answer in (fails, hangs, strays):
        made = Command(answer.__name__, "什么也不会", answer)
        monkeypatch.setitem(commands.REGISTRY.commands, made.name, made)
    async with lark_with() as lark:
        for name in ("fails", "hangs", "strays"):
            await lark.say("ou_li", f"/{name}")
        assert [lines(card) for card in lark.cards] == [
            [f"/{name} 出错了，已经记入日志。"] for name in ("fails", "hangs", "strays")
        ]
        pressed = await lark.press("ou_li", lark.sent[0], {"commands": "fails", "arguments": "", "group": True})
        assert pressed == {"toast": {"type": "warning", "content": "/fails 出错了，已经记入日志。"}}
        await lark.say("ou_li", "/help")
        assert len(lark.sent) == 4
        assert (lark.dead, lark.retrying) == ([], 0)


async def test_buttons_of_other_plugins_and_of_commands_that_are_gone_change_nothing() -> None:
    async with lark_with() as lark:
        await lark.say("ou_li", "/help")
        assert await lark.press("ou_li", lark.sent[0], {"checkin": "join"}) == {}
        assert await lark.press("ou_li", lark.sent[0], {"commands": 1, "arguments": []}) == {}
        gone = await lark.press("ou_li", lark.sent[0], {"commands": "weather", "arguments": "", "group": True})
        assert gone == {"toast": {"type": "warning", "content": "没有 /weather 这个命令，用 /help 看所有命令。"}}
