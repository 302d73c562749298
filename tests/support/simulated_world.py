"""One process and the world around it on a virtual clock: events are pushed, everything fails, nothing may be lost.

The journal, the bus, the relay of publications, the outbox and the mirror are the real ones on real SQLite files; the
gateway and the platform are simulated. The process ends between any two steps and begins anew from its files.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import feishu_events as feishu
from fate import Crash, Fate, connecting
from simulated_platform import SimulatedApi, SimulatedPlatform
from stepped import Doorway, Handles, SteppedConsumer, SteppedJournal

from core import Context, Event, Manifest, Message, Number, Reaction, Retry, Row, Table, Text
from core.errors import StorageError
from core.events import decode, envelope
from core.feishu.bitable import RemoteTable
from core.feishu.ledger import Ledger
from core.loading.plugins import Hook, Plugin
from core.manifest import Config
from core.mirroring.mirror import Mirror
from core.mirroring.mirrored import MirroredTable
from core.outbox import Outbox
from core.pace import Pace
from core.people import People
from core.running.attempts import backoff
from core.storage.sqlite import SqliteEngine

NAME: Final = "simulated"
NOTED: Final = "simulated.noted"
TABLE_ID: Final = "tblsimulated"
COUNTS = Table(
    "counts",
    (Text("user", "用户"), Number("messages", "消息"), Number("reactions", "表情")),
    key=("user",),
    setting="BITABLE_TABLE_ID",
)
SEEN = Table("seen", (Text("message"), Number("times")), key=("message",))
NOTES = Table("notes", (Text("event"), Number("times")), key=("event",))
COLUMNS: Final = {"用户": 1, "消息": 2, "表情": 2, "备注": 1}
TICK: Final = 5.0
PUSHED_AGAIN: Final = 15.0
"""Seconds after which the gateway pushes what was not acknowledged; the platform takes longer every time."""
MOST_FAILURES: Final = 5
"""Times that an event fails by chance: fewer than make it a dead letter."""
PATIENCE: Final = 6 * 3600.0
"""Virtual seconds in which everything must have come to rest once nothing fails any more."""


class Violation(AssertionError):
    """A promise was broken."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How much goes wrong, as shares."""

    crash: float = 0.0
    """Of the process's steps."""
    disk: float = 0.0
    """Of its writes."""
    api: float = 0.0
    """Of its calls."""
    plugin: float = 0.0
    """Of the hooks' calls."""
    poison: float = 0.0
    """Of the events: no attempt will ever succeed."""
    twice: float = 0.2
    """Of the pushes."""
    replay: int = 0
    """The code a used client_token is answered with; 0 = the first answer again."""


