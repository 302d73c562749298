"""A check-in becomes rows; in whatever order messages arrive, the rows are the same in the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from core import Context

from .settings import CheckinConfig
from .streak import earned, moved
from .tables import CHECKINS, STANDINGS

DONE: Final = "checkin.done"
"""Published once for each check-in: ``chat_id``, ``user_id``, ``day``, ``streak``, ``lingzhi_earned``; as of then."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check-in came to."""

    before: bool
    """Whether that person had checked in on that day already."""
    streak: int
    earned: int
    total: int


def day_of(time: int, chat_id: str, ctx: Context[CheckinConfig]) -> str:
    """The day of a moment (ms UTC) where the group lives, ``YYYY-MM-DD``."""
    name = ctx.config.timezones.get(chat_id)
    zone = ZoneInfo(name) if name else ctx.timezone
    return datetime.fromtimestamp(time / 1000, zone).date().isoformat()


def check_in(chat_id: str, user_id: str, time: int, ctx: Context[CheckinConfig]) -> Outcome:
    """Check one person in for the day of ``time`` (ms UTC); a second time on that day earns nothing."""
    rows, standings = ctx.table(CHECKINS), ctx.table(STANDINGS)
    day = day_of(time, chat_id, ctx)
    there = rows.get(chat_id, user_id, day)
    standing = standings.get(chat_id, user_id) or STANDINGS.blank
    if there is not None:
        if time < there["time"]:
            rows.set(chat_id, user_id, day, time=time)
        return Outcome(True, int(there["streak"]), int(there["lingzhi_earned"]), int(standing["total"]))
    yesterday = rows.get(chat_id, user_id, moved(day, -1))
    streak = 1 if yesterday is None else int(yesterday["streak"]) + 1
    gain = earned(streak, ctx.config.longest)
    rows.set(chat_id, user_id, day, streak=streak, lingzhi_earned=gain, time=time)
    added, last, end = _join_what_follows(chat_id, user_id, day, streak, ctx)
    newest = last >= standing["last_day"]
    after = standings.set(
        chat_id,
        user_id,
        total=standing["total"] + gain + added,
        days=standing["days"] + 1,
        last_day=last if newest else standing["last_day"],
        streak=end if newest else standing["streak"],
        best=max(standing["best"], end),
    )
    facts = {"chat_id": chat_id, "user_id": user_id, "day": day, "streak": streak, "lingzhi_earned": gain}
    ctx.publish(DONE, f"{chat_id}:{user_id}:{day}", facts)
    return Outcome(False, streak, gain, int(after["total"]))


def _join_what_follows(
    chat_id: str, user_id: str, day: str, streak: int, ctx: Context[CheckinConfig]
) -> tuple[int, str, int]:
    """A day that arrived late makes the later ones part of a longer row.

    What they earn more by that, the last of them, and how long the row is on it.
    """
    rows = ctx.table(CHECKINS)
    added, last = 0, day
    while (row := rows.get(chat_id, user_id, following := moved(last, 1))) is not None:
        streak, last = streak + 1, following
        gain = earned(streak, ctx.config.longest)
        added += gain - int(row["lingzhi_earned"])
        rows.set(chat_id, user_id, following, streak=streak, lingzhi_earned=gain)
    return added, last, streak
