"""Answering in time: who used a card is shown what a plugin answers, if it comes before the platform stops waiting.

The connection asks with every event whether its acknowledgement has to wait; consumers bring the answers once the batch
that made them is stored. It never decides what is answered, and it keeps nothing: an answer that is late is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from loguru import logger

from ..errors import Malformed
from ..events import CARD_ACTION, CardAction, decode
from ..unit import NOTHING, Answer

PATIENCE: Final = 2.5
"""Seconds the platform is kept waiting; it gives up after 3 and never asks again (FEISHU.md §1.6)."""

_MARK: Final = CARD_ACTION.encode()


class _Waiting(NamedTuple):
    loop: asyncio.AbstractEventLoop
    reply: asyncio.Future[bytes]
    plugins: set[str]
    """Those that have not been heard."""


class Answers:
    """The uses of cards that the platform is waiting for now."""

    def __init__(self, plugins: Callable[[], Iterable[str]], *, patience: float = PATIENCE) -> None:
        """``plugins`` names those that are handed uses of cards; it is called in the connection's thread."""
        self._plugins = plugins
        self._patience = patience
        self._waiting: dict[str, _Waiting] = {}

    def expect(self, body: bytes) -> asyncio.Future[bytes] | None:
        """What the acknowledgement of this event has to carry, within the patience; None when it carries nothing."""
        if _MARK not in body:
            return None
        try:
            event = decode(body)
        except Malformed:
            return None
        plugins = set(self._plugins()) if isinstance(event, CardAction) else set()
        if not plugins:
            return None
        loop, event_id = asyncio.get_running_loop(), event.event_id
        there = self._waiting.get(event_id)
        if there is not None and there.loop is loop:
            return there.reply
        waiting = self._waiting[event_id] = _Waiting(loop, loop.create_future(), plugins)
        loop.call_later(self._patience, self._end, event_id, waiting, NOTHING)
        return waiting.reply

    def bring(self, plugin: str, answers: Sequence[Answer]) -> None:
        """What ``plugin`` has answered is stored; callable from any thread."""
        for answer in answers:
            waiting = self._waiting.get(answer.event_id)
            if waiting is None:
                _drop(plugin, answer)
            else:
                with suppress(RuntimeError):  # The connection has ended, and nobody waits.
                    waiting.loop.call_soon_threadsafe(self._hear, plugin, answer, waiting)

    def _hear(self, plugin: str, answer: Answer, waiting: _Waiting) -> None:
        if waiting.reply.done():
            _drop(plugin, answer)
        elif answer.body:
            self._end(answer.event_id, waiting, answer.body)
        else:
            waiting.plugins.discard(plugin)
            if not waiting.plugins:
                self._end(answer.event_id, waiting, NOTHING)

    def _end(self, event_id: str, waiting: _Waiting, body: bytes) -> None:
        if self._waiting.get(event_id) is waiting:
            del self._waiting[event_id]
        if not waiting.reply.done():
            waiting.reply.set_result(body)


def _drop(plugin: str, answer: Answer) -> None:
    if answer.body:
        logger.debug("Plugin {} answered {} when nobody waited for it any more.", plugin, answer.event_id)
