"""Which topic a new message goes to: that of what it replies to; with ``grouping`` also the one it seems to answer."""

from __future__ import annotations

from core import Context, Message, Row

from .grouping import Said, packed, place, unpacked, without
from .settings import ArchiveConfig
from .tables import ARCHIVE, RECENT
from .topics import text_of
from .words import asks, words_of

Ctx = Context[ArchiveConfig]


def topic_of(message: Message, row: Row, ctx: Ctx) -> str:
    """The topic's ID; ``row`` is what the archive will say of the message."""
    platform: str = row["topic_id"]
    if not ctx.config.grouping or message.message_type == "system":
        return platform
    recent = ctx.table(RECENT).get(message.chat_id)
    text = text_of(row)
    sender = message.sender.open_id
    said = Said(
        message.id,
        sender,
        message.create_time,
        words_of(text),
        frozenset(one.open_id for one in message.mentions if one.open_id not in ("", sender) and not one.is_all),
        asks(text),
        message.parent_id,
        platform if platform != message.id else "",
    )
    before, placed = place(unpacked(recent["said"]) if recent is not None else (), said)
    ctx.table(RECENT).set(message.chat_id, said=packed(before))
    if placed.root in (platform, message.id):
        return placed.root
    root = ctx.table(ARCHIVE).get(placed.root)  # What a reply answers may have been placed in another topic itself.
    return str(root["topic_id"]) if root is not None else placed.root


def forget(row: Row, ctx: Ctx) -> None:
    """A recalled message is nothing to belong to."""
    recent = ctx.table(RECENT).get(row["chat_id"]) if ctx.config.grouping else None
    if recent is not None:
        ctx.table(RECENT).set(row["chat_id"], said=packed(without(unpacked(recent["said"]), row["message_id"])))
