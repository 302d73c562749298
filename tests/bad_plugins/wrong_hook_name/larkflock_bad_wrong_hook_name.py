"""Misspells the name of a hook."""

from __future__ import annotations

from typing import Any

from core import Context, Manifest, Message, hookimpl

manifest = Manifest(name="wrong_hook_name", summary="Counts what is said.")


@hookimpl
async def on_mesage(message: Message, ctx: Context[Any]) -> None:
    ctx.log.debug("heard")
