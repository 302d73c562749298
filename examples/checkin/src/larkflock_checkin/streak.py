"""What a day in a row earns; a pure rule."""

from __future__ import annotations

from datetime import date, timedelta


def earned(streak: int, longest: int = 70) -> int:
    """灵芝 for the ``streak``-th day in a row: 1, 1, 2, 3, 5, 8 …, from day ``longest`` on no more."""
    before, now = 0, 1
    for _ in range(min(streak, longest) - 1):
        before, now = now, before + now
    return now


def moved(day: str, days: int) -> str:
    """The day so many days later; both ``YYYY-MM-DD``."""
    return (date.fromisoformat(day) + timedelta(days)).isoformat()
