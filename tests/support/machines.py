"""State machines that Hypothesis drives: the journal, the bus and the mirror, with crashes between any two steps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import feishu_events as feishu
from fate import Crash, Fate, connecting
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from loguru import logger
from simulated_platform import SimulatedApi, SimulatedPlatform
from simulated_world import COLUMNS, COUNTS, NAME, TABLE_ID, Rates, World
from stepped import Doorway, Handles, SteppedJournal, files
from virtual_time import VirtualLoop

from core.errors import ApiFailure, StorageError
from core.feishu.bitable import RemoteTable
from core.feishu.ledger import Ledger
from core.journal import admit
from core.mirroring.mirrored import MirroredTable
from core.people import People
from core.storage.sqlite import SqliteEngine
from core.storage.values import Commit

T = TypeVar("T")

RUNS = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
TROUBLES = ("unreached", "limited", "token", "passing", "lagging", "broken", "lost", "cut", "timed-out")
USERS = st.integers(0, 5).map("ou_{}".format)
EVENTS = st.integers(0, 12)


class Machine(RuleBasedStateMachine):
    """Files of its own, a virtual loop, and a fate that is told when to strike."""

    engine_type: type[SqliteEngine] = SqliteEngine

    def __init__(self) -> None:
        super().__init__()
        logger.disable("core")
        self.closing = ExitStack()
        self.chance = random.Random(0)
        self.fate = Fate(self.chance)
        directory = self.closing.enter_context(files())
        self.engine = SqliteEngine(directory)
        self.mortal = self.engine_type(directory, connecting(self.fate))
        self.loop = VirtualLoop()

    def now(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def clock(self) -> int:
        return feishu.SENT + round(self.loop.time() * 1000)

    def teardown(self) -> None:
        self.loop.close()
        self.closing.close()
        logger.enable("core")


class JournalMachine(Machine):
    """Events come once, twice and again; the process ends before and after commits; the disk refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.acknowledged: set[int] = set()
        self.last_head = 0
        self.handles: Handles | None = None
        self.start()

    def start(self) -> None:
        if self.handles is not None:
            self.handles.drop()
        self.fate.revive()
        self.handles = Handles(self.mortal, self.fate)
        door: Any = Doorway(self.handles)
        self.journal = SteppedJournal(door, clock=self.clock, on_fresh=lambda: None)

    @rule(numbers=st.lists(EVENTS, min_size=1, max_size=8))
    def push(self, numbers: list[int]) -> None:
        """As one commit, or two if they are very many."""
        for number in numbers:
            self.journal.submit(self.body(number), number, self.confirmed)
        try:
            self.journal.step()
        except Crash:
            self.start()

    @rule(steps=st.integers(0, 4))
    def doom(self, steps: int) -> None:
        self.fate.doom(steps)

    @rule()
    def kill(self) -> None:
        self.start()

    @rule(full=st.booleans())
    def disk(self, full: bool) -> None:
        self.fate.refuse = 1.0 if full else 0.0

    def confirmed(self, numbers: Any, error: StorageError | None) -> None:
        if error is None:
            self.acknowledged.update(numbers)

    @invariant()
    def what_was_acknowledged_is_there_once_and_intact(self) -> None:
        reader = self.engine.journal()
        stored = reader.stretch(0, reader.head(), 1000)
        head = reader.head()
        reader.close()
        keys = [one.key for one in stored]
        assert len(keys) == len(set(keys)), "an event is in the journal twice"
        acknowledged = {admit(self.body(number), 0).key for number in self.acknowledged}
        assert acknowledged <= set(keys), "an acknowledged event is not in the journal"
        assert all(one.intact for one in stored), "an event is not as it arrived"
        assert head >= self.last_head, "the journal's head went back"
        self.last_head = head

    @staticmethod
    def body(number: int) -> bytes:
        """The same event under other event_ids is the same event."""
        return feishu.message(f"om_{number}")

    def teardown(self) -> None:
        assert self.handles is not None
        self.handles.drop()
        super().teardown()


class BusMachine(Machine):
    """A whole process: things happen, hooks fail, calls fail, it ends anywhere; at the end every promise is checked."""

    @initialize(seed=st.integers(0, 1000), poison=st.sampled_from([0.0, 0.1]))
    def begin(self, seed: int, poison: float) -> None:
        self.world = World(
            seed, self.closing.enter_context(files()), Rates(plugin=0.3, poison=poison), engine=self.engine_type
        )
        self.now(self.world.begin())

    @rule(count=st.integers(1, 6))
    def happen(self, count: int) -> None:
        async def said() -> None:
            for _ in range(count):
                self.world.say()

        self.now(said())

    @rule(seconds=st.sampled_from([0.5, 3.0, 20.0, 90.0]))
    def wait(self, seconds: float) -> None:
        self.now(self.world.pass_time(seconds))

    @rule(steps=st.integers(0, 40))
    def doom(self, steps: int) -> None:
        self.world.fate.doom(steps)

    @rule(troubles=st.lists(st.sampled_from(TROUBLES), min_size=1, max_size=6))
    def trouble(self, troubles: list[str]) -> None:
        self.world.platform.troubles += troubles

    @rule(share=st.sampled_from([0.0, 0.3]))
    def disk(self, share: float) -> None:
        self.world.fate.refuse = share

    def teardown(self) -> None:
        async def ended() -> None:
            await self.world.rest()
            self.world.check()

        try:
            if hasattr(self, "world"):
                try:
                    self.now(ended())
                finally:
                    self.now(self.world.leave())
        finally:
            super().teardown()


