"""Which plugins are at work: those that are wanted now, and the steps from what runs to them.

A plugin that goes finishes its batch and keeps its cursor; one with another configuration or other table IDs goes and
comes back. Each goes and comes by itself, so one that hangs delays no other. It reads no file and calls no hook.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Final, NamedTuple

from loguru import logger

from ..errors import StorageError, TableChanged
from ..loading.plugins import Loaded, Plugin, Unfit
from ..mirroring.mirror import Mirror
from ..mirroring.mirrored import MirroredTable
from ..status import PluginPhase, PluginStatus
from ..storage.protocol import Engine, StoreHandle
from ..storage.values import Consumer
from ..table import Table
from .bus import PluginConsumer

PATIENCE: Final = 15.0
"""Seconds after which it is said that a plugin does not go."""
LAST_FLUSH_TIMEOUT: Final = 20.0
"""Seconds the rows of a plugin that goes have to reach Bitable; what is left is written when it comes back."""
AGAIN: Final = 5.0
"""Seconds after which it is tried again to start a plugin that could not be started."""
LOOK_EVERY: Final = 0.05
"""Seconds between two looks at whether a plugin is gone."""


class KeptBack(NamedTuple):
    """A plugin that cannot be started now, why, and until when (monotonic s) that is not tried again."""

    plugin: Plugin
    problem: str
    until: float


class Change(NamedTuple):
    """The next step from what runs to what is wanted."""

    going: frozenset[str]
    coming: tuple[Plugin, ...]


def change(running: Sequence[Plugin], wanted: Sequence[Plugin]) -> Change:
    """What has to go and what can come now; a plugin that differs goes first, and can come once it is gone."""
    names = {plugin.name for plugin in running}
    return Change(
        frozenset(plugin.name for plugin in running if plugin not in wanted),
        tuple(plugin for plugin in wanted if plugin.name not in names),
    )


def described(before: Sequence[Plugin], after: Sequence[Plugin]) -> str:
    """What becomes of whom, in words; empty when nothing does."""
    then, now = {plugin.name: plugin for plugin in before}, {plugin.name: plugin for plugin in after}
    parts = [f"{name} starts" for name in now if name not in then]
    parts += [f"{name} stops" for name in then if name not in now]
    parts += [f"{name} starts anew" for name in now if name in then and then[name] != now[name]]
    return ", ".join(parts)


class Roster:
    """The plugins of one program; it belongs to the main loop, what it shows can be read from any thread."""

    def __init__(
        self,
        engine: Engine,
        store: StoreHandle,
        mirror: Mirror,
        *,
        consumer: Callable[[Plugin], PluginConsumer],
        mirrored: Callable[[Plugin, Table, str], MirroredTable] | None,
        tick: float,
    ) -> None:
        """``consumer`` makes that of a plugin, ``mirrored`` a table's counterpart in Bitable, where there is a base."""
        self.plugins: tuple[Plugin, ...] = ()
        """Those that are wanted, in the order of ``plugins.toml``."""
        self.unfit: tuple[Unfit, ...] = ()
        """Those that are enabled and cannot run, or not as they are configured now."""
        self._kept_back: dict[str, KeptBack] = {}
        """Wanted plugins that cannot be started now, by name."""
        self._engine = engine
        self._store = store
        self._mirror = mirror
        self._make = consumer
        self._mirrored = mirrored
        self._tick = tick
        self._wake = asyncio.Event()
        self._launching: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[str] = set()
        self.consumers: tuple[PluginConsumer, ...] = ()
        """Those of the plugins that run, and of those that are about to go."""

    def begin(self, plugins: Sequence[Plugin], unfit: Sequence[Unfit] = ()) -> None:
        """The plugins that the program starts with."""
        self.plugins, self.unfit = tuple(plugins), tuple(unfit)
        for plugin in plugins:
            self._add(plugin)

    def prepare(self) -> None:
        """Make the local tables and cursors of all plugins. Raises ``StorageError``.

        A plugin whose table cannot become what it declares now is kept back; the others run.
        """
        for consumer in self.consumers:
            try:
                self._prepare(consumer.plugin)
            except TableChanged as error:
                self._keep_back(consumer.plugin, error)
                consumer.stop(0)
                for entry in self._entries(consumer.plugin.name):
                    self._mirror.drop(entry)
                self._put([one for one in self.consumers if one is not consumer])

    def want(self, loaded: Loaded) -> str:
        """From now on these are wanted; what that changes, in words. What runs and is unfit now goes on as it was."""
        before, set_aside = self.plugins, {one.name for one in loaded.unfit}
        self.plugins = (*loaded.plugins, *(plugin for plugin in before if plugin.name in set_aside))
        self.unfit = loaded.unfit  # Second: one that is mended must never be in neither, or its events may be trimmed.
        self._wake.set()
        return described(before, self.plugins)

    async def run(self) -> None:
        """Start what is there, and bring what runs to what is wanted, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for consumer in self.consumers:
                self._launch(consumer, tasks)
            while True:
                self._wake.clear()
                self._step(tasks)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._tick)

    @property
    def settled(self) -> bool:
        """Whether what runs is what is wanted, as far as that is possible now."""
        going, coming = change(self.running, self.plugins)
        return not going and all(plugin.name in self._kept_back for plugin in coming)

    @property
    def running(self) -> tuple[Plugin, ...]:
        """The plugins that are at work; their tables exist."""
        return tuple(consumer.plugin for consumer in self.consumers)

    def readers(self) -> tuple[str, ...]:
        """The plugins whose cursors hold the journal."""
        broken = (one.name for one in self.unfit)  # Their events wait until they are mended.
        return (*(plugin.name for plugin in self.plugins if plugin.types), *broken)

    def names_shown(self) -> list[tuple[str, Table, str]]:
        """(plugin, table, column of open_ids) of every mirrored column that shows names."""
        return [
            (plugin.name, table, column)
            for plugin in self.running
            for table in plugin.table_ids
            for column in table.people
        ]

    def table(self, path: str) -> Table | None:
        """The table ``<plugin>.<table>``, or None where that plugin is not enabled or declares no such table."""
        owner, _, name = path.partition(".")
        declared = (plugin.manifest.tables for plugin in self.running if plugin.name == owner)
        return next((table for tables in declared for table in tables if table.name == name), None)

    def status(self, stored: Mapping[str, Consumer], head: int) -> list[PluginStatus]:
        """How each of them is; ``stored`` comes from the store."""
        reasons = {one.name: f"it goes on as it was: {one}" for one in self.unfit}
        told = [consumer.status(stored.get(consumer.plugin.name), head) for consumer in self.consumers]
        found = [replace(one, problem=reasons.get(one.name) or one.problem) for one in told]
        there = {one.name for one in found}
        for plugin in self.plugins:
            if plugin.name not in there:
                kept_back = self._kept_back.get(plugin.name)
                phase: PluginPhase = "waiting" if kept_back else "starting"
                problem = kept_back.problem if kept_back else ""
                found.append(PluginStatus(plugin.name, plugin.manifest.summary, phase, problem=problem))
                there.add(plugin.name)
        broken = [one for one in self.unfit if one.name not in there]
        return [*found, *(PluginStatus(one.name, one.source, "unfit", problem=str(one)) for one in broken)]

    def wake(self) -> None:
        """There may be new events."""
        for consumer in self.consumers:
            consumer.wake()

    def _step(self, tasks: asyncio.TaskGroup) -> None:
        going, coming = change(self.running, self.plugins)
        for consumer in self.consumers:
            name = consumer.plugin.name
            if name in going and name not in self._leaving:
                self._leaving.add(name)
                tasks.create_task(self._leave(consumer))
        for plugin in coming:
            before = self._kept_back.get(plugin.name)
            if before is not None and before.plugin == plugin and time.monotonic() < before.until:
                continue
            try:
                self._prepare(plugin)
            except StorageError as error:
                self._keep_back(plugin, error)
            else:
                self._kept_back = {name: one for name, one in self._kept_back.items() if name != plugin.name}
                self._launch(self._add(plugin), tasks)

    def _keep_back(self, plugin: Plugin, error: StorageError) -> None:
        before = self._kept_back.get(plugin.name)
        if before is None or before.problem != str(error):
            logger.error("Plugin {} cannot start: {}", plugin.name, error)
        self._kept_back = {**self._kept_back, plugin.name: KeptBack(plugin, str(error), time.monotonic() + AGAIN)}

    def _prepare(self, plugin: Plugin) -> None:
        self._store.prepare(plugin.name, plugin.tables)
        with closing(self._engine.journal()) as journal:
            head = journal.head()
            cursor = self._store.cursor(plugin.name, head)
            missed = journal.forgotten(cursor) if plugin.types and cursor else 0
        if cursor > head:  # New events would get positions that are already behind the cursor, and be passed over.
            raise StorageError(
                f"{plugin.name} has handled event {cursor} but the journal ends at {head}: journal.db was lost or "
                "replaced; put it back, or begin with another DATA_DIR"
            )
        if missed:
            logger.warning(
                "Plugin {} missed {} events: the journal kept them no longer when it was enabled again "
                "(JOURNAL_KEEP_DAYS). It goes on with those that are there.",
                plugin.name,
                missed,
            )

    def _add(self, plugin: Plugin) -> PluginConsumer:
        consumer = self._make(plugin)
        ids = plugin.table_ids.items() if self._mirrored is not None else ()
        there = {entry.table for entry in self._entries(plugin.name)}
        for table, table_id in ids:
            if table_id and table not in there and self._mirrored is not None:
                self._mirror.add(self._mirrored(plugin, table, table_id))
        self._put([*self.consumers, consumer])
        return consumer

    def _entries(self, name: str) -> list[MirroredTable]:
        return [entry for entry in self._mirror.tables if entry.plugin == name]

    def _put(self, consumers: Sequence[PluginConsumer]) -> None:
        order = {plugin.name: place for place, plugin in enumerate(self.plugins)}
        self.consumers = tuple(sorted(consumers, key=lambda one: order.get(one.plugin.name, len(order))))

    def _launch(self, consumer: PluginConsumer, tasks: asyncio.TaskGroup) -> None:
        self._launching[consumer.plugin.name] = tasks.create_task(self._start(consumer))

    async def _start(self, consumer: PluginConsumer) -> None:
        """Start a consumer once its Bitable tables are taken over; events wait in the journal until then."""
        for entry in self._entries(consumer.plugin.name):
            await self._mirror.take_over(entry, consumer.hold)
        consumer.start()

    async def _leave(self, consumer: PluginConsumer) -> None:
        """Stop a consumer, write its last rows, forget it."""
        name = consumer.plugin.name
        self._launching.pop(name).cancel()
        waited = 0.0
        while not consumer.stop(0):
            await asyncio.sleep(LOOK_EVERY)
            if waited < PATIENCE <= waited + LOOK_EVERY:
                logger.warning("Plugin {} does not stop: a call of it does not return. It is waited for.", name)
            waited += LOOK_EVERY
        await self._release(name)
        self._put([one for one in self.consumers if one is not consumer])
        self._leaving.discard(name)
        logger.info("Plugin {} stopped; its position in the journal is kept.", name)
        self._wake.set()

    async def _release(self, name: str) -> None:
        """Let go of the plugin's Bitable tables that are not wanted any more, with what waits for them written."""
        ids = next((plugin.table_ids for plugin in self.plugins if plugin.name == name), {})
        for entry in self._entries(name):
            if ids.get(entry.table) != entry.table_id:
                try:
                    async with asyncio.timeout(LAST_FLUSH_TIMEOUT):
                        await self._mirror.release(entry)
                except TimeoutError:
                    logger.warning("{}.{}: its last rows are written when it comes back.", name, entry.table.name)
