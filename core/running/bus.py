"""Who hears an event, when, again or never: one durable consumer of the journal per enabled plugin.

Each consumer has a thread and an event loop of its own, so that a plugin that blocks, hangs or exits delays no other.
It reads a batch, calls the hooks in journal order, commits everything once. It never touches the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from loguru import logger

from ..context import Context
from ..errors import Malformed, Replaced, StorageError
from ..events import Event
from ..loading.plugins import Plugin
from ..platform import Platform
from ..reads import Tables
from ..status import PluginPhase, PluginStatus, Status
from ..storage.protocol import Engine, JournalHandle, StoreHandle
from ..storage.values import Commit, Consumer, Failure, Stored, Timer
from ..unit import Answer, Unit
from .attempts import MOST_ATTEMPTS, backoff, passes, pause
from .calling import HookCalls
from .delivery import Delivery, read_event, told, told_whole
from .plugin_thread import PluginThread
from .suspension import LOOK_AGAIN, MOST_IN_A_ROW, Streak, is_suspended, resume

BATCH: Final = 1000
"""Events that are committed together at the most."""
BATCH_SECONDS: Final = 1.0
"""After this time a batch is committed as far as it is, so that a slow plugin's work is not all done again."""
COMMIT_EVERY: Final = 0.05
"""Seconds between two commits of a plugin that keeps up: one costs as much for a single event as for fifty.

What arrives after a pause is handled at once.
"""
HOOK_TIMEOUT: Final = 30.0
SHUTDOWN_TIMEOUT: Final = 10.0
TICK: Final = 1.0
"""Seconds after which a consumer looks by itself: at its timers, and should a wake-up ever be lost."""


