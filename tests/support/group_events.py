"""Events of a group chat, written as Feishu pushes them; ids may be any short words."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

NOVEMBER = 1_793_500_000_000
"""2026-11-01 10:26:40 in Shanghai, ms UTC."""

_ids = itertools.count()


def message(
    message_id: str,
    sender: str,
    text: str = "",
    *,
    at: int = NOVEMBER,
    parent: str = "",
    root: str | None = None,
    thread: str = "",
    mentions: Sequence[str] = (),
    kind: str = "text",
    content: dict[str, Any] | None = None,
    chat_type: str = "group",
) -> dict[str, Any]:
    """A message; who is called ``bot…`` is one, and ``all`` among the mentions is everybody."""
    body: dict[str, Any] = {
        "message_id": message_id,
        "create_time": str(at),
        "update_time": str(at),
        "chat_id": "oc_group",
        "chat_type": chat_type,
        "message_type": kind,
        "content": json.dumps({"text": text} if content is None else content, ensure_ascii=False),
    }
    if parent:
        body |= {"parent_id": parent, "root_id": root or parent}
    if thread:
        body["thread_id"] = thread
    if mentions:
        body["mentions"] = [_mention(number, who) for number, who in enumerate(mentions, 1)]
    sender_type = "bot" if sender.startswith("bot") else "user"
    event = {"sender": {"sender_id": {"open_id": sender}, "sender_type": sender_type}, "message": body}
    return _pushed("im.message.receive_v1", event)


def recall(message_id: str) -> dict[str, Any]:
    """A message is taken back."""
    event = {"message_id": message_id, "chat_id": "oc_group", "recall_time": "1793600000000"}
    return _pushed("im.message.recalled_v1", event)


def reaction(message_id: str, user: str, *, added: bool = True, at: int = 1, emoji: str = "OK") -> dict[str, Any]:
    """An emoji is put on a message or taken off; who is called ``bot…`` is an app."""
    event: dict[str, Any] = {
        "message_id": message_id,
        "reaction_type": {"emoji_type": emoji},
        "action_time": str(NOVEMBER + at),
    }
    if user.startswith("bot"):
        event |= {"operator_type": "app", "app_id": user}
    else:
        event |= {"operator_type": "user", "user_id": {"open_id": user}}
    return _pushed(f"im.message.reaction.{'created' if added else 'deleted'}_v1", event)


def pin(message_id: str, *, added: bool = True, at: int = 1) -> dict[str, Any]:
    """A message is pinned or unpinned."""
    event = {"message_id": message_id, "pin_time": str(NOVEMBER + at)}
    return _pushed("pin.added" if added else "pin.removed", event)


def _mention(number: int, who: str) -> dict[str, Any]:
    if who == "all":
        return {"key": "@_all", "id": {"open_id": ""}, "name": "所有人", "mentioned_type": "user"}
    kind = "bot" if who.startswith("bot") else "user"
    return {"key": f"@_user_{number}", "id": {"open_id": who}, "name": who.upper(), "mentioned_type": kind}


def _pushed(event_type: str, event: dict[str, Any]) -> dict[str, Any]:
    return {"schema": "2.0", "header": {"event_id": f"e{next(_ids)}", "event_type": event_type}, "event": event}
