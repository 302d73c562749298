"""Counts in a table that its manifest does not name."""

from __future__ import annotations

from typing import Any

from core import Context, Manifest, Message, Number, Table, Text, hookimpl

HEARD = Table("heard", (Text("sender"), Number("times")), key=("sender",))

manifest = Manifest(name="undeclared_table", summary="Counts what is said.")


@hookimpl
async def on_message(message: Message, ctx: Context[Any]) -> None:
    ctx.table(HEARD).add(message.sender.open_id, times=1)
