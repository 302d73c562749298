"""In whatever order messages arrive, and however often, the rows are those of a plain fold over the days."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from larkflock_checkin.checking import check_in
from larkflock_checkin.settings import CheckinConfig
from larkflock_checkin.streak import earned
from larkflock_checkin.tables import CHECKINS, STANDINGS

from core import Row, Table

ZONES = {"oc_1": "Asia/Shanghai", "oc_2": "America/New_York"}
LONGEST = 6


class Rows:
    """A table in memory."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.rows: dict[tuple[str, ...], Row] = {}

    def get(self, *key: str) -> Row | None:
        return self.rows.get(key)

    def set(self, *key: str, **values: Any) -> Row:
        keyed = dict(zip(self._table.key, key, strict=True))
        self.rows[key] = {**self._table.blank, **keyed, **self.rows.get(key, {}), **values}
        return self.rows[key]


def told(said: list[tuple[str, str, int]]) -> tuple[dict[tuple[str, ...], Row], dict[tuple[str, ...], Row]]:
    """Both tables after these check-ins: group, person, ms UTC."""
    tables = {CHECKINS: Rows(CHECKINS), STANDINGS: Rows(STANDINGS)}
    config = CheckinConfig(longest=LONGEST, timezones={"oc_2": ZONES["oc_2"]})
    published: list[str] = []
    ctx: Any = SimpleNamespace(
        table=tables.__getitem__,
        config=config,
        timezone=ZoneInfo(ZONES["oc_1"]),
        publish=lambda kind, event_id, event: published.append(event_id),
    )
    for chat_id, user_id, time in said:
        check_in(chat_id, user_id, time, ctx)
    assert sorted(published) == sorted(":".join(key) for key in tables[CHECKINS].rows)
    return tables[CHECKINS].rows, tables[STANDINGS].rows


def folded(said: list[tuple[str, str, int]]) -> tuple[dict[tuple[str, ...], Row], dict[tuple[str, ...], Row]]:
    """The same, day by day from the first one on."""
    days: dict[tuple[str, str], dict[date, int]] = defaultdict(dict)
    for chat_id, user_id, time in sorted(said, key=lambda one: one[2]):
        day = datetime.fromtimestamp(time / 1000, ZoneInfo(ZONES[chat_id])).date()
        days[chat_id, user_id].setdefault(day, time)
    checkins, standings = {}, {}
    for (chat_id, user_id), times in days.items():
        streaks: list[int] = []
        for before, day in pairwise([None, *sorted(times)]):
            streaks.append(streaks[-1] + 1 if before and day == before + timedelta(days=1) else 1)
            key = (chat_id, user_id, str(day))
            values = {"streak": streaks[-1], "lingzhi_earned": earned(streaks[-1], LONGEST), "time": times[day]}
            checkins[key] = {**CHECKINS.blank, **dict(zip(CHECKINS.key, key, strict=True)), **values}
        standings[chat_id, user_id] = {
            **STANDINGS.blank,
            "chat_id": chat_id,
            "user_id": user_id,
            "total": sum(earned(streak, LONGEST) for streak in streaks),
            "days": len(streaks),
            "last_day": str(max(times)),
            "streak": streaks[-1],
            "best": max(streaks),
        }
    return checkins, standings


BEGAN = int(datetime(2026, 10, 28, tzinfo=UTC).timestamp() * 1000)  # Clocks in New York are set back on 1 November.
MOMENTS = st.builds(lambda hour, ms: BEGAN + hour * 3_600_000 + ms, st.integers(0, 24 * 12), st.integers(0, 10))
SAID = st.lists(st.tuples(st.sampled_from(sorted(ZONES)), st.sampled_from(["ou_1", "ou_2"]), MOMENTS), max_size=40)


@settings(max_examples=100, deadline=None)
@given(SAID, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(said, random):
    arrived = said + said[: len(said) // 2]
    random.shuffle(arrived)
    assert told(arrived) == folded(said)
