"""What was missed is read, put through the same door, and paid for: against the sandbox, with the time in hand."""

from __future__ import annotations

from pathlib import Path

import orjson
from backfill_stage import DAY, HOUR, MINUTE, staged
from sandbox_client import until

from core.events import EDIT, Message, Reaction
from core.feishu import history
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
