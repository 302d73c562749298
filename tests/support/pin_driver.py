"""The pin plugin on a real store, without a bus: rounds are made when the test says so, and may be cut off."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import orjson
from group_events import NOVEMBER
from loguru import logger
from pin_platform import PinPlatform

from core import Context, Event, Recall, Row, Table
from core.context import STATE
from core.events import decode, envelope
from core.feishu.lean_sdk import import_lean
from core.storage import open_engine
from core.storage.values import AttachmentRequest, Commit, Outgoing, Publication
from plugins import pin
from plugins.pin.settings import Watching
from plugins.pin.tables import PIN

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Driver:
    """One plugin instance and its clock; what it published, sent and asked for is kept over restarts."""

    def __init__(self, directory: Path, platform: PinPlatform, **config: Any) -> None:
        self.platform = platform
        self.now = platform.now = NOVEMBER
        self.published: list[Publication] = []
        self.sent: list[Outgoing] = []
        self.attachments: list[AttachmentRequest] = []
        self._directory = directory
        self.start(**config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def start(self, **config: Any) -> None:
        """Begin with what is on disk."""
        import_lean()
        self._store = open_engine(self._directory).store()
        self._store.prepare("pin", (*pin.manifest.tables, STATE))
        self._cursor = self._store.cursor("pin", 0)
        self.context: Context[Watching] = Context(
            pin.manifest,
            Watching(**config),
            self._store,
            timezone=SHANGHAI,
            clock=lambda: self.now,
            status=_no_status,
            log=logger,
            platform=self.platform,
        )
        self._do(pin.startup(self.context))

    def restart(self, **config: Any) -> None:
        """Stop, also in the middle of a round, and start again."""
        self._store.close()
        self.start(**({"announce": self.context.config.announce} | config))

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.now += round(seconds * 1000)
        self.platform.now = self.now

    def due(self, schedule: str = "poll") -> int | None:
        """When the timer rings."""
        return {timer.name: timer.due for timer in self._store.timers("pin")}.get(schedule)

    def slice(self) -> None:
        """One call of the hook; what it collected vanishes when it raises."""
        self._do(pin.on_schedule("poll", self.context))

    def round(self) -> None:
        """The next whole round, when its time has come; at most 100 slices."""
        due = self.due()
        assert due is not None
        self.advance(max(0, due - self.now) / 1000)
        self.finish()

    def finish(self) -> None:
        """The slices that are due now."""
        for _ in range(100):
            due = self.due()
            if due is None or due > self.now:
                return
            self.slice()
        raise AssertionError("the round does not end")

    def ring(self, schedule: str) -> None:
        """A timer rings when its time has come."""
        due = self.due(schedule)
        assert due is not None
        self.advance(max(0, due - self.now) / 1000)
        self._do(pin.on_schedule(schedule, self.context))

    def recall(self, message_id: str) -> None:
        """A message is taken back."""
        event = {"message_id": message_id, "chat_id": "oc_1", "recall_time": "1793600000000"}
        recalled = decode(envelope("im.message.recalled_v1", f"recall {message_id}", event))
        assert isinstance(recalled, Recall)
        self._do(pin.on_recall(recalled, self.context))

    def attached(self, message_id: str, file_key: str, **outcome: Any) -> None:
        """An attachment was fetched."""
        event = {"plugin": "pin", "message_id": message_id, "file_key": file_key, **outcome}
        done: Event = decode(envelope("attachment.done", f"{message_id}:{file_key}", event))
        self._do(pin.on_event(done, self.context))

    def rows(self, table: Table = PIN) -> list[Row]:
        """What is stored."""
        return list(self._store.scan("pin", table))

    def row(self, message_id: str) -> Row:
        """One row of the pin table."""
        return {row["message_id"]: row for row in self.rows()}[message_id]

    def put(self, table: Table, *key: Any, **values: Any) -> None:
        """A row that was there before, such as one of a table taken over."""
        self.context.table(table).set(*key, **values)
        self._commit()

    def events(self) -> list[tuple[str, str, int]]:
        """What was published: type, message, time."""
        return [(one.type, one.event["message_id"], int(one.event["pin_time"])) for one in self.published]

    def cards(self) -> list[dict[str, Any]]:
        """What was sent to the groups."""
        return [orjson.loads(message.content) for message in self.sent]

    def _do(self, hook: Any) -> None:
        try:
            asyncio.run(hook)
        except BaseException:
            self.context.begin()
            raise
        self._commit()

    def _commit(self) -> None:
        unit = self.context.unit
        self._store.commit(
            Commit(
                "pin",
                self._cursor,
                self._cursor + 1,
                now=self.now,
                rows=unit.rows,
                published=unit.published,
                outgoing=unit.outgoing,
                timers=unit.timers,
                attachments=unit.attachments,
            )
        )
        self._cursor += 1
        self.published += unit.published
        self.sent += unit.outgoing
        self.attachments += unit.attachments
        self.context.begin()


def words(card: dict[str, Any]) -> str:
    """Everything a card shows."""
    return json.dumps(card, ensure_ascii=False)


def _no_status() -> Any:
    raise AssertionError("the plugin does not ask for the status")
