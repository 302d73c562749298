"""The program under a harness: the real journal, bus and store, and what stands for the platform around them.

It is driven from the test's thread; the plugins have their own, as always. Its files need not survive the machine.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from ..attachments.filename import safe_name
from ..errors import ApiError
from ..events import envelope
from ..journal import admit
from ..loading.plugins import Plugin
from ..running.bus import PluginConsumer
from ..status import ApiStatus, ConnectionStatus, JournalStatus, Status, TableStatus
from ..storage.sqlite.engine import SqliteEngine
from ..storage.values import AttachmentRequest, Publication
from ..table import Table
from ..unit import Answer
from .answers import QUOTA, Answers, Call
from .blocking import line_of
from .failures import HarnessFailure, NeverIdle
from .hooks import Notes, WatchedHooks

PATIENCE: Final = 30.0
"""Seconds of real time in which the plugins have to come to rest."""
STOP_PATIENCE: Final = 3.0
POLL: Final = 0.001
MOST_STEPS: Final = 100_000
"""Times something may become due within one ``advance``."""
SEND: Final = "POST /open-apis/im/v1/messages"
REPLY: Final = "POST /open-apis/im/v1/messages/:message_id/reply"


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a plugin sent."""

    plugin: str
    id: str
    chat_id: str
    msg_type: str
    content: dict[str, Any]
    reply_to: str
    key: str
    at: int
    """ms UTC."""

    @property
    def text(self) -> str:
        """What a text message says; empty for any other."""
        return str(self.content.get("text", ""))


class _Engine(SqliteEngine):
    """The same databases, without waiting for the disk."""

    def _connect(self, name: str) -> sqlite3.Connection:
        database = super()._connect(name)
        database.execute("PRAGMA synchronous=OFF")
        return database


