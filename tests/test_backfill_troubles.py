"""Reading what was missed when something is in the way: crashes, the budget, the disk, clocks, deaf connections."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from backfill_stage import DAY, HOUR, MINUTE, Stage, staged
from sandbox_client import until

from core.errors import StorageError
from core.feishu import history
from core.history.backfill import DEAF, HEARD, Backfill
from sandbox.chat import Chat
from sandbox.chat import Message as Said

LIST, REACTIONS = history.LIST.name, history.REACTIONS.name


def said(*messages: Said) -> list[str]:
    return [f"message:{one.message_id}" for one in messages]


def in_trouble(backfill: Backfill) -> bool:
    return any(group.problem for group in backfill.status().groups)


async def test_no_gap_is_lost_by_a_crash_before_or_while_it_is_read(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        missed: list[Said] = []
        await stage.away(DAY, *(lambda: missed.append(stage.say()) for _ in range(130)))
        stage.sandbox.tokens.revoke()
        stage.world.app.enabled = False  # No call succeeds: every start ends before anything was read.
        for _ in range(2):
            async with stage.program() as backfill:
                stage.connected(anew=True)
                await until(functools.partial(in_trouble, backfill))
            stage.pass_time(HOUR)
        assert stage.keys() == []
        stage.world.app.enabled = True
        async with stage.program():
            stage.connected(anew=True)
            await until(lambda: bool(stage.keys()))  # Cut off in the middle.
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert set(stage.keys()) == set(said(*missed))
            assert len(stage.keys()) == len(missed)


@pytest.mark.parametrize("behind", [30 * MINUTE, -30 * MINUTE, -2 * HOUR])
async def test_a_clock_that_is_wrong_hides_nothing_of_a_gap(tmp_path: Path, behind: int) -> None:
    async with staged(tmp_path) as stage:
        stage.behind = behind
        with stage.heard():
            before = stage.say("before")
        await stage.deliver()
        missed: list[Said] = []
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            stage.lost()
            for _ in range(60):
                stage.pass_time(MINUTE)
                missed.append(stage.say())
            stage.pass_time(1000)
            stage.connected(anew=True)
            await stage.settled(backfill)
        assert sorted(stage.keys()) == sorted(said(before, *missed))


async def test_a_group_that_was_joined_lately_is_repaired_too(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.program(chats=()) as backfill:
        stage.connected(anew=True)
        await stage.settled(backfill)
        stage.lost()
        stage.pass_time(HOUR)
        stage.connected(anew=True)
        await stage.settled(backfill)  # It has asked which groups there are.
        fresh = Chat("oc_" + "f" * 32, "新群", members=stage.chat.members)
        stage.world.chats[fresh.chat_id] = fresh
        text = '{"text":"你好"}'
        with stage.heard():
            heard = stage.world.say(fresh, stage.people[0], "text", text)
        await stage.deliver()
        stage.pass_time(10 * MINUTE)
        stage.connected()
        await stage.turn(backfill)
        stage.lost()
        stage.pass_time(30 * MINUTE)
        missed = stage.world.say(fresh, stage.people[0], "text", text)
        stage.pass_time(30 * MINUTE)
        stage.connected(anew=True)
        await stage.settled(backfill)
        assert stage.keys() == said(heard, missed)


async def test_reading_waits_for_the_budget_and_messages_come_before_reactions(tmp_path: Path) -> None:
    async with staged(tmp_path, quota=1000) as stage:  # A reserve of 10 calls.
        missed: list[Said] = []

        def happen() -> None:
            missed.extend(stage.say(str(n)) for n in range(2000))

        await stage.away(DAY, happen)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await until(lambda: backfill.status().for_budget)
            group = stage.group(backfill)
            assert group.reading
            assert 0 < group.found < 2000
            assert group.unread > 0
            assert not backfill.busy
            assert sum(stage.calls().values()) == 39
            assert stage.calls()[REACTIONS] <= 34  # From then on calls are kept for messages.
            for _ in range(60):
                stage.pass_time(12 * HOUR)
                stage.connected()
                await stage.turn(backfill)
            await until(lambda: set(stage.keys()) == set(said(*missed)))
            assert not stage.group(backfill).reading
            assert stage.calls()[LIST] < 80


async def test_a_topic_that_was_read_is_read_again_after_another_gap(tmp_path: Path) -> None:
    async with staged(tmp_path, quota=1000) as stage:
        with stage.heard():
            topic = stage.say("话题", in_topic=True)
        await stage.deliver()
        missed: list[Said] = []

        def reply() -> None:
            missed.append(stage.say("答", parent=topic.message_id, in_topic=True))

        def happen() -> None:
            reply()
            missed.extend(stage.say(str(n)) for n in range(2000))

        await stage.away(4 * HOUR, happen)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await until(lambda: backfill.status().for_budget)
            assert set(said(missed[0])) < set(stage.keys())
            stage.lost()
            stage.pass_time(HOUR)
            reply()
            stage.pass_time(HOUR)
            stage.connected(anew=True)
            for _ in range(60):
                stage.pass_time(12 * HOUR)
                stage.connected()
                await stage.turn(backfill)
            assert set(stage.keys()) >= set(said(*missed))


async def test_an_exhausted_month_ends_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path, quota=20) as stage:
        missed: list[Said] = []
        await stage.away(DAY, *(lambda: missed.append(stage.say()) for _ in range(3)))
        for _ in range(20 - stage.ledger.used):
            stage.ledger.spend("somebody else")
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await until(lambda: backfill.status().for_budget)
            assert stage.keys() == []
            stage.pass_time(30 * DAY)
            stage.connected()
            await until(lambda: stage.keys() == said(*missed))


async def test_what_came_while_nothing_could_be_stored_is_read_when_it_can_be(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.program() as backfill:
        stage.connected(anew=True)
        await stage.settled(backfill)
        stage.journal._failed(StorageError("the disk is full"))
        await stage.turn(backfill)
        for _ in range(10):  # Pongs come all the time.
            stage.pass_time(HOUR)
            missed = stage.say("磁盘满了")
            stage.connected()
            await stage.turn(backfill)
        assert stage.keys() == []
        stage.journal._works()
        await until(lambda: len(stage.keys()) == 10)
        assert stage.keys()[-1:] == said(missed)


async def test_a_clock_that_was_put_back_hides_no_gap(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        with stage.heard():
            stage.say("在")
        await stage.deliver()
        stage.pass_time(DAY)  # The machine's clock was wrong by a day when it stopped …
        await stage.away(0)
        stage.pass_time(-DAY + 2 * HOUR)  # … and is right again two hours later.
        stage.pass_time(-HOUR)
        missed = stage.say("错过")
        stage.pass_time(HOUR)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert stage.keys()[1:] == said(missed)
        assert int(stage.store.note(HEARD) or 0) == stage.clock()


async def test_only_watched_groups_are_read(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        other = Chat("oc_other", "别的", members=stage.chat.members)
        stage.world.chats[other.chat_id] = other
        await stage.away(HOUR, lambda: stage.world.say(other, stage.people[0], "text", '{"text":"x"}'))
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert stage.keys() == []
            assert {group.chat_id for group in backfill.status().groups} == {stage.chat.chat_id}


async def test_what_was_heard_last_is_noted_while_all_is_well(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.program() as backfill:
        stage.connected(anew=True)
        await stage.settled(backfill)
        stage.pass_time(HOUR)
        assert int(stage.store.note(HEARD) or 0) < stage.clock()
        stage.connected()
        await until(lambda: int(stage.store.note(HEARD) or 0) == stage.clock())
        stage.pass_time(HOUR)  # Without a frame nothing was heard.
        await stage.turn(backfill)
        assert int(stage.store.note(HEARD) or 0) == stage.clock() - HOUR


async def talkative(stage: Stage, backfill: Backfill) -> None:
    """Days of a group that says something every ten minutes, all of it heard."""
    for _ in range(6 * 60):
        stage.pass_time(10 * MINUTE)
        with stage.heard():
            stage.say()
        await stage.deliver()
    await stage.turn(backfill)


async def test_a_deaf_connection_is_found_out_replaced_and_repaired(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.program(chats=(stage.chat.chat_id,)) as backfill:
        stage.connected(anew=True)
        await stage.settled(backfill)
        await talkative(stage, backfill)
        assert not stage.calls()
        missed = []
        while not stage.connection.reconnects and len(missed) < 60:
            stage.pass_time(10 * MINUTE)
            missed.append(stage.say())  # Pongs come, pushes do not.
            stage.connected()
            await stage.turn(backfill)
        assert len(missed) <= 20
        assert backfill.status().deaf == DEAF
        stage.connected(anew=True)
        await until(lambda: set(said(*missed)) < set(stage.keys()))
        await stage.settled(backfill)
        with stage.heard():
            stage.say("又听见了")
        stage.pass_time(1)
        await stage.deliver()
        await until(lambda: not backfill.status().deaf)


async def test_a_real_silence_costs_a_few_calls_and_nothing_else(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.program(chats=(stage.chat.chat_id,)) as backfill:
        stage.connected(anew=True)
        await stage.settled(backfill)
        await talkative(stage, backfill)
        for _ in range(24 * 4):
            stage.pass_time(15 * MINUTE)
            stage.connected()
            await stage.turn(backfill)
        assert stage.connection.reconnects == []
        assert stage.calls() == {LIST: backfill.status().checks}
        assert 1 <= backfill.status().checks <= 6
