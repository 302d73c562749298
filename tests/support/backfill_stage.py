"""A group in the sandbox, a journal, and the watch over gaps between them; the connection and the clock are played."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

import orjson
from api_client import SHANGHAI, Calls, Sleep
from sandbox_client import until

from core.events import Event, decode
from core.feishu.ledger import Ledger
from core.feishu.transport import Api
from core.groups import Groups
from core.history.backfill import Backfill
from core.journal import Journal
from core.status import ConnectionStatus, GroupHistory
from core.storage import open_engine
from sandbox.chat import Message
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
MONDAY = 1_793_606_400_000
"""2026-11-02 16:00 in Shanghai, ms UTC."""


class PlayedConnection:
    """The long connection as the test wants it."""

    def __init__(self) -> None:
        self.state = ConnectionStatus()
        self.reconnects: list[str] = []

    def status(self) -> ConnectionStatus:
        return self.state

    def reconnect(self, reason: str) -> None:
        self.reconnects.append(reason)


class Stage:
    """One quiet group; what is said in it reaches the journal only while ``hearing``."""

    def __init__(self, sandbox: Sandbox, directory: Path, quota: int) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world
        self.clock = sandbox.clock
        self.clock.move(MONDAY, speed=0)
        self.connection = PlayedConnection()
        self.chat = next(iter(self.world.chats.values()))
        self.people = list(self.chat.members)
        self.engine = open_engine(directory)
        self.store = self.engine.store()
        self.ledger = Ledger(Calls(), quota, SHANGHAI, self.clock)
        self.journal = Journal(self.engine, clock=self.clock, on_fresh=lambda: None)
        self.behind = 0
        """ms by which the program's clock is behind the platform's."""
        self.hearing = False
        self.pushed: list[bytes] = []
        self.world._listener = self._hear
        self.backfill: Backfill | None = None

    async def open(self) -> Self:
        app = self.world.app
        self.journal.start()
        now: Callable[[], float] = lambda: self.clock() / 1000  # noqa: E731
        self.api = Api(self.sandbox.url, app.app_id, app.secret, self.ledger, sleep=Sleep(), now=now)
        await self.api.__aenter__()
        return self

    async def close(self) -> None:
        await self.api.__aexit__(None, None, None)
        await asyncio.to_thread(self.journal.stop)
        self.store.close()
        self.engine.close()

    def _hear(self, event: bytes) -> None:
        if self.hearing:
            self.pushed.append(event)

    async def deliver(self) -> None:
        """What was pushed while hearing is in the journal."""
        pushed, self.pushed = self.pushed, []
        await self.journal.append(pushed)
        if pushed:
            self.connected(event=True)

    def now(self) -> int:
        """What the program takes the time for."""
        return self.clock() - self.behind

    def pass_time(self, ms: int) -> None:
        self.clock.move(self.clock() + ms, speed=0)

    def connected(self, *, anew: bool = False, event: bool = False) -> None:
        """A frame comes now; on a new connection when ``anew``."""
        now, before = self.now(), self.connection.state
        since = now if anew or before.connected_since is None else before.connected_since
        heard = now if event else before.last_event
        self.connection.state = ConnectionStatus("connected", since, now, now, heard, before.reconnects + anew)

    def lost(self) -> None:
        state = self.connection.state
        self.connection.state = ConnectionStatus("waiting", None, state.last_frame, state.last_pong, state.last_event)

    @asynccontextmanager
    async def program(
        self, *, since: int | None = None, chats: tuple[str, ...] | None = None
    ) -> AsyncIterator[Backfill]:
        """The watch runs, as from a start to a clean end; empty ``chats`` are all that the bot is in."""
        chosen = (self.chat.chat_id,) if chats is None else chats
        groups = Groups(self.api, chosen, clock=self.now)
        made = Backfill(
            self.api,
            self.engine,
            self.store,
            self.journal,
            self.connection,
            groups,
            self.ledger,
            zone=SHANGHAI,
            clock=self.now,
            since=since,
            chats=chats or (),
            tick=0.002,
        )
        self.connection.state = ConnectionStatus()
        running = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.wait([running])
            made.close()

    async def settled(self, backfill: Backfill) -> None:
        """The new connection was noticed and all that can be read is read."""
        await self.turn(backfill)
        await until(lambda: not backfill.busy)

    async def turn(self, backfill: Backfill) -> None:
        """The watch has seen how things are now."""
        seen = backfill.turns
        await until(lambda: backfill.turns >= seen + 2)

    async def away(self, ms: int, *happening: Callable[[], Any]) -> None:
        """The program ran, and was off for ``ms`` with ``happening`` in the middle of it."""
        async with self.program() as backfill:
            self.connected(anew=True)
            await self.settled(backfill)
        self.pass_time(ms // 2)
        for act in happening:
            act()
        self.pass_time(ms - ms // 2)

    def say(self, text: str = "你好", sender: int = 0, **given: Any) -> Message:
        kind, content = given.pop("type", "text"), orjson.dumps(given.pop("content", {"text": text})).decode()
        return self.world.say(self.chat, self.people[sender], kind, content, **given)

    @contextmanager
    def heard(self) -> Any:
        """What happens inside is pushed."""
        self.hearing = True
        yield
        self.hearing = False

    def events(self) -> list[Event]:
        """Everything in the journal, in its order."""
        handle = self.engine.journal()
        try:
            return [decode(stored.body) for stored in handle.stretch(0, handle.head(), 100_000)]
        finally:
            handle.close()

    def keys(self) -> list[str]:
        return [event.key for event in self.events()]

    def calls(self) -> Counter[str]:
        """The API calls so far by name, tokens left out."""
        return Counter({name: count for name, count in self.ledger.by_name.items() if not name.startswith("auth")})

    def group(self, backfill: Backfill) -> GroupHistory:
        return next(one for one in backfill.status().groups if one.chat_id == self.chat.chat_id)


@asynccontextmanager
async def staged(directory: Path, *, quota: int = 10_000) -> AsyncIterator[Stage]:
    """A stage that is open."""
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        stage = await Stage(sandbox, directory, quota).open()
        try:
            yield stage
        finally:
            await stage.close()
