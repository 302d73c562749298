"""The harness with the offline Feishu: the whole program, by one argument."""

from __future__ import annotations

import obedient
import pytest
from obedient import HEARD

from core.testing import Harness, HarnessFailure
from plugins import activity
from plugins.activity.tables import ACTIVITY


async def test_the_same_test_runs_against_the_sandbox_and_its_tables() -> None:
    async with Harness(activity, obedient, sandbox=True, most_blocked=2.0) as lark:
        li, han, *_ = lark.people
        asked = await lark.say(li, "部署好了吗", mention=[han])
        await lark.say(han, "send 好了", reply_to=asked)
        await lark.react(li, asked, "OK")
        wrong = await lark.say(han, "说错了")
        await lark.recall(wrong)
        await lark.say(li, "hello", private=True)
        assert {row["user_id"]: row["message"] for row in lark.rows(ACTIVITY)} == {li: 1, han: 1}
        assert [(sent.text, sent.chat_id) for sent in lark.sent] == [("好了", lark.chat)]
        records = {record["用户ID"]: record for record in await lark.records(ACTIVITY)}
        assert {who: record["发言次数"] for who, record in records.items()} == {li: 1, han: 1}
        assert [record["用户名称"] for record in records.values()] == [lark.people[who] for who in records]


async def test_cards_schedules_attachments_and_what_is_published_work_there() -> None:
    async with Harness(obedient, sandbox=True, most_blocked=2.0) as lark:
        li, *_ = lark.people
        await lark.say(li, "card")
        (card,) = [sent for sent in lark.sent if sent.msg_type == "interactive"]
        assert await lark.press(li, card, {"op": "ok"}) == {"toast": {"type": "success", "content": "Done."}}
        said = await lark.say(li, "publish")
        assert [(one.type, one.event_id) for one in lark.published] == [("obedient.done", said)]
        await lark.image(li)
        await lark.say(li, "arm 3600")
        await lark.advance(hours=1)
        await lark.restart()
        heard = {row["what"]: row["times"] for row in lark.rows(HEARD)}
        assert (heard["ring"], heard["obedient.done"], heard["attachment.done"], heard["startup"]) == (1, 1, 1, 2)
        with pytest.raises(HarnessFailure, match="cannot be done with sandbox=True"):
            await lark.assert_repeatable()


async def test_what_a_hook_raises_there_is_raised_in_the_test() -> None:
    async with Harness(obedient, sandbox=True, most_blocked=2.0) as lark:
        with pytest.raises(ValueError, match="oops"):
            await lark.say(next(iter(lark.people)), "raise oops")
