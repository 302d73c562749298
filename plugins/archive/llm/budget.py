"""What may be spent in a day, and the memory it is kept in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo


class Memory(Protocol):
    """A durable store of JSON objects; the plugin keeps it in a private table of its own."""

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What is kept under ``key``."""
        ...

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep ``value`` under ``key``, in place of what was there."""
        ...


class BudgetSpent(Exception):
    """The day's calls or tokens are used up; it goes on the next day."""


@dataclass(frozen=True, slots=True)
class Expense:
    """What one request was expected to cost, on the day it was sent."""

    day: str
    tokens: int


class DailyBudget:
    """Calls and tokens of a day in the operator's time zone, counted before they are spent."""

    def __init__(self, memory: Memory, *, tokens: int, calls: int, zone: ZoneInfo, clock: Callable[[], int]) -> None:
        self._memory = memory
        self._tokens = tokens
        self._calls = calls
        self._zone = zone
        self._clock = clock

    def spend(self, tokens: int) -> Expense:
        """Count one call that is expected to cost ``tokens``. Raises ``BudgetSpent`` when the day has not that many."""
        day = f"{datetime.fromtimestamp(self._clock() / 1000, UTC).astimezone(self._zone):%Y-%m-%d}"
        calls, spent = self.spent(day)
        if calls + 1 > self._calls:
            raise BudgetSpent(f"the {self._calls} calls of {day} are used up (llm.daily_calls)")
        if spent + tokens > self._tokens:
            raise BudgetSpent(f"{spent} of the {self._tokens} tokens of {day} are used up (llm.daily_tokens)")
        self._keep(day, calls + 1, spent + tokens)
        return Expense(day, tokens)

    def settle(self, expense: Expense, tokens: int) -> None:
        """Put the true cost in the place of what was expected."""
        calls, spent = self.spent(expense.day)
        self._keep(expense.day, calls, max(spent - expense.tokens + tokens, 0))

    def spent(self, day: str) -> tuple[int, int]:
        """Calls and tokens of ``day`` (``YYYY-MM-DD``)."""
        kept = self._memory.get(f"budget:{day}") or {}
        return int(kept.get("calls", 0)), int(kept.get("tokens", 0))

    def _keep(self, day: str, calls: int, tokens: int) -> None:
        self._memory.put(f"budget:{day}", {"calls": calls, "tokens": tokens})
