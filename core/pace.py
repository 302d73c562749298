"""How often a budget of API calls may be spent: quickly after a quiet time, evenly when much is going on.

A share of the quota accrues steadily, up to a reserve, and more slowly when others have spent more of the month than
has passed. While the reserve is full, waiting is short; when it is empty, the wait is that of the rate, and as debt
grows, up to sixteen times that: several tables that share one pace so keep the budget too. It has no clock of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SHORTEST: Final = 5.0
"""Seconds between two flushes of one table at the least."""
LONGEST: Final = 6 * 3600.0
"""Seconds to the next look when the month's calls are used up."""
RESERVE: Final = 0.01
"""The part of the month's quota that may be saved up."""
DEEPEST: Final = 3.0
"""The most reserves a debt may be."""
MONTH: Final = 31 * 86_400.0
"""Seconds of the longest month."""


@dataclass(slots=True)
class Pace:
    """The spending of one consumer of API calls; ``share`` is its part of the month's quota."""

    quota: int
    share: float = 0.3
    saved: float = 0.0
    """Calls saved up, at most ``reserve``; debt below 0. A new pace begins with a full reserve."""
    _last: float | None = None

    def __post_init__(self) -> None:
        self.saved = self.reserve

    @property
    def reserve(self) -> float:
        """The most that can be saved up, in calls."""
        return max(10.0, RESERVE * self.quota)

    def earn(self, now: float, left: int, seconds_left: float) -> None:
        """Let calls accrue until ``now`` (s); ``left`` calls remain for ``seconds_left`` of the month."""
        if self._last is not None and now > self._last:
            self.saved = min(self.reserve, self.saved + self._rate(left, seconds_left) * (now - self._last))
        self._last = now

    def spend(self, calls: int) -> None:
        """``calls`` were made."""
        self.saved = max(-DEEPEST * self.reserve, self.saved - calls)

    def wait(self, left: int, seconds_left: float, calls: float = 2.0) -> float:
        """Seconds to let pass before the next ``calls`` are made; no longer than the month lasts."""
        if left <= 0:
            return max(SHORTEST, min(LONGEST, seconds_left))
        lasting = calls / self._rate(left, seconds_left)
        emptiness = 1.0 - self.saved / self.reserve
        return max(SHORTEST, min(lasting * emptiness**2, max(seconds_left, 0.0)))

    def _rate(self, left: int, seconds_left: float) -> float:
        """Calls a second."""
        return self.share * min(self.quota / MONTH, left / max(seconds_left, 3600.0))
