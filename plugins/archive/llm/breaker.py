"""A circuit breaker: an endpoint that keeps failing is left alone for a while.

It is ours because the libraries for it take no clock from outside or are not kept up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FAILURES: Final = 3
"""Failures in a row that open the circuit."""
PAUSE_MS: Final = 60_000
LONGEST_PAUSE_MS: Final = 3_600_000


class Breaker:
    """Closed while calls succeed; open for a pause that doubles each time the trial after it fails."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._failures = 0
        self._pauses = 0
        self._until = 0

    @property
    def open(self) -> bool:
        """Whether the endpoint is to be left alone now."""
        return self._until - LONGEST_PAUSE_MS <= self._clock() < self._until  # The clock may be put back.

    def succeed(self) -> None:
        """A call went well: everything is forgotten."""
        self._failures = self._pauses = self._until = 0

    def fail(self, *, for_certain: bool = False) -> None:
        """A call failed; ``for_certain`` when the next one would too, as with a refused key."""
        self._failures += 1
        if for_certain or self._pauses or self._failures >= FAILURES:
            self._until = self._clock() + min(PAUSE_MS * 2**self._pauses, LONGEST_PAUSE_MS)
            self._pauses += 1
