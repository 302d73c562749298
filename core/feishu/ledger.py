"""What the API has cost this month: every call is counted by name before it is sent, and refused beyond the quota."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from ..errors import QuotaExhausted
from ..platform import Budget

LOOKED_BACK: Final = 7
"""Days whose calls tell what the rest of the month will cost: a week, as weekends are quieter."""


class CallStore(Protocol):
    """Where the counts are kept."""

    def count_call(self, day: str, name: str) -> None: ...

    def calls(self, month: str) -> dict[str, int]: ...

    def calls_since(self, day: str) -> dict[str, int]: ...


class Ledger:
    """The month's calls against ``quota``; months begin in ``timezone``."""

    def __init__(self, store: CallStore, quota: int, timezone: ZoneInfo, clock: Callable[[], int]) -> None:
        self.quota = quota
        self._store = store
        self._timezone = timezone
        self._clock = clock
        self.month = ""
        """The month counted, ``YYYY-MM``."""
        self._calls: dict[str, int] = {}
        self._turn_month()
        first = self._now().date() - timedelta(days=LOOKED_BACK)
        self._days = store.calls_since(first.isoformat())

    def spend(self, name: str) -> None:
        """Count one call of ``name``. Raises ``QuotaExhausted`` instead when the month's calls are used up."""
        self._turn_month()
        if self.used >= self.quota:
            raise QuotaExhausted(
                f"{name} was not called: all {self.quota} API calls of {self.month} are used (API_MONTHLY_QUOTA); "
                "they start again on the 1st"
            )
        day = self._now().date().isoformat()
        self._store.count_call(day, name)
        self._calls[name] = self._calls.get(name, 0) + 1
        self._days[day] = self._days.get(day, 0) + 1

    @property
    def used(self) -> int:
        """The month's calls as of the last one; readable from any thread."""
        return sum(self._calls.values())

    @property
    def by_name(self) -> dict[str, int]:
        """The month's calls by API name, most first; readable from any thread."""
        return dict(sorted(self._calls.items(), key=lambda entry: (-entry[1], entry[0])))

    @property
    def left(self) -> int:
        """Calls that may still be made this month."""
        self._turn_month()
        return max(0, self.quota - self.used)

    @property
    def seconds_left(self) -> float:
        """Until the next month begins."""
        now = self._now()
        ahead = now.replace(
            year=now.year + now.month // 12, month=now.month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0
        )
        return (ahead - now).total_seconds()

    def budget(self) -> Budget:
        """The month's calls as of now; readable from any thread."""
        used = self.used if self.month == f"{self._now():%Y-%m}" else 0
        return Budget(self.quota, used, self.seconds_left)

    def forecast(self) -> int:
        """What the month will have cost when it goes on like the last seven days; at most the quota.

        Readable from any thread.
        """
        now = self._now()
        recent = {day: calls for day, calls in self._days.copy().items() if day > _before(now, LOOKED_BACK)}
        if not recent:
            return self.budget().used
        began = datetime.fromisoformat(min(recent)).replace(tzinfo=self._timezone)
        seconds = max((now - began).total_seconds(), 3600.0)
        expected = self.budget().used + sum(recent.values()) / seconds * self.seconds_left
        return min(self.quota, round(expected))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1000, self._timezone)

    def _turn_month(self) -> None:
        month = f"{self._now():%Y-%m}"
        if month != self.month:
            self.month, self._calls = month, dict(self._store.calls(month))


def _before(now: datetime, days: int) -> str:
    return (now.date() - timedelta(days=days)).isoformat()