class PluginConsumer:
    """The consumer of one plugin."""

    def __init__(
        self,
        plugin: Plugin,
        engine: Engine,
        *,
        timezone: ZoneInfo,
        chats: Sequence[str],
        clock: Callable[[], int],
        status: Callable[[], Status],
        on_published: Callable[[], None],
        on_outgoing: Callable[[], None] = lambda: None,
        on_attached: Callable[[], None] = lambda: None,
        on_answered: Callable[[str, Sequence[Answer]], None] = lambda plugin, answers: None,
        platform: Platform | None = None,
        tables: Tables = lambda name: None,
        hook_timeout: float = HOOK_TIMEOUT,
        batch_seconds: float = BATCH_SECONDS,
        commit_every: float = COMMIT_EVERY,
        tick: float = TICK,
        suspend_after: int = MOST_IN_A_ROW,
    ) -> None:
        self.plugin = plugin
        self._engine = engine
        self._timezone = timezone
        self._clock = clock
        self._status = status
        self._on_published = on_published
        self._on_outgoing = on_outgoing
        self._on_attached = on_attached
        self._on_answered = on_answered
        self._platform = platform
        self._tables = tables
        self._hook_timeout = hook_timeout
        self._batch_seconds = batch_seconds
        self._commit_every = commit_every
        self._tick = tick
        self._log = logger.bind(plugin=plugin.name)
        self._phase: PluginPhase = "starting"
        self._problem = ""
        self.tries_again = 0
        """When a plugin that was not ready is started once more, ms UTC; in the past while that is being done."""
        self._cursor = 0
        self._attempts = 0
        self._failing: dict[str, str] = {}
        self._hooks = HookCalls(plugin.hooks)
        self._thread = PluginThread(plugin.name, self._hooks, self._consume, self._ended, clock=clock, tick=tick)
        self.at_work = self._hooks.at_work
        self.overdue = self._hooks.overdue
        self._delivery = Delivery(plugin, self._hooks, chats, hook_timeout)
        self._streak = Streak(suspend_after)
        self._idle_at = -1
        self._behind = False
        self._next_unit: Unit | None = None
        self._reported = ""

    def start(self) -> None:
        """Begin to consume, unless it was stopped before; returns at once."""
        if not self._thread.stopping:
            self._phase, self._problem = "starting", ""
            self._thread.start()

    def hold(self, reason: str) -> None:
        """It cannot be started yet; its events wait in the journal."""
        self._phase, self._problem = "waiting", reason

    def wake(self) -> None:
        """There may be new events; callable from any thread, also before the start and after the end."""
        self._thread.wake()

    def stop(self, timeout: float) -> bool:
        """Finish the batch, call ``shutdown``, end; False when the plugin did not come back within ``timeout`` s."""
        return self._thread.stop(timeout)

    @property
    def idle_at(self) -> int:
        """The journal position up to which all is done that will be, nothing to be retried now; -1 while busy."""
        if self.overdue() or self._phase in ("failed", "suspended"):
            return sys.maxsize
        if self._phase == "waiting" and not self.plugin.types:
            return sys.maxsize
        return self._idle_at if self._phase == "running" else -1

    def status(self, stored: Consumer | None, head: int) -> PluginStatus:
        """How it is; ``stored`` comes from the store."""
        cursor = stored.cursor if stored else self._cursor
        return PluginStatus(
            name=self.plugin.name,
            summary=self.plugin.manifest.summary,
            phase=self._phase,
            cursor=cursor,
            lag=max(0, head - cursor) if self.plugin.types else 0,
            handled=stored.handled if stored else 0,
            skipped=dict(self._delivery.skipped),
            retrying=stored.retrying if stored else 0,
            attempts=self._attempts,
            dead=stored.dead if stored else 0,
            problem=self._problem or next(iter(tuple(self._failing.values())), ""),
            busy_for=self._hooks.busy_for,
        )

    def _ended(self, error: BaseException | None) -> None:
        if error is None:
            self._phase = "stopped"
            return
        self._phase = "failed"
        self._problem = f"{type(error).__name__}: {error}"
        self._log.opt(exception=error).error(
            "Plugin {} ({}) ended: {}. The others run, its events wait: mend it, then restart",
            self.plugin.name,
            self.plugin.source,
            self._problem,
        )

    async def _consume(self) -> None:
        store, journal = self._engine.store(), self._engine.journal()
        context: Context[Any] = Context(
            self.plugin.manifest,
            self.plugin.config,
            store,
            timezone=self._timezone,
            clock=self._clock,
            status=self._status,
            log=self._log,
            chats=self._delivery.chats,
            platform=self._platform,
            tables=self._tables,
        )
        try:
            if await self._start_up(context, store, journal.head()):
                self._phase = "running"
                await self._work(context, store, journal)
                await self._shut_down(context, store)
        finally:
            store.close()
            journal.close()

    async def _start_up(self, context: Context[Any], store: StoreHandle, head: int) -> bool:
        """Call ``startup`` until it succeeds; a new plugin begins at ``head``. False when the program stops first."""
        tries = 0
        while not self._thread.stopping:
            context.begin()
            try:
                self._cursor = store.cursor(self.plugin.name, head)
                if store.resume(self.plugin.name):
                    self._log.info("Plugin {} was suspended and goes on with this start.", self.plugin.name)
                await self._hooks.call("startup", self._hook_timeout, ctx=context)
                self._commit(context, store, self._cursor)
            except Exception as error:
                if not passes(error, tries):
                    raise
                if self._streak.met(error) and self._suspend(context, store):
                    await self._suspended(store)
                    continue
                if self._thread.stopping:
                    break
                tries += 1
                delay = backoff(min(tries, 5))
                before, self._problem = self._problem, str(error) or type(error).__name__
                self.tries_again = self._clock() + int(delay * 1000)  # Before the phase, which others look at first.
                self._phase = "waiting"
                self._log.log(
                    "WARNING" if self._problem != before else "DEBUG",  # Once is enough; /status shows it all along.
                    "Plugin {} ({}) is not ready, and is tried until it is: {}; next try in {:.0f} s",
                    self.plugin.name,
                    self.plugin.source,
                    self._problem,
                    delay,
                )
                await self._thread.rest(self.tries_again)
                continue
            self._problem = ""
            return True
        self._phase = "stopped"
        return False

    async def _work(self, context: Context[Any], store: StoreHandle, journal: JournalHandle) -> None:
        failures = 0
        while not self._thread.stopping:
            self._thread.look()
            began = time.monotonic()
            try:
                busy = await self._batch(context, store, journal)
                if self._streak.over:
                    await self._suspended(store)
                due = None if busy else store.next_due(self.plugin.name)
            except Replaced as error:
                self._log.info("Plugin {} does its batch again: {}", self.plugin.name, error)
                self._cursor = self._reread(store)
                continue
            except StorageError as error:
                failures += 1
                self._streak.forget()
                self._problem = str(error)
                self._log.error("Plugin {} could not store its batch, it is done again: {}", self.plugin.name, error)
                self._cursor = self._reread(store)
                await self._thread.rest(self._clock() + int(min(5.0, backoff(failures)) * 1000))
                continue
            failures, self._problem = 0, ""
            if not busy:
                wait = self._tick if due is None else min(self._tick, max(0.0, (due - self._clock()) / 1000))
                await self._thread.pause(wait)
            elif not self._behind:
                await asyncio.sleep(min(self._tick, began + self._commit_every - time.monotonic()))

    async def _suspended(self, store: StoreHandle) -> None:
        """Wait until somebody lets the plugin go on, or for a scope until it is time to look again."""
        before, since = self._phase, self._clock()
        self._problem = self._streak.reason(self.plugin.name)
        if self._problem != self._reported:  # A scope may not be granted for many hours.
            self._log.error("Plugin {} ({}) is suspended: {}", self.plugin.name, self.plugin.source, self._problem)
            self._reported = self._problem if self._streak.lacking else ""
        self._phase = "suspended"
        while not self._thread.stopping and is_suspended(store, self.plugin.name):
            if self._streak.lacking and not since <= self._clock() < since + LOOK_AGAIN:
                resume(store, self.plugin.name)
            self._thread.look()
            await self._thread.pause(self._tick)
        self._streak.forget()
        self._phase, self._problem = before, ""
        if not self._thread.stopping:
            self._log.info("Plugin {} goes on.", self.plugin.name)

    def _suspend(self, context: Context[Any], store: StoreHandle) -> bool:
        """Store that the plugin is suspended, and nothing else; whether that was possible."""
        context.begin()
        with contextlib.suppress(StorageError):
            self._commit(context, store, self._cursor)
            return True
        return False

    def _reread(self, store: StoreHandle) -> int:
        """Where to go on; rows that were read before may be others now."""
        self._next_unit = None
        try:
            return store.cursor(self.plugin.name, self._cursor)
        except StorageError:
            return self._cursor

    async def _batch(self, context: Context[Any], store: StoreHandle, journal: JournalHandle) -> bool:
        """Handle what is due and what is new; whether there was anything."""
        self._behind = False
        rang = await self._ring(context, store)
        if self._streak.over:
            return rang
        due = store.due(self.plugin.name, self._clock(), BATCH)  # Also of hooks that a former version had.
        types, reached, new = self.plugin.types, self._cursor, list[Stored]()
        if types:
            new, reached = journal.read_after(self._cursor, types, BATCH)
        if not due and not new and reached == self._cursor:
            self._idle_at = -1 if rang else reached if types else journal.head()
            return rang
        self._idle_at = -1
        context.begin(self._next_unit)
        self._next_unit = None
        failures: list[Failure] = []
        settled: list[int] = []
        until = time.monotonic() + self._batch_seconds
        for seq, attempts in due:
            if self._enough(until) or self._streak.over:
                break
            stored = journal.fetch(seq)
            if stored is None:
                failures.append(Failure(seq, attempts, "the journal keeps it no longer", None))
                continue
            failure = await self._handle(stored, read_event(stored), context, attempts)
            settled.append(seq) if failure is None else failures.append(failure)
        handled = len(settled)
        read = [read_event(stored) for stored in new]
        self._delivery.prefetch(context, read)
        done = self._cursor
        for stored, event in zip(new, read, strict=True):
            # One at least: retries must not starve what is new. Who used a card is waiting for the commit.
            if self._streak.over or (done != self._cursor and (context.unit.answers or self._enough(until))):
                reached = done
                break
            done = stored.seq
            if isinstance(event, Event) and self._delivery.passes_over(event):
                continue
            failure = await self._handle(stored, event, context, 0)
            if failure is None:
                handled += 1
            else:
                failures.append(failure)
        if self._streak.over:
            there = store.unsettled(self.plugin.name) | {failure.seq for failure in failures}
            failures += self._streak.waiting(there, self._clock())  # Of the same event the last one counts.
        self._behind = len(new) == BATCH or (bool(new) and done < new[-1].seq)
        self._commit(context, store, reached, handled=handled, settled=settled, failures=failures)
        self._next_unit = context.unit.committed()
        return True

    async def _ring(self, context: Context[Any], store: StoreHandle) -> bool:
        """Call ``on_schedule`` for the timer that is due longest; whether there was one."""
        now = self._clock()
        timer = next((one for one in store.timers(self.plugin.name) if one.due is not None and one.due <= now), None)
        if timer is None:
            return False
        self._idle_at = -1
        context.begin(self._next_unit)
        self._next_unit = None
        mark = context.unit.mark()
        timeout = next((one.timeout for one in self.plugin.manifest.schedules if one.name == timer.name), None)
        try:
            if timeout is not None:  # A newer version of the plugin may know the schedule no longer.
                await self._hooks.call("on_schedule", timeout, schedule=timer.name, ctx=context)
        except (Exception, asyncio.CancelledError) as error:
            context.unit.back_to(mark)
            self._attempts += 1
            attempts = timer.attempts + 1
            told_otherwise = self._streak.met(error)  # As the reason for which the plugin is suspended.
            delay, text = 0.0 if told_otherwise else pause(error, attempts), told(error)
            self._failing[timer.name] = f"schedule {timer.name}: {text}"
            if not told_otherwise:
                self._log.warning(
                    "Schedule {} failed (attempt {}), again in {:.0f} s: {}", timer.name, attempts, delay, text
                )
            context.unit.timers.append(Timer(timer.name, now + int(delay * 1000), attempts))
        else:
            self._failing.pop(timer.name, None)
            if all(timer.name != one.name for one in context.unit.timers):
                context.unit.timers.append(Timer(timer.name, None))
        self._commit(context, store, self._cursor)
        self._next_unit = context.unit.committed()
        return True

    def _enough(self, until: float) -> bool:
        return self._thread.stopping or time.monotonic() >= until

    async def _handle(
        self, stored: Stored, event: Event | Malformed, context: Context[Any], attempts: int
    ) -> Failure | None:
        error = await self._delivery.hand_over(stored, event, context)
        if error is not None:
            return self._failure(stored.seq, attempts + 1, error)
        self._streak.forget()
        return None

    def _failure(self, seq: int, attempts: int, error: BaseException) -> Failure:
        self._attempts += 1
        text = told(error)
        if not isinstance(error, Malformed):  # That says nothing about the plugin.
            self._streak.failed(seq, text)
            if self._streak.met(error):  # As above.
                return Failure(seq, attempts, text, self._clock())
        final = isinstance(error, Malformed) or attempts >= MOST_ATTEMPTS
        if final:
            self._log.opt(exception=error).error("Event {} is parked as a dead letter: {}", seq, text)
            return Failure(seq, attempts, told_whole(error), None)
        delay = pause(error, attempts)
        self._log.warning("Event {} failed (attempt {}), again in {:.0f} s: {}", seq, attempts, delay, text)
        return Failure(seq, attempts, text, self._clock() + int(delay * 1000))

    def _commit(
        self,
        context: Context[Any],
        store: StoreHandle,
        cursor: int,
        *,
        handled: int = 0,
        settled: Sequence[int] = (),
        failures: Sequence[Failure] = (),
    ) -> None:
        unit = context.unit
        store.commit(
            Commit(
                plugin=self.plugin.name,
                expected=self._cursor,
                cursor=cursor,
                now=self._clock(),
                handled=handled,
                rows=unit.rows,
                published=unit.published,
                settled=settled,
                failures=failures,
                outgoing=unit.outgoing,
                attachments=unit.attachments,
                timers=unit.timers,
                suspended=self._streak.reason(self.plugin.name) if self._streak.over else "",
            )
        )
        self._cursor = cursor
        if unit.published:
            self._on_published()
        if unit.outgoing:
            self._on_outgoing()
        if unit.attachments:
            self._on_attached()
        if unit.answers:
            self._on_answered(self.plugin.name, unit.answers)

    async def _shut_down(self, context: Context[Any], store: StoreHandle) -> None:
        self._cursor = self._reread(store)
        context.begin()
        try:
            await self._hooks.call("shutdown", SHUTDOWN_TIMEOUT, ctx=context)
            self._commit(context, store, self._cursor)
        except (Exception, asyncio.CancelledError) as error:
            self._log.opt(exception=error).warning("shutdown of plugin {} failed: {}", self.plugin.name, error)
