"""The harness: what a test does arrives as pushed, what came of it can be seen, and what must not be done fails it."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import obedient
import pytest
from lark_oapi.api.im.v1 import GetChatRequest
from loguru import logger
from obedient import CARD, HEARD

from core import ApiError, NotReady, Undeclared, Unreachable
from core.errors import ConfigurationError
from core.testing import (
    Blocked,
    Harness,
    HarnessFailure,
    NetworkReached,
    NeverIdle,
    NotRaised,
    NotRepeatable,
    Swallowed,
    TaskLeft,
    Unanswered,
)
from core.testing import program as program_module

NINE = 1_793_581_200_000
"""2026-11-02 09:00 in Shanghai, ms UTC: when a harness begins."""


def heard(lark: Harness) -> dict[str, int]:
    """How often what happened."""
    return {row["what"]: row["times"] for row in lark.rows(HEARD) if row["what"] != "startup"}


def detail(lark: Harness, what: str) -> Any:
    row = lark.row(HEARD, what)
    assert row is not None
    return row["detail"]


async def test_whatever_people_do_arrives_at_its_hook() -> None:
    async with Harness(obedient) as lark:
        first = await lark.say("ou_1", "hello")
        await lark.post("ou_1", "one", "two", title="both")
        await lark.file("ou_2", "a.pdf")
        await lark.message("ou_2", "sticker", {"file_key": "file_9"})
        await lark.react("ou_2", first, "OK")
        await lark.unreact("ou_2", first, "OK")
        await lark.react("ou_2", first, "OK")
        await lark.recall(first)
        await lark.read("ou_1", "om_bot_1")
        await lark.join("ou_3")
        await lark.leave("ou_3")
        assert heard(lark) == {
            "text": 1,
            "post": 1,
            "file": 1,
            "sticker": 1,
            "+OK": 2,
            "-OK": 1,
            "recall": 1,
            "read": 1,
            "im.chat.member.user.added_v1": 1,
            "im.chat.member.user.deleted_v1": 1,
        }
        assert detail(lark, "recall") == first == "om_1"


async def test_replies_form_a_thread_and_private_chats_are_no_groups() -> None:
    async with Harness(obedient) as lark:
        first = await lark.say("ou_1", "one")
        second = await lark.say("ou_2", "two", reply_to=first)
        await lark.say("ou_1", "three", reply_to=second)
        assert detail(lark, "text") == ["group", second, first]
        await lark.say("ou_1", "hello", private=True)
        assert detail(lark, "text") == ["p2p", "", ""]


async def test_names_come_from_the_people_of_the_test() -> None:
    async with Harness(obedient, people={"ou_1": "Ann"}, groups=("oc_7",)) as lark:
        await lark.event("im.message.receive_v1", message("names ", mentions=["ou_1", "ou_2"]))
        assert lark.state("names") == {"ou_1": "Ann"}
        assert lark.state("groups") == ["oc_7"]


async def test_a_mention_stands_before_the_text() -> None:
    async with Harness(obedient) as lark:
        await lark.say("ou_1", "hello", mention=["ou_2", "ou_bot", "all"])
    (body,) = [body for _, bodies in lark._delivered for body in bodies]
    assert b"@_user_1 @_user_2 @_all hello" in body


async def test_a_batch_arrives_at_once() -> None:
    async with Harness(obedient) as lark:
        async with lark.batch():
            for _ in range(10):
                await lark.say("ou_1", "hello")
            assert heard(lark) == {}
        assert heard(lark) == {"text": 10}


async def test_what_is_sent_can_be_seen_and_replies_to_it_are_threads() -> None:
    async with Harness(obedient) as lark:
        asked = await lark.say("ou_1", "send hi", chat="oc_2")
        (sent,) = lark.sent
        assert (sent.text, sent.chat_id, sent.reply_to, sent.plugin, sent.at) == ("hi", "oc_2", asked, "obedient", NINE)


async def test_a_card_is_pressed_and_the_answer_comes_back() -> None:
    async with Harness(obedient) as lark:
        await lark.say("ou_1", "card", chat="oc_2")
        assert lark.cards == [CARD]
        answer = await lark.press("ou_2", lark.sent[0], {"op": "ok"}, form={"a": "1"})
        assert answer == {"toast": {"type": "success", "content": "Done."}}
        assert detail(lark, "card") == [{"op": "ok"}, {"a": "1"}, "", lark.sent[0].id, "oc_2"]


async def test_a_refused_message_is_not_sent() -> None:
    refused = ApiError("test", 230002, "the bot is not in the chat")
    reply = "POST /open-apis/im/v1/messages/:message_id/reply"
    async with Harness(obedient, answers={reply: refused}) as lark:
        await lark.say("ou_1", "send hi")
        await lark.say("ou_1", "card")
        assert [sent.msg_type for sent in lark.sent] == ["interactive"]


async def test_what_is_published_is_relayed() -> None:
    async with Harness(obedient) as lark:
        said = await lark.say("ou_1", "publish")
        assert [(one.type, one.event_id) for one in lark.published] == [("obedient.done", said)]
        assert detail(lark, "obedient.done") == {"message_id": said}


async def test_attachments_hold_what_the_test_says() -> None:
    async with Harness(obedient, files={"img_1": b"12345", "img_2": "文件已过期"}) as lark:
        await lark.image("ou_1")
        assert detail(lark, "attachment.done")["size"] == 5
        await lark.image("ou_1", "img_2")
        assert detail(lark, "attachment.done")["problem"] == "文件已过期"
        assert [asked.file_key for asked in lark.attached] == ["img_1", "img_2"]


async def test_schedules_ring_when_they_are_due() -> None:
    async with Harness(obedient) as lark:
        await lark.say("ou_1", "arm 3600")
        assert lark.armed == {"ring": NINE + 3_600_000}
        await lark.advance(minutes=59)
        assert "ring" not in heard(lark)
        await lark.advance(days=1)
        assert detail(lark, "ring") == NINE + 3_600_000
        assert lark.now == NINE + 86_400_000 + 59 * 60_000
        await lark.until("2026-11-09 09:00")
        assert lark.now == NINE + 7 * 86_400_000


@pytest.mark.parametrize(
    "key", ["GET /open-apis/im/v1/chats/:chat_id", "GET /open-apis/im/v1/chats/oc_9", GetChatRequest]
)
async def test_apis_answer_what_the_test_hands_in(key: Any) -> None:
    async with Harness(obedient, answers={key: {"name": "Ops"}}) as lark:
        await lark.say("ou_1", "call oc_9")
        assert lark.state("name") == "Ops"
        (call,) = lark.calls
        assert (call.name, call.path, call.body) == ("GET /open-apis/im/v1/chats/:chat_id", {"chat_id": "oc_9"}, None)


async def test_an_answer_may_be_a_list_a_function_or_an_error() -> None:
    answers = {GetChatRequest: [lambda call: {"name": call.path["chat_id"]}, Unreachable("off"), {"name": "last"}]}
    async with Harness(obedient, answers=answers) as lark:
        await lark.say("ou_1", "call oc_9")
        assert lark.state("name") == "oc_9"
        with lark.expect(Unreachable):
            await lark.say("ou_1", "call oc_9")
        await lark.advance(minutes=1)
        assert lark.state("name") == "last"


async def test_a_call_nobody_answers_fails_the_test_and_says_what_to_hand_in() -> None:
    async with Harness(obedient) as lark:
        with pytest.raises(Unanswered, match=r"answers=\{'GET /open-apis/im/v1/chats/:chat_id'"):
            await lark.say("ou_1", "call oc_9")


async def test_what_a_hook_raises_is_raised_in_the_test_with_the_plugins_own_frames() -> None:
    async with Harness(obedient) as lark:
        with pytest.raises(ValueError, match="oops") as raised:
            await lark.say("ou_1", "raise oops")
        assert raised.traceback[-1].name == "on_message"
        assert not {"__await__", "_called", "hand_over"} & {entry.name for entry in raised.traceback}
        assert "with lark.expect(ValueError)" in raised.value.__notes__[0]


async def test_what_is_expected_is_tried_again_until_it_is_a_dead_letter() -> None:
    async with Harness(obedient) as lark:
        with lark.expect(ValueError) as raised:
            await lark.say("ou_1", "raise oops")
            assert lark.retrying == 1
            await lark.advance(hours=2)
        assert len(raised) == 8
        (dead,) = lark.dead
        assert "oops" in dead.error
        assert heard(lark) == {}


async def test_an_error_that_does_not_come_fails_the_test() -> None:
    async with Harness(obedient) as lark:
        with pytest.raises(NotRaised, match="ValueError"), lark.expect(ValueError):
            await lark.say("ou_1", "hello")


async def test_malformed_and_retry_are_words_of_the_plugin_and_no_failures() -> None:
    async with Harness(obedient) as lark:
        await lark.say("ou_1", "malformed thing")
        assert [letter.attempts for letter in lark.dead] == [1]
        await lark.say("ou_1", "retry")
        assert lark.retrying == 1
        await lark.advance(seconds=61)
        assert heard(lark)["tried again"] == 1


async def test_a_blocked_loop_fails_the_test_and_is_told_by_line() -> None:
    async with Harness(obedient) as lark:
        with pytest.raises(Blocked, match=r"obedient\.py:\d+  time\.sleep\(float\(rest\)\)"):
            await lark.say("ou_1", "block 0.4")


async def test_a_task_left_behind_fails_the_test() -> None:
    async with Harness(obedient) as lark:
        with pytest.raises(TaskLeft, match=r"on_message of plugin obedient .*\n?.*sleep"):
            await lark.say("ou_1", "leave")


async def test_a_task_that_shutdown_does_not_end_fails_the_test() -> None:
    lark = await Harness(obedient, config={"lingering": True})
    with pytest.raises(TaskLeft, match="shutdown"):
        lark.close()


async def test_what_is_not_declared_fails_the_test() -> None:
    async with Harness(obedient) as lark:
        with pytest.raises(Undeclared, match="hidden"):
            await lark.say("ou_1", "undeclared")


async def test_what_is_not_declared_fails_the_test_also_when_the_plugin_hides_it() -> None:
    async with Harness(obedient) as lark:
        with pytest.raises(Swallowed, match="colour"):
            await lark.say("ou_1", "swallow")


@pytest.mark.parametrize("text", ["connect 192.0.2.1", "connect feishu.example", "look_up feishu.example"])
async def test_the_network_is_out_of_reach(text: str) -> None:
    async with Harness(obedient) as lark:
        with pytest.raises(NetworkReached, match=re.escape(text.split()[1])):
            await lark.say("ou_1", text)


async def test_sleeping_takes_no_time_and_is_noted() -> None:
    async with Harness(obedient) as lark:
        await lark.say("ou_1", "sleep 4")
        assert lark.slept == [4.0]
        assert lark.now == NINE + 4000


async def test_a_hook_that_hangs_is_told_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_module, "PATIENCE", 0.2)
    async with Harness(obedient) as lark:
        with pytest.raises(NeverIdle, match=r"obedient\.py:\d+  await asyncio\.Event\(\)\.wait\(\)"):
            await lark.say("ou_1", "wait")


@pytest.mark.parametrize("slow", [0.0, 0.05], ids=["", "while its log is slow"])
async def test_a_plugin_that_is_not_ready_is_tried_again(slow: float) -> None:
    lark = Harness(obedient, config={"ready_at": NINE + 30_000})
    sink = logger.add(lambda _: time.sleep(slow), level="DEBUG")  # Time may pass before its thread goes to rest.
    try:
        with lark.expect(NotReady):
            await lark.start()
            await lark.say("ou_1", "hello")
            assert lark.rows(HEARD) == []
            await lark.advance(minutes=2)
    finally:
        logger.remove(sink)
    assert heard(lark) == {"text": 1}
    lark.close()


async def test_a_plugin_that_is_not_ready_fails_a_test_that_does_not_expect_it() -> None:
    with pytest.raises(NotReady):
        await Harness(obedient, config={"ready_at": NINE + 60_000})


async def test_a_restart_keeps_the_data_and_may_bring_another_configuration() -> None:
    async with Harness(obedient) as lark:
        await lark.say("ou_1", "hello")
        await lark.restart({"suffix": "!"})
        await lark.say("ou_1", "hello")
        assert heard(lark) == {"text": 1, "text!": 1}
        assert lark.row(HEARD, "startup") == {"what": "startup", "times": 2, "detail": None}


async def test_what_is_pushed_again_changes_nothing() -> None:
    async with Harness(obedient) as lark:
        await lark.say("ou_1", "send hi")
        await lark.again()
        assert heard(lark) == {"text": 1}
        assert len(lark.sent) == 1


async def test_a_plugin_that_keeps_all_in_its_tables_is_repeatable() -> None:
    async with Harness(obedient) as lark:
        await lark.say("ou_1", "arm 60")
        await lark.say("ou_1", "send hi")
        await lark.advance(hours=1)
        await lark.assert_repeatable()


async def test_a_plugin_that_keeps_something_elsewhere_is_found_out() -> None:
    async with Harness(obedient) as lark:
        await lark.say("ou_1", "remember this")
        with pytest.raises(NotRepeatable, match="table 'state' of plugin obedient"):
            await lark.assert_repeatable()


async def test_only_the_chosen_groups_are_heard() -> None:
    async with Harness(obedient, chats=("oc_1",)) as lark:
        await lark.say("ou_1", "hello", chat="oc_2")
        await lark.say("ou_1", "hello", chat="oc_1")
        assert heard(lark) == {"text": 1}


async def test_several_plugins_run_together() -> None:
    pins = {"GET /open-apis/im/v1/pins": {"items": [], "has_more": False}}
    async with Harness("activity", "pin", obedient, config={"obedient": {"suffix": "?"}}, answers=pins) as lark:
        await lark.say("ou_1", "你好世界")
        assert heard(lark) == {"text?": 1}
        assert [row["character"] for row in lark.rows("activity.activity")] == [4]


async def test_mistakes_of_the_test_are_explained() -> None:
    with pytest.raises(HarnessFailure, match=r"there is no plugin 'nobody'.*archive"):
        Harness("nobody")
    with pytest.raises(ConfigurationError, match="colour: there is no such option"):
        Harness(obedient, config={"colour": "red"})
    async with Harness(obedient) as lark:
        with pytest.raises(HarnessFailure, match=r"declares the table 'words'; there are: obedient\.heard"):
            lark.rows("words")
    with pytest.raises(HarnessFailure, match="not running"):
        await lark.say("ou_1", "hello")


async def test_the_fixture_closes_what_it_made(harness: Any) -> None:
    lark = await harness(obedient, clock="2026-11-22 09:00")
    await lark.say("ou_1", "hello")
    assert lark.now == NINE + 20 * 86_400_000


def message(text: str, mentions: list[str]) -> dict[str, Any]:
    """The event object of a message."""
    people = [
        {"key": f"@_user_{number}", "id": {"open_id": who}, "name": who, "mentioned_type": "user"}
        for number, who in enumerate(mentions, 1)
    ]
    body = {
        "message_id": "om_x",
        "chat_id": "oc_7",
        "chat_type": "group",
        "message_type": "text",
        "create_time": str(NINE),
        "content": f'{{"text": "{text}"}}',
        "mentions": people,
    }
    return {"sender": {"sender_id": {"open_id": "ou_1"}, "sender_type": "user"}, "message": body}


async def test_a_harness_works_in_any_event_loop() -> None:
    async def run() -> list[Any]:
        async with Harness(obedient) as lark:
            await lark.say("ou_1", "hello")
            return lark.rows(HEARD)

    assert len(await asyncio.to_thread(asyncio.run, run())) == 2
