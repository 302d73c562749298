"""Forgets the manifest."""

from __future__ import annotations

from typing import Any

from core import Context, Message, hookimpl


@hookimpl
async def on_message(message: Message, ctx: Context[Any]) -> None:
    ctx.log.debug("heard")
