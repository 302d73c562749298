"""The bundled plugins under the harness: nothing blocks, is left behind, undeclared or lost over a crash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from core.testing import Call, Harness
from plugins import activity, archive, health, pin
from plugins.activity.tables import ACTIVITY
from plugins.archive.tables import ARCHIVE, TOPICS
from plugins.pin.tables import PIN

PEOPLE = {"ou_li": "李雷", "ou_wang": "王芳"}
PINS = "GET /open-apis/im/v1/pins"
MESSAGE = "GET /open-apis/im/v1/messages/:message_id"
CHAT = "GET /open-apis/im/v1/chats/:chat_id"


class Pinboard:
    """What is pinned in the group, as the platform answers."""

    def __init__(self) -> None:
        self.pins: dict[str, int] = {}

    def pins_of(self, call: Call) -> dict[str, Any]:
        before = int(call.query.get("end_time", 1 << 60))
        items = [
            {
                "message_id": message_id,
                "chat_id": call.query["chat_id"],
                "operator_id": "ou_wang",
                "operator_id_type": "open_id",
                "create_time": str(at),
            }
            for message_id, at in sorted(self.pins.items(), key=lambda pin: -pin[1])
            if at <= before
        ]
        return {"items": items, "has_more": False}

    def message(self, call: Call) -> dict[str, Any]:
        return {"items": [as_item(call.path["message_id"], "部署步骤见群公告")]}

    @property
    def answers(self) -> Mapping[str, Any]:
        return {PINS: self.pins_of, MESSAGE: self.message, CHAT: {"name": "运维群"}}


def as_item(message_id: str, text: str) -> dict[str, Any]:
    """A message as the API shows it."""
    return {
        "message_id": message_id,
        "msg_type": "text",
        "create_time": "1793581200000",
        "update_time": "1793581200000",
        "deleted": False,
        "sender": {"id": "ou_li", "id_type": "open_id", "sender_type": "user"},
        "body": {"content": f'{{"text": "{text}"}}'},
    }


async def conversation(lark: Harness) -> str:
    """A question, its answers, emojis, one message taken back; the question's ID."""
    asked = await lark.say("ou_li", "部署好了吗", mention=["ou_wang"])
    await lark.say("ou_wang", "好了", reply_to=asked)
    await lark.post("ou_li", "谢谢", title="部署", reply_to=asked)
    await lark.react("ou_wang", asked, "OK")
    wrong = await lark.say("ou_wang", "说错了")
    await lark.recall(wrong)
    await lark.image("ou_li", reply_to=asked)
    return asked


async def test_activity_scores_a_conversation() -> None:
    async with Harness(activity, people=PEOPLE, most_blocked=0.5) as lark:
        await conversation(lark)
        scores = {row["user_id"]: row for row in lark.rows(ACTIVITY)}
        assert {who: row["message"] for who, row in scores.items()} == {"ou_li": 3, "ou_wang": 1}
        assert scores["ou_li"]["replied"] == 1
        assert scores["ou_li"]["liked"] == 1
        await lark.again()
        await lark.restart()
        assert {row["user_id"]: row for row in lark.rows(ACTIVITY)} == scores
        await lark.assert_repeatable()


async def test_archive_keeps_a_conversation_and_makes_a_topic_of_it() -> None:
    async with Harness(archive, people=PEOPLE, answers={CHAT: {"name": "运维群"}}, most_blocked=0.5) as lark:
        asked = await conversation(lark)
        await lark.advance(hours=3)
        rows = {row["message_id"]: row for row in lark.rows(ARCHIVE)}
        assert len(rows) == 5
        assert rows[asked]["content"].endswith("部署好了吗")
        assert [asked_for.file_key for asked_for in lark.attached] == ["img_1"]
        assert len(lark.rows(TOPICS)) == 1
        await lark.assert_repeatable()


async def test_pin_sees_what_is_pinned_and_activity_counts_it() -> None:
    board = Pinboard()
    async with Harness(pin, activity, people=PEOPLE, answers=board.answers, most_blocked=0.5) as lark:
        said = await lark.say("ou_li", "部署步骤见群公告")
        board.pins[said] = lark.now
        await lark.advance(hours=1)
        assert [one.type for one in lark.published] == ["pin.added"]
        assert [row["message_id"] for row in lark.rows(PIN)] == [said]
        assert [row["pinned"] for row in lark.rows(ACTIVITY)] == [1]
        board.pins.clear()
        await lark.advance(hours=1)
        assert [one.type for one in lark.published] == ["pin.added", "pin.removed"]
        assert [row["pinned"] for row in lark.rows(ACTIVITY)] == [0]


async def test_health_listens_while_it_runs_and_leaves_nothing(harness: Any) -> None:
    from plugins.health import _servers

    lark = await harness(health, config={"port": 0}, most_blocked=2.0)
    (server,) = _servers.values()
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/health") as answer:
        assert answer.status == 200
    lark.close()
    assert not _servers
    with pytest.raises(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session:
            await session.get(f"{server.url}/health")
