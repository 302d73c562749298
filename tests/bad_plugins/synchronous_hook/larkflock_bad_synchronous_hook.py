"""Writes a hook as an ordinary function."""

from __future__ import annotations

from typing import Any

from core import Context, Manifest, Message, hookimpl

manifest = Manifest(name="synchronous_hook", summary="Counts what is said.")


@hookimpl
def on_message(message: Message, ctx: Context[Any]) -> None:
    ctx.log.debug("heard")