class MirrorMachine(Machine):
    """Rows come, change and go; people delete records; calls fail, also after the work; the process ends anywhere."""

    @initialize(replay=st.sampled_from([0, 1254608, 1255006]))
    def begin(self, replay: int) -> None:
        self.platform = SimulatedPlatform(self.chance, COLUMNS, replay=replay)
        self.platform.step = self.fate.step
        self.rows: dict[str, int] = {}
        self.handles: Handles | None = None
        self.start()

    def start(self) -> None:
        """A process from what is on disk."""
        if self.handles is not None:
            self.handles.drop()
        refuse, self.fate.refuse = self.fate.refuse, 0.0
        self.fate.revive()
        self.handles = Handles(self.mortal, self.fate)
        self.store = self.handles.store()
        self.store.prepare(NAME, [COUNTS])
        self.cursor = self.store.cursor(NAME, 0)
        self.fate.refuse = refuse
        ledger = Ledger(self.store, 10**7, ZoneInfo("Asia/Shanghai"), self.clock)
        api = SimulatedApi(self.platform, ledger, self.loop.time)
        people = People(api, self.store, tuple, clock=self.clock)
        self.entry = MirroredTable(NAME, COUNTS, TABLE_ID, RemoteTable(api, "base", TABLE_ID), self.store, people)

    @rule(users=st.lists(USERS, min_size=1, max_size=6), count=st.integers(1, 9))
    def put(self, users: list[str], count: int) -> None:
        self.commit(dict.fromkeys(users, count))

    @rule(users=st.lists(USERS, min_size=1, max_size=3))
    def drop(self, users: list[str]) -> None:
        self.commit(dict.fromkeys(users))

    def commit(self, values: dict[str, int | None]) -> None:
        rows = {
            (user,): None if count is None else {"user": user, "messages": count, "reactions": 0}
            for user, count in values.items()
        }
        unharmed = self.engine.store()
        unharmed.commit(Commit(NAME, self.cursor, self.cursor + 1, now=self.clock(), rows={COUNTS: rows}))
        unharmed.close()
        self.cursor += 1
        for user, count in values.items():
            if count is None:
                self.rows.pop(user, None)
            else:
                self.rows[user] = count

    @rule()
    def flush(self) -> None:
        with suppress(ApiFailure, StorageError):
            self.now(self.flushed())

    async def flushed(self) -> None:
        try:
            if not self.entry.adopted:
                await self.entry.adopt()
            await self.entry.flush()
        except Crash:
            self.start()

    @rule(steps=st.integers(0, 12))
    def doom(self, steps: int) -> None:
        self.fate.doom(steps)

    @rule(troubles=st.lists(st.sampled_from(TROUBLES), min_size=1, max_size=8))
    def trouble(self, troubles: list[str]) -> None:
        self.platform.troubles = troubles

    @rule(seconds=st.sampled_from([60.0, 3600.0]))
    def wait(self, seconds: float) -> None:
        self.now(asyncio.sleep(seconds))

    @rule(share=st.sampled_from([0.0, 0.3]))
    def disk(self, share: float) -> None:
        self.fate.refuse = share

    @precondition(lambda self: bool(self.platform.records))
    @rule(data=st.data())
    def a_person_deletes_a_record(self, data: st.DataObject) -> None:
        """Its row is written again, so that the mirror meets the gap."""
        record = data.draw(st.sampled_from(sorted(self.platform.records)))
        user = self.platform.records.pop(record)["用户"]
        if user in self.rows:
            self.commit({user: self.rows[user] % 9 + 1})

    @invariant()
    def no_key_is_there_twice(self) -> None:
        keys = [cells["用户"] for cells in self.platform.cells()] if hasattr(self, "platform") else []
        assert len(keys) == len(set(keys)), f"a key is in Bitable twice: {keys}"

    def teardown(self) -> None:
        try:
            if hasattr(self, "platform"):
                self.platform.troubles, self.fate.refuse = [], 0.0
                self.start()
                for _ in range(3):
                    self.now(self.flushed())
                assert not self.entry.waiting
                assert {c["用户"]: c["消息"] for c in self.platform.cells()} == self.rows
                self.no_key_is_there_twice()
                assert self.handles is not None
                self.handles.drop()
        finally:
            super().teardown()
