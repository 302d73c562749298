"""What the four bundled tables have to say once a crowd has played, beside what they do say.

The accounts are worked out from the acts of the scenario alone (``archive_account``, ``pin_account``,
``reference_fold``, ``summary_account``); what they are compared with is in Bitable and in the program's own database.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import archive_account
import pin_account
import reference_fold
import summary_account
from act_events import events_of
from bitable_cells import Row, differences, rows_of

from core.storage import open_engine
from core.table import Choice, Link, Number, Table, Text, Timestamp
from plugins.activity.tables import ACTIVITY
from plugins.archive.tables import ARCHIVE, TOPICS
from plugins.pin.tables import PIN
from sandbox.scenario.act import Scenario

SETTINGS = {"activity": "BITABLE_TABLE_ID", "archive": "ARCHIVE_TABLE_ID", "topics": "SUMMARY_TABLE_ID",
            "pin": "PIN_TABLE_ID"}  # fmt: skip
KEYS = {"activity": ("用户ID", "统计周期"), "archive": ("消息ID",), "topics": ("话题ID",), "pin": ("Pin消息ID",)}
_LOCAL: Mapping[str, tuple[str, Table]] = {
    "activity": ("activity", ACTIVITY),
    "archive": ("archive", ARCHIVE),
    "topics": ("archive", TOPICS),
    "pin": ("pin", PIN),
}
_PLAIN = (Text, Choice, Link, Number, Timestamp)
"""Columns that look the same in the program's database."""


class Reckoning:
    """The rows of each table as they have to be in the end; ``now`` (ms UTC) decides which topics are still active."""

    def __init__(self, scenario: Scenario, now: int | None = None) -> None:
        acts = list(scenario.acts())
        now = int(time.time() * 1000) if now is None else now
        self._names = names = {person.open_id: person.name for person in scenario.people}
        pins = pin_account.account(acts, [max(now, acts[-1].at)], names)
        events = list(events_of(acts))
        self._counters = reference_fold.fold([*events, *pins.published])
        archive = archive_account.archive(events)
        topics = archive_account.topics(events, now)
        for topic_id, rules in summary_account.rules(archive, names).items():
            if topic_id in topics:
                topics[topic_id] |= rules
        self._rows: dict[str, dict[str, Row]] = {
            "archive": archive_account.named(archive, names),
            "topics": archive_account.named(topics, names, of="发起人"),
            "pin": {key: row | {"归档时间": bool, "状态": _any} for key, row in pins.rows.items()},
        }

    def sizes(self) -> dict[str, int]:
        """Rows by table; of activity those that are not all zeros."""
        return {"activity": len(self._counters), **{name: len(rows) for name, rows in self._rows.items()}}

    def of_bitable(self, records: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
        """What differs, by table: a line for each row missing, too many or there twice, and each wrong cell."""
        return {name: differences(self._expected(name, found), found, *KEYS[name]) for name, found in records.items()}

    def of_database(self, data: Path) -> dict[str, list[str]]:
        """The same for the rows in the program's own database, and the columns that hold plain values there."""
        found: dict[str, list[str]] = {}
        with open_engine(data) as engine, closing(engine.store()) as store:
            for name, (plugin, table) in _LOCAL.items():
                columns = {one.title: one.name for one in table.columns if one.title and isinstance(one, _PLAIN)}
                records = [
                    {"fields": {title: row[column] for title, column in columns.items()}}
                    for row in store.scan(plugin, table)
                ]
                expected = {
                    key: {title: value for title, value in row.items() if title in columns}
                    for key, row in self._expected(name, records).items()
                }
                found[name] = differences(expected, records, *KEYS[name])
        return found

    def _expected(self, name: str, records: list[dict[str, Any]]) -> dict[str, Row]:
        return self._activity(records) if name == "activity" else self._rows[name]

    def _activity(self, records: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
        """Rows in which everything was taken back stay, with zeros."""
        counters = {f"{user} {month}": row for (user, month), row in self._counters.items()}
        zeros = dict.fromkeys(reference_fold.WEIGHTS, 0)
        rows: dict[str, Row] = {}
        for key in counters.keys() | rows_of(records, *KEYS["activity"])[0].keys():
            user, counted = key.split()[0], counters.get(key, zeros)
            rows[key] = {
                **counted,
                "用户名称": self._names.get(user, "nobody of this name"),
                "人员": user,
                "活跃度分数": reference_fold.score(counted),
                "更新时间": bool,
            }
        return rows


def _any(_cell: Any) -> bool:
    return True
