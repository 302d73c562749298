"""A day without the program in a lively group, then a start: nothing is missing, nothing is there twice, it is cheap.

While it is off, 2,000 messages, 300 replies in topics, 40 recalls and 200 reactions happen, and no push of them ever
comes. Some concern what was said, and heard, before. The journal is then held against everything that happened, and
the activity table against an independent count of it. The figures are printed (``pytest -s``).

What nobody can find out is left out: reactions to a message that is recalled later, and those taken off again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import activity_table
import orjson
from sandbox_client import until

from core.app import Application
from core.events import decode
from core.loading.plugins import load
from core.settings import PluginSettings, load_settings
from core.storage import open_engine
from sandbox.chat import Message
from sandbox.config import SandboxConfig
from sandbox.ids import Ids
from sandbox.scenario.act import Chat, Mention, Person, Scenario
from sandbox.server import Sandbox

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
TUESDAY = 1_793_667_600_000
"""2026-11-03 09:00 in Shanghai, ms UTC."""
MESSAGES, REPLIES, RECALLS, REACTIONS = 2_000, 300, 40, 200
PLUGINS = {"activity": PluginSettings(enabled=True)}


class Group:
    """A group whose every word is on record; only while ``heard`` is it pushed."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.world = sandbox.world
        self.clock = sandbox.clock
        self.chat = next(iter(self.world.chats.values()))
        self.people = sandbox.world.people.everybody()
        self.chance = random.Random("offline for a day")
        self.happened: list[bytes] = []
        self.heard = True
        self._push = sandbox.gateway.delivery.push
        self.world._listener = self._listen

    def _listen(self, event: bytes) -> None:
        self.happened.append(event)
        if self.heard:
            self._push(event)

    def say(self, at: int, **place: Any) -> Message:
        person, other = self.chance.sample(self.people, 2)
        text = "".join(self.chance.choices("今天下午评审接口已经上线测试通过", k=self.chance.randrange(2, 30)))
        mentions: tuple[Mention, ...] = ()
        if self.chance.random() < 0.1:
            mentions, text = (Mention("@_user_1", other.open_id, other.name),), f"@_user_1 {text}"
        content = orjson.dumps({"text": text}).decode()
        return self.world.say(self.chat, person.open_id, "text", content, at=at, mentions=mentions, **place)

    def talk(self, start: int, end: int, messages: int, replies: int, topics: list[Message]) -> list[Message]:
        """Messages and replies in old and new topics, in the order of their time."""
        said: list[Message] = []
        turns = ["message"] * messages + ["reply"] * replies
        self.chance.shuffle(turns)
        for turn, at in zip(turns, sorted(self.chance.sample(range(start, end), len(turns))), strict=True):
            if turn == "reply" and topics:
                root = self.chance.choice(topics[-40:])
                said.append(self.say(at, parent=root.message_id, root=root.message_id, in_topic=True))
            elif turn == "reply" or self.chance.random() < 0.04:
                topics.append(self.say(at, in_topic=True))
                said.append(topics[-1])
            else:
                parent = self.chance.choice(said[-8:]) if said and self.chance.random() < 0.3 else None
                plain = parent is not None and not parent.thread
                said.append(self.say(at, parent=parent.message_id if parent is not None and plain else ""))
        return said

    def regret_and_like(self, end: int, missed: list[Message], before: list[Message]) -> None:
        """Recalls and reactions, some of them of what was said before."""
        candidates = [*self.chance.sample(missed, RECALLS - 10), *self.chance.sample(before[-60:], 10)]
        for message in candidates:
            later = message.at + 100_000 if message.at > end - DAY else end
            self.world.recall(message, message.sender, at=min(end, later))
        alive = [message for message in (*missed, *before[-40:]) if not message.recalled]
        done = 0
        while done < REACTIONS:
            message, person = self.chance.choice(alive), self.chance.choice(self.people)
            emoji = self.chance.choice(("OK", "THUMBSUP", "HEART", "DONE"))
            if (person.open_id, emoji) not in (message.reactions or {}):
                self.world.react(message, person.open_id, emoji, at=min(end, message.at + self.chance.randrange(HOUR)))
                done += 1


@asynccontextmanager
async def program(sandbox: Sandbox, directory: Path) -> AsyncIterator[Application]:
    """The program from its start to a clean end, with the quota of the free tier."""
    env = {**sandbox.environment(), "RETRY_DELAY": "0.02", "DATA_DIR": str(directory)}
    settings = load_settings(env, needs_credentials=True)
    assert settings.api_monthly_quota == 10_000
    application = Application(settings, load(PLUGINS, env, Path("plugins.toml")), clock=sandbox.clock, tick=0.005)
    running = asyncio.create_task(application.run())
    try:
        await until(lambda: application.connection.status().phase == "connected")
        yield application
    finally:
        application.stop()
        await running


