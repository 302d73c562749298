"""What a hook can ask of the platform, and what answers where there is none; it never decides when to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import Unreachable


@dataclass(frozen=True, slots=True)
class Budget:
    """The month's API calls at one moment."""

    quota: int
    used: int
    seconds_left: float
    """Until the next month begins."""

    @property
    def left(self) -> int:
        """Calls that may still be made this month."""
        return max(0, self.quota - self.used)


class Platform(Protocol):
    """The platform as plugins reach it; callable from any plugin's event loop."""

    async def call(self, request: Any) -> dict[str, Any]:
        """Execute a request object of the official SDK; its answer's ``data``."""

    async def groups(self) -> tuple[str, ...]:
        """The watched groups: ``CHAT_ID``, or every group the bot is in."""

    async def names(self, open_ids: Sequence[str]) -> dict[str, str]:
        """The names that can be known, by open_id."""

    def budget(self) -> Budget:
        """The month's API calls now."""


class Unconnected:
    """The platform of a program without one."""

    async def call(self, request: Any) -> dict[str, Any]:
        raise Unreachable(f"{type(request).__name__}: this program has no connection to the platform")

    async def groups(self) -> tuple[str, ...]:
        raise Unreachable("groups: this program has no connection to the platform")

    async def names(self, open_ids: Sequence[str]) -> dict[str, str]:
        return {}

    def budget(self) -> Budget:
        return Budget(0, 0, 0.0)
