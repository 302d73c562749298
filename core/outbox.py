"""Messages that plugins want sent: in order within a chat, at the pace a group takes them, until taken or refused.

At least once towards Feishu; the ``uuid`` made from plugin and key makes it once within the hour the platform
remembers it. It never decides what is said.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from aiolimiter import AsyncLimiter
from loguru import logger

from .errors import ApiError, ApiFailure, QuotaExhausted, StorageError
from .feishu import messages
from .feishu.scopes import NOT_GRANTED
from .feishu.transport import Api
from .storage.protocol import StoreHandle
from .storage.values import Unsent

TICK: Final = 1.0
"""Seconds after which the outbox looks by itself."""
MOST_AT_ONCE: Final = 20
MOST_ATTEMPTS: Final = 12
"""Refusals of a message that may pass, after which it is given up."""
MOST_FAULTS: Final = 1000
"""Faults of the platform, about a week of them, after which a message is given up: they may be about this one only."""
KEPT: Final = 30 * 24 * 3600 * 1000
"""ms for which the keys of sent messages are remembered."""
MOST_LIMITERS: Final = 1000
"""Chats whose pace is remembered at once."""
LONG_PAUSE: Final = 3600.0
"""Seconds until what the month's calls or a missing scope stopped is tried again."""


def uuid_of(plugin: str, key: str) -> str:
    """What makes a message single for the platform; at most 50 characters."""
    return blake2b(f"{plugin}\0{key}".encode(), digest_size=20).hexdigest()


class Outbox:
    """The sender of what the store holds unsent, for one event loop."""

    def __init__(
        self,
        api: Api,
        store: StoreHandle,
        *,
        clock: Callable[[], int],
        backoff: Callable[[int], float],
        tick: float = TICK,
    ) -> None:
        self._api = api
        self._store = store
        self._clock = clock
        self._tick = tick
        self._backoff = backoff
        self._wake = asyncio.Event()
        self._limiters: dict[str, AsyncLimiter] = {}
        self._forgot = 0

    def wake(self) -> None:
        """There may be messages; from the event loop's thread."""
        self._wake.set()

    async def run(self) -> None:
        """Send what waits, for ever."""
        while True:
            self._wake.clear()
            try:
                busy = await self.send_due()
                self._forget()
            except StorageError as error:
                logger.error("Messages wait: {}", error)
                busy = False
            if not busy:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._tick)

    async def send_due(self) -> bool:
        """Send the messages whose time has come; whether there were any."""
        due = self._store.unsent(self._clock(), MOST_AT_ONCE)
        for unsent in due:
            await self._send(unsent)
        return bool(due)

    async def _send(self, unsent: Unsent) -> None:
        message = unsent.message
        limiter = self._limiter(message.chat_id)
        try:
            async with limiter:
                sent = await messages.send(
                    self._api,
                    message.chat_id,
                    message.reply_to,
                    message.msg_type,
                    message.content.decode(),
                    uuid_of(unsent.plugin, message.key),
                )
        except ApiFailure as error:
            self._failed(unsent, error)
        else:
            self._store.sent(unsent.id, sent, self._clock())

    def _limiter(self, chat_id: str) -> AsyncLimiter:
        """The pace of a chat; one that could go at once now is as good as a new one."""
        if chat_id not in self._limiters:
            if len(self._limiters) >= MOST_LIMITERS:
                self._limiters = {chat: one for chat, one in self._limiters.items() if not one.has_capacity()}
            self._limiters[chat_id] = AsyncLimiter(1, messages.APART)
        return self._limiters[chat_id]

    def _failed(self, unsent: Unsent, error: ApiFailure) -> None:
        attempts, now = unsent.attempts + 1, self._clock()
        code = error.code if isinstance(error, ApiError) else 0
        closed = isinstance(error, QuotaExhausted) or code in NOT_GRANTED
        if closed or not isinstance(error, ApiError) or error.of_app:
            final = False
        elif error.passing:
            final = attempts >= MOST_FAULTS
        else:
            final = code not in messages.PASSING or attempts >= MOST_ATTEMPTS
        if final:
            logger.error("A message of plugin {} cannot be sent and is given up: {}", unsent.plugin, error)
            self._store.unsendable(unsent.id, str(error), attempts, None, now)
            return
        delay = LONG_PAUSE if closed else self._backoff(attempts)
        logger.warning("A message of plugin {} waits {:.0f} s: {}", unsent.plugin, delay, error)
        self._store.unsendable(unsent.id, str(error), attempts, now + int(delay * 1000), now)

    def _forget(self) -> None:
        now = self._clock()
        if not 0 <= now - self._forgot < KEPT // 30:
            self._forgot = now
            self._store.forget_sent(now - KEPT)
