"""The running program: it makes the parts, connects them, and ends them in the right order. It decides nothing else."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from loguru import logger

from . import memory
from .access import Access
from .attachments.fetching import SHARE, Attachments
from .disk.upkeep import Upkeep
from .errors import ConfigurationError, Problem, StorageError, Unreachable
from .events import envelope
from .feishu.bitable import RemoteTable
from .feishu.connection import LongConnection
from .feishu.lean_sdk import import_core
from .feishu.ledger import Ledger
from .feishu.transport import Api
from .groups import Groups
from .history.backfill import Backfill
from .journal import Journal
from .loading.plugins import Plugin, Unfit
from .mirroring.mirror import Mirror
from .mirroring.mirrored import MirroredTable
from .outbox import Outbox
from .pace import Pace
from .people import People
from .running.answers import Answers
from .running.attempts import backoff
from .running.bus import PluginConsumer
from .running.reload import Reload
from .running.roster import Roster
from .running.watchdog import Watchdog
from .settings import Settings
from .status import ApiStatus, AttachmentStatus, OutboxStatus, Status, TableStatus
from .storage import open_engine
from .storage.protocol import Engine, StoreHandle
from .storage.values import Consumer, Publication
from .table import PersonName, Row, Table
from .verdict import verdict

CHECK_PATIENCE: Final = 3.0
"""Seconds the start waits for the check of the databases; a longer one goes on beside the work."""
STOP_TIMEOUT: Final = 15.0
"""Seconds a plugin has to finish its batch when stopping."""
NAMES_EVERY: Final = 10.0
TICK: Final = 1.0
"""Seconds between two looks of what looks by itself: at what is due to be written, fetched, sent or called.

All that arrives or is asked for in the program wakes who has to do it; an idle program spends its CPU on these looks.
"""
LAST_FLUSH_TIMEOUT: Final = 20.0
RELAY_BATCH: Final = 200


def milliseconds() -> int:
    """The clock of the program, ms UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Left:
    """What was not finished when the program ended; all of it is stored and goes on at the next start."""

    events: dict[str, int]
    rows: int
    messages: int = 0
    attachments: int = 0

    def __str__(self) -> str:
        parts = [f"{count} events for {name}" for name, count in self.events.items() if count]
        parts += [f"{self.rows} rows for Bitable"] if self.rows else []
        parts += [f"{self.messages} messages to send"] if self.messages else []
        parts += [f"{self.attachments} attachments to fetch"] if self.attachments else []
        return f"Left for the next start: {', '.join(parts)}." if parts else "Nothing is left to do."


