"""The hooks a plugin may implement, all of them; a plugin names the arguments it wants.

Hooks are ``async def``. They run in the plugin's own thread and event loop, one at a time, in journal order. What a
hook reads it reads at once; what it writes is stored when it returns, together with the cursor, or not at all.
"""

from __future__ import annotations

from typing import Any

import pluggy

from .context import Context
from .events import CardAction, Event, Message, Reaction, Read, Recall

PROJECT = "larkflock"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
async def startup(ctx: Context[Any]) -> None:
    """Called once before the first event; may raise ``NotReady`` to be tried again. At most 30 s."""


@hookspec
async def on_message(message: Message, ctx: Context[Any]) -> None:
    """Somebody said something in a watched group, or to the bot."""


@hookspec
async def on_reaction(reaction: Reaction, ctx: Context[Any]) -> None:
    """An emoji was put on a message or taken off; in which group, the platform does not say."""


@hookspec
async def on_recall(recall: Recall, ctx: Context[Any]) -> None:
    """A message was taken back."""


@hookspec
async def on_read(read: Read, ctx: Context[Any]) -> None:
    """Somebody read messages the bot sent in a private chat."""


@hookspec
async def on_card(action: CardAction, ctx: Context[Any]) -> None:
    """Somebody pressed a button or used another part of a card the bot sent; ``ctx.answer`` shows them something."""


@hookspec
async def on_event(event: Event, ctx: Context[Any]) -> None:
    """An event of a type that the manifest lists in ``events``."""


@hookspec
async def on_schedule(schedule: str, ctx: Context[Any]) -> None:
    """The time has come that ``ctx.schedule`` named; ``schedule`` is the name that the manifest lists."""


@hookspec
async def shutdown(ctx: Context[Any]) -> None:
    """Called once after the last event, at most 10 s; what it writes is stored."""
