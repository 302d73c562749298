"""The activity plugin on a real store, without a bus: events as Feishu pushes them go in, rows come out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import orjson
from group_events import NOVEMBER
from loguru import logger

from core import Context, Event, Message, Reaction, Recall, Row, Table
from core.context import STATE
from core.events import decode
from core.storage import open_engine
from core.storage.values import Commit
from plugins import activity
from plugins.activity.score import Weights
from plugins.activity.tables import ACTIVITY, COUNTERS

SHANGHAI = ZoneInfo("Asia/Shanghai")

Counters = dict[tuple[str, str], dict[str, int]]


class Driver:
    """One plugin instance; ``restart`` commits and begins anew from what is on disk."""

    def __init__(self, directory: Path, weights: Weights | None = None, timezone: ZoneInfo = SHANGHAI) -> None:
        self._directory = directory
        self._timezone = timezone
        self._cursor = 0
        self._start(weights or Weights())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def deliver(self, *events: dict[str, Any]) -> Self:
        """Hand events to the hooks of their types."""
        asyncio.run(self._deliver([decode(orjson.dumps(event)) for event in events]))
        return self

    def commit(self) -> None:
        """End the batch."""
        unit = self.context.unit
        self._store.commit(Commit("activity", self._cursor, self._cursor + 1, now=NOVEMBER, rows=unit.rows))
        self._cursor += 1
        self.context.begin()

    def restart(self, weights: Weights | None = None) -> None:
        """Stop after a commit and start again."""
        self.commit()
        self._store.close()
        self._start(weights or self.context.config)

    def rows(self, table: Table = ACTIVITY) -> list[Row]:
        """What is stored."""
        self.commit()
        return list(self._store.scan("activity", table))

    def row(self, user: str, period: str = "2026-11") -> Row:
        """One row of the activity table, a blank one where there is none."""
        found = [row for row in self.rows() if (row["user_id"], row["period"]) == (user, period)]
        return found[0] if found else dict(ACTIVITY.blank)

    def counters(self) -> Counters:
        """Rows by key in which anything is counted."""
        counted = {
            (row["user_id"], row["period"]): {ACTIVITY.by_name[name].title: row[name] for name in COUNTERS}
            for row in self.rows()
        }
        return {key: counters for key, counters in counted.items() if any(counters.values())}

    async def _deliver(self, events: Iterable[Event]) -> None:
        for event in events:
            event.received_at = NOVEMBER
            match event:
                case Message():
                    await activity.on_message(event, self.context)
                case Reaction():
                    await activity.on_reaction(event, self.context)
                case Recall():
                    await activity.on_recall(event, self.context)
                case _:
                    assert event.type in activity.manifest.events
                    await activity.on_event(event, self.context)

    def _start(self, weights: Weights) -> None:
        self._store = open_engine(self._directory).store()
        self._store.prepare("activity", (*activity.manifest.tables, STATE))
        self._cursor = self._store.cursor("activity", 0)
        self.context: Context[Weights] = Context(
            activity.manifest,
            weights,
            self._store,
            timezone=self._timezone,
            clock=lambda: NOVEMBER,
            status=_no_status,
            log=logger,
        )
        asyncio.run(activity.startup(self.context))
        self.commit()


class Offline:
    """What commands get to read with."""

    def __init__(self, driver: Driver, names: dict[str, str]) -> None:
        self._driver = driver
        self._names = names
        self.config = driver.context.config
        self.timezone = SHANGHAI

    def rows(self, table: Table) -> Iterator[Row]:
        yield from self._driver.rows(table)

    def find(self, table: Table, **equals: Any) -> list[Row]:
        return self._driver.context.table(table).find(**equals)

    def names(self) -> dict[str, str]:
        return self._names


def _no_status() -> Any:
    raise AssertionError("the plugin does not ask for the status")