async def repaired(application: Application) -> None:
    turns = application.backfill.turns
    await until(lambda: application.backfill.turns > turns + 1)
    deadline = time.monotonic() + 60
    while application.backfill.busy or any(
        consumer.idle_at < application.journal.head for consumer in application.consumers
    ):
        assert time.monotonic() < deadline, application.backfill.status()
        await asyncio.sleep(0.01)


def journal_keys(directory: Path) -> list[str]:
    with open_engine(directory) as engine:
        journal = engine.journal()
        try:
            return [decode(stored.body).key for stored in journal.stretch(0, journal.head(), 100_000)]
        finally:
            journal.close()


def cast() -> Scenario:
    ids = Ids("offline")
    people = tuple(
        Person(f"ou_{ids.hex()}", f"on_{ids.hex()}", ids.hex(8), f"同事{n:02}", f"Colleague {n:02}") for n in range(40)
    )
    chat = Chat(f"oc_{ids.hex()}", "项目群", tuple(person.open_id for person in people), owner=people[0].open_id)
    return Scenario("a lively group", people, (chat,), lambda: iter(()), 0)


def spent(application: Application, before: Counter[str]) -> Counter[str]:
    return Counter(application.ledger.by_name) - before


async def test_a_day_offline_is_accounted_for(tmp_path: Path) -> None:
    async with Sandbox(SandboxConfig(scenario="quiet", start="told"), scenario=cast()) as sandbox:
        sandbox.clock.move(TUESDAY, speed=1)
        group = Group(sandbox)
        topics: list[Message] = []
        async with program(sandbox, tmp_path) as application:
            before = group.talk(TUESDAY - 5 * HOUR, TUESDAY, 300, 60, topics)
            await sandbox.gateway.delivery.emptied()
            await repaired(application)
            assert not Counter(application.ledger.by_name)["im.v1.message.list"]
        left = sandbox.clock()
        group.heard = False
        missed = group.talk(left, left + DAY, MESSAGES, REPLIES, topics)
        group.regret_and_like(left + DAY, missed, before)
        group.heard = True
        sandbox.clock.move(left + DAY + MINUTE, speed=1)

        began = time.monotonic()
        async with program(sandbox, tmp_path) as application:
            start = Counter(application.ledger.by_name)
            await repaired(application)
            seconds = time.monotonic() - began
            calls = spent(application, start)
            (told,) = application.backfill.status().groups
        assert (told.unread, told.reading, told.problem) == (0, False, "")

        happened = [decode(event).key for event in group.happened]
        found = journal_keys(tmp_path)
        events = [orjson.loads(event) for event in group.happened]
        rows = sandbox._records(sandbox.tables.app_token, sandbox.tables.activity)["items"]
        expected = activity_table.expected(events)
        kinds = Counter(event["header"]["event_type"] for event in events[len(before) :])
        print()
        for kind, count in kinds.items():
            print(f"missed {kind:<36}{count:>6,}")
        print(f"events missing from the journal            {len(set(happened) - set(found)):>6,}")
        print(f"events in the journal that never happened  {len(set(found) - set(happened)):>6,}")
        print(f"events in the journal twice                {len(found) - len(set(found)):>6,}")
        print(f"activity rows                              {len(expected):>6,}")
        reading = {name: count for name, count in calls.items() if name.startswith(("im.", "bot."))}
        for name, count in reading.items():
            print(f"calls {name:<37}{count:>6,}")
        print(f"calls to read the day                      {sum(reading.values()):>6,} of 10,000 a month")
        print(f"seconds until all was read and counted     {seconds:>6.1f}")
        assert (kinds["im.message.receive_v1"], len(missed)) == (MESSAGES + REPLIES, MESSAGES + REPLIES)
        assert kinds["im.message.recalled_v1"] == RECALLS
        assert kinds["im.message.reaction.created_v1"] == REACTIONS
        assert sorted(found) == sorted(happened)
        assert activity_table.shown(rows) == expected
        assert sum(reading.values()) == told.calls < 400

        sandbox.clock.move(sandbox.clock() + MINUTE, speed=1)
        async with program(sandbox, tmp_path) as application:
            start = Counter(application.ledger.by_name)
            await repaired(application)
            assert spent(application, start)["im.v1.message.list"] <= 1
        assert sorted(journal_keys(tmp_path)) == sorted(happened)
