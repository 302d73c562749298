"""The days a date condition speaks of, in the time zone of the base (FEISHU.md §5.5).

Conditions know whole days only: an exact date stands for its day. Weeks begin on Monday.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo

_DAY = timedelta(days=1)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _last_month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return (first - _DAY).replace(day=1), first


DAYS: dict[str, Callable[[date], tuple[date, date]]] = {
    "Today": lambda day: (day, day + _DAY),
    "Tomorrow": lambda day: (day + _DAY, day + 2 * _DAY),
    "Yesterday": lambda day: (day - _DAY, day),
}
SPANS: dict[str, Callable[[date], tuple[date, date]]] = {
    "CurrentWeek": lambda day: (_monday(day), _monday(day) + 7 * _DAY),
    "LastWeek": lambda day: (_monday(day) - 7 * _DAY, _monday(day)),
    "CurrentMonth": lambda day: (day.replace(day=1), _next_month(day)),
    "LastMonth": _last_month,
    "TheLastWeek": lambda day: (day - 7 * _DAY, day),
    "TheNextWeek": lambda day: (day + _DAY, day + 8 * _DAY),
    "TheLastMonth": lambda day: (day - 30 * _DAY, day),
    "TheNextMonth": lambda day: (day + _DAY, day + 31 * _DAY),
}
"""Longer than a day: these can only be asked for with ``is``."""


def period(word: str, now_ms: int, zone: tzinfo) -> tuple[int, int] | None:
    """The period ``word`` as [start, end) in ms, None for an unknown word."""
    days = DAYS.get(word) or SPANS.get(word)
    if days is None:
        return None
    return _in_ms(days(_day(now_ms, zone)), zone)


def day_of(moment_ms: int, zone: tzinfo) -> tuple[int, int]:
    """The day of a moment as [start, end) in ms."""
    day = _day(moment_ms, zone)
    return _in_ms((day, day + _DAY), zone)


def _day(moment_ms: int, zone: tzinfo) -> date:
    return datetime.fromtimestamp(moment_ms / 1000, zone).date()


def _in_ms(days: tuple[date, date], zone: tzinfo) -> tuple[int, int]:
    start, end = (int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000 for day in days)
    return start, end
