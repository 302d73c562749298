"""The shape of what the assistant keeps: conversations, and what was asked and answered in each."""

from __future__ import annotations

from typing import Final, Literal

from core import Number, PersonName, Table, Text, Timestamp

State = Literal["new", "card", "asked", "again", "recalled", "stopped", "done", "failed", "gone"]
"""``new`` it needs a card · ``card`` that is made · ``asked`` and sent, the answer is to come · ``again`` it is asked
once more · ``recalled`` and ``stopped`` the card has to say so · then ``done``, ``failed``, or ``gone``: taken back."""

OPEN: Final[tuple[State, ...]] = ("new", "card", "asked", "again", "recalled", "stopped")
"""States in which something is left to do."""

CONVERSATIONS: Final = Table(
    "conversations",
    (
        Text("conversation_id", "对话ID"),
        Text("title", "标题"),
        PersonName("starter_name", "发起人", of="starter"),
        Number("turns", "轮数"),
        Number("tokens", "Token 数"),
        Timestamp("created", "开始时间"),
        Timestamp("last", "最后时间"),
        Text("starter"),
        Text("chat_id"),
        Timestamp("since", optional=True),
    ),
    key=("conversation_id",),
    setting="ASSISTANT_TABLE_ID",
    title="助手对话",
)
"""One row for each thread with the bot; privately one for each person. Memory begins at ``since``."""

TURNS: Final = Table(
    "turns",
    (
        Text("message_id"),
        Text("conversation_id"),
        Text("chat_id"),
        Text("asker"),
        Text("question"),
        Text("answer"),
        Text("state"),
        Text("card_id"),
        Timestamp("asked"),
        Timestamp("begun"),
        Number("sequence"),
    ),
    key=("message_id",),
    indexes=(("conversation_id",), ("state",)),
)
"""One row for each question; private. ``begun`` is when its card was made, ``sequence`` numbers its last change."""