class Application:
    """One app, its connection, its enabled plugins. Make it and run it inside one event loop."""

    def __init__(
        self,
        settings: Settings,
        plugins: Sequence[Plugin],
        *,
        unfit: Sequence[Unfit] = (),
        reload: Reload | None = None,
        clock: Callable[[], int] = milliseconds,
        tick: float = TICK,
        since: int | None = None,
        engine: Engine | None = None,
    ) -> None:
        """``since`` (ms UTC) has the history of the watched groups read from then on. ``unfit`` are only shown.

        ``reload`` brings changes of ``plugins.toml``; ``engine`` is that of ``DATA_DIR`` unless another one is given.
        """
        self._settings = settings
        self._clock = clock
        self._tick = tick
        self._stopping = asyncio.Event()
        self._gave_up = False
        self._publishing = asyncio.Event()
        self._started = clock()
        self._engine: Engine = engine or open_engine(settings.data_dir)
        self._store: StoreHandle = self._engine.store()
        self._counts: StoreHandle = self._engine.store(durable=False)
        self._loop = asyncio.get_running_loop()
        self.ledger = Ledger(self._counts, settings.api_monthly_quota, settings.zone, clock)
        self.mirror = Mirror((), Pace(settings.api_monthly_quota), self.ledger, clock=clock, tick=tick)
        self.roster = Roster(
            self._engine,
            self._store,
            self.mirror,
            consumer=self._consumer,
            mirrored=self._mirrored if settings.bitable_app_token else None,
            tick=tick,
        )
        self.journal = Journal(self._engine, clock=clock, on_fresh=self.roster.wake)
        keep_days = settings.journal_keep_days
        self.upkeep = Upkeep(self._engine, settings.data_dir, self.roster.readers, keep_days=keep_days, clock=clock)
        roster = self.roster
        self._answers = Answers(lambda: [one.name for one in roster.plugins if "on_card" in one.hooks])
        self.connection = LongConnection(
            settings.feishu_base_url,
            settings.app_id,
            settings.app_secret.get_secret_value(),
            self.journal.submit,
            clock=clock,
            on_given_up=self._soon(self._give_up),
            expect=self._answers.expect,
            max_retries=settings.max_retries,
            retry_delay=settings.retry_delay,
        )
        secret = settings.app_secret.get_secret_value()
        self._api = Api(settings.feishu_base_url, settings.app_id, secret, self.ledger, now=lambda: clock() / 1000)
        self._people = people = People(self._api, self._store, self.roster.names_shown, clock=clock)
        self._outbox = Outbox(self._api, self._store, clock=clock, backoff=backoff, tick=tick)
        self.attachments = Attachments(
            self._api,
            self._store,
            settings,
            Pace(settings.api_monthly_quota, SHARE),
            self.ledger,
            clock=clock,
            on_published=self._publishing.set,
            tick=tick,
        )
        groups = Groups(self._api, settings.chat_id, clock=clock)
        self.backfill = Backfill(
            self._api,
            self._engine,
            self._counts,
            self.journal,
            self.connection,
            groups,
            self.ledger,
            zone=settings.zone,
            clock=clock,
            since=since,
            chats=settings.chat_id,
            tick=tick,
        )
        self._access = Access(self._api, self.ledger, people, groups)
        self._reload = reload
        self.roster.begin(plugins, unfit)
        self._watchdog = Watchdog(self._at_work)

    def stop(self) -> None:
        """Ask for a graceful end; from the event loop's thread."""
        self._stopping.set()

    def read_plugins_file(self) -> None:
        """Read ``plugins.toml`` again now; from the event loop's thread."""
        if self._reload:
            self._reload.ask()

    async def run(self) -> Left:
        """Run until ``stop``; what is left then is returned. Raises ``Unreachable`` when connecting was given up."""
        memory.share()
        try:
            self.upkeep.start(self._store)
            self.upkeep.wait_checked(CHECK_PATIENCE)
            self._same_app()
            self.roster.prepare()
            import_core()  # Here no plugin has a thread yet.
            gc.freeze()  # What start-up made lives as long as the program: no need to walk it again and again.
            gc.set_threshold(50_000, 20, 100)
            self.journal.start()
            self._watchdog.start()
            async with self._api:
                self.connection.start()
                tasks = [
                    asyncio.create_task(self.mirror.run()),
                    asyncio.create_task(self._relay()),
                    asyncio.create_task(self.attachments.run()),
                    asyncio.create_task(self._outbox.run()),
                    asyncio.create_task(self.backfill.run()),
                    asyncio.create_task(self._name_strangers()),
                    asyncio.create_task(self.roster.run()),
                    *([asyncio.create_task(self._reload.run(self.roster))] if self._reload else []),
                ]
                try:
                    await self._watch(tasks)
                finally:
                    await self._end(tasks)
            left = self._left()
            self.upkeep.stop(self._store)
            if self._gave_up:
                raise Unreachable(f"{self.connection.status().problem}. {left}")
            return left
        finally:
            self._watchdog.stop()
            self.connection.stop()
            for consumer in self.consumers:
                consumer.stop(0)
            self.upkeep.stop()
            self.backfill.close()
            self._counts.close()
            self._store.close()
            self._engine.close()

    def status(self) -> Status:
        """Everything at once; callable from any thread. What cannot be read now is missing, and the disk's problem."""
        stored: dict[str, Consumer] = {}
        rejected: dict[str, int] = {}
        tables: list[TableStatus] = []
        outbox, attachments, unread = OutboxStatus(), AttachmentStatus(), ""
        try:
            with closing(self._engine.store()) as store, closing(self._engine.journal()) as journal:
                stored = {consumer.plugin: consumer for consumer in store.consumers()}
                rejected = journal.rejected()
                tables = [*(entry.status(store) for entry in self.mirror.tables), *self._local_tables(store)]
                outbox, attachments = _outbox(store), self.attachments.status(store)
        except StorageError as error:
            unread = str(error)
        log = self.journal.status(rejected)
        connection = self.connection.status()
        plugins = self.roster.status(stored, log.head)
        ledger = self.ledger
        api = ApiStatus(ledger.month, ledger.quota, ledger.used, ledger.forecast(), ledger.by_name)
        history, disk = self.backfill.status(), self.upkeep.status(unread)
        not_in_force = self._reload.problem if self._reload else ""
        about = (history, disk, not_in_force, self._people.problem)
        parts = (connection, log, tuple(plugins), tuple(tables), api, outbox, attachments, *about)
        state, reasons = verdict(*parts)
        now = self._clock()
        return Status(state, reasons, self._started, now, *parts)

    @property
    def consumers(self) -> tuple[PluginConsumer, ...]:
        """Those that are at work, one a plugin."""
        return self.roster.consumers

    @property
    def stopping(self) -> bool:
        """Whether the end has been asked for."""
        return self._stopping.is_set()

    @property
    def silent_for(self) -> float:
        """Seconds since the last event, or since the start."""
        return (self._clock() - (self.connection.status().last_event or self._started)) / 1000

    @property
    def rows_written(self) -> int:
        """Rows written to Bitable since the start."""
        return self.mirror.written

    def leaders(self, count: int) -> tuple[Plugin, Table, list[Row], dict[str, str]] | None:
        """The first rows of the first table that says how it is ranked, and the names of its people."""
        for plugin in self.roster.running:
            for table in plugin.table_ids:
                if table.ranked_by:
                    rows = self._store.top(plugin.name, table, count)
                    column = next((c.of for c in table.columns if isinstance(c, PersonName)), "")
                    people = self._store.people([row[column] for row in rows] if column else [])
                    return plugin, table, rows, {one: name for one, (name, _) in people.items()}
        return None

    @property
    def idle(self) -> bool:
        """Whether all events are handled, all rows in Bitable, all messages sent and all attachments fetched.

        An attachment that waits for the budget or for its next attempt does not count.
        """
        head = self.journal.head
        return (
            self.roster.settled
            and all(consumer.idle_at >= head for consumer in self.consumers)
            and not self._store.publications(1)
            and not self._store.unsent(self._clock(), 1)
            and not self.attachments.busy
            and not self.backfill.busy
            and not any(entry.waiting for entry in self.mirror.tables)
        )

    def _give_up(self) -> None:
        self._gave_up = True
        self.stop()

    def _soon(self, action: Callable[[], None]) -> Callable[[], None]:
        """``action``, callable from any thread."""

        def call() -> None:
            self._loop.call_soon_threadsafe(action)

        return call

    def _at_work(self, start: float, end: float) -> list[str]:
        """The plugins that were being called all that time (monotonic s), each with its hook."""
        hooks = {consumer.plugin.name: consumer.at_work(start, end) for consumer in self.consumers}
        return [f"{name} ({hook})" for name, hook in hooks.items() if hook]

    def _consumer(self, plugin: Plugin) -> PluginConsumer:
        settings = self._settings
        return PluginConsumer(
            plugin,
            self._engine,
            timezone=settings.zone,
            chats=settings.chat_id,
            clock=self._clock,
            status=self.status,
            on_published=self._soon(self._publishing.set),
            on_outgoing=self._soon(self._outbox.wake),
            on_attached=self._soon(self.attachments.wake),
            on_answered=self._answers.bring,
            tables=self.roster.table,
            platform=self._access,
            tick=self._tick,
            suspend_after=settings.suspend_after,
        )

    def _same_app(self) -> None:
        """A data directory belongs to one app: another app's people and counts must not end up in this one's tables."""
        before, now = self._store.note("app"), self._settings.app_id
        if before is not None and before != now:
            what = f"{self._settings.data_dir} holds the data of app {before}, and APP_ID is {now}"
            fix = "set DATA_DIR to a directory of its own for each app"
            raise ConfigurationError([Problem("setting DATA_DIR", what, fix)])
        self._store.set_note("app", now)

    def _mirrored(self, plugin: Plugin, table: Table, table_id: str) -> MirroredTable:
        remote = RemoteTable(self._api, self._settings.bitable_app_token, table_id)
        return MirroredTable(plugin.name, table, table_id, remote, self._store, self._people)

    def _local_tables(self, store: StoreHandle) -> list[TableStatus]:
        remote = {(entry.plugin, entry.table) for entry in self.mirror.tables}
        return [
            TableStatus(plugin.name, table.name, "", store.count_pending(plugin.name, table)[1], 0)
            for plugin in self.roster.running
            for table in plugin.table_ids
            if (plugin.name, table) not in remote
        ]

    async def _name_strangers(self) -> None:
        """Without a base nothing is mirrored, and nobody else asks for names."""
        while True:
            try:
                if not self.mirror.tables:
                    await self._people.learn_strangers()
            except StorageError as error:
                logger.error("Names cannot be kept: {}", error)
            await asyncio.sleep(NAMES_EVERY)

    async def _relay(self) -> None:
        """Carry what plugins published into the journal, where its own key makes it single."""
        while True:
            self._publishing.clear()
            try:
                waiting = self._store.publications(RELAY_BATCH)
                await self.journal.append([body for _, one in waiting if (body := _enveloped(one)) is not None])
                self._store.relayed([number for number, _ in waiting])
            except StorageError as error:
                logger.error("Published events wait: {}", error)
                await asyncio.sleep(1)
                continue
            if len(waiting) < RELAY_BATCH:
                await self._publishing.wait()

    async def _watch(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for the end; a part of the kernel that breaks down ends the program rather than limping on."""
        stopping = asyncio.create_task(self._stopping.wait())
        pending: set[asyncio.Task[object]] = {stopping, *tasks}
        while not self._stopping.is_set():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        stopping.cancel()

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        logger.info("Stopping: no new events, finishing what is under way.")
        mirroring, relaying, fetching, *others = tasks
        self.attachments.stop()
        for task in others:
            task.cancel()
        await asyncio.to_thread(self.connection.stop)
        deadline = time.monotonic() + STOP_TIMEOUT
        for consumer in self.consumers:  # All at once: one that hangs takes no time from the others.
            consumer.stop(0)
        for consumer in self.consumers:
            if not await asyncio.to_thread(consumer.stop, max(0.1, deadline - time.monotonic())):
                logger.warning("Plugin {} did not stop in time; its batch is done again.", consumer.plugin.name)
        self.mirror.stop()
        relaying.cancel()
        try:
            async with asyncio.timeout(LAST_FLUSH_TIMEOUT):
                await asyncio.gather(mirroring, relaying, fetching, *others, return_exceptions=True)
                await self._outbox.send_due()
                await self.mirror.flush_all()
        except TimeoutError:
            logger.warning("The last flush to Bitable took longer than {:.0f} s and was left.", LAST_FLUSH_TIMEOUT)
        await asyncio.to_thread(self.journal.stop)

    def _left(self) -> Left:
        store = self._engine.store()
        try:
            head = self.journal.head
            stored = {entry.plugin: entry.cursor for entry in store.consumers()}
            rows = sum(store.count_pending(entry.plugin, entry.table)[0] for entry in self.mirror.tables)
            messages = _outbox(store).waiting
            attachments = store.attachment_count().waiting
        finally:
            store.close()
        events = {p.name: max(0, head - stored.get(p.name, 0)) if p.types else 0 for p in self.roster.plugins}
        return Left(events, rows, messages, attachments)


def _outbox(store: StoreHandle) -> OutboxStatus:
    counts = store.outbox()
    problem = next((f"{one.plugin}: {one.problem}" for one in counts if one.problem), "")
    return OutboxStatus(sum(one.waiting for one in counts), sum(one.failed for one in counts), problem)


def _enveloped(one: Publication) -> bytes | None:
    """The event that a plugin made; None for what an older version took and is none, which is said."""
    try:
        return envelope(one.type, one.event_id, dict(one.event))
    except (TypeError, ValueError) as error:
        logger.error(
            "Event {} of type {} was published and cannot be told to anybody: {}", one.event_id, one.type, error
        )
        return None
