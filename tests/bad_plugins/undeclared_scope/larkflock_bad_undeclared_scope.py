"""Calls an API without naming the scope that opens it."""

from __future__ import annotations

from typing import Any

from core import Context, Manifest, Message, hookimpl

manifest = Manifest(name="undeclared_scope", summary="Counts what is said.")


@hookimpl
async def on_message(message: Message, ctx: Context[Any]) -> None:
    from lark_oapi.api.im.v1 import GetChatRequest

    await ctx.call(GetChatRequest.builder().chat_id(message.chat_id).build())