class World:
    """Everything there is; ``engine`` is the kind of storage, on the files below ``directory``."""

    def __init__(
        self,
        seed: int,
        directory: Path,
        rates: Rates = Rates(),
        *,
        engine: type[SqliteEngine] = SqliteEngine,
    ) -> None:
        self.chance = random.Random(f"world {seed}")
        random.seed(seed)  # Backoffs are drawn from the common source.
        self.rates = rates
        self.fate = Fate(self.chance, crash=rates.crash, refuse=rates.disk)
        self.platform = SimulatedPlatform(self.chance, COLUMNS, replay=rates.replay)
        self.platform.trouble = rates.api
        self.platform.step = self.fate.step
        self.events: list[bytes] = []
        self.acknowledged: set[int] = set()
        """Numbers of ``events`` that the process has said to have."""
        self.poisonous: set[str] = set()
        self.starts = 0
        self.failing = True
        """Whether hooks fail as ``rates`` say."""
        self._engine = SqliteEngine(directory)
        self._mortal = engine(directory, connecting(self.fate))
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pushes: list[tuple[float, int]] = []
        self._failures: Counter[str] = Counter()
        self._dying: set[asyncio.Task[Any]] = set()
        self._handles: Handles | None = None
        self._consumer: SteppedConsumer | None = None

    # What happens.

    def happen(self, body: bytes) -> int:
        """Something happens in the group: it is pushed soon, perhaps twice, until it is acknowledged."""
        number = len(self.events)
        self.events.append(body)
        for _ in range(2 if self.chance.random() < self.rates.twice else 1):
            self._pushes.append((self._now + self.chance.random() * self.chance.choice((1, 1, 20)), number))
        return number

    def say(self) -> None:
        """A message, or a reaction to an earlier one."""
        number = len(self.events)
        who = f"ou_{self.chance.randrange(7)}"
        if number and self.chance.random() < 0.4:
            added = self.chance.random() < 0.5
            body = feishu.reaction("om_0", who, added=added, time=feishu.SENT + number, event_id=f"ev_{number}")
        else:
            body = feishu.message(f"om_{number}", who, event_id=f"ev_{number}")
        if self.chance.random() < self.rates.poison:
            self.poisonous.add(decode(body).key)
        self.happen(body)

    async def begin(self) -> None:
        """Start the process from its files; it may end at once."""
        self.starts += 1
        self.fate.revive()
        try:
            self._assemble()
        except (Crash, StorageError):
            self.end()

    def end(self) -> None:
        """The process ends as it stands: nothing in memory survives, nothing is closed."""
        self.fate.alive = False
        for task in self._tasks:
            task.cancel()
        self._dying |= self._tasks
        self._tasks = set()

    @property
    def running(self) -> bool:
        return self.fate.alive and bool(self._tasks)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass; a process that ended stays down for a while and begins anew."""
        until = self._now + seconds
        while True:
            if not self.running:
                await self._bury()
                await asyncio.sleep(self.chance.random() * 3)
                await self.begin()
                continue
            self._push_due()
            left = until - self._now
            if left <= 0:
                return
            if not self.running:
                continue
            wait = min([left, *(max(0.0, at - self._now) for at, _ in self._pushes)])
            done, _ = await asyncio.wait(self._tasks, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                self._tasks.discard(task)
                if isinstance(error, Crash):
                    self.end()
                elif error is not None:
                    raise Violation(f"a part of the process broke down: {error!r}") from error

    async def rest(self) -> None:
        """Nothing fails any more: wait until nothing is left to do, then begin anew once and wait again."""
        self.failing = False
        self.fate.crash = self.fate.refuse = self.platform.trouble = 0.0
        self.platform.troubles.clear()
        for again in (False, True):
            if again:
                self.end()
            deadline = self._now + PATIENCE
            while True:
                await self.pass_time(TICK)
                if self._at_rest():
                    break
                if self._now > deadline:
                    raise Violation(f"it never came to rest: {self._left()}")
        await self.leave()

    async def leave(self) -> None:
        """Nothing of the process stays."""
        self.end()
        await self._bury()

    # What must hold.

    def check(self) -> None:
        """Raise ``Violation`` unless every promise was kept; after ``rest``."""
        store, journal = self._engine.store(), self._engine.journal()
        stored = journal.stretch(0, journal.head(), 1_000_000)
        store.prepare(NAME, [COUNTS, SEEN, NOTES])
        dead = {letter.seq for letter in store.dead(NAME)}
        counts = {row["user"]: (row["messages"], row["reactions"]) for row in store.scan(NAME, COUNTS)}
        seen = {row["message"]: row["times"] for row in store.scan(NAME, SEEN)}
        notes = {row["event"]: row["times"] for row in store.scan(NAME, NOTES)}
        store.close()
        journal.close()
        decoded = [(one.seq, decode(one.body)) for one in stored]
        keys = Counter(event.key for _, event in decoded)
        for number in self.acknowledged:
            key = decode(self.events[number]).key
            _same(f"acknowledged event {key} in the journal", 1, keys[key])
        _same("events in the journal more than once", [], [key for key, count in keys.items() if count > 1])
        expected: dict[str, list[int]] = {}
        told, wanted, said = {}, {}, []
        for seq, event in decoded:
            _same(f"event {seq} ({event.key}) a dead letter", event.key in self.poisonous, seq in dead)
            if seq in dead:
                continue
            if isinstance(event, Message):
                expected.setdefault(event.sender.open_id, [0, 0])[0] += 1
                told[event.id] = 1
                if _publishes(event):
                    wanted[f"{NOTED}:{event.id}"] = 1
                if _speaks(event):
                    said.append(event.id)
            elif isinstance(event, Reaction):
                expected.setdefault(event.person.open_id, [0, 0])[1] += 1 if event.added else -1
        fold = {user: tuple(values) for user, values in expected.items() if any(values)}
        _same("rows of the plugin", fold, counts)
        _same("messages seen", told, seen)
        _same("publications received", wanted, notes)
        _same("messages in the chat", sorted(f'{{"text":"{one}"}}' for one in said), sorted(self.platform.chat))
        there = Counter(cells.get("用户", "") for cells in self.platform.cells())
        _same("records with a key more than once", [], [key for key, count in there.items() if count > 1])
        shown = {c.get("用户", ""): (c.get("消息", 0), c.get("表情", 0)) for c in self.platform.cells()}
        _same("records in Bitable", fold, shown)

    # The process.

    def _assemble(self) -> None:
        handles = self._handles = Handles(self._mortal, self.fate)
        self._store = store = handles.store()
        self.journal = SteppedJournal(Doorway(handles), clock=self.clock, on_fresh=self._fresh)  # type: ignore[arg-type]
        plugin = self._plugin()
        store.prepare(NAME, plugin.tables)
        store.cursor(NAME, 0)
        ledger = Ledger(handles.store(durable=False), 10_000_000, ZoneInfo("Asia/Shanghai"), self.clock)
        api = SimulatedApi(self.platform, ledger, lambda: self._now)
        self._outbox = Outbox(api, store, clock=self.clock, backoff=backoff, tick=TICK)
        people = People(api, store, tuple, clock=self.clock)
        self.entry = MirroredTable(NAME, COUNTS, TABLE_ID, RemoteTable(api, "base", TABLE_ID), store, people)
        self.mirror = Mirror([self.entry], Pace(10_000_000), ledger, clock=self.clock, tick=TICK)
        self._publishing = asyncio.Event()
        self._consumer = consumer = SteppedConsumer(
            plugin,
            handles,  # type: ignore[arg-type]
            timezone=ZoneInfo("Asia/Shanghai"),
            chats=(),
            clock=self.clock,
            status=_nobody_asks,
            on_published=self._publishing.set,
            on_outgoing=self._outbox.wake,
            batch_seconds=1e9,
            commit_every=0.0,
            tick=TICK,
            suspend_after=0,
        )
        self._tasks = {
            asyncio.create_task(one)
            for one in (self._launch(self.mirror, self.entry, consumer), self._relay(), self._outbox.run())
        }
        self._tasks.add(asyncio.create_task(self.mirror.run()))

    async def _launch(self, mirror: Mirror, entry: MirroredTable, consumer: SteppedConsumer) -> None:
        await mirror.take_over(entry, consumer.hold)
        await consumer.run()

    async def _relay(self) -> None:
        """As the application carries publications into the journal."""
        store, journal, publishing = self._store, self.journal, self._publishing
        durable: list[int] = []

        def confirmed(numbers: Any, error: StorageError | None) -> None:
            durable.extend(numbers if error is None else ())

        while True:
            publishing.clear()
            try:
                waiting = store.publications(100)
                for number, one in waiting:
                    journal.submit(envelope(one.type, one.event_id, dict(one.event)), number, confirmed)
                if waiting:
                    journal.step()
                    store.relayed(durable)
                    durable.clear()
                    continue
            except StorageError:
                await asyncio.sleep(1)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(publishing.wait(), TICK)

    def _push_due(self) -> None:
        """The gateway pushes what is due; what is not acknowledged it pushes again."""
        now = self._now
        due = [number for at, number in self._pushes if at <= now]
        if not due:
            return
        self._pushes = [(at, number) for at, number in self._pushes if at > now]
        self.chance.shuffle(due)
        try:
            for number in due:
                self.journal.submit(self.events[number], number, self._confirmed)
            self.journal.step()
        except Crash:
            self.end()
        self._pushes += [(now + PUSHED_AGAIN, number) for number in sorted(set(due) - self.acknowledged)]

    def _confirmed(self, numbers: Any, error: StorageError | None) -> None:
        if error is None:
            self.acknowledged.update(numbers)

    async def _bury(self) -> None:
        """Wait until nothing of the process that ended is left."""
        if self._dying:
            await asyncio.gather(*self._dying, return_exceptions=True)
        self._dying = set()
        if self._consumer is not None:
            self._consumer.stop(0)
            self._consumer = None
        if self._handles is not None:
            self._handles.drop()
            self._handles = None

    @property
    def phase(self) -> str:
        """Of the plugin."""
        return "" if self._consumer is None else self._consumer.status(None, 0).phase

    def clock(self) -> int:
        """ms UTC."""
        return feishu.SENT + round(self._now * 1000)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _fresh(self) -> None:
        if self._consumer is not None:
            self._consumer.wake()

    def _at_rest(self) -> bool:
        return self.running and not any(self._left().values())

    def _left(self) -> dict[str, int]:
        head = self.journal.head
        due = self._store.next_due(NAME)
        return {
            "pushes": len(self._pushes) + len(self.events) - len(self.acknowledged),
            "events": int(self._consumer is None or self._consumer.idle_at < head),
            "retries": int(due is not None),
            "publications": len(self._store.publications(1)),
            "messages": sum(one.waiting for one in self._store.outbox()),
            "rows": int(self.entry.waiting or not self.entry.adopted),
        }

    # The plugin.

    def _plugin(self) -> Plugin:
        async def on_message(message: Message, ctx: Context[Any]) -> None:
            ctx.table(COUNTS).add(message.sender.open_id, messages=1)
            ctx.table(SEEN).add(message.id, times=1)
            if _publishes(message):
                ctx.publish(NOTED, message.id, {"of": message.id})
            if _speaks(message):
                ctx.send("oc_1", "text", {"text": message.id}, key=message.id)
            self._may_fail(message)

        async def on_reaction(reaction: Reaction, ctx: Context[Any]) -> None:
            table, who = ctx.table(COUNTS), reaction.person.open_id
            row: Row = table.get(who) or {"messages": 0, "reactions": 0}
            row = {**row, "reactions": row["reactions"] + (1 if reaction.added else -1)}
            if row["messages"] or row["reactions"]:
                table.set(who, messages=row["messages"], reactions=row["reactions"])
            else:
                table.delete(who)
            self._may_fail(reaction)

        async def on_event(event: Event, ctx: Context[Any]) -> None:
            ctx.table(NOTES).add(event.key, times=1)
            self._may_fail(event)

        calls = {"on_message": on_message, "on_reaction": on_reaction, "on_event": on_event}
        manifest = Manifest(
            name=NAME,
            summary="Simulated.",
            permissions=("im:message:send_as_bot",),
            tables=(COUNTS, SEEN, NOTES),
            events=(NOTED,),
            publishes=(NOTED,),
        )
        hooks: Mapping[str, Hook] = {
            name: Hook(call, tuple(inspect.signature(call).parameters)) for name, call in calls.items()
        }
        return Plugin(manifest, Config(), dict(hooks), {COUNTS: TABLE_ID})

    def _may_fail(self, event: Event) -> None:
        self.fate.step("in a hook")
        if event.key in self.poisonous:
            raise ValueError("poison")
        if self.failing and self.chance.random() < self.rates.plugin and self._failures[event.key] < MOST_FAILURES:
            self._failures[event.key] += 1
            raise self.chance.choice((RuntimeError("by chance"), Retry(after=1), TimeoutError()))


def _publishes(message: Message) -> bool:
    return message.id.endswith(("3", "7"))


def _speaks(message: Message) -> bool:
    return message.id.endswith("5")


def _same(what: str, expected: Any, found: Any) -> None:
    if expected != found:
        raise Violation(f"{what}: expected {expected!r}, found {found!r}")


def _nobody_asks() -> Any:
    raise AssertionError("no plugin here asks for the status")
