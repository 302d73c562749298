"""The time in the world: the scenario's while it is played, and running on from there afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LAST: Final = 253_402_214_400_000
"""The last day of the year 9999 in ms UTC, in every time zone."""


class WorldClock:
    """Real time until ``move``; then the time moved to, running on at ``speed`` times real time. In ms UTC."""

    def __init__(self, real: Callable[[], float] = time.time) -> None:
        self._real = real
        self._from_real = 0.0
        self._from_world = 0.0
        self._speed = 1.0
        self.wrong_by = 0
        """What it is ahead, in ms, after it jumped; below 0 it is behind."""

    def __call__(self) -> int:
        return self.undisturbed() + self.wrong_by

    def undisturbed(self) -> int:
        """The time it would show had it never jumped."""
        return round(self._from_world + (self._real() - self._from_real) * 1000 * self._speed)

    def move(self, to: int, *, speed: float) -> None:
        """Sets the undisturbed time to ``to``, from where it runs on at ``speed`` (0 = it stands still)."""
        self._from_world, self._from_real, self._speed = float(to), self._real(), speed

    def jump(self, by: float) -> None:
        """Makes it wrong by so many ms more, for good; back when ``by`` is below 0. Raises ``ValueError``.

        It stays within the years 1970 to 9999: beyond those there is no calendar.
        """
        if not 0 <= self() + by <= LAST:
            raise ValueError(f"the clock cannot jump by {by:g} ms: it has to stay within the years 1970 to 9999")
        self.wrong_by += round(by)
