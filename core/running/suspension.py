"""When a plugin is suspended: a rule over what fails in a row, or why; and whether it still is. It never waits."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import Final

from ..errors import ApiError, StorageError, Undeclared
from ..feishu.scopes import NOT_GRANTED
from ..storage.protocol import StoreHandle
from ..storage.values import Failure

MOST_IN_A_ROW: Final = 20
"""Different events that fail one after the other, none succeeding in between, before a plugin is suspended."""
LOOK_AGAIN: Final = 3_600_000
"""ms after which a plugin that lacks a scope tries by itself whether it has been granted: a call an hour."""


class Streak:
    """The events that failed since the last one succeeded.

    What fails alone is the event's fault and becomes a dead letter; what fails with everything around it is the
    plugin's. How often the same event failed does not count, nor how long it takes. For want of a scope every event
    would fail that needs it: then one is enough. So it is for what the manifest does not declare.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._failed: dict[int, str] = {}
        self.lacking = ""
        """What a call was refused for, when that was a scope that is not granted."""
        self.undeclared = ""
        """What was used that the manifest does not declare, with the line to add."""

    def failed(self, seq: int, error: str) -> None:
        """An event failed."""
        if self._most:
            self._failed[seq] = error

    def met(self, error: BaseException) -> bool:
        """Something failed with ``error``; whether that was for want of a scope or a declaration."""
        if self._most and isinstance(error, Undeclared):
            self.undeclared = str(error)
            return True
        if self._most and isinstance(error, ApiError) and error.code in NOT_GRANTED:
            scopes = " or ".join(error.scopes) or "its scope"
            place = error.link or "the developer console"
            self.lacking = (
                f"{error.name} was refused ({error.code}), as {scopes} is not granted; nothing is lost, its events "
                f"wait. Grant it at {place} and publish a version. It looks again every hour"
            )
            return True
        return False

    def forget(self) -> None:
        """An event succeeded, or the plugin begins anew."""
        self._failed.clear()
        self.lacking = self.undeclared = ""

    @property
    def over(self) -> bool:
        """Whether the plugin is to be suspended; never with ``most`` 0."""
        return bool(self.lacking or self.undeclared) or 0 < self._most <= len(self._failed)

    def waiting(self, there: Collection[int], now: int) -> list[Failure]:
        """Those still ``there``, not discarded, as events to be handled: also what was parked was not at fault."""
        return [Failure(seq, 0, error, now) for seq, error in self._failed.items() if seq in there]

    def reason(self, plugin: str) -> str:
        """What an operator reads."""
        if self.lacking:
            return f"{self.lacking}, and at once with: python -m core plugins resume {plugin}"
        if self.undeclared:
            return f"{self.undeclared}; nothing is lost, its events wait. Its author has to do that: then restart"
        last = next(reversed(self._failed.values()), "")
        return (
            f"{len(self._failed)} events in a row failed, the last one with {last}; nothing is lost, they wait. "
            f"Mend it, then: python -m core plugins resume {plugin}"
        )


def is_suspended(store: StoreHandle, plugin: str) -> bool:
    """Whether the plugin has to go on waiting; it has while that cannot be read."""
    try:
        standing = store.standing(plugin)
    except StorageError:
        return True
    return standing is not None and standing.suspended is not None


def resume(store: StoreHandle, plugin: str) -> None:
    """Let the plugin go on, if that can be stored now."""
    with contextlib.suppress(StorageError):
        store.resume(plugin)
