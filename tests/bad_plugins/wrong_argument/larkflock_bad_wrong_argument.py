"""Wants an argument that the hook is not given."""

from __future__ import annotations

from core import Manifest, Message, hookimpl

manifest = Manifest(name="wrong_argument", summary="Counts what is said.")


@hookimpl
async def on_message(message: Message, chat: str) -> None:
    assert message.chat_id == chat
