"""How often something is said in a group at which hour, learned as time passes; pure, it has no clock of its own.

Working days and weekends are kept apart, and what is older counts less: an hour of the day remembers about a month. The
sum over a silence of what was to be expected says how unusual it is, at night as well as on a Monday morning.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

HOURS: Final = 48
"""24 of a working day, 24 of the weekend."""
HOUR: Final = 3_600_000
REMEMBERED: Final = 22.0
"""Hours of one kind after which the older half counts no more: a month of working days."""
ENOUGH: Final = 2.0
"""Hours of one kind that must have passed before it says anything."""
LONGEST: Final = 7 * 24 * HOUR
"""ms of a silence that are looked at."""


class Rhythm:
    """The rhythm of one group in the time zone ``zone``."""

    __slots__ = ("_heard", "_passed", "_zone")

    def __init__(self, zone: ZoneInfo, heard: list[float] | None = None, passed: list[float] | None = None) -> None:
        self._zone = zone
        self._heard = heard if heard is not None and len(heard) == HOURS else [0.0] * HOURS
        self._passed = passed if passed is not None and len(passed) == HOURS else [0.0] * HOURS

    def spend(self, start: int, end: int) -> None:
        """From ``start`` to ``end`` (ms) one listened."""
        for hour, part in self._hours(start, end):
            self._passed[hour] += part
            if self._passed[hour] > REMEMBERED:
                self._passed[hour] /= 2
                self._heard[hour] /= 2

    def hear(self, at: int) -> None:
        """Something was said at ``at`` (ms)."""
        self._heard[self._hour(at)] += 1

    def expected(self, start: int, end: int) -> float:
        """How many times something is said from ``start`` to ``end`` (ms) as a rule; hours not known yet count 0."""
        return sum(
            part * self._heard[hour] / self._passed[hour]
            for hour, part in self._hours(start, end)
            if self._passed[hour] >= ENOUGH
        )

    def as_json(self) -> dict[str, list[float]]:
        """For keeping; the arguments of a new one."""
        return {"heard": [round(one, 3) for one in self._heard], "passed": [round(one, 3) for one in self._passed]}

    def _hour(self, at: int) -> int:
        local = datetime.fromtimestamp(at / 1000, self._zone)
        return local.hour + (24 if local.weekday() >= 5 else 0)

    def _hours(self, start: int, end: int) -> Iterator[tuple[int, float]]:
        """Each hour's kind and the part of it, 0…1, that lies between; whole hours UTC are whole or half ones there."""
        at = max(start, end - LONGEST)
        while at < end:
            until = min(end, at - at % (HOUR // 2) + HOUR // 2)
            yield self._hour(at), (until - at) / HOUR
            at = until
