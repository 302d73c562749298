"""The shape of what the game keeps: each check-in, and where everybody stands."""

from __future__ import annotations

from typing import Final

from core import Number, PersonCell, PersonName, Table, Text, Timestamp

CHECKINS: Final = Table(
    "checkins",
    (
        Text("chat_id", "群ID"),
        Text("user_id", "用户ID"),
        Text("day", "签到日期"),
        PersonName("name", "用户名称", of="user_id"),
        PersonCell("person", "用户", of="user_id"),
        Number("streak", "连续天数"),
        Number("lingzhi_earned", "lingzhi_earned"),
        Timestamp("time", "签到时间"),
    ),
    key=("chat_id", "user_id", "day"),
    setting="CHECKIN_TABLE_ID",
    title="签到",
)
"""One row a day for each person in each group, mirrored; ``day`` is ``YYYY-MM-DD`` where the group lives."""

STANDINGS: Final = Table(
    "standings",
    (
        Text("chat_id"),
        Text("user_id"),
        Number("total"),
        Number("days"),
        Text("last_day"),
        Number("streak"),
        Number("best"),
    ),
    key=("chat_id", "user_id"),
    indexes=(("chat_id",),),
)
"""Sums of the above, so that a leaderboard reads one row for each person; private."""
