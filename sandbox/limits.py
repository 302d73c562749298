"""Who called too often: per operation, per group, per month (FEISHU.md §9)."""

from __future__ import annotations

import math
from collections.abc import Callable

from .reply import ApiError

WRITES_PER_SECOND = 5
THINGS = 10_000
"""Windows kept before those that are over are dropped."""
FREQUENT = 99991400
QUOTA_SPENT = 99991403


class Window:
    """Up to ``limit`` calls in each span of ``length`` seconds."""

    __slots__ = ("_began", "_count", "_length", "limit")

    def __init__(self, limit: int, length: float) -> None:
        self.limit = limit
        self._length = length
        self._began = -math.inf
        self._count = 0

    def left(self, now: float) -> float:
        """Seconds until another call is allowed; 0 = now."""
        if self.over(now):
            self._began, self._count = now, 0
        return 0.0 if self._count < self.limit else self._began + self._length - now

    def over(self, now: float) -> bool:
        """True when the current span has ended."""
        return now - self._began >= self._length

    def take(self) -> None:
        """Counts a call that ``left`` allowed."""
        self._count += 1


class Limits:
    """Every window of one app. ``clock`` is in seconds."""

    def __init__(self, clock: Callable[[], float], *, enabled: bool = True, monthly_quota: int | None = None) -> None:
        self._clock = clock
        self.enabled = enabled
        self.monthly_quota = monthly_quota
        self._spent = 0
        self._operations: dict[str, tuple[Window, Window]] = {}
        self._things: dict[str, Window] = {}

    def call(self, name: str, per_second: int, per_minute: int) -> None:
        """Counts a call of the operation. Raises ``ApiError``: 99991403, or HTTP 429 with 99991400."""
        if self.monthly_quota is not None:
            if self._spent >= self.monthly_quota:
                raise ApiError(QUOTA_SPENT, "This month's API call quota has been exceeded")
            self._spent += 1
        if not self.enabled:
            return
        windows = self._operations.get(name)
        if windows is None:
            windows = self._operations[name] = (Window(per_second, 1.0), Window(per_minute, 60.0))
        now = self._clock()
        for window in windows:
            wait = window.left(now)
            if wait > 0:
                raise ApiError(
                    FREQUENT,
                    "request trigger frequency limit",
                    status=429,
                    headers={
                        "x-ogw-ratelimit-limit": str(window.limit),
                        "x-ogw-ratelimit-reset": str(max(1, math.ceil(wait))),
                    },
                )
        for window in windows:
            window.take()

    def pace(self, what: str, code: int, *, per_second: int = WRITES_PER_SECOND) -> None:
        """Counts a write to one group, message or card: so many a second, else ``ApiError`` with ``code``."""
        if not self.enabled:
            return
        now = self._clock()
        if len(self._things) >= THINGS:
            self._things = {key: window for key, window in self._things.items() if not window.over(now)}
        window = self._things.setdefault(what, Window(per_second, 1.0))
        if window.left(now) > 0:
            raise ApiError(code, "This operation triggers the frequency limit.")
        window.take()
