"""The harness: plugins on the real journal, bus and store, in a group chat that a test writes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from zoneinfo import ZoneInfo

from ..context import STATE
from ..storage.values import AttachmentRequest, Dead, Publication
from ..table import Row, Table
from .answers import Answers, Call
from .doings import Doings
from .failures import HarnessFailure, NotRaised
from .group import CHAT, Group
from .hooks import Notes
from .loading import load_plugins
from .network import GUARD
from .program import Program, Sent
from .repeating import compare

if TYPE_CHECKING:
    from .sandboxed import Sandboxed

CLOCK: Final = "2026-11-02 09:00"
"""A Monday."""
MOST_BLOCKED: Final = 0.1

Moment = str | int | datetime
"""``"2026-11-02 09:00"`` in the harness's time zone, ms UTC, or a ``datetime``."""


class Harness(Doings):
    """Plugins under test. ``async with`` it, or ``await`` it and ``close`` it in the end.

    Every ``await`` returns when the plugins have done all there is to do now, and raises what a hook raised.
    """

    def __init__(
        self,
        *plugins: str | ModuleType,
        config: Mapping[str, Any] | None = None,
        clock: Moment = CLOCK,
        timezone: str = "Asia/Shanghai",
        people: Mapping[str, str] | None = None,
        groups: Sequence[str] = (CHAT,),
        chats: Sequence[str] = (),
        answers: Mapping[Any, Any] | None = None,
        files: Mapping[str, bytes | str] | None = None,
        most_blocked: float = MOST_BLOCKED,
        twice: bool = False,
        sandbox: bool = False,
    ) -> None:
        """``plugins``: modules, or names of installed or bundled plugins.

        ``config`` is what ``plugins.toml`` would say, by plugin where there are several. ``people`` are names by
        open_id, ``groups`` what the bot is in, ``chats`` those of ``CHAT_ID``. ``answers``: see ``Answers``. ``files``
        are what attachments hold, by file key, or in words why they cannot be had. ``most_blocked``: seconds a hook
        may keep its loop. With ``twice`` every event is handled a second time after its writes were undone. With
        ``sandbox`` the whole program runs, against the offline Feishu: ``people`` and ``chat`` are the sandbox's then,
        the time is real, and ``clock``, ``groups``, ``chats``, ``answers`` and ``files`` do not count.
        """
        self.zone = ZoneInfo(timezone)
        self.slept: list[float] = []
        """Seconds for which hooks awaited ``asyncio.sleep``; they were woken at once, and the clock moved on."""
        self.chats = tuple(chats)
        self._options: dict[str, Any] = {
            "timezone": timezone,
            "people": people,
            "groups": groups,
            "chats": chats,
            "answers": answers,
            "files": files,
            "most_blocked": most_blocked,
        }
        self._sources = plugins
        self._config = config or {}
        self._began = self._at(clock)
        self._notes = Notes(most_blocked, lambda: self.now, self._sleep)
        self.people = dict(people or {})
        """Names by open_id."""
        self._group = Group(self.people)
        self._sandbox = sandbox
        self._platform = Answers(
            answers or {},
            people or {},
            tuple(dict.fromkeys(chats or groups)),
            lambda: self.now,
            self.zone,
            self._notes.fail,
        )
        self._plugins = load_plugins(plugins, self._config)
        self._twice = twice
        self._directory: Path | None = None
        self._program: Program | Sandboxed | None = None
        self._delivered: list[tuple[int, list[bytes]]] = []
        self._batch: list[bytes] | None = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(failing=error is not None)

    def __await__(self) -> Generator[Any, Any, Self]:
        return self.start().__await__()

    async def start(self) -> Self:
        """Start the plugins. Raises what ``startup`` raises."""
        self._directory = Path(tempfile.mkdtemp(prefix="larkflock-"))
        self._program = self._made(self._directory)
        self._notes.blocks.start()
        GUARD.add(self._notes.fail)
        try:
            self._program.start()
            if not isinstance(self._program, Program):
                self.people.update(self._program.people)
                self._group.chat = self._program.chat
            await self.settle()
        except BaseException:
            self.close(failing=True)
            raise
        return self

    async def restart(self, config: Mapping[str, Any] | None = None) -> None:
        """Stop the plugins and start them on the same data, perhaps with another ``config``."""
        self._config = self._config if config is None else config
        self._running.stop()
        self._running.start(load_plugins(self._sources, self._config))
        await self.settle()

    def close(self, *, failing: bool = False) -> None:
        """Stop the plugins; raises what went wrong, unless the test is ``failing`` already."""
        if self._program is None or self._directory is None:
            return
        program, self._program = self._program, None
        with ExitStack() as ending:  # From the last to the first, whatever one of them raises.
            ending.callback(shutil.rmtree, self._directory, ignore_errors=True)
            ending.callback(GUARD.remove, self._notes.fail)
            ending.callback(self._notes.blocks.stop)
            ending.callback(program.close)
            program.stop()
        if not failing:
            program.check()

    # What arrives.

    async def deliver(self, *bodies: bytes) -> None:
        """Bytes as they are pushed."""
        if self._batch is not None:
            self._batch += bodies
            return
        self._delivered.append((self.now, list(bodies)))
        self._running.append(bodies)
        await self.settle()

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[None]:
        """What is done inside arrives at once, when it ends."""
        collected: list[bytes] = []
        self._batch = collected
        try:
            yield
        finally:
            self._batch = None
        await self.deliver(*collected)

    async def again(self) -> None:
        """Everything is delivered a second time, as the platform does when it heard no acknowledgement."""
        self._offline.append([body for _, bodies in self._delivered for body in bodies])
        await self.settle()

    # Time.

    @property
    def now(self) -> int:
        """The time, ms UTC."""
        return self._program.now if self._program else self._began

    async def advance(self, **time: float) -> None:
        """Time passes (``days=1``, ``hours=2``, ``seconds=30``): schedules and retries happen when they are due."""
        await self._running.advance(self.now + round(timedelta(**time).total_seconds() * 1000))

    async def until(self, moment: Moment) -> None:
        """It becomes ``moment``."""
        await self._running.advance(self._at(moment))

    async def settle(self) -> None:
        """Wait until all is done that can be done now."""
        await self._running.settle()
        for sent in self._running.sent:
            self._group.placed(sent.id, sent.chat_id)

    # What became of it.

    def rows(self, table: Table | str) -> list[Row]:
        """The stored rows of a table, by its declaration or its name, in the order of its key."""
        return list(self._running.store.scan(*self._running.table(table)))

    def row(self, table: Table | str, *key: Any) -> Row | None:
        """The stored row with this key, or None."""
        plugin, found = self._running.table(table)
        return self._running.store.get(plugin, found, key)

    async def records(self, table: Table | str) -> list[Row]:
        """What the Bitable table shows, by title; with ``sandbox=True`` only."""
        if isinstance(self._running, Program):
            raise HarnessFailure("there is no Bitable without sandbox=True; rows(…) are what would be shown there")
        return await self._running.records(self._running.table(table)[1])

    @property
    def chat(self) -> str:
        """The group where people talk unless a test says otherwise."""
        return self._group.chat

    def state(self, name: str, default: Any = None, *, plugin: str = "") -> Any:
        """What a plugin (the first one unless it is named) keeps under ``name`` with ``ctx.state``."""
        row = self._running.store.get(plugin or self._running.plugins[0].name, STATE, (name,))
        return default if row is None else row["value"]

    @property
    def sent(self) -> list[Sent]:
        """Every message that was sent."""
        return self._running.sent

    @property
    def cards(self) -> list[dict[str, Any]]:
        """The content of every card that was sent."""
        return [sent.content for sent in self.sent if sent.msg_type == "interactive"]

    @property
    def published(self) -> list[Publication]:
        """Every event that a plugin published: ``type``, ``event_id``, ``event``."""
        return self._running.published

    @property
    def attached(self) -> list[AttachmentRequest]:
        """Every resource that a plugin had fetched."""
        return self._offline.attached

    @property
    def calls(self) -> list[Call]:
        """Every call of an API."""
        return self._offline.calls

    @property
    def dead(self) -> list[Dead]:
        """Events that were given up: ``plugin``, ``seq``, ``attempts``, ``error``."""
        return self._running.store.dead()

    @property
    def retrying(self) -> int:
        """How many events wait to be tried again."""
        return sum(one.retrying for one in self._running.store.consumers())

    @property
    def armed(self) -> dict[str, int]:
        """When each schedule is due, ms UTC."""
        timers = [timer for plugin in self._running.plugins for timer in self._running.store.timers(plugin.name)]
        return {timer.name: timer.due for timer in timers if timer.due is not None}

    @contextmanager
    def expect(self, *errors: type[BaseException]) -> Iterator[list[BaseException]]:
        """Hooks raise one of ``errors`` inside; what they raised is in the list that is given."""
        notes, before, found = self._notes, self._notes.expected, list[BaseException]()
        notes.expected = errors
        try:
            yield found
        finally:
            found += [raised.error for raised in notes.raised]
            notes.raised.clear()
            notes.expected = before
        if not found:
            raise NotRaised(f"no hook raised {' or '.join(error.__name__ for error in errors)}")

    async def assert_repeatable(self) -> None:
        """Handling every event once more after its writes were undone, as after a crash, leads to the same rows.

        It fails for a plugin that keeps something outside of its tables and its state. Answers that were handed in as
        lists have to last for twice the calls.
        """
        once = self._offline
        other = Harness(*self._sources, config=self._config, clock=self._began, twice=True, **self._options)
        async with other:
            for moment, bodies in self._delivered:
                await other.until(moment)
                await other.deliver(*bodies)
            await other.until(self.now)
            compare(once, other._offline)  # It is one of us.

    @property
    def _running(self) -> Program | Sandboxed:
        if self._program is None:
            raise HarnessFailure("this harness is not running; use it inside `async with Harness(…) as lark:`")
        return self._program

    @property
    def _offline(self) -> Program:
        if not isinstance(self._running, Program):
            raise HarnessFailure("that cannot be done with sandbox=True; leave it out for this test")
        return self._running

    def _made(self, directory: Path) -> Program | Sandboxed:
        if self._sandbox:
            from .sandboxed import Sandboxed  # It needs the whole program, the others only a part.

            return Sandboxed(directory, self._plugins, self._notes, timezone=self.zone.key)
        return Program(
            directory,
            self._plugins,
            self._platform,
            self._notes,
            now=self._began,
            zone=self.zone,
            chats=self.chats,
            files=self._options["files"] or {},
            twice=self._twice,
        )

    def _moment(self) -> int:
        return self._running.moment()

    def _answered(self, event_id: str) -> dict[str, Any]:
        return self._running.card_answers.get(event_id, {})

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._running.sleep(seconds)

    def _at(self, moment: Moment) -> int:
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        if isinstance(moment, datetime):
            moment = moment if moment.tzinfo else moment.replace(tzinfo=self.zone)
            return round(moment.timestamp() * 1000)
        return moment
