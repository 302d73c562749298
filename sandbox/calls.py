"""How often each API was called, and what it answered."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Calls:
    """Counts by operation and by result code, since the start."""

    def __init__(self) -> None:
        self._by_name: Counter[str] = Counter()
        self._by_result: Counter[tuple[str, int]] = Counter()
        self.total = 0

    def count(self, name: str, code: int) -> None:
        """One call of the operation ``name`` that was answered with ``code``."""
        self.total += 1
        self._by_name[name] += 1
        self._by_result[name, code] += 1

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
