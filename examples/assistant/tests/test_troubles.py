"""What goes wrong: a model that fails, a platform that refuses, a day or a month that is used up, a crash."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from larkflock_assistant.tables import CONVERSATIONS, TURNS

from core import ApiError, NotReady, QuotaExhausted, Unreachable

CREATE = "POST /open-apis/cardkit/v1/cards"
REPLY = "POST /open-apis/im/v1/messages/:message_id/reply"
REPLACE = "PUT /open-apis/cardkit/v1/cards/:card_id"
GROW = "PUT /open-apis/cardkit/v1/cards/:card_id/elements/:element_id/content"
INFO = "GET /open-apis/bot/v3/info"
AT_BOT = {"mention": ["ou_bot"]}


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (lambda model: model.failing(401), "模型拒绝了请求（HTTP 401）"),
        (lambda model: model.elsewhere(), "模型拒绝了请求（HTTP 307）"),
        (lambda model: model.raw("data: [DONE]\n\n"), "模型没有给出回答"),
        (lambda model: model.raw("<html></html>", "text/html"), "模型没有给出回答"),
        (lambda model: model.raw("data: {no json\n\n"), "模型的回答中断了"),
        (lambda model: model.cut_off("半句"), "连不上模型"),
        (lambda model: model.saying("永", "远", before_last=asyncio.Event()), "模型没有及时回答"),
    ],
    ids=["refused", "sent elsewhere", "empty", "no stream", "no json", "cut off", "too slow"],
)
async def test_when_a_model_fails_the_card_says_so_and_never_the_key(start, model, platform, caplog, behaviour, reason):
    model.plan = [behaviour(model)]
    async with start(timeout=2.0) as lark:
        asked = await lark.say("ou_li", "你好", **AT_BOT)
        assert lark.row(TURNS, asked)["state"] == "failed"
    (text,) = platform.texts
    assert model.strayed == 0
    assert f"（{reason}，可以稍后再试。）" in text
    assert model.key not in text + caplog.text


async def test_a_model_that_is_busy_is_asked_again(start, model, platform):
    model.plan = [model.failing(503)]
    async with start() as lark:
        await lark.say("ou_li", "你好", **AT_BOT)
    assert platform.texts == ["好的"]


async def test_halves_of_a_character_are_put_together_and_a_lone_half_is_replaced(start, model, platform):
    half = '{{"choices": [{{"index": 0, "delta": {{"content": "{}"}}}}]}}'.format
    model.plan = [model.raw("".join(f"data: {half(one)}\n\n" for one in (r"\ud83d", r"\ude00", r"\ud83d")))]
    async with start() as lark:
        await lark.say("ou_li", "笑一个", **AT_BOT)
    assert platform.texts == ["😀\ufffd"]


async def test_what_failed_is_not_remembered_and_can_be_asked_again(start, model, platform):
    model.plan = [model.failing(400)]
    async with start() as lark:
        asked = await lark.say("ou_li", "你好", private=True)
        await lark.say("ou_li", "在吗？", private=True)
        await lark.press("ou_li", "om_none", {"assistant": "again", "turn": asked})
        await lark.message("ou_li", "sticker", {"file_key": "x"}, private=True, id="om_private")
        await lark.press("ou_li", "om_private", {"assistant": "again", "turn": asked})
        assert lark.row(TURNS, asked)["answer"] == "好的"
    assert model.chats == [["你好"], ["在吗？"], ["你好"]]


async def test_what_is_spent_in_a_day_is_counted_and_then_the_assistant_rests(start, model, platform):
    model.plan = [model.saying("好", tokens=150)]
    async with start(daily_tokens=150) as lark:
        first = await lark.say("ou_li", "你好", **AT_BOT)
        assert lark.row(CONVERSATIONS, first)["tokens"] == 150
        await lark.say("ou_li", "还在吗？", **AT_BOT)
        await lark.say("ou_wang", "还在吗？", **AT_BOT)
        assert [sent.text for sent in lark.sent] == ["今天的额度用完了，明天再问我吧。"]
        answer = await lark.press("ou_li", "om_card_1", {"assistant": "again", "turn": first})
        assert answer["toast"]["content"] == "今天的额度用完了，明天再问我吧。"
        await lark.until("2026-11-23 00:01")
        await lark.say("ou_li", "早", **AT_BOT)
    assert len(model.asked) == 2


async def test_an_answer_that_is_stopped_is_paid_for_all_the_same(start, model, platform, until):
    never = asyncio.Event()
    model.plan = [model.saying("很长" * 50, "的回答", before_last=never)]
    async with start(daily_tokens=100) as lark:
        asking = asyncio.create_task(lark.say("ou_li", "讲个故事", private=True, id="om_story"))
        await until(lambda: any("很长" in text for text in platform.texts))
        await lark.say("ou_li", "停", private=True)
        await asking
        never.set()
        assert lark.row(CONVERSATIONS, lark.row(TURNS, "om_story")["conversation_id"])["tokens"] > 100
        await lark.say("ou_li", "再讲一个", private=True)
        assert lark.sent[-1].text == "今天的额度用完了，明天再问我吧。"
    assert len(model.asked) == 1


async def test_the_last_calls_of_a_month_are_left_to_others(start, model, platform):
    async with start(reserve=10_000) as lark:
        await lark.say("ou_li", "你好", **AT_BOT)
        assert [sent.text for sent in lark.sent] == ["这个月的调用次数快用完了，下个月再问我吧。"]
    assert model.asked == []


@pytest.mark.parametrize("api", [CREATE, REPLY, REPLACE])
async def test_a_platform_that_cannot_be_reached_is_tried_again_until_it_is(start, model, platform, api):
    platform.trouble[api] = [Unreachable("away"), ApiError(api, 230020, "too fast")]
    async with start() as lark:
        asked = await lark.say("ou_li", "你好", **AT_BOT)
        assert lark.row(TURNS, asked)["state"] in ("new", "card", "asked")
        await lark.advance(seconds=20)
        assert lark.row(TURNS, asked)["state"] == "done"
    assert platform.texts[-1] == "好的"
    assert len(platform.replies) == 1


async def test_a_question_is_given_up_when_nobody_waits_for_it_any_more(start, model, platform):
    platform.trouble[CREATE] = [Unreachable("away")] * 1000
    async with start() as lark:
        asked = await lark.say("ou_li", "你好", **AT_BOT)
        await lark.advance(minutes=11)
        assert lark.row(TURNS, asked)["state"] == "failed"
        assert lark.armed == {}


@pytest.mark.parametrize("error", [QuotaExhausted("none left"), ApiError(REPLY, 230011, "the message was recalled")])
async def test_what_the_platform_refuses_is_given_up_at_once(start, model, platform, error):
    platform.trouble[REPLY] = [error]
    async with start() as lark:
        asked = await lark.say("ou_li", "你好", **AT_BOT)
        assert lark.row(TURNS, asked)["state"] == "failed"
    assert model.asked == []


async def test_a_reply_that_is_there_already_is_no_trouble(start, model, platform):
    platform.trouble[REPLY] = [ApiError(REPLY, 18121, "the same uuid")]
    async with start() as lark:
        asked = await lark.say("ou_li", "你好", **AT_BOT)
        assert lark.row(TURNS, asked)["state"] == "done"


async def test_an_answer_the_platform_does_not_take_is_replaced_by_words(start, model, platform):
    platform.trouble[REPLACE] = [ApiError(REPLACE, 230099, "Failed to create card content")]
    async with start() as lark:
        asked = await lark.say("ou_li", "你好", **AT_BOT)
        assert lark.row(TURNS, asked)["state"] == "failed"
    assert platform.texts == ["（平台没有接受这个回答。）"]


async def test_a_card_that_does_not_grow_is_complete_in_the_end(start, model, platform, until):
    tried = asyncio.Event()
    platform.trouble[GROW] = [ApiError(GROW, 300309, "streaming mode is closed")]
    model.plan = [model.saying("一半", "，另一半", before_last=tried)]
    async with start() as lark:
        asking = asyncio.create_task(lark.say("ou_li", "你好", **AT_BOT))
        await until(lambda: not platform.trouble[GROW])
        tried.set()
        await asking
    assert platform.texts == ["一半，另一半"]


async def test_for_want_of_a_scope_the_plugin_is_held_back_and_no_question_is_lost(start, model, platform):
    platform.trouble[CREATE] = [ApiError(CREATE, 99991672, "Access denied", scopes=("cardkit:card:write",))]
    async with start() as lark:
        with lark.expect(ApiError):
            asked = await lark.say("ou_li", "你好", **AT_BOT)
        assert lark.row(TURNS, asked)["state"] == "new"
        await lark.restart()
        assert lark.row(TURNS, asked)["state"] == "done"


async def test_it_begins_only_when_it_knows_who_it_is(start, model, platform):
    platform.trouble[INFO] = [Unreachable("away")]
    lark = start()
    with lark.expect(Unreachable):
        await lark.start()
        await lark.say("ou_li", "你好", **AT_BOT)
    assert platform.texts == []
    await lark.restart()
    assert platform.texts == ["好的"]
    platform.trouble[INFO] = [Unreachable("away")]
    await lark.restart()
    await lark.say("ou_li", "你好", **AT_BOT)
    lark.close()
    assert platform.texts == ["好的", "好的"]


async def test_a_platform_without_a_bot_is_waited_for(start, model, platform):
    platform.trouble[INFO] = [{"bot": {}}]
    lark = start()
    with lark.expect(NotReady):
        await lark.start()
    await lark.restart()
    await lark.say("ou_li", "你好", **AT_BOT)
    lark.close()
    assert platform.texts == ["好的"]


async def test_a_question_that_is_read_late_is_not_answered(start, model, platform):
    async with start() as lark:
        at = int(datetime(2026, 11, 22, 8, 45, tzinfo=lark.zone).timestamp() * 1000)
        message = {
            "message_id": "om_late",
            "create_time": str(at),
            "chat_id": "oc_p",
            "chat_type": "p2p",
            "message_type": "text",
            "content": '{"text": "在吗？"}',
        }
        sender = {"sender_id": {"open_id": "ou_li"}, "sender_type": "user"}
        await lark.event("im.message.receive_v1", {"sender": sender, "message": message})
        assert lark.rows(TURNS) == []


async def test_everything_twice_and_after_a_crash_is_as_once(start, model, platform):
    async with start(updates=0) as lark:
        await lark.say("ou_li", "你好", **AT_BOT)
        await lark.again()
        await lark.restart()
        assert len(platform.replies) == 1
        assert len(model.asked) == 1
