"""One event on its way to one plugin: which hook gets it, and that what it wrote vanishes when it fails.

It never decides when an event is tried again, and never stores.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from typing import Any, Final

from ..context import Context
from ..errors import Malformed
from ..events import (
    ATTACHMENT_DONE,
    CARD_ACTION,
    MESSAGE,
    REACTION_ADDED,
    REACTION_REMOVED,
    READ,
    RECALL,
    CardAction,
    Event,
    Message,
    decode,
)
from ..loading.plugins import Plugin
from ..storage.values import Stored
from ..unit import Answer
from .calling import HookCalls

_HOOK_OF: Final = {
    MESSAGE: ("on_message", "message"),
    RECALL: ("on_recall", "recall"),
    READ: ("on_read", "read"),
    REACTION_ADDED: ("on_reaction", "reaction"),
    REACTION_REMOVED: ("on_reaction", "reaction"),
    CARD_ACTION: ("on_card", "action"),
}
_ON_EVENT: Final = ("on_event", "event")


class Delivery:
    """The way of events to one plugin."""

    def __init__(self, plugin: Plugin, hooks: HookCalls, chats: Sequence[str], timeout: float) -> None:
        self.chats = tuple(dict.fromkeys(chats))
        self.skipped: dict[str, int] = {}
        """Events passed over, by reason."""
        self._plugin = plugin
        self._hooks = hooks
        self._timeout = timeout

    def passes_over(self, event: Event) -> bool:
        """Whether the event is none of the plugin's business."""
        if event.type == ATTACHMENT_DONE:
            return bool(event.event.get("plugin") != self._plugin.name)
        if not self.chats or not event.chat_id or event.chat_id in self.chats:
            return False
        if isinstance(event, CardAction) or (isinstance(event, Message) and not event.in_group):
            return False  # A card is where the bot sent it, which may be a private chat.
        self.skipped["group not in CHAT_ID"] = self.skipped.get("group not in CHAT_ID", 0) + 1
        return True

    def prefetch(self, context: Context[Any], read: Sequence[Event | Malformed]) -> None:
        """Read at once the rows of the messages that these events are about."""
        tables = [table for table in self._plugin.tables if table.by_message]
        if tables and len(read) > 1:
            ids = {one: None for event in read if isinstance(event, Event) for one in event.refers_to}
            for table in tables:
                context.unit.prefetch(table, ids)

    async def hand_over(
        self, stored: Stored, event: Event | Malformed, context: Context[Any]
    ) -> Exception | asyncio.CancelledError | None:
        """Call the hook; why it failed, or None."""
        mark = context.unit.mark()
        try:
            if isinstance(event, Malformed):
                raise event
            hook, argument = _HOOK_OF.get(stored.type, _ON_EVENT)
            if hook not in self._plugin.hooks:  # Its manifest lists the type for on_event.
                hook, argument = _ON_EVENT
            context.answering = event.event_id if hook == "on_card" else ""
            await self._hooks.call(hook, self._timeout, **{argument: event}, ctx=context)
        except (Exception, asyncio.CancelledError) as error:
            context.unit.back_to(mark)
            return error
        finally:
            if context.answering:
                context.unit.answers.append(Answer(context.answering, b""))
                context.answering = ""
        return None


def read_event(stored: Stored) -> Event | Malformed:
    """The event, or why it cannot be read any more."""
    if not stored.intact:
        return Malformed("stored bytes are damaged (CRC)")
    try:
        event = decode(stored.body)
    except Malformed as problem:
        return problem
    event.seq, event.received_at = stored.seq, stored.received
    return event


def told(error: BaseException) -> str:
    """An error in one line."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text.encode(errors="backslashreplace").decode()  # File names, for one, may be no UTF-8.


def told_whole(error: BaseException) -> str:
    """An error with its traceback, at most 8000 characters."""
    frames = "".join(traceback.format_exception(error))
    return f"{told(error)}\n{frames}"[:8000].encode(errors="backslashreplace").decode()
