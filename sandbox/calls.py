"""How often each API was called, and what it answered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from .recent import Recent

RECENT: Final = 500
"""Calls that can still be looked at one by one."""
_ZONE: Final = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Made:
    """One call."""

    number: int
    at: int
    """In ms UTC of this machine."""
    name: str
    code: int
    ms: float
    """How long it took."""


class Calls:
    """Counts by operation and by result code, since the start. ``now`` is the time of the world, in ms UTC."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._by_name: Counter[str] = Counter()
        self._by_result: Counter[tuple[str, int]] = Counter()
        self._by_month: Counter[str] = Counter()
        self.recent: Recent[Made] = Recent(RECENT)
        self.total = 0

    def count(self, name: str, code: int, *, ms: float = 0.0) -> None:
        """One call of the operation ``name`` that was answered with ``code`` after so many ms."""
        self.total += 1
        self._by_name[name] += 1
        self._by_result[name, code] += 1
        self._by_month[self.month()] += 1
        self.recent.note(str(self.total), Made(self.total, round(time.time() * 1000), name, code, ms))

    def month(self) -> str:
        """The month in the world, e.g. ``2026-11``."""
        return f"{datetime.fromtimestamp(self._now() / 1000, _ZONE):%Y-%m}"

    def this_month(self) -> int:
        """Calls since the month in the world began."""
        return self._by_month[self.month()]

    def by_name(self) -> list[tuple[str, int, int]]:
        """Each operation that was called, how often, and how often its code was not 0; the busiest first."""
        failed: Counter[str] = Counter()
        for (name, code), count in self._by_result.items():
            failed[name] += count if code else 0
        return [(name, count, failed[name]) for name, count in self._by_name.most_common()]

    def document(self) -> dict[str, Any]:
        """The counts for the control page."""
        codes: Counter[str] = Counter()
        by_result: dict[str, dict[str, int]] = {}
        for (name, code), count in sorted(self._by_result.items()):
            codes[str(code)] += count
            by_result.setdefault(name, {})[str(code)] = count
        return {
            "total": self.total,
            "by_name": dict(sorted(self._by_name.items())),
            "by_code": dict(codes),
            "by_name_and_code": by_result,
        }