class Program:
    """Plugins at work in one data directory."""

    def __init__(
        self,
        directory: Path,
        plugins: Sequence[Plugin],
        answers: Answers,
        notes: Notes,
        *,
        now: int,
        zone: ZoneInfo,
        chats: Sequence[str],
        files: Mapping[str, bytes | str],
        twice: bool = False,
    ) -> None:
        self.now = now
        self.sent: list[Sent] = []
        self.published: list[Publication] = []
        self.attached: list[AttachmentRequest] = []
        self.card_answers: dict[str, dict[str, Any]] = {}
        """What was answered to each use of a card, by event_id."""
        self.plugins = tuple(plugins)
        self._answers = answers
        self._notes = notes
        self._zone = zone
        self._chats = tuple(chats)
        self._files = files
        self._twice = twice
        self._started = now
        self._last_event = 0
        self._engine = _Engine(directory)
        self.store = self._engine.store()
        self._journal = self._engine.journal()
        self._consumers: list[PluginConsumer] = []

    def start(self, plugins: Sequence[Plugin] | None = None) -> None:
        """Start the plugins, these from now on, at the journal's beginning or where they were."""
        self.plugins = tuple(plugins or self.plugins)
        for plugin in self.plugins:
            self.store.prepare(plugin.name, plugin.tables)
            self.store.cursor(plugin.name, 0)
        uses = [(one.name, table, name) for one in self.plugins for table in one.table_ids for name in table.people]
        self.store.save_people(self._answers.people, self.now, uses)
        self._consumers = [self._consumer(plugin) for plugin in self.plugins]
        for consumer in self._consumers:
            consumer.start()

    def stop(self) -> None:
        """End the plugins as the program does; what they hold on to too long is a failure."""
        for consumer in self._consumers:
            consumer.stop(0)
        for consumer in self._consumers:
            if not consumer.stop(STOP_PATIENCE):
                self._notes.failures.append(NeverIdle(self._stuck(consumer)))
        self._consumers = []

    def close(self) -> None:
        """Give the databases back."""
        self._journal.close()
        self.store.close()

    def append(self, bodies: Sequence[bytes]) -> None:
        """The journal takes events, as the connection hands them over."""
        self._journal.append([admit(body, self.now) for body in bodies])
        self._wake()

    async def advance(self, until: int) -> None:
        """Time passes, from one thing that is due to the next."""
        for _ in range(MOST_STEPS):
            await self.settle()
            if self.now >= until:
                return
            self.now = min(until, *self._upcoming(), until)
            self._wake()
        self.check()
        raise NeverIdle(f"{MOST_STEPS:,} things became due: a schedule or a retry that arms itself for ever?")

    async def settle(self) -> None:
        """Return once all that can be done now is done. Raises what hooks raise unexpectedly."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.check()
            busy = [consumer for consumer in self._consumers if not self._at_rest(consumer)]
            moved = self._relay() + self._post() + self._fetch()
            if not busy and not moved:
                self.check()
                return
            if busy and time.monotonic() > deadline:
                raise NeverIdle(self._stuck(busy[0]))
            await asyncio.sleep(POLL)

    def table(self, wanted: Table | str) -> tuple[str, Table]:
        """A table of one of the plugins, and which plugin that is."""
        return table_of(self.plugins, wanted)

    @property
    def calls(self) -> list[Call]:
        """Every call of an API."""
        return self._answers.calls

    def moment(self) -> int:
        """When the next event happens: now, but never in the same millisecond as the one before."""
        self.now = self._last_event = max(self.now, self._last_event + 1)
        return self.now

    def sleep(self, seconds: float) -> None:
        """A hook was spared these seconds."""
        self.now += round(seconds * 1000)

    def status(self) -> Status:
        """What ``ctx.status()`` gives: a program in which all is well, except for what its plugins say."""
        with closing(self._engine.store()) as store, closing(self._engine.journal()) as journal:
            head, stored = journal.head(), {one.plugin: one for one in store.consumers()}
            tables = tuple(
                TableStatus(one.name, table.name, "", store.count_pending(one.name, table)[1], 0)
                for one in self.plugins
                for table in one.table_ids
            )
        return Status(
            "healthy",
            (),
            self._started,
            self.now,
            ConnectionStatus("connected", connected_since=self._started, last_frame=self.now),
            JournalStatus(head=head, received=head),
            tuple(consumer.status(stored.get(consumer.plugin.name), head) for consumer in self._consumers),
            tables,
            ApiStatus(quota=QUOTA, used=len(self._answers.calls)),
        )

    def _consumer(self, plugin: Plugin) -> PluginConsumer:
        return PluginConsumer(
            WatchedHooks(plugin, self._notes, twice=self._twice).plugin,
            self._engine,
            timezone=self._zone,
            chats=self._chats,
            clock=lambda: self.now,
            status=self.status,
            on_published=lambda: None,
            on_answered=self._answered,
            platform=self._answers,
            tables=self._table,
            hook_timeout=PATIENCE * 2,
            commit_every=0.0,
        )

    def _table(self, name: str) -> Table | None:
        plugin, _, table = name.partition(".")
        tables = next((one.manifest.tables for one in self.plugins if one.name == plugin), ())
        return next((one for one in tables if one.name == table), None)

    def _answered(self, plugin: str, answers: Sequence[Answer]) -> None:
        for answer in answers:
            if answer.body:
                self.card_answers.setdefault(answer.event_id, orjson.loads(answer.body))

    def _wake(self) -> None:
        for consumer in self._consumers:
            consumer.wake()

    def _at_rest(self, consumer: PluginConsumer) -> bool:
        """What is due is looked at first: while it is being done a consumer is at no position."""
        if self._waits(consumer):
            return consumer.tries_again > self.now
        if consumer.idle_at == sys.maxsize:
            return True
        due = self.store.next_due(consumer.plugin.name)
        return (due is None or due > self.now) and consumer.idle_at >= self._journal.head()

    def _waits(self, consumer: PluginConsumer) -> bool:
        return consumer.status(None, 0).phase == "waiting"

    def _upcoming(self) -> list[int]:
        """The moments ahead at which something becomes due."""
        due = [self.store.next_due(plugin.name) for plugin in self.plugins]
        due += [consumer.tries_again for consumer in self._consumers if self._waits(consumer)]
        return [at for at in due if at is not None and at > self.now]

    def check(self) -> None:
        """Raise what the test did not expect."""
        __tracebackhide__ = True
        self._notes.check()

    def _relay(self) -> int:
        """Bring what was published into the journal."""
        waiting = self.store.publications(200)
        if waiting:
            self.append([envelope(one.type, one.event_id, dict(one.event)) for _, one in waiting])
            self.store.relayed([number for number, _ in waiting])
            self.published += [one for _, one in waiting if one.type != "attachment.done"]
        return len(waiting)

    def _post(self) -> int:
        """Take the messages that wait to be sent, or refuse them as the test says."""
        waiting = self.store.unsent(self.now, 100)
        for unsent in waiting:
            message, number = unsent.message, len(self.sent) + 1
            error = self._answers.refusal(REPLY if message.reply_to else SEND)
            if error is not None:
                again = None if isinstance(error, ApiError) else self.now + 60_000
                self.store.unsendable(unsent.id, str(error), unsent.attempts + 1, again, self.now)
                continue
            message_id, content = f"om_bot_{number}", orjson.loads(message.content)
            self.store.sent(unsent.id, message_id, self.now)
            self.sent.append(
                Sent(
                    unsent.plugin,
                    message_id,
                    message.chat_id,
                    message.msg_type,
                    content,
                    message.reply_to,
                    message.key,
                    self.now,
                )
            )
        return len(waiting)

    def _fetch(self) -> int:
        """Fetch the resources that plugins asked for: what the test handed in, or a few bytes."""
        waiting = self.store.attachments(self.now, 100)
        for attachment in waiting:
            key = attachment.file_key
            given = self._files.get(key, b"\0")
            name = safe_name(attachment.name or key)
            problem, size = (given, 0) if isinstance(given, str) else ("", len(given))
            done = replace(
                attachment,
                name=name,
                done=not problem,
                size=size,
                media_type="" if problem else "image/png" if attachment.kind == "image" else "application/octet-stream",
                file_token="" if problem else f"box_{key}",
            )
            asked = [
                AttachmentRequest(message_id, key, attachment.kind, attachment.name)
                for message_id in self.store.attachment_messages(key)
            ]
            self.attached += asked
            outcome = {
                "name": done.name,
                "size": size,
                "media_type": done.media_type,
                "file_token": done.file_token,
                "path": "",
                "problem": problem,
            }
            self.store.settle_attachment(done, outcome)
        return len(waiting)

    def _stuck(self, consumer: PluginConsumer) -> str:
        name = consumer.plugin.name
        status = consumer.status(None, self._journal.head())
        where = _waits_at(self._notes.waiting.get(name))
        said = f"; it says: {status.problem}" if status.problem else ""
        return f"plugin {name} did not come to rest within {PATIENCE:g} s ({status.phase}{said}){where}"


def _waits_at(coroutine: Any) -> str:
    """Where a hook that is being called waits, innermost line last."""
    lines = []
    while coroutine is not None and getattr(coroutine, "cr_frame", None) is not None:
        lines.append(f"\n    {line_of(coroutine.cr_frame)}")
        coroutine = coroutine.cr_await
    return "".join(lines)


def table_of(plugins: Sequence[Plugin], wanted: Table | str) -> tuple[str, Table]:
    """A table by its declaration, its name or ``<plugin>.<name>``, and which plugin has it."""
    for plugin in plugins:
        for table in plugin.manifest.tables:
            if wanted in (table, table.name, f"{plugin.name}.{table.name}"):
                return plugin.name, table
    name = wanted if isinstance(wanted, str) else wanted.name
    there = [f"{plugin.name}.{table.name}" for plugin in plugins for table in plugin.manifest.tables]
    raise HarnessFailure(f"no plugin here declares the table {name!r}; there are: {', '.join(there) or 'none'}")
