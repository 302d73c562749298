"""Talking with the assistant: who is answered, what it remembers, what it forgets."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from larkflock_assistant.tables import CONVERSATIONS, TURNS

AT_BOT = {"mention": ["ou_bot"]}


async def test_who_mentions_the_bot_is_answered_in_one_card(start, model, platform):
    async with start() as lark:
        asked = await lark.say("ou_li", "天空为什么是蓝的？", **AT_BOT)
        assert platform.texts == ["好的"]
        assert [(call.path["message_id"], call.body["msg_type"]) for call in platform.replies] == [
            (asked, "interactive")
        ]
        assert lark.row(TURNS, asked)["state"] == "done"
        assert lark.row(TURNS, asked)["answer"] == "好的"
        assert lark.armed == {}
    assert model.chats == [["天空为什么是蓝的？"]]


async def test_in_private_every_message_is_a_question_of_one_conversation(start, model, platform):
    async with start() as lark:
        await lark.say("ou_li", "我叫李雷", private=True)
        await lark.post("ou_li", "我叫什么？", private=True)
        (conversation,) = lark.rows(CONVERSATIONS)
    assert model.chats[1] == ["我叫李雷", "好的", "我叫什么？"]
    assert conversation["turns"] == 2
    assert conversation["title"] == "（私聊）"


async def test_what_is_not_meant_for_the_bot_is_left_alone(start, model, platform):
    async with start() as lark:
        await lark.say("ou_li", "大家好")
        await lark.say("ou_li", "大家好", mention=["all"])
        await lark.say("ou_li", "王芳在吗", mention=["ou_wang"])
        await lark.say("cli_other", "我是别的机器人", **AT_BOT)
        await lark.say("ou_li", "", **AT_BOT)
        await lark.image("ou_li", private=True)
        assert lark.rows(TURNS) == []
    assert model.asked == []


async def test_a_thread_is_remembered_and_other_threads_are_not(start, model, platform):
    async with start() as lark:
        root = await lark.say("ou_li", "数到一", **AT_BOT)
        await lark.say("ou_wang", "别的话题", **AT_BOT)
        await lark.say("ou_wang", "再数一个", reply_to=root, **AT_BOT)
    assert model.chats[2] == ["数到一", "好的", "再数一个"]


async def test_people_who_are_mentioned_have_names_and_the_bot_has_none(start, model, platform):
    async with start() as lark:
        await lark.say("ou_li", "写一首诗", mention=["ou_bot", "ou_wang"])
    assert model.chats == [["@王芳 写一首诗"]]


async def test_memory_is_bounded_in_turns_and_in_tokens(start, model, platform):
    async with start(memory_turns=2) as lark:
        for question in ("一", "二", "三", "四"):
            await lark.say("ou_li", question, private=True)
    assert model.chats[3] == ["二", "好的", "三", "好的", "四"]


async def test_what_was_taken_back_is_forgotten_also_in_its_card(start, model, platform):
    async with start() as lark:
        secret = await lark.say("ou_li", "密码是 1234", **AT_BOT)
        await lark.recall(secret)
        await lark.say("ou_li", "密码是什么？", reply_to=secret, **AT_BOT)
        row = lark.row(TURNS, secret)
        assert (row["state"], row["question"], row["answer"]) == ("gone", "", "")
        assert lark.row(CONVERSATIONS, secret)["title"] == "（已撤回）"
    assert platform.texts == ["（问题已撤回。）", "好的"]
    assert model.chats[1] == ["密码是什么？"]


async def test_a_word_makes_the_thread_begin_anew(start, model, platform):
    async with start() as lark:
        await lark.say("ou_li", "我叫李雷", private=True)
        await lark.say("ou_li", "清空", private=True)
        await lark.say("ou_li", "我叫什么？", private=True)
        assert [sent.text for sent in lark.sent] == ["好的，重新开始。"]
    assert model.chats[1] == ["我叫什么？"]


async def test_a_word_stops_the_answer_that_is_being_written(start, model, platform, until):
    never = asyncio.Event()
    model.plan = [model.saying("很长", "的回答", before_last=never)]
    async with start() as lark:
        asking = asyncio.create_task(lark.say("ou_li", "讲个故事", private=True, id="om_story"))
        await until(lambda: model.asked)
        await lark.say("ou_li", "停", private=True)
        await asking
        assert lark.row(TURNS, "om_story")["state"] == "failed"
        never.set()
    assert platform.texts == ["（已停下。）"]


async def test_the_card_grows_while_the_answer_comes(start, model, platform, until):
    shown = asyncio.Event()
    model.plan = [model.saying("先说", "，再说", "，说完。", before_last=shown)]
    async with start() as lark:
        asking = asyncio.create_task(lark.say("ou_li", "说说看", **AT_BOT))
        await until(lambda: "先说，再说" in platform.texts)
        assert next(iter(platform.cards.values()))["config"]["streaming_mode"] is True
        shown.set()
        await asking
        numbers = [call.body["sequence"] for call in lark.calls if "sequence" in (call.body or {})]
    assert platform.texts == ["先说，再说，说完。"]
    assert next(iter(platform.cards.values()))["config"]["streaming_mode"] is False
    assert all(before < after for before, after in pairwise(numbers))


async def test_without_updates_an_answer_takes_three_calls(start, model, platform):
    async with start(updates=0) as lark:
        started = len(lark.calls)
        await lark.say("ou_li", "你好", **AT_BOT)
        assert len(lark.calls) - started == 3


async def test_questions_are_answered_side_by_side(start, model, platform, until):
    both = asyncio.Event()
    model.plan = [model.saying("甲", "完", before_last=both), model.saying("乙", "完", before_last=both)]
    async with start() as lark:
        asking = asyncio.create_task(lark.say("ou_li", "第一个", **AT_BOT))
        second = asyncio.create_task(lark.say("ou_wang", "第二个", **AT_BOT))
        await until(lambda: len(model.asked) == 2)
        both.set()
        await asyncio.gather(asking, second)
    assert sorted(platform.texts) == ["乙完", "甲完"]


async def test_a_press_has_it_answered_once_more_in_the_same_card(start, model, platform):
    model.plan = [model.saying("错的"), model.saying("对的")]
    async with start() as lark:
        asked = await lark.say("ou_li", "一加一？", **AT_BOT)
        button = platform.cards["card_1"]["body"]["elements"][1]["behaviors"][0]["value"]
        answer = await lark.press("ou_wang", "om_card_1", button)
        assert answer["toast"] == {"type": "info", "content": "好的，重新回答。"}
        assert lark.row(TURNS, asked)["answer"] == "对的"
    assert platform.texts == ["对的"]
    assert len(platform.replies) == 1
    assert model.chats == [["一加一？"]] * 2


async def test_cards_of_others_and_questions_that_are_gone_are_not_answered_again(start, model, platform):
    async with start() as lark:
        asked = await lark.say("ou_li", "你好", **AT_BOT)
        await lark.say("ou_wang", "别处", chat="oc_2", id="om_elsewhere")
        again = {"assistant": "again", "turn": asked}
        assert await lark.press("ou_li", "om_card_1", {"checkin": "join"}) == {}
        assert (await lark.press("ou_li", "om_elsewhere", again))["toast"]["type"] == "warning"
        assert (await lark.press("ou_li", "om_card_1", again | {"turn": "om_none"}))["toast"]["type"] == "warning"
        await lark.recall(asked)
        assert (await lark.press("ou_li", "om_card_1", again))["toast"]["content"] == "这个问题已经不在了。"
    assert len(model.asked) == 1


async def test_what_a_model_is_asked_with_is_the_operators_choice(start, model, platform):
    settings = {"model": "m-1", "temperature": 0.5, "top_p": 0.9, "max_tokens": 77, "thinking": "on", "system": "短"}
    async with start(**settings, extra={"seed": 7}) as lark:
        await lark.say("ou_li", "你好", **AT_BOT)
    (body,) = model.asked
    assert body["messages"][0] == {"role": "system", "content": "短"}
    assert {name: body[name] for name in ("model", "temperature", "top_p", "max_tokens", "seed", "stream")} == {
        "model": "m-1",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 77,
        "seed": 7,
        "stream": True,
    }
    assert body["thinking"] == {"type": "enabled"}
    assert model.keys == ["Bearer sk-canary-0123456789"]
