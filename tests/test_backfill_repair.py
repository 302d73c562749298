"""What was missed is read, put through the same door, and paid for: against the sandbox, with the time in hand."""

from __future__ import annotations

import functools
from pathlib import Path

import orjson
from backfill_stage import DAY, HOUR, MINUTE, Stage, staged
from sandbox_client import until

from core.errors import StorageError
from core.events import EDIT, Message, Reaction
from core.feishu import history
from core.history.backfill import DEAF, HEARD, Backfill
from sandbox.chat import Chat
from sandbox.chat import Message as Said
from sandbox.scenario.act import Mention

LIST, REACTIONS = history.LIST.name, history.REACTIONS.name


def said(*messages: Said) -> list[str]:
    return [f"message:{one.message_id}" for one in messages]


async def test_a_first_start_takes_no_history(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.say("很久以前")
        stage.pass_time(HOUR)
        async with stage.program() as backfill:
            assert not backfill.busy
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert stage.events() == []
            assert not stage.calls()


async def test_a_first_start_takes_history_on_request(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        old = stage.say("很久以前")
        stage.pass_time(3 * DAY)
        new = [stage.say(str(n)) for n in range(3)]
        stage.pass_time(MINUTE)
        async with stage.program(since=stage.clock() - DAY) as backfill:
            stage.connected(anew=True)
            assert backfill.busy
            await stage.settled(backfill)
            assert stage.keys() == said(*new)
            assert old.message_id not in str(stage.keys())
            assert stage.group(backfill).found == 3
        async with stage.program(since=stage.clock() - 7 * DAY) as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert sorted(stage.keys()) == sorted(said(old, *new))


async def test_what_was_said_while_away_is_read_in_order_and_once(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        said_before, spoken = [], []
        with stage.heard():
            said_before.append(stage.say("在"))
        await stage.deliver()
        stage.pass_time(MINUTE)
        await stage.away(HOUR, *(lambda n=n: spoken.append(stage.say(str(n))) for n in range(120)))
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert stage.keys() == said(*said_before, *spoken)
            group = stage.group(backfill)
            assert (group.found, group.reading, group.problem) == (120, False, "")
            assert group.calls == stage.calls()[LIST] + stage.calls()[REACTIONS]
            assert stage.calls() == {LIST: 3, REACTIONS: 7}  # 121 messages, 50 and 20 a call.
            assert group.mark == stage.clock()


async def test_a_restart_after_a_minute_costs_one_call_and_then_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        with stage.heard():
            stage.say("在", in_topic=True)
        await stage.deliver()
        await stage.away(MINUTE)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert stage.calls() == {LIST: 1}
            for _ in range(10):
                stage.pass_time(10 * MINUTE)
                stage.connected()
                await stage.settled(backfill)
            assert stage.calls() == {LIST: 1}


async def test_a_look_that_finds_something_reads_everything(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        with stage.heard():
            topic = stage.say("话题", in_topic=True)
            stage.say("回复", parent=topic.message_id, in_topic=True)
        await stage.deliver()
        missed: list[Said] = []

        def happen() -> None:
            missed.append(stage.say("错过"))
            missed.append(stage.say("也错过", parent=topic.message_id, in_topic=True))
            stage.world.react(missed[0], stage.people[1], "OK")

        await stage.away(MINUTE, happen)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            keys = stage.keys()
            assert set(said(*missed)) < set(keys)
            assert any(key.startswith(f"reaction:added:{missed[0].message_id}") for key in keys)
            assert stage.group(backfill).found == 3


async def test_short_breaks_while_running_are_checked_together(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.away(HOUR)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            before = stage.calls()[LIST]
            missed = []
            for n in range(20):
                stage.lost()
                stage.pass_time(5_000)
                missed.append(stage.say(str(n)))
                stage.connected(anew=True)
                await stage.settled(backfill)
                stage.pass_time(MINUTE)
                stage.connected()
                await stage.turn(backfill)
            assert stage.calls()[LIST] == before
            stage.pass_time(6 * HOUR)
            stage.connected()
            await until(lambda: len(stage.keys()) == len(missed))
            await stage.settled(backfill)
            assert stage.keys() == said(*missed)


async def test_a_long_break_while_running_is_repaired_at_once(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.program() as backfill:
        stage.connected(anew=True)
        await stage.settled(backfill)
        stage.lost()
        stage.pass_time(5 * MINUTE)
        missed = stage.say("错过")
        stage.pass_time(5 * MINUTE)
        stage.connected(anew=True)
        await until(lambda: stage.keys() == said(missed))


async def test_replies_in_old_and_new_topics_are_read(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        with stage.heard():
            old = stage.say("旧话题", in_topic=True)
            for n in range(60):
                stage.say(f"旧回复{n}", parent=old.message_id, in_topic=True)
        await stage.deliver()
        stage.pass_time(DAY)
        missed: list[Said] = []

        def happen() -> None:
            new = stage.say("新话题", in_topic=True)
            missed.extend([new, stage.say("答", parent=new.message_id, in_topic=True)])
            missed.append(stage.say("旧话题的新回复", parent=old.message_id, in_topic=True))

        await stage.away(DAY, happen)
        heard = stage.keys()
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert set(stage.keys()) == {*heard, *said(*missed)}
            replies = [event for event in stage.events() if isinstance(event, Message) and event.root_id]
            assert {event.thread_id for event in replies} == {old.thread, missed[0].thread}


async def test_a_topic_that_nobody_used_lately_is_not_asked_about(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        with stage.heard():
            stage.say("旧话题", in_topic=True)
        await stage.deliver()
        stage.pass_time(DAY)
        await stage.away(HOUR)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert stage.calls() == {LIST: 1}


async def test_recalls_and_edits_are_found_also_of_what_was_heard(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        with stage.heard():
            first, second = stage.say("说错了"), stage.say("写错了")
        await stage.deliver()
        missed: list[Said] = []

        def happen() -> None:
            stage.world.recall(first, first.sender)
            stage.world.edit(second, orjson.dumps({"text": "改好了"}).decode())
            missed.append(stage.say("说了又撤回"))
            stage.world.recall(missed[0], missed[0].sender)

        await stage.away(HOUR, happen)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            gone = [f"recall:{one.message_id}" for one in (first, missed[0])]
            edit = f"{EDIT}:history:edit:{second.message_id}:{second.updated_at}"
            assert sorted(stage.keys()) == sorted([*said(first, second, *missed), *gone, edit])
        await stage.away(HOUR)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert len(stage.keys()) == 6  # Nothing becomes another event by being read again.


async def test_reactions_are_read_however_many_there_are(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        with stage.heard():
            liked = stage.say("好消息")
            stage.world.react(liked, stage.people[0], "OK")
        await stage.deliver()
        emojis = [f"E{n}" for n in range(25)]

        def happen() -> None:
            for emoji in emojis:
                stage.world.react(liked, stage.people[1], emoji)
            stage.world.react(stage.say("又一条"), stage.world.app.app_id, "DONE")

        await stage.away(HOUR, happen)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            keys = [event.key for event in stage.events() if isinstance(event, Reaction)]
            assert len(keys) == len(set(keys)) == 1 + 25 + 1
            assert stage.calls()[REACTIONS] == 3  # 10 of one message a call.


async def test_without_the_scope_reactions_are_left_unread_and_that_is_said(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.world.app.scopes.difference_update({"im:message.reactions:read", "im:message:readonly"})
        missed: list[Said] = []
        await stage.away(HOUR, lambda: missed.append(stage.say()))
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert stage.keys() == said(*missed)
            assert stage.group(backfill).unread == 1
            assert "99991672" in backfill.status().problem


async def test_without_the_scope_for_messages_it_waits_for_a_person(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        scopes = stage.world.app.scopes
        missed: list[Said] = []
        await stage.away(HOUR, lambda: missed.append(stage.say()))
        scopes.discard("im:message.group_msg")
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            group = stage.group(backfill)
            assert group.reading
            assert "99991672" in group.problem
            scopes.add("im:message.group_msg")
            stage.pass_time(HOUR + MINUTE)
            stage.connected()
            await until(lambda: stage.keys() == said(*missed))
            await stage.settled(backfill)
            assert stage.group(backfill).problem == ""


async def test_a_group_the_bot_has_left_is_owed_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.away(HOUR, lambda: stage.say())
        stage.chat.has_bot = False
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            group = stage.group(backfill)
            assert not group.reading
            assert "230002" in group.problem
            calls = stage.calls()
            stage.pass_time(DAY)
            stage.connected()
            await stage.settled(backfill)
            assert stage.calls() == calls


async def test_what_bots_and_the_platform_say_is_left_out_and_counted(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        world = stage.world

        def happen() -> None:
            world.say(stage.chat, world.app.app_id, "text", '{"text":"我是机器人"}')
            world.say(stage.chat, "", "system", '{"template":"{from_user} joined"}')

        await stage.away(HOUR, happen)
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            assert stage.keys() == []
            assert backfill.status().left_out == {"said by a bot": 1, "said by the platform": 1}


async def test_a_mention_of_the_bot_itself_is_of_a_bot(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        bot = stage.world.app.open_id
        mentions = (Mention("@_user_1", bot, "larkflock"), Mention("@_user_2", stage.people[1], "人"))
        await stage.away(HOUR, lambda: stage.say("@_user_1 @_user_2", mentions=mentions))
        async with stage.program() as backfill:
            stage.connected(anew=True)
            await stage.settled(backfill)
            (message,) = stage.events()
            assert isinstance(message, Message)
            assert [one.is_bot for one in message.mentions] == [True, False]
            assert stage.calls()[history.BOT.name] == 1


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
