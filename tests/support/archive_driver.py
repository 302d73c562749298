"""The archive plugin on a real store, without a bus: events go in, time passes, rows and messages come out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import orjson
from group_events import NOVEMBER
from loguru import logger

from core import Budget, Context, Event, Message, Recall, Row, Table
from core.context import STATE
from core.events import decode
from core.feishu.lean_sdk import import_lean
from core.storage import open_engine
from core.storage.protocol import StoreHandle
from core.storage.values import AttachmentRequest, Commit, Outgoing, Timer
from plugins import archive
from plugins.archive.settings import ArchiveConfig
from plugins.archive.tables import ARCHIVE, TOPICS

import_lean()  # As the program does before it loads a plugin.

SHANGHAI = ZoneInfo("Asia/Shanghai")
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


class Platform:
    """Answers ``GET message`` and ``GET chat`` from what a test gives it, and counts the calls."""

    def __init__(self) -> None:
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self.groups_by_id: dict[str, str] = {}
        self.people: dict[str, str] = {}
        self.failure: Exception | None = None
        self.asked: list[str] = []

    async def call(self, request: Any) -> dict[str, Any]:
        """The ``data`` of the answer; ``failure`` is raised while it is set."""
        subject = request.paths.get("message_id") or request.paths["chat_id"]
        self.asked.append(subject)
        if self.failure is not None:
            raise self.failure
        if "chat_id" in request.paths:
            return {"name": self.groups_by_id.get(subject, "")}
        return {"items": self.messages[subject]}

    async def groups(self) -> tuple[str, ...]:
        return tuple(self.groups_by_id)

    async def names(self, open_ids: Sequence[str]) -> dict[str, str]:
        return {one: self.people[one] for one in open_ids if one in self.people}

    def budget(self) -> Budget:
        return Budget(10_000, 0, 0.0)


class Driver:
    """One plugin instance; ``restart`` commits and begins anew from what is on disk."""

    def __init__(
        self, directory: Path, timezone: ZoneInfo = SHANGHAI, runner: asyncio.Runner | None = None, **config: Any
    ) -> None:
        self._runner = runner or asyncio.Runner()  # One loop for as long as the plugin runs, as on the bus.
        self._own_runner = runner is None
        self._directory = directory
        self._timezone = timezone
        self._cursor = 0
        self.now = NOVEMBER
        self.chats: tuple[str, ...] = ()
        self.platform = Platform()
        self.sent: list[Outgoing] = []
        self.attached: list[AttachmentRequest] = []
        self.commits = 0
        self._start(ArchiveConfig(**config))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        if self._own_runner:
            self._runner.close()

    def deliver(self, *events: dict[str, Any]) -> Self:
        """Hand events to the hooks of their types, in one batch."""
        self._runner.run(self._deliver([decode(orjson.dumps(event)) for event in events]))
        self.commit()
        return self

    def pass_time(self, ms: int = 0) -> Self:
        """Time passes, from one timer to the next."""
        return self.until(self.now + ms)

    def until(self, moment: int) -> Self:
        """It becomes ``moment``; every timer rings when it is due."""
        while (due := self._due(moment)) is not None:
            self.now = max(self.now, due)
            self._runner.run(self._ring())
        self.now = max(self.now, moment)
        return self

    def commit(self) -> None:
        """End the batch."""
        unit = self.context.unit
        self.sent += unit.outgoing
        self.attached += unit.attachments
        self.store.commit(
            Commit(
                "archive",
                self._cursor,
                self._cursor + 1,
                now=self.now,
                rows=unit.rows,
                outgoing=unit.outgoing,
                timers=unit.timers,
            )
        )
        self._cursor += 1
        self.commits += 1
        self.context.begin(unit.committed())

    def restart(self, **config: Any) -> None:
        """Stop after a commit and start again."""
        self.store.cursor("archive", 0)  # Rows may have been taken over.
        self.commit()
        self._stop()
        self._start(ArchiveConfig(**config) if config else self.context.config)

    def rows(self, table: Table = ARCHIVE) -> dict[str, Row]:
        """What is stored, by key."""
        return {str(row[table.key[0]]): row for row in self.store.scan("archive", table)}

    def row(self, message_id: str) -> Row:
        """One message."""
        return self.rows()[message_id]

    def topics(self) -> dict[str, Row]:
        """The topics that have a row."""
        return self.rows(TOPICS)

    def _due(self, moment: int) -> int | None:
        dues = [timer.due for timer in self.store.timers("archive") if timer.due is not None and timer.due <= moment]
        return min(dues, default=None)

    async def _ring(self) -> None:
        """What the bus does with the timer that is due longest."""
        timer = next(one for one in self.store.timers("archive") if one.due is not None)
        await archive.on_schedule(timer.name, self.context)
        if all(timer.name != one.name for one in self.context.unit.timers):
            self.context.unit.timers.append(Timer(timer.name, None))
        self.commit()

    async def _deliver(self, events: Iterable[Event]) -> None:
        for event in events:
            event.received_at = self.now
            match event:
                case Message():
                    await archive.on_message(event, self.context)
                case Recall():
                    await archive.on_recall(event, self.context)
                case _:
                    assert event.type in archive.manifest.events
                    await archive.on_event(event, self.context)

    def _stop(self) -> None:
        self._runner.run(archive.shutdown(self.context))
        self.store.close()

    def _start(self, config: ArchiveConfig) -> None:
        self.store: StoreHandle = open_engine(self._directory).store(durable=False)
        self.store.prepare("archive", (*archive.manifest.tables, STATE))
        self._cursor = self.store.cursor("archive", 0)
        self.context: Context[ArchiveConfig] = Context(
            archive.manifest,
            config,
            self.store,
            timezone=self._timezone,
            clock=lambda: self.now,
            status=_no_status,
            log=logger,
            chats=self.chats,
            platform=self.platform,
        )
        self._runner.run(archive.startup(self.context))
        self.commit()


class Offline:
    """What commands get to read with."""

    def __init__(self, driver: Driver, names: Mapping[str, str]) -> None:
        self._driver = driver
        self._names = dict(names)
        self.config = driver.context.config
        self.timezone = SHANGHAI
        self.data_dir = driver._directory

    def rows(self, table: Table) -> Iterator[Row]:
        yield from self._driver.store.scan("archive", table)

    def get(self, table: Table, *key: Any) -> Row | None:
        return self._driver.store.get("archive", table, key)

    def select(self, table: Table, **given: Any) -> Iterator[Row]:
        wanted = {"equals": {}, "between": None, "limit": None, "after": None} | given
        return self._driver.store.select("archive", table, **wanted)

    def search(self, table: Table, query: str, **given: Any) -> list[Row]:
        wanted = {"equals": {}, "between": None, "limit": 20} | given
        return self._driver.store.search("archive", table, query, **wanted)

    def names(self) -> dict[str, str]:
        return self._names


def edit(message_id: str, text: str | None = None, *, at: int = 0, chat_id: str = "oc_group") -> dict[str, Any]:
    """An edit, whose form is not documented: without ``text`` it says only which message."""
    message: dict[str, Any] = {"message_id": message_id, "chat_id": chat_id}
    if text is not None:
        content = orjson.dumps({"text": text}).decode()
        message |= {"message_type": "text", "content": content, "update_time": str(at)}
    return event("im.message.updated_v1", {"message": message})


def attachment(message_id: str, file_key: str, **outcome: Any) -> dict[str, Any]:
    """The core has fetched an attachment, or could not."""
    found = {"name": "", "size": 0, "media_type": "", "file_token": "", "path": "", "problem": ""} | outcome
    return event("attachment.done", {"message_id": message_id, "file_key": file_key, **found})


def event(event_type: str, body: dict[str, Any]) -> dict[str, Any]:
    """Any event."""
    header = {"event_id": f"a{next(_ids)}", "event_type": event_type}
    return {"schema": "2.0", "header": header, "event": body}


def item(message_id: str, text: str, *, at: int = NOVEMBER, sender: str = "a", **fields: Any) -> dict[str, Any]:
    """A message as ``GET message`` answers (FEISHU.md §4.2)."""
    return {
        "message_id": message_id,
        "msg_type": "text",
        "create_time": str(at),
        "update_time": str(at),
        "deleted": False,
        "sender": {"id": sender, "id_type": "open_id", "sender_type": "user"},
        "body": {"content": orjson.dumps({"text": text}).decode()},
    } | fields


_ids = iter(range(10**9))


def _no_status() -> Any:
    raise AssertionError("the plugin does not ask for the status")
