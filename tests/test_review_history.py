"""What a review found in the reading of history, each named after what went wrong."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from api_client import SHANGHAI
from backfill_stage import DAY, HOUR, MINUTE, MONDAY, Stage, staged
from feishu_events import message
from sandbox_client import until

from core.disk.upkeep import Upkeep
from core.errors import ApiError, ApiFailure, Unreachable
from core.events import Reaction
from core.feishu import history
from core.history.backfill import ACCOUNTS
from core.history.gaps import moment
from core.history.habits import Habits
from core.journal import admit
from core.storage import open_engine
from core.storage.values import Commit


class Failing:
    """Has calls of one operation fail, from one of them on and so many times."""

    def __init__(self, stage: Stage, name: str, error: ApiFailure, *, first: int, times: int = 1) -> None:
        self._call, self._name, self._error = stage.api.call, name, error
        self._first, self._times, self.count = first, times, 0
        stage.api.call = self  # type: ignore[assignment, method-assign]

    async def __call__(self, operation: Any, **given: Any) -> dict[str, Any]:
        if operation.name == self._name:
            self.count += 1
            if self._first <= self.count < self._first + self._times:
                raise self._error
        return await self._call(operation, **given)


async def test_reactions_that_were_read_were_lost_when_the_next_call_failed(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:

        def happen() -> None:
            for number in range(45):
                stage.world.react(stage.say(str(number)), stage.people[1], "OK")

        await stage.away(HOUR, happen)
        Failing(stage, history.REACTIONS.name, Unreachable("the line is cut"), first=2)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.turn(backfill)
            await until(lambda: bool(stage.group(backfill).problem))
            stage.pass_time(MINUTE)
            stage.connected()
            await stage.settled(backfill)
            assert len([one for one in stage.events() if isinstance(one, Reaction)]) == 45


async def test_a_page_token_that_had_expired_stopped_the_repair_of_its_group(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.away(HOUR, lambda: [stage.say(str(number)) for number in range(60)])
        call, expired = stage.api.call, [True]

        async def refusing(operation: Any, **given: Any) -> dict[str, Any]:
            begun = not given.get("query", {}).get("page_token")
            if operation.name == history.LIST.name and expired and not begun:
                expired.append(True)
                raise ApiError(operation.name, 230001, "invalid page_token")
            if operation.name == history.LIST.name and len(expired) > 1:
                expired.clear()  # A new first page has a new token.
            return await call(operation, **given)

        stage.api.call = refusing  # type: ignore[method-assign]
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.turn(backfill)
            await until(lambda: bool(stage.group(backfill).problem))
            for _ in range(3):
                stage.pass_time(HOUR)
                stage.connected()
                await stage.turn(backfill)
            assert not stage.group(backfill).problem
            assert len(stage.keys()) == 60


async def test_what_the_journal_had_forgotten_was_read_again_and_counted_twice(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        async with stage.program() as backfill:
            stage.connected(anew=True)
            with stage.heard():
                counted = stage.say("数过了")
                stage.world.react(counted, stage.people[1], "OK")
            await stage.deliver()
            stage.pass_time(MINUTE)
            stage.connected()
            await stage.turn(backfill)
        stage.pass_time(HOUR)
        missed = stage.say("没听到")
        stage.pass_time(40 * DAY)
        with stage.heard():
            lately = stage.say("刚说的")
        await stage.deliver()
        handled_and_trimmed(stage, tmp_path)
        assert stage.keys() == [f"message:{lately.message_id}"]
        async with stage.program(since=stage.clock() - 50 * DAY) as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert stage.keys() == [f"message:{one.message_id}" for one in (lately, missed)]
            assert sum(backfill.status().left_out.values()) == 2


def handled_and_trimmed(stage: Stage, directory: Path) -> None:
    """A plugin has handled everything, and upkeep has been through."""
    with closing(stage.engine.journal()) as journal:
        stage.store.commit(Commit("reader", stage.store.cursor("reader", 0), journal.head(), now=stage.clock()))
        upkeep = Upkeep(
            stage.engine, directory, lambda: ["reader"], keep_days=30, clock=stage.clock, look_every=0.005, breath=0
        )
        upkeep.start(stage.store)
        deadline = time.monotonic() + 10
        while upkeep.status().checked is None and time.monotonic() < deadline:
            time.sleep(0.005)
        upkeep.stop(stage.store)


async def test_a_message_without_a_time_sent_the_reading_back_to_the_beginning_of_time(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.away(HOUR, lambda: [stage.say(str(number)) for number in range(60)])
        call = stage.api.call

        async def blurred(operation: Any, **given: Any) -> dict[str, Any]:
            if given.get("query", {}).get("page_token"):
                raise Unreachable("the line is cut")
            answer = await call(operation, **given)
            if operation.name == history.LIST.name:
                answer["items"][0].pop("create_time")
            return answer

        stage.api.call = blurred  # type: ignore[method-assign]
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.turn(backfill)
            await until(lambda: bool(stage.group(backfill).problem))
        marks = [account["window"]["start"] for account in orjson.loads(stage.store.note(ACCOUNTS) or "{}").values()]
        assert min(marks) > MONDAY - DAY


@pytest.mark.parametrize(
    "odd", [{"create_time": "1793606400000000"}, {"mentions": 7}], ids=["microseconds", "mentions of another type"]
)
def test_one_odd_message_stopped_all_reading_of_history(tmp_path: Path, odd: dict[str, Any]) -> None:
    event = orjson.loads(message("om_1"))
    event["event"]["message"] |= odd
    body = orjson.dumps(event)
    with (
        closing(open_engine(tmp_path)) as engine,
        closing(engine.journal()) as journal,
        closing(engine.store()) as store,
    ):
        journal.append([admit(body, MONDAY), admit(message("om_2"), MONDAY)])
        assert journal.rejected() == {}
        habits = Habits(journal, store, SHANGHAI, ())
        habits.catch_up()
        habits.keep()
        assert all(one.last <= MONDAY for one in habits.groups.values())


def test_a_duration_longer_than_the_world_asked_the_platform_for_a_time_below_zero() -> None:
    with pytest.raises(ValueError, match="more than ten years ago"):
        moment("9999w", MONDAY, SHANGHAI)


BUSY = ApiError("the platform", 99991400, "request trigger frequency limit", passing=True)


async def test_a_topic_was_given_up_because_the_platform_was_busy(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:

        def happen() -> None:
            topic = stage.say("话题", in_topic=True)
            stage.say("回复", parent=topic.message_id, in_topic=True)

        await stage.away(HOUR, happen)
        Failing(stage, history.LIST.name, BUSY, first=2)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.turn(backfill)
            stage.pass_time(MINUTE)
            stage.connected()
            await stage.settled(backfill)
            assert len(stage.keys()) == 2


async def test_reactions_were_given_up_because_the_platform_was_busy(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.away(HOUR, lambda: stage.world.react(stage.say(), stage.people[1], "OK"))
        Failing(stage, history.REACTIONS.name, BUSY, first=1)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.turn(backfill)
            stage.pass_time(MINUTE)
            stage.connected()
            await stage.settled(backfill)
            assert len([one for one in stage.events() if isinstance(one, Reaction)]) == 1
            assert stage.group(backfill).unread == 0


async def test_a_silence_was_taken_for_real_because_the_platform_was_busy(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.program(chats=(stage.chat.chat_id,)) as backfill:
        stage.connected(anew=True)
        await stage.settled(backfill)
        for _ in range(6 * 60):
            stage.pass_time(10 * MINUTE)
            with stage.heard():
                stage.say()
            await stage.deliver()
        await stage.turn(backfill)
        asked = Failing(stage, history.LIST.name, BUSY, first=1)
        for _ in range(60):
            stage.pass_time(10 * MINUTE)
            stage.say()  # Pongs come, pushes do not.
            stage.connected()
            await stage.turn(backfill)
            if asked.count:
                break
        assert (asked.count, backfill.status().checks) == (1, 0)
        stage.pass_time(MINUTE)
        stage.connected()
        await until(lambda: bool(stage.connection.reconnects))


def test_a_group_that_was_watched_no_longer_was_asked_about_all_the_same(tmp_path: Path) -> None:
    with (
        closing(open_engine(tmp_path)) as engine,
        closing(engine.journal()) as journal,
        closing(engine.store()) as store,
    ):
        journal.append([admit(message("om_1"), MONDAY)])
        before = Habits(journal, store, SHANGHAI, ())
        before.catch_up()
        before.keep()
        assert len(before.groups) == 1
        after = Habits(journal, store, SHANGHAI, ("oc_another",))
        after.catch_up()
        assert after.groups == {}
