"""When a plugin is suspended: a pure rule over which of its events fail in a row; it never waits and never stores."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from .storage.protocol import Failure

MOST_IN_A_ROW: Final = 20
"""Different events that fail one after the other, none succeeding in between, before a plugin is suspended."""


class Streak:
    """The events that failed since the last one succeeded.

    What fails alone is the event's fault and becomes a dead letter; what fails with everything around it is the
    plugin's. How often the same event failed does not count, nor how long it takes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._failed: dict[int, str] = {}

    def failed(self, seq: int, error: str) -> None:
        """An event failed."""
        if self._most:
            self._failed[seq] = error

    def forget(self) -> None:
        """An event succeeded, or the plugin begins anew."""
        self._failed.clear()

    @property
    def over(self) -> bool:
        """Whether the plugin is to be suspended; never with ``most`` 0."""
        return 0 < self._most <= len(self._failed)

    def waiting(self, there: Collection[int], now: int) -> list[Failure]:
        """Those still ``there``, not discarded, as events to be handled: also what was parked was not at fault."""
        return [Failure(seq, 0, error, now) for seq, error in self._failed.items() if seq in there]

    def reason(self, plugin: str) -> str:
        """What an operator reads."""
        last = next(reversed(self._failed.values()), "")
        return (
            f"{len(self._failed)} events in a row failed, the last one with {last}; nothing is lost, they wait. "
            f"Mend it, then: python -m core plugins resume {plugin}"
        )
