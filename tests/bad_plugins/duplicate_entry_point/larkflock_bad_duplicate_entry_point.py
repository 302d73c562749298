"""Registers one module twice."""

from __future__ import annotations

from typing import Any

from core import Context, Manifest, Message, hookimpl

manifest = Manifest(name="duplicate_entry_point", summary="Counts what is said.")


@hookimpl
async def on_message(message: Message, ctx: Context[Any]) -> None:
    ctx.log.debug("heard")
