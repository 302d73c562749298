"""The archive plugin on the real bus: batches, a platform that is away, restarts, and rows as they were."""

from __future__ import annotations

import time
from typing import Any

import orjson
from archive_account import archive, topics
from archive_driver import DAY, MINUTE
from archive_tables import archived, told
from group_events import NOVEMBER, message, recall

from core import Unreachable
from core.testing import Call, Harness
from plugins import archive as plugin
from plugins.archive.tables import ARCHIVE, FETCHES, TOPICS

CHAT = "GET /open-apis/im/v1/chats/:chat_id"
MESSAGE = "GET /open-apis/im/v1/messages/:message_id"


def harness(read: Any = None) -> Harness:
    """The archive, in the month of the events; ``read`` is what reading a message answers."""
    return Harness(plugin, clock=NOVEMBER, answers={CHAT: {"name": ""}, MESSAGE: read}, most_blocked=1.0)


def rows(lark: Harness, table: Any) -> dict[str, Any]:
    return {row[table.key[0]]: row for row in lark.rows(table)}


def talk(count: int) -> list[dict[str, Any]]:
    """Every third message opens a topic, the others answer in it."""
    said = []
    for number in range(count):
        root = f"m{number - number % 3}"
        parent = "" if number % 3 == 0 else root
        said.append(message(f"m{number}", f"u{number % 7}", f"第 {number} 条", at=NOVEMBER + number, parent=parent))
    return said


async def test_a_thousand_messages_are_archived_in_batches_without_a_call() -> None:
    events = talk(1000)
    async with harness() as lark:
        began = time.perf_counter()
        await lark.deliver(*map(orjson.dumps, events))
        took = time.perf_counter() - began
        assert archived(rows(lark, ARCHIVE)) == archive(events)
        assert told(rows(lark, TOPICS), rows(lark, ARCHIVE)) == topics(events, lark.now)
        assert {call.path.get("chat_id") for call in lark.calls} <= {"oc_group"}
        assert took < 15


async def test_events_after_a_restart_find_what_was_there() -> None:
    events = talk(9)
    async with harness() as lark:
        await lark.deliver(*map(orjson.dumps, events[:5]))
        await lark.restart()
        await lark.deliver(*map(orjson.dumps, [*events[5:], recall("m1")]))
        seen = [*events, recall("m1")]
        assert archived(rows(lark, ARCHIVE)) == archive(seen)
        assert told(rows(lark, TOPICS), rows(lark, ARCHIVE)) == topics(seen, lark.now)
        await lark.assert_repeatable()


async def test_a_platform_that_is_away_delays_no_message() -> None:
    away = True

    def answer(call: Call) -> Any:
        inside = [{"message_id": "om_f"}, {"message_id": "om_c", "body": {"content": "原话"}}]
        return Unreachable("no network") if away else {"items": inside}

    forward = message("om_f", "a", kind="merge_forward", content={"content": "Merged and Forwarded Message"})
    async with harness(answer) as lark:
        await lark.deliver(orjson.dumps(forward), *map(orjson.dumps, talk(6)))
        assert rows(lark, ARCHIVE).keys() == {"om_f", *(f"m{number}" for number in range(6))}
        assert lark.retrying == 0
        assert rows(lark, FETCHES)
        away = False
        await lark.advance(hours=1)
        assert not rows(lark, FETCHES)
        assert "原话" in rows(lark, ARCHIVE)["om_f"]["content"]


async def test_summaries_and_statuses_come_by_themselves() -> None:
    async with harness() as lark:
        await lark.deliver(*map(orjson.dumps, talk(3)))
        await lark.advance(seconds=10 * MINUTE / 1000)
        assert rows(lark, TOPICS)["m0"]["summary"]
        await lark.until(NOVEMBER + 8 * DAY)
        assert rows(lark, TOPICS)["m0"]["status"] == "沉默"
