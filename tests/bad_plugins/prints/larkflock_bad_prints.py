"""Prints to standard output, when it is imported and when it works."""

from __future__ import annotations

from typing import Any

from core import Context, Manifest, Message, hookimpl

manifest = Manifest(name="prints", summary="Counts what is said.")

print("hello from the import")


@hookimpl
async def on_message(message: Message, ctx: Context[Any]) -> None:
    print(f"hello from {ctx.plugin}: {message.id}")
