"""Which groups are watched: those in ``CHAT_ID``, else every group the bot is in; asked for four times a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from .feishu import chats
from .feishu.transport import Api

LIFETIME: Final = 6 * 3600 * 1000
"""ms for which the platform's answer is believed."""


class Groups:
    """The watched groups of one app, for one event loop."""

    def __init__(self, api: Api, chosen: Sequence[str], *, clock: Callable[[], int]) -> None:
        self._api = api
        self._chosen = tuple(chosen)
        self._clock = clock
        self._known: tuple[str, ...] = ()
        self._until = 0

    @property
    def chosen(self) -> bool:
        """Whether somebody named them."""
        return bool(self._chosen)

    async def watched(self) -> tuple[str, ...]:
        """The chat IDs. Raises ``ApiFailure``."""
        if self._chosen:
            return self._chosen
        if not self._until - LIFETIME <= self._clock() < self._until:
            self._known = await chats.groups(self._api)
            self._until = self._clock() + LIFETIME
        return self._known
