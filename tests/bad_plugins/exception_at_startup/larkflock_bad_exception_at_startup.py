"""Raises when it is started."""

from __future__ import annotations

from typing import Any

from core import Context, Manifest, Message, hookimpl

manifest = Manifest(name="exception_at_startup", summary="Counts what is said.")


@hookimpl
async def startup() -> None:
    raise ValueError("the moon is not full")


@hookimpl
async def on_message(message: Message, ctx: Context[Any]) -> None:
    ctx.log.debug("heard")
