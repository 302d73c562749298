"""A plugin's tables built anew from the journal, in a shadow beside those in use, which they replace at the end.

The real hooks run with the real configuration, at the times of their events. It never calls the platform, and drops
what the hooks send, publish and ask to be fetched: all that was done when the events were handled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

from loguru import logger

from ..context import Context
from ..errors import Fenced, LarkflockError, Malformed, Unreachable
from ..events import Event
from ..loading.plugins import Plugin
from ..platform import Budget
from ..running.bus import HOOK_TIMEOUT, SHUTDOWN_TIMEOUT
from ..running.calling import HookCalls
from ..running.delivery import Delivery, read_event, told
from ..storage.protocol import Engine, StoreHandle
from ..storage.values import Commit, Difference, Failure, Standing, Stored, Timer
from ..table import Table

BATCH: Final = 1000
MOST_TRIES: Final = 500
"""Attempts to find the running plugin where the replay is."""
AGAIN: Final = 600_000
"""ms after which a schedule that failed is called again."""


class Refused(LarkflockError):
    """A replay that would lose something, or cannot be done; nothing was changed."""


class Replay:
    """One replay of one plugin; make it, ``build`` it, then look at ``differences`` or ``swap`` it in."""

    def __init__(
        self,
        plugin: Plugin,
        engine: Engine,
        shadow: Engine,
        *,
        start: int,
        end: int | None,
        timezone: ZoneInfo,
        chats: Sequence[str],
        clock: Callable[[], int],
        progress: Callable[[int, int], None] = lambda done, target: None,
    ) -> None:
        carried = plugin.manifest.carried
        self.carried = tuple(table for table in plugin.tables if table.name in carried)
        """The tables it goes on with."""
        self.rebuilt = tuple(table for table in plugin.tables if table.name not in carried)
        """The tables it builds anew."""
        self.handled = 0
        """Events that were handled."""
        self._plugin = plugin
        self._start = start
        self._end = end
        self._clock = clock
        self._progress = progress
        self._store = engine.store()
        self._journal = engine.journal()
        self._rows = shadow.store(durable=False)
        self._trimmed = self._journal.trimmed()
        self._position = start
        self._moment = clock()
        self._held: set[int] = set()
        self._errors: dict[int, str] = {}
        self._hooks = HookCalls(plugin.hooks)
        self._delivery = Delivery(plugin, self._hooks, chats, HOOK_TIMEOUT)
        self._schedules = {one.name: one.timeout for one in plugin.manifest.schedules if one.replayed}
        self._context: Context[Any] = Context(
            plugin.manifest,
            plugin.config,
            self._rows,
            timezone=timezone,
            clock=lambda: self._moment,
            status=_no_status,
            log=logger.bind(plugin=plugin.name, replay=True),
            chats=self._delivery.chats,
            platform=_Silent(self._store, self._delivery.chats),
        )

    async def build(self) -> None:
        """Handle everything from the start up to where the running plugin is, or the end. Raises ``Refused``."""
        name, tables = self._plugin.name, self._plugin.tables
        self._rows.prepare(name, tables)
        self._store.prepare(name, tables)
        self._store.fill(name, tables, name, self.carried)
        self._rows.cursor(name, self._start)
        watching = asyncio.create_task(self._hooks.watch(_current()))
        try:
            first = self._journal.stretch(self._start, self._target(), 1)
            self._moment = first[0].received if first else self._clock()
            await self._start_up()
            await self._catch_up()
        finally:
            watching.cancel()

    async def swap(self, *, park: bool) -> list[Difference]:
        """Put the tables in the place of those in use; how they differed, without rows.

        With ``park`` events that fail now and did not before become dead letters. Raises ``Refused``.
        """
        name = self._plugin.name
        watching = asyncio.create_task(self._hooks.watch(_current()))
        try:
            for _ in range(MOST_TRIES):
                await self._catch_up()
                failures = self.failures
                if failures and not park:
                    raise Refused(f"{len(failures)} events fail now that did not before: {failures[0].error}")
                with suppress(Fenced):  # The plugin handled something in this very moment.
                    found = self._store.differences(name, self.rebuilt, name, cursor=self._position, first=0)
                    self._store.swap_in(
                        name,
                        self._plugin.tables,
                        name,
                        carried=self.carried,
                        cursor=self._position,
                        now=self._clock(),
                        held=self._held,
                        failures=failures,
                    )
                    return found
        finally:
            watching.cancel()
        raise Refused(f"{name} is too busy to be replaced; try again at a quieter time, or stop the program")

    def differences(self, first: int) -> list[Difference]:
        """How the tables in use would change, with the ``first`` rows of each."""
        return self._store.differences(self._plugin.name, self.rebuilt, self._plugin.name, cursor=None, first=first)

    @property
    def failures(self) -> list[Failure]:
        """The events that fail now, and that the running plugin had handled."""
        name = self._plugin.name
        failing = sorted(self._held - self._store.unsettled(name) - self._store.discarded(name))
        return [Failure(seq, 1, self._errors.get(seq, "never tried"), None) for seq in failing]

    async def close(self) -> None:
        """Let the plugin go and close what is open; the shadow is left to whoever made it."""
        with suppress(Exception, asyncio.CancelledError):
            self._context.begin()
            await asyncio.wait_for(self._hooks.call("shutdown", SHUTDOWN_TIMEOUT, ctx=self._context), SHUTDOWN_TIMEOUT)
        self._rows.close()
        self._journal.close()
        self._store.close()

    def _target(self) -> int:
        if self._end is not None:
            return self._end
        cursor = next((one.cursor for one in self._store.consumers() if one.plugin == self._plugin.name), None)
        if cursor is None:
            raise Refused(f"{self._plugin.name} has not run yet")
        return cursor

    async def _start_up(self) -> None:
        self._context.begin()
        try:
            await self._hooks.call("startup", HOOK_TIMEOUT, ctx=self._context)
        except (Exception, asyncio.CancelledError) as error:
            _unless_stopped()
            raise Refused(f"{self._plugin.name} does not start: {told(error)}") from error
        self._commit(self._start)

    async def _catch_up(self) -> None:
        """Go on to where the running plugin is."""
        while self._position < (target := self._target()):
            await self._advance(target)
        if self._end is None:
            await self._ring(self._clock())
        await self._try_held()

    async def _advance(self, target: int) -> None:
        """Handle one batch of events up to ``target``."""
        if self._journal.trimmed() > max(self._position, self._trimmed):
            raise Refused("the journal was trimmed meanwhile; begin again")
        if not self._plugin.types:
            self._commit(target)
            return
        new, reached = self._journal.read_after(self._position, self._plugin.types, BATCH)
        new = [stored for stored in new if stored.seq <= target]
        waiting, discarded = self._store.unsettled(self._plugin.name), self._store.discarded(self._plugin.name)
        read = [read_event(stored) for stored in new]
        self._delivery.prefetch(self._context, read)
        done = self._position
        for stored, event in zip(new, read, strict=True):
            await self._ring(stored.received, done)
            done = stored.seq
            if stored.seq in discarded or (isinstance(event, Event) and self._delivery.passes_over(event)):
                continue
            if stored.seq in waiting:
                self._held.add(stored.seq)
            else:
                await self._handle(stored, event)
        self._commit(min(reached, target))
        self._progress(self._position, target)
        await asyncio.sleep(0)  # So that Ctrl+C is noticed.

    async def _handle(self, stored: Stored, event: Event | Malformed) -> bool:
        self._moment = stored.received
        error = await self._delivery.hand_over(stored, event, self._context)
        if error is None:
            self.handled += 1
            self._held.discard(stored.seq)
            return True
        _unless_stopped()
        self._held.add(stored.seq)
        self._errors[stored.seq] = told(error)
        return False

    async def _try_held(self) -> None:
        """Handle what failed, as long as that helps, and what the running plugin has handled meanwhile after all."""
        name = self._plugin.name
        progress = True
        while progress:
            progress = False
            for seq in sorted(self._held - self._store.unsettled(name) - self._store.discarded(name)):
                stored = self._journal.fetch(seq)
                if stored is not None:
                    progress |= await self._handle(stored, read_event(stored))
            self._commit(self._position)

    async def _ring(self, moment: int, done: int | None = None) -> None:
        """Call the schedules that need nothing but time, up to ``moment``; ``done`` is where the batch is."""
        while self._schedules:
            armed = {name: at for name in self._schedules if (at := self._context.armed(name)) is not None}
            name = min(armed, key=lambda one: armed[one], default="")
            if not name or armed[name] > moment:
                return
            self._commit(self._position if done is None else done)
            self._moment = max(self._moment, armed[name])
            mark = self._context.unit.mark()
            try:
                await self._hooks.call("on_schedule", self._schedules[name], schedule=name, ctx=self._context)
            except (Exception, asyncio.CancelledError):
                _unless_stopped()
                self._context.unit.back_to(mark)
                self._context.schedule(name, at=self._moment + AGAIN)
            if all(timer.name != name for timer in self._context.unit.timers):
                self._context.unit.timers.append(Timer(name, None))
            self._commit(self._position)

    def _commit(self, cursor: int) -> None:
        """Store what was collected in the shadow; what would leave it is dropped."""
        unit = self._context.unit
        self._rows.commit(
            Commit(
                self._plugin.name,
                expected=self._position,
                cursor=cursor,
                now=self._clock(),
                rows=unit.rows,
                timers=unit.timers,
            )
        )
        self._position = cursor
        self._context.begin(unit.committed())


class _Silent:
    """The platform during a replay: nobody is asked anything, names are those known."""

    def __init__(self, store: StoreHandle, chats: Sequence[str]) -> None:
        self._store = store
        self._chats = tuple(chats)

    async def call(self, request: Any) -> dict[str, Any]:
        raise Unreachable(f"{type(request).__name__}: a replay does not call the platform")

    async def groups(self) -> tuple[str, ...]:
        if not self._chats:
            raise Unreachable("groups: a replay does not call the platform")
        return self._chats

    async def names(self, open_ids: Sequence[str]) -> dict[str, str]:
        return {who: name for who, (name, _) in self._store.people(open_ids).items() if name}

    def budget(self) -> Budget:
        return Budget(0, 0, 0.0)


def losses(name: str, standing: Standing, start: int, trimmed: int) -> list[str]:
    """What tables lose that are rebuilt from the events beyond ``start``."""
    found = []
    if start > standing.began:
        found.append(f"what {name} made of the events up to {start} is left out")
    if trimmed > max(start, standing.began):
        found.append(f"the journal has forgotten events up to {trimmed}; what {name} made of them is left out")
    return found


def nothing_to_rebuild(plugin: Plugin) -> str:
    """Why a replay of this plugin makes no sense, or empty."""
    rebuilt: list[Table] = [table for table in plugin.manifest.tables if table.name not in plugin.manifest.carried]
    if not rebuilt:
        why = "what it keeps does not come from events" if plugin.manifest.tables else "it keeps no tables"
        return f"there is nothing to rebuild for {plugin.name}: {why}"
    return ""


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a replay runs inside a task")
    return task


def _unless_stopped() -> None:
    """Ctrl+C is no failure of a hook."""
    if _current().cancelling():
        raise asyncio.CancelledError


def _no_status() -> NoReturn:
    raise Unreachable("status: a replay has none")
